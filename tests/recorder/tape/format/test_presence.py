"""What is missing, or there and not named, is damage for every command and never taken for an empty tape."""

import json
from collections.abc import Callable
from pathlib import Path
from shutil import copytree, rmtree
from typing import Final

import pytest

from recorder.settings import SealPolicy
from recorder.tape.compaction import compact
from recorder.tape.errors import DamagedTapeError
from recorder.tape.reader import Tape
from recorder.tape.tail import follow
from tests.endurance.faults import Call, intercepted
from tests.support import tapes
from tests.support.commands import invoke
from tests.support.constants import BTC, ETH, MS
from tests.support.rows import frames, open_writer, tally, to_batch, write_tape


def lose_product(tape: Path) -> str:
    """Remove the directory of a product."""
    rmtree(tape / f"product={ETH}")
    return f"product={ETH}"


def lose_manifest(tape: Path) -> str:
    """Remove the manifest."""
    (tape / "_tape.json").unlink()
    return str(tape)


def forget_product(tape: Path) -> str:
    """Remove a product from the manifest."""
    manifest = json.loads((tape / "_tape.json").read_bytes())
    manifest["products"].remove(ETH)
    (tape / "_tape.json").write_text(json.dumps(manifest), encoding="utf-8")
    return f"product={ETH}"


def note_stranger(tape: Path) -> str:
    """Note sealed rows of a product that the manifest does not name."""
    manifest = json.loads((tape / "_tape.json").read_bytes())
    manifest["sealed_rows"]["X-Y"] = 1
    (tape / "_tape.json").write_text(json.dumps(manifest), encoding="utf-8")
    return "X-Y"


def lose_list(tape: Path) -> str:
    """Remove the list of a product's segments."""
    tapes.list_path(tape, ETH).unlink()
    return tapes.segment_paths(tape, ETH)[0].name


def shorten_list(tape: Path) -> str:
    """Remove the last line of a list."""
    path = tapes.list_path(tape, ETH)
    path.write_text(
        "".join(path.read_text(encoding="utf-8").splitlines(keepends=True)[:-1]), encoding="utf-8"
    )
    return tapes.segment_paths(tape, ETH)[-1].name


def lose_end(tape: Path) -> str:
    """Remove the last segment together with its line; its sidecars are still there."""
    tapes.segment_paths(tape, ETH)[-1].unlink()
    return shorten_list_to(tape, len(tapes.segment_paths(tape, ETH)))


def shorten_list_to(tape: Path, lines: int) -> str:
    """Keep some lines of a list; return the name of the first row that is not listed any more."""
    path = tapes.list_path(tape, ETH)
    kept = path.read_text(encoding="utf-8").splitlines(keepends=True)[:lines]
    path.write_text("".join(kept), encoding="utf-8")
    last = json.loads(kept[-1])
    return f"{last['first_seq'] + last['rows']:020d}"


def lose_segment(tape: Path) -> str:
    """Remove a segment in the middle."""
    path = tapes.segment_paths(tape, ETH)[1]
    path.unlink()
    return path.name


def empty_product(tape: Path) -> str:
    """Remove the list and all segments of a product; its sidecars are still there."""
    for path in tapes.segment_paths(tape, ETH):
        path.unlink()
    tapes.list_path(tape, ETH).unlink()
    return "_index"


def lose_tail(tape: Path) -> str:
    """Remove the last segment with its line and its sidecars, as if it had never been."""
    name = lose_end(tape)
    for path in tape.glob(f"product={ETH}/_index/{name}.*"):
        path.unlink()
    return "the list has 50 rows, but"


def empty_directory(tape: Path) -> str:
    """Remove all that a product's directory holds."""
    rmtree(tape / f"product={ETH}")
    (tape / f"product={ETH}").mkdir()
    return "the list has 0 rows, but"


LOSSES: Final = (
    lose_product,
    lose_manifest,
    forget_product,
    note_stranger,
    lose_list,
    shorten_list,
    lose_end,
    lose_segment,
    empty_product,
    lose_tail,
    empty_directory,
)
READING: Final = ("inspect", "replay", "compare", "verify", "index", "compact")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a tape of two products with three segments each."""
    sent = [(0, tapes.snapshot(product)) for product in (BTC, ETH)]
    sent += [(number * MS, tapes.update(product)) for number in range(1, 60) for product in (BTC, ETH)]
    return tapes.import_frames(tmp_path_factory.mktemp("whole"), sent, segment_rows=25)


def content(tape: Path) -> dict[str, bytes]:
    """Return the files of a tape but its locks."""
    files = (path for path in tape.rglob("*") if path.is_file() and "lock" not in path.name)
    return {str(path.relative_to(tape)): path.read_bytes() for path in files}


@pytest.mark.parametrize("lose", LOSSES, ids=lambda lose: lose.__name__)
def test_what_is_lost_is_damage_for_every_command(
    whole: Path, tmp_path: Path, lose: Callable[[Path], str]
) -> None:
    """Each command ends with 1 and names what is lost; none changes a file of what is left."""
    tape = Path(copytree(whole, tmp_path / "tape"))
    name = lose(tape)
    before = content(tape)
    capture = tapes.write_capture(tmp_path / "more.jsonl", [(10**12, tapes.snapshot(ETH))])
    calls: list[tuple[object, ...]] = [(command, tape) for command in READING]
    calls += [
        ("book", tape, "-p", ETH, "--at", "2026-08-09T21:05:50Z"),
        ("diff", tape, whole),
        ("diff", whole, tape),
    ]
    calls += [("import", capture, "-o", tape)]
    for call in calls:
        done = invoke(*call)
        assert done.exit_code == 1, (call, done.stderr)
        assert name in done.stderr + done.stdout, call
        assert "unexpected" not in done.stderr, call
        assert content(tape) == before, call
    with pytest.raises(DamagedTapeError):
        open_writer(tape, BTC, ETH)
    assert content(tape) == before


def test_a_new_tape_may_stand_in_what_a_crash_left(tmp_path: Path) -> None:
    """A recorder that died before its manifest, or before a product's first row, is followed by another."""
    (tmp_path / "tape" / f"product={BTC}" / "_journal").mkdir(parents=True)
    (tmp_path / "tape" / "_lock").touch()
    tape = write_tape(tmp_path / "tape", frames(5))
    (tape / f"product={ETH}" / "_journal").mkdir(parents=True)
    assert Tape.open(tape).manifest.products == (BTC,)
    assert invoke("verify", tape).exit_code == 0
    with open_writer(tape, ETH):
        assert Tape.open(tape).manifest.products == (BTC, ETH)


@pytest.mark.parametrize("sealed", [0, 60])
def test_a_tape_that_goes_away_is_not_at_its_end(tmp_path: Path, sealed: int) -> None:
    """A tape that is moved while it is read, or followed, ends in an error and never in a short result."""
    tape, gone = tmp_path / "tape", tmp_path / "gone"
    rows = frames(90)
    write_tape(tape, rows, policy=SealPolicy(rows=20), seal=False)
    if sealed:
        with open_writer(tape, policy=SealPolicy(rows=20)) as writer:
            writer.products[BTC].seal_all(tally(), sealed)
    opened = Tape.open(tape)
    read, followed = opened.product(BTC).batches(10), follow(opened.product(BTC), size=30)
    next(read), next(followed)
    tape.rename(gone)
    with pytest.raises(DamagedTapeError, match=r"missing|moved"):
        list(followed)
    if sealed:
        with pytest.raises(DamagedTapeError, match=r"missing|moved"):
            list(read)
    else:
        assert sum(map(len, read)) == 80  # the journals were open
    write_tape(tape, rows[:20], policy=SealPolicy(rows=20))
    if sealed:
        with pytest.raises(DamagedTapeError, match=r"20 rows, but 60 were sealed"):
            opened.product(BTC).segments()


def test_recorders_and_compactions_at_work_are_no_damage(tmp_path: Path) -> None:
    """At every change that a seal or a compaction makes, readers that look then find a whole tape."""
    tape = write_tape(tmp_path / "tape", frames(40), policy=SealPolicy(rows=20))
    looks = 0

    def look(_name: str, call: Call, arguments: tuple[object, ...]) -> object:
        nonlocal looks
        Tape.open(tape).product(BTC).segments()
        Tape.open(tape).product(BTC).last_segment()
        Tape.open(tape)
        looks += 1
        return call(*arguments)

    with intercepted(look), open_writer(tape, BTC, ETH, policy=SealPolicy(rows=20)) as writer:
        for product in (BTC, ETH):
            first = writer.products[product].position.seq
            writer.products[product].append(to_batch(frames(50, first)))
            writer.products[product].seal(tally(), first + 50)
        compact(tape)
    assert looks > 30
