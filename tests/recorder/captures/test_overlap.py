"""Captures that repeat what was imported, or whose rows would lose their times, are refused."""

import signal
from pathlib import Path

import pytest

from recorder.api import import_captures
from recorder.captures.formats import CaptureError
from recorder.settings import ImportSettings, SealPolicy
from replay.checking.verify import verify
from tests.support.commands import invoke, json_of, python
from tests.support.constants import BTC, ETH, SECOND
from tests.support.rows import read_rows
from tests.support.tapes import Timed, snapshot, update, write_capture


def minute(start: float, product: str = BTC, seconds: int = 60) -> list[Timed]:
    """Return a capture of a frame a second, each with its own text."""
    frames = [
        (0, snapshot(product)),
        *((n, update(product, ("buy", f"{n}", "1"))) for n in range(1, seconds)),
    ]
    return [(int((start + second) * SECOND), text) for second, text in frames]


def files(directory: Path, *captures: list[Timed]) -> list[Path]:
    """Return the files of captures."""
    return [write_capture(directory / f"{place}.jsonl", frames) for place, frames in enumerate(captures)]


def refused(paths: list[Path], tape: Path, match: str, **options: object) -> None:
    """Assert that an import is refused and leaves everything as it was."""
    before = sorted((path, path.stat().st_mtime_ns) for path in tape.rglob("*"))
    with pytest.raises(CaptureError, match=match):
        import_captures(paths, tape, ImportSettings(**options))  # type: ignore[arg-type]
    assert sorted((path, path.stat().st_mtime_ns) for path in tape.rglob("*")) == before


def test_a_wrong_order_is_refused_if_it_is_kept(tmp_path: Path) -> None:
    """Files are imported in the order of their times; in another order their rows would lose them."""
    paths = files(tmp_path, minute(1000), minute(0))
    refused(
        paths, tmp_path / "tape", r"1\.jsonl: begins at .* in .*0\.jsonl: leave out --as-given", as_given=True
    )
    assert import_captures(paths, tmp_path / "tape").clamped == 0


@pytest.mark.parametrize("seconds", [60, 3, 1])
@pytest.mark.parametrize("rows", [7, 50_000])
def test_a_capture_is_imported_once(tmp_path: Path, seconds: int, rows: int) -> None:
    """The same capture again, alone, twice at once or with others, is refused however short it is."""
    (path, later) = files(tmp_path, minute(0, seconds=seconds), minute(100))
    refused([path, later, path], tmp_path / "tape", "already")
    import_captures([path], tmp_path / "tape", ImportSettings(seal=SealPolicy(rows=rows)))
    for paths in ([path], [later, path]):
        refused(
            paths, tmp_path / "tape", r"0\.jsonl: its first frame of BTC-USD is on .* already", clamp=True
        )
    import_captures([later], tmp_path / "tape")


def test_a_rotated_capture_that_repeats_its_end_is_refused(tmp_path: Path) -> None:
    """A capture that begins with the last frames of the one before it would double them."""
    first = minute(0)
    paths = files(tmp_path, first, [*first[-2:], *minute(60)[1:]])
    refused(paths, tmp_path / "tape", r"1\.jsonl: its first frame of BTC-USD is in .*0\.jsonl already")
    import_captures(paths[:1], tmp_path / "tape")
    refused(paths[1:], tmp_path / "tape", "already")


def test_captures_that_overlap_are_refused(tmp_path: Path) -> None:
    """Two recordings of the same minute belong on two tapes; some seconds are clamped and told."""
    paths = files(tmp_path, minute(0), minute(30), minute(56.5))
    refused(paths[:2], tmp_path / "a", r"1\.jsonl: begins at .*, 29\.0 s before .*--clamp")
    import_captures(paths[:1], tmp_path / "b")
    refused(paths[1:2], tmp_path / "b", r"29\.0 s before the last row of BTC-USD on .*another tape")
    assert import_captures([paths[0], paths[2]], tmp_path / "c").clamped == 4
    verdicts = json_of("inspect", tmp_path / "c")["products"][BTC]["verdicts"]
    note = "4 rows with a time up to 2.500 s before the row before got its time"
    assert [each["notes"] for each in verdicts] == [[], [note]]
    assert [each["verdict"] for each in verdicts] == ["unverifiable"] * 2
    assert json_of("verify", tmp_path / "c")["products"][BTC]["verdicts"] == verdicts


def test_what_was_clamped_by_an_option_is_broken(tmp_path: Path) -> None:
    """Rows that an option squeezed into one instant are told by every command."""
    paths = files(tmp_path, minute(0), minute(30))
    import_captures(paths, tmp_path / "tape", ImportSettings(clamp=True))
    assert len(read_rows(tmp_path / "tape")) == 2 * 62
    for command in ("inspect", "verify"):
        first, second = json_of(command, tmp_path / "tape")["products"][BTC]["verdicts"]
        assert first["verdict"] == "unverifiable"
        assert second["verdict"] == "broken"
        assert "up to 29.000 s before the row before" in second["reason"]


def test_a_clock_that_was_set_back_is_refused(tmp_path: Path) -> None:
    """Times that go back within one file are refused; those of different products are not compared."""
    paths = files(tmp_path, minute(100) + minute(0, seconds=2), minute(0) + minute(0, ETH))
    refused(paths[:1], tmp_path / "tape", r"0\.jsonl: its times go back by 159\.0 s.*--clamp")
    assert import_captures(paths[1:], tmp_path / "tape").clamped == 0


def test_other_products_do_not_overlap(tmp_path: Path) -> None:
    """Captures of other products may be of the same time, and be imported later."""
    paths = files(tmp_path, minute(0), minute(0, ETH), minute(70))
    import_captures(paths[:1], tmp_path / "tape")
    assert import_captures(paths[1:], tmp_path / "tape").clamped == 0


DIES = """
import sys
from pathlib import Path
from recorder.api import import_captures
from recorder.settings import ImportSettings, SealPolicy
from tests.endurance.faults import dying_at, intercepted
with intercepted(dying_at(int(sys.argv[3]))):
    import_captures([Path(sys.argv[1])], Path(sys.argv[2]), ImportSettings(seal=SealPolicy(rows=7)))
"""


def test_a_killed_import_is_told(tmp_path: Path) -> None:
    """What a killed import left is not called whole, and a second import of it says why it is refused."""
    (path, later) = files(tmp_path, minute(0), minute(100))
    tape = tmp_path / "tape"
    done = python(DIES, str(path), str(tape), "40")
    assert done.returncode == -signal.SIGKILL
    assert 0 < len(read_rows(tape)) < 60
    line = "the import of 0.jsonl has not ended; if it died, import it to another tape"
    assert verify(tape).damage == [line]
    assert json_of("inspect", tape)["unfinished"] == ["0.jsonl"]
    assert line in invoke("inspect", tape).stdout
    refused([path], tape, r"is on .* already; its import has not ended")
    import_captures([later], tape)
    assert verify(tape).damage == [line]
    import_captures([path], tmp_path / "other")
    assert verify(tmp_path / "other").damage == []
