"""Importing captures: a tape as a recording of these connections would have made it."""

import gzip
import json
from collections.abc import Iterable
from pathlib import Path

import pytest

from recorder.api import import_captures
from recorder.captures.capture_rows import CaptureRows
from recorder.captures.formats import CaptureError
from recorder.captures.survey import survey
from recorder.settings import CaptureForm, CaptureFormat, ImportSettings, SealPolicy
from recorder.tape.errors import NotATapeError, TapeError
from recorder.tape.reader import Tape
from recorder.tape.row_batches import Position
from replay.checking.verify import verify
from replay.running import api as running
from tests.support.commands import invoke
from tests.support.constants import BTC, ETH, SECOND, START
from tests.support.oracle import Row
from tests.support.rows import file_size_limit, journals, read_rows, to_rows
from tests.support.tapes import Timed, snapshot, update, write_capture


def kinds(rows: Iterable[Row]) -> list[str]:
    """Return the kinds of rows, frames by their text."""
    return [row.payload if row.kind == "frame" else row.kind for row in rows]


def importing(directory: Path, *captures: list[Timed], **options: object) -> Path:
    """Import captures of the jsonl format, a file each; return the tape."""
    paths = [write_capture(directory / f"{number}.jsonl", frames) for number, frames in enumerate(captures)]
    import_captures(paths, directory / "tape", ImportSettings(**options))  # type: ignore[arg-type]
    return directory / "tape"


def test_frames_go_to_the_products_that_they_name(tmp_path: Path) -> None:
    """A frame goes to the products that it names, and to all products if it names none, in order."""
    both = json.dumps({"type": "status", "products": [{"product_id": BTC}, {"product_id": ETH}]})
    texts = ['{"type":"subscriptions"}', snapshot(BTC), both, snapshot(ETH), "no JSON {", update(BTC)]
    tape = importing(tmp_path, [(time, text) for time, text in enumerate(texts)])
    nobody = [texts[0], "no JSON {"]
    for product, others in ((BTC, [texts[1], both, texts[5]]), (ETH, [both, texts[3]])):
        rows = read_rows(tape, product)
        expected = [text for text in texts if text in nobody or text in others]
        assert kinds(rows) == ["connected", *expected, "disconnected"]
        assert [row.recv_time for row in rows[1:-1]] == [START + texts.index(text) for text in expected]
        assert {row.connection for row in rows} == {0}


def test_a_connection_is_one_for_all_its_products(tmp_path: Path) -> None:
    """The products of a file share its connections: one id, all products, begin and end by its times."""
    tape = importing(tmp_path, [(5, snapshot(BTC)), (7, snapshot(ETH)), (9, update(BTC))])
    opened = {product: read_rows(tape, product)[0] for product in (BTC, ETH)}
    payloads = [json.loads(row.payload) for row in opened.values()]
    assert payloads[0] == payloads[1]
    assert payloads[0]["products"] == [BTC, ETH]
    assert payloads[0]["subscribe"] == []
    assert {row.recv_time for row in opened.values()} == {START + 5}
    for product in (BTC, ETH):
        last = read_rows(tape, product)[-1]
        assert (last.kind, last.recv_time) == ("disconnected", START + 9)
        assert json.loads(last.payload).keys() == {"code", "reason"}


def test_each_file_is_a_connection(tmp_path: Path) -> None:
    """Several files are several connections of the products that each of them names."""
    tape = importing(
        tmp_path, [(0, snapshot(BTC))], [(1, snapshot(ETH))], [(2, snapshot(ETH)), (3, snapshot(BTC))]
    )
    connections = {
        product: [(row.connection, row.kind) for row in read_rows(tape, product) if row.kind != "frame"]
        for product in (BTC, ETH)
    }
    twice = [(number, kind) for number in (0, 1) for kind in ("connected", "disconnected")]
    assert connections == {BTC: twice, ETH: twice}
    ids = {
        json.loads(row.payload)["id"]
        for product in (BTC, ETH)
        for row in read_rows(tape, product)
        if row.kind == "connected"
    }
    assert len(ids) == 3


def test_a_blank_line_of_tardis_is_a_disconnect(tmp_path: Path) -> None:
    """A blank line ends the connection at the time before it; blank lines at the ends are no connections."""
    capture = tmp_path / "capture"
    lines = [
        "",
        f"2026-08-09T21:05:48Z {snapshot(BTC)}",
        "",
        "",
        f"2026-08-09T21:05:50Z {snapshot(BTC)}",
        "",
        "",
    ]
    capture.write_text("\n".join(lines))
    import_captures([capture], tmp_path / "tape", ImportSettings(CaptureForm("tardis")))
    rows = read_rows(tmp_path / "tape")
    assert [(row.connection, row.kind) for row in rows] == [
        (number, kind) for number in (0, 1) for kind in ("connected", "frame", "disconnected")
    ]
    assert [(row.recv_time - START) // SECOND for row in rows] == [0, 0, 0, 2, 2, 2]


def test_times_that_go_back_are_clamped_and_counted(tmp_path: Path) -> None:
    """A row whose time is before that of the product's last row gets that time, and is counted."""
    frames: list[Timed] = [
        (10, snapshot(BTC)),
        (5, update(BTC)),
        (20, update(BTC)),
        (19, update(BTC)),
        (19, update(ETH)),
    ]
    capture = write_capture(tmp_path / "a.jsonl", frames)
    recorded = import_captures([capture], tmp_path / "tape")
    times = [row.recv_time - START for row in read_rows(tmp_path / "tape")]
    assert times == [10, 10, 10, 20, 20, 20]
    assert [row.recv_time - START for row in read_rows(tmp_path / "tape", ETH)] == [10, 19, 19]
    # The two frames of BTC-USD, and its end, which would come at 19.
    assert recorded.clamped == 3
    assert recorded.document()["clamped"] == 3


def test_an_import_appends(tmp_path: Path) -> None:
    """A second import continues rows, connections and times, and its digest is that of a whole replay."""
    tape = importing(tmp_path, [(SECOND, snapshot(BTC)), (2 * SECOND, update(BTC, ("buy", "98", "1")))])
    before = read_rows(tape)
    capture = write_capture(tmp_path / "b.jsonl", [(0, snapshot(BTC)), (0, snapshot(ETH))])
    recorded = import_captures([capture], tape)
    rows = read_rows(tape)
    assert rows[: len(before)] == before
    assert [row.seq for row in rows] == list(range(len(before) + 3))
    assert {row.connection for row in rows[len(before) :]} == {1}
    assert {row.recv_time for row in rows[len(before) :]} == {before[-1].recv_time}
    assert recorded.clamped == 3
    assert Tape.open(tape).manifest.products == (BTC, ETH)
    assert recorded.document()["digest"] == running.run(tape, keep=False).digest
    assert not verify(tape).damage


def test_an_import_of_one_product_has_the_digest_of_the_tape(tmp_path: Path) -> None:
    """The digest of an import of one product is that of a replay of the tape with all its products."""
    tape = importing(tmp_path, [(0, snapshot(BTC)), (1, snapshot(ETH))])
    capture = write_capture(tmp_path / "b.jsonl", [(2, snapshot(BTC))])
    recorded = import_captures([capture], tape)
    assert recorded.document()["digest"] == running.run(tape, keep=False).digest


# Feeds

ADVANCED = (
    '{"channel":"l2_data","sequence_num":%d,'
    '"events":[{"type":"snapshot","product_id":"BTC-USD","updates":[]}]}'
)


def test_a_tape_of_the_other_feed_is_refused(tmp_path: Path) -> None:
    """An import never puts frames of one feed on a tape of the other."""
    tape = importing(tmp_path, [(0, snapshot(BTC))])
    before = read_rows(tape)
    with pytest.raises(NotATapeError):
        importing(tmp_path, [(0, ADVANCED % 0)])
    assert read_rows(tape) == before


def test_gaps_are_counted_over_a_connection(tmp_path: Path) -> None:
    """A jump of sequence_num over all frames of a file is counted, not one between a product's own frames."""
    frames: list[Timed] = [
        (number, (ADVANCED % number).replace("BTC", "BTC" if number % 2 else "ETH")) for number in range(10)
    ]
    holed = [each for each in frames if each[0] not in (4, 5, 8)]
    paths = [
        write_capture(tmp_path / str(place), [(time + place * SECOND, text) for time, text in each])
        for place, each in enumerate([frames, frames, holed, frames, holed])
    ]
    assert import_captures(paths[:2], tmp_path / "a").gaps == 0
    assert import_captures(paths[2:], tmp_path / "b").gaps == 4


# Bad captures


@pytest.mark.parametrize(
    ("capture_format", "good", "bad"),
    [
        ("jsonl", json.dumps({"recv_ns": START, "frame": snapshot(BTC)}), "{}"),
        ("cryptofeed", f"1786309548.5: {snapshot(BTC)}", "soon: {}"),
        ("tardis", f"2026-08-09T21:05:48Z {snapshot(BTC)}", "2026-08-09T21:05:48 {}"),
    ],
)
def test_a_bad_line_leaves_no_tape(
    tmp_path: Path, capture_format: CaptureFormat, good: str, bad: str
) -> None:
    """A bad line of the last file ends with exit 1 and one line that names it; nothing was written."""
    (tmp_path / "a").write_text(good + "\n")
    (tmp_path / "b").write_text(f"{good}\n{good}\n{bad}\n{good}\n")
    with pytest.raises(CaptureError, match=r"b: line 3 is not of the"):
        import_captures(
            [tmp_path / "a", tmp_path / "b"], tmp_path / "tape", ImportSettings(CaptureForm(capture_format))
        )
    assert not (tmp_path / "tape").exists()
    done = invoke(
        "import", tmp_path / "a", tmp_path / "b", "-o", tmp_path / "tape", "--format", capture_format
    )
    assert (done.exit_code, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert f"{tmp_path / 'b'}: line 3" in line
    assert not (tmp_path / "tape").exists()


def test_first_and_last_times_import(tmp_path: Path) -> None:
    """A capture of the first and one of the last instants of the format become tapes that can be read."""
    for number, time in enumerate((-START, 2**63 - 1 - START)):
        (tmp_path / str(number)).mkdir()
        tape = importing(tmp_path / str(number), [(time, snapshot(BTC)), (time, update(BTC))])
        assert {row.recv_time for row in read_rows(tape)} == {time + START}
        assert not verify(tape).damage


@pytest.mark.parametrize("segment_rows", [5, 50_000])
def test_a_full_disk_leaves_a_whole_tape(tmp_path: Path, segment_rows: int) -> None:
    """If the disk fills up, all rows before are sealed with digests that a replay confirms."""
    frames: list[Timed] = [(0, snapshot(BTC))]
    frames += [(n, update(BTC, ("buy", f"98.{n}", "1"))) for n in range(1, 13)]
    frames.append((20, "x" * 200_000))
    capture = write_capture(tmp_path / "a.jsonl", frames)
    tape = tmp_path / "tape"
    with file_size_limit(100_000), pytest.raises(TapeError, match="File too large"):
        import_captures([capture], tape, ImportSettings(seal=SealPolicy(rows=segment_rows)))
    told = ["the import of a.jsonl has not ended; if it died, import it to another tape"]
    assert verify(tape).damage == told
    assert kinds(read_rows(tape)) == ["connected", *(text for _, text in frames)][: len(read_rows(tape))]
    later = write_capture(tmp_path / "b.jsonl", [(30, snapshot(BTC))])
    import_captures([later], tape)
    assert not journals(tape)
    assert verify(tape).damage == told


@pytest.mark.parametrize("batch_bytes", [1, 1000, 2**20])
def test_batches_are_bounded_in_bytes(tmp_path: Path, batch_bytes: int) -> None:
    """However large frames are, rows are handed over in batches of about so many bytes, the same rows."""
    texts = ["x" * (number % 7 * 300) for number in range(60)]
    frames: list[Timed] = [(0, snapshot(BTC)), *((1 + place, text) for place, text in enumerate(texts))]
    settings = ImportSettings(batch_bytes=batch_bytes)
    found = survey([write_capture(tmp_path / "a.jsonl", frames)], settings)
    items = list(CaptureRows(found, {BTC: Position()}, settings).items())
    for ((_, rows),) in items:
        sizes = [len(text) for text in rows.column("payload").to_pylist()]
        assert sum(sizes[:-1]) < batch_bytes
    assert kinds(to_rows(rows for ((_, rows),) in items))[2:-1] == texts
    assert (len(items) > 1) == (batch_bytes < 2**20)


@pytest.mark.parametrize("packed", [False, True])
def test_a_torn_end_is_left_out_and_told(tmp_path: Path, packed: bool) -> None:
    """The whole lines of a capture whose recorder died come on the tape, which tells that it ends there."""
    frames: list[Timed] = [(0, snapshot(BTC)), *((n, update(BTC, ("buy", f"{n}", "1"))) for n in range(1, 9))]
    capture = write_capture(tmp_path / "a.jsonl", frames)
    whole = capture.read_bytes()
    cut = gzip.compress(whole)[:-10] if packed else whole[:-20]
    capture.write_bytes(cut)
    tape = tmp_path / "tape"
    refused = invoke("import", capture, "-o", tape)
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert "--torn-end" in refused.stderr
    assert not tape.exists()
    done = invoke("import", capture, "-o", tape, "--torn-end", "--json")
    rows = read_rows(tape)
    kept = len(rows) - 2
    assert kinds(rows)[1:-1] == [text for _, text in frames[:kept]]
    assert kept == len(frames) - 1
    left_out = 0 if packed else len(whole.splitlines(keepends=True)[-1]) - 20
    assert json.loads(done.stdout)["torn"] == {str(capture): left_out}
    assert "torn" in json.loads(rows[-1].payload)["reason"]


# Real captures


def lines_of(capture: Path) -> list[dict[str, str]]:
    """Return the lines of a capture."""
    with gzip.open(capture, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def test_real_captures_import(capture_tape: Path) -> None:
    """Every real capture imports without a malformed frame or a crossed book."""
    for tally in running.run(capture_tape, keep=False).tallies.values():
        assert tally.summaries > 0
        assert (tally.anomalies["malformed"], tally.anomalies["crossed"]) == (0, 0)


def test_real_frames_come_back(capture_tape: Path, captures: Path) -> None:
    """The frames of a tape are the capture's byte for byte, each with the products that it names."""
    products = Tape.open(capture_tape).manifest.products
    (opened,) = (row for row in read_rows(capture_tape, products[0]) if row.kind == "connected")
    lines = lines_of(captures / json.loads(opened.payload)["url"])
    for product in products:
        texts = [row.payload for row in read_rows(capture_tape, product) if row.kind == "frame"]
        wanted = [
            line["frame"]
            for line in lines
            if f'"product_id":"{product}"' in line["frame"] or '"product_id":' not in line["frame"]
        ]
        assert texts == wanted
