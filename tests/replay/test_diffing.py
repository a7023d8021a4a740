"""`diff`: two tapes, two RUNs, what differs where, and what is told of that which cannot be compared."""

import json
import math
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recorder.tape.compaction import compact
from recorder.tape.policy import SealPolicy
from replay import running
from replay.diff_tables import beside
from replay.diffing import diff
from replay.replayed import ReplaySettings
from tests.oracle import Row
from tests.recorder.rows import frames, in_batches, open_writer, write_tape
from tests.replay import tapes
from tests.replay.tapes import Json, Recording

BTC, ETH = "BTC-USD", "ETH-USD"
ROWS = frames(300)
SMALL = SealPolicy(rows=100)
CHANGES: dict[str, Any] = {
    "recv_time": ROWS[137].recv_time + 1,
    "connection": 1,
    "kind": "disconnected",
    "payload": ROWS[137].payload.replace("n", "m", 1),
}


def different(a: Path, b: Path, *options: str) -> Json:
    """Return the document of a diff that finds a difference."""
    done = tapes.command("diff", a, b, "--json", *options)
    assert (done.exit_code, done.stderr) == (1, "")
    document: Json = json.loads(done.stdout)
    assert document["equal"] is False
    return document


def first_line(a: Path, b: Path, *options: str) -> str:
    """Return the first line of a diff that finds a difference."""
    done = tapes.command("diff", a, b, *options)
    assert (done.exit_code, done.stderr) == (1, "")
    return done.stdout.splitlines()[0]


def told(a: Path, b: Path, *options: str) -> str:
    """Insist that a diff fails with one line and no result; return the line."""
    done = tapes.command("diff", a, b, *options)
    assert (done.exit_code, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("Error: ")
    return line


@pytest.fixture(scope="module")
def tape(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a tape of 300 rows in three segments; not to be changed."""
    return write_tape(tmp_path_factory.mktemp("a") / "tape", ROWS, policy=SMALL)


# Tapes


@pytest.mark.parametrize("column", CHANGES)
def test_one_changed_value(tape: Path, tmp_path: Path, column: str) -> None:
    """One value changed in one row is found at its seq, with both rows whole and the counts of it."""
    rows = [row._replace(**{column: CHANGES[column]}) if row.seq == 137 else row for row in ROWS]
    other = write_tape(tmp_path / "tape", rows)
    found = different(tape, other)["products"][BTC]["rows"]
    counts = {"rows_a": 300, "rows_b": 300, "equal": 299, "differing": 1, "only_a": 0, "only_b": 0}
    assert found.items() >= counts.items()
    assert found["columns"] == {column: {"rows": 1, "first_seq": 137}}
    first = found["first"]
    assert (first["seq"], first["columns"]) == (137, [column])
    for side, row in (("a", ROWS[137]), ("b", rows[137])):
        assert (first[side]["connection"], first[side]["kind"]) == (row.connection, row.kind)
        assert first[side]["payload"] == row.payload
        assert first[side]["recv_time"].endswith(f"{row.recv_time % 10**9:09}Z")
    assert first_line(tape, other) == f"Different: BTC-USD rows first at row 137: {column}"
    assert tapes.json_of("diff", tape, other, "--ignore", f"kind,{column}")["equal"] is True


def test_prefix(tape: Path, tmp_path: Path) -> None:
    """A tape that lacks the last rows of another differs, and where it ends is said."""
    shorter = write_tape(tmp_path / "tape", ROWS[:-7], policy=SMALL)
    found = different(tape, shorter)["products"][BTC]["rows"]
    assert (found["equal"], found["only_a"], found["only_b"]) == (293, 7, 0)
    assert (found["first"]["seq"], found["first"]["a"]["payload"]) == (293, ROWS[293].payload)
    assert found["first"]["b"] is None
    assert first_line(tape, shorter) == "Different: BTC-USD rows first at row 293: B ends after row 292"
    assert first_line(shorter, tape) == "Different: BTC-USD rows first at row 293: A ends after row 292"


@pytest.mark.parametrize("rows", [0, 3])
def test_product_that_one_has(tape: Path, tmp_path: Path, rows: int) -> None:
    """A product that only one tape has is a difference, with rows and without; the others' rows are equal."""
    other = shutil.copytree(tape, tmp_path / "tape")
    with open_writer(other, ETH) as writer:
        for batch in in_batches(frames(rows) if rows else [], 10):
            writer.products[ETH].append(batch)
    document = different(tape, other)
    assert (document["only_a"], document["only_b"]) == ([], [ETH])
    assert document["products"][BTC]["rows"]["equal"] == 300
    assert document["products"][ETH]["rows"]["only_b"] == rows
    assert ETH in first_line(tape, other)
    assert tapes.json_of("diff", tape, other, "-p", BTC)["equal"] is True


def test_cut_into_files_is_of_no_account(tape: Path, tmp_path: Path) -> None:
    """Whatever the segments, compacted or not, sealed or in a journal, equal rows are equal."""
    others = [
        write_tape(tmp_path / "one", ROWS),
        write_tape(tmp_path / "sevens", ROWS, policy=SealPolicy(rows=7)),
        write_tape(tmp_path / "journal", ROWS, policy=SMALL, batch_rows=11, seal=False),
        shutil.copytree(tape, tmp_path / "compacted"),
    ]
    assert compact(others[-1])
    for other in others:
        assert len(tapes.segment_paths(other, BTC)) != 3
        document = tapes.json_of("diff", tape, other)
        assert document["equal"] is True
        assert document["products"][BTC]["rows"]["equal"] == 300


def test_two_recorders(tape: Path, tmp_path: Path) -> None:
    """Two recordings of one market differ in every time and connection; what they differ in else is shown."""
    rows = [row._replace(recv_time=row.recv_time + 5, connection=3) for row in ROWS]
    rows[0] = rows[0]._replace(payload='{"id":"other"}')
    rows[251] = rows[251]._replace(payload=ROWS[251].payload[:-1] + "\x1b[31m}")
    other = write_tape(tmp_path / "tape", rows)
    found = different(tape, other)["products"][BTC]["rows"]
    assert {name: column["rows"] for name, column in found["columns"].items()} == {
        "recv_time": 300,
        "connection": 300,
        "payload": 2,
    }
    assert (found["first"]["seq"], found["first_frame"]["seq"]) == (0, 251)
    done = tapes.command("diff", tape, other, "--ignore", "recv_time", "--ignore", "connection")
    assert "row 251, the first frame that differs: payload" in done.stdout
    assert "\x1b" not in done.stdout


def test_feeds(tape: Path, tmp_path: Path) -> None:
    """The same rows of another feed are another tape."""
    other = shutil.copytree(tape, tmp_path / "tape")
    manifest = json.loads((other / "_tape.json").read_bytes())
    (other / "_tape.json").write_text(json.dumps({**manifest, "feed": "advanced"}), encoding="utf-8")
    assert different(tape, other)["facts"] == {"feed": ["exchange", "advanced"]}
    assert first_line(tape, other).startswith("Different: the rows are equal, but of another feed")


def test_beside() -> None:
    """Long texts are cut to a line around the place where they begin to differ, and it is marked."""
    a, b = "x" * 1000 + "\x00same" + "A" + "y" * 500, "x" * 1000 + "\x00same" + "B" + "y" * 500
    line_a, line_b, mark = beside([("A", a), ("B", b)], 80)
    assert len(line_a) == len(line_b) == 80
    at = mark.index("^")
    assert (line_a[:at][1:], line_a[at], line_b[at]) == (line_b[:at][1:], "A", "B")
    assert "from character 1,006 on" in mark
    assert len(list(beside([("A", a), ("B", a)], 80))) == 1


# RUNs


@pytest.fixture(scope="module")
def run(recording: Recording, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a RUN of the recording with three levels a side; not to be changed."""
    output = tmp_path_factory.mktemp("runs") / "run"
    running.run(recording.tape, ReplaySettings(threshold=0.0008, depth=3), output=output, keep=False)
    return output


def rewritten(run: Path, copy: Path, stream: str, change: Callable[[pa.Table], pa.Table]) -> Path:
    """Return a copy of a RUN with one file of BTC-USD changed; the file is the copy's only other one."""
    shutil.copytree(run, copy)
    (path,) = (copy / stream / f"product={BTC}").glob("*.parquet")
    pq.write_table(change(pq.ParquetFile(path).read()), path)
    return path


def with_value(column: str, row: int, change: Callable[[Any], Any]) -> Callable[[pa.Table], pa.Table]:
    """Return what changes one value of a table."""

    def changed(table: pa.Table) -> pa.Table:
        values = table[column].to_pylist()
        values[row] = change(values[row])
        place = table.schema.get_field_index(column)
        return table.set_column(place, table.schema.field(place), pa.array(values, table.schema.types[place]))

    return changed


def test_batches_and_speed_are_of_no_account(recording: Recording, run: Path, tmp_path: Path) -> None:
    """RUNs of one tape at other batch sizes and speeds are equal, and other settings are told."""
    settings = ReplaySettings(threshold=0.0008, batch_rows=777, speed=1e6, idle_limit=0.1)
    running.run(recording.tape, settings, output=tmp_path / "run", keep=False)
    document = tapes.json_of("diff", run, tmp_path / "run")
    assert document["equal"] is True
    assert document["facts"].keys() == {"speed", "idle_limit_s", "depth"}
    assert document["uncompared"] == {"depth": "A"}
    compared = document["products"][BTC]
    assert compared.keys() == {"summaries", "signals", "anomalies"}
    assert compared["summaries"]["equal"] == recording.document["products"][BTC]["summaries"]


@pytest.mark.parametrize(
    "change", [lambda value: math.nextafter(value, math.inf), lambda _: None, lambda _: math.nan]
)
@pytest.mark.parametrize(("stream", "column"), [("summaries", "bid_size"), ("depth", "ask_price_2")])
def test_one_changed_float(
    recording: Recording, run: Path, tmp_path: Path, stream: str, column: str, change: Callable[[float], Any]
) -> None:
    """The last bit of one float, a null or a NaN is found, with both rows and the raw frame of the tape."""
    rewritten(run, tmp_path / "run", stream, with_value(column, 1000, change))
    document = different(run, tmp_path / "run")
    diverging = {
        (product, name)
        for product, streams in document["products"].items()
        for name, found in streams.items()
        if found["first"]
    }
    assert diverging == {(BTC, stream)}
    first = document["products"][BTC][stream]["first"]
    assert first["columns"] == [column]
    assert first["a"][column] != first["b"][column]
    assert {**first["a"], column: 0} == {**first["b"], column: 0}
    row = {row.seq: row for row in tapes.tape_rows(recording.tape, BTC)}[first["seq"]]
    (frame,) = first["frames"]
    assert frame["row"]["payload"] == row.payload
    lines = tapes.command("diff", run, tmp_path / "run").stdout.splitlines()
    assert lines[0] == f"Different: BTC-USD {stream} first at row {row.seq:,}: {column}"
    assert row.payload[:100] in "\n".join(lines)
    assert [line.split()[0] for line in lines if re.match(r"\w+\* ", line)] == [f"{column}*"]


def test_nan_is_not_null(run: Path, tmp_path: Path) -> None:
    """A NaN is told apart from a null, though JSON has no NaN."""
    rewritten(run, tmp_path / "a", "summaries", with_value("spread", 5, lambda _: None))
    rewritten(run, tmp_path / "b", "summaries", with_value("spread", 5, lambda _: math.nan))
    first = different(tmp_path / "a", tmp_path / "b")["products"][BTC]["summaries"]["first"]
    assert (first["a"]["spread"], first["b"]["spread"]) == (None, "nan (7ff8000000000000)")


def test_threshold(recording: Recording, run: Path, tmp_path: Path) -> None:
    """RUNs of other thresholds differ in their signals alone, and the settings are told."""
    running.run(recording.tape, ReplaySettings(threshold=0.0009), output=tmp_path / "run", keep=False)
    document = different(run, tmp_path / "run")
    assert document["facts"]["threshold"] == [0.0008, 0.0009]
    found = document["products"][BTC]
    assert found["summaries"]["first"] is None
    assert found["signals"]["only_a"] > 0
    assert found["signals"]["only_b"] == found["signals"]["differing"] == 0
    assert "threshold: A 0.0008, B 0.0009" in tapes.command("diff", run, tmp_path / "run").stdout


def test_anomalies_of_one_row(tmp_path: Path) -> None:
    """Several anomalies of one row are compared one with one, also where one is missing."""
    crossed = {"type": "l2update", "product_id": BTC, "changes": [["buy", "101", "1"]], "sequence_num": 9}
    tape = tapes.import_frames(tmp_path, [(0, tapes.snapshot(BTC)), (1, json.dumps(crossed)), (2, "no JSON")])
    running.run(tape, output=tmp_path / "run", keep=False)
    rewritten(
        tmp_path / "run", tmp_path / "twice", "anomalies", lambda table: pa.concat_tables([table[:1], table])
    )
    found = different(tmp_path / "run", tmp_path / "twice")["products"][BTC]["anomalies"]
    assert (found["equal"], found["only_b"]) == (2, 1)
    assert found["first"]["b"]["kind"] == "crossed"


def test_other_depth(recording: Recording, run: Path, tmp_path: Path) -> None:
    """Of two depths the levels that both have are compared."""
    settings = ReplaySettings((BTC,), threshold=0.0008, depth=5)
    running.run(recording.tape, settings, output=tmp_path / "run", keep=False)
    document = tapes.json_of("diff", run, tmp_path / "run", "-p", BTC)
    assert document["facts"]["depth"] == [3, 5]
    assert document["products"][BTC]["depth"]["equal"] == document["products"][BTC]["summaries"]["equal"]


def test_runs_of_other_tapes(tmp_path: Path) -> None:
    """RUNs of two tapes are compared, which tapes is told first, and the frames of both are shown."""
    runs = []
    for name, size in (("a", "1"), ("b", "2")):
        (tmp_path / name).mkdir()
        tape = tapes.import_frames(tmp_path / name, [(0, tapes.snapshot(BTC, [("99", size)]))])
        runs.append(tmp_path / name / "run")
        running.run(tape, output=runs[-1])
    document = different(runs[0], runs[1])
    assert document["facts"]["tape"] == [str(tmp_path / "a" / "tape"), str(tmp_path / "b" / "tape")]
    first = document["products"][BTC]["summaries"]["first"]
    assert [frame["row"]["payload"] for frame in first["frames"]] == [
        tapes.snapshot(BTC, [("99", size)]) for size in ("1", "2")
    ]
    lines = tapes.command("diff", *runs).stdout.splitlines()
    assert lines[0] == "Different: BTC-USD summaries first at row 1: bid_size"
    assert lines[1].startswith("tape: A ")


def test_tape_that_is_gone(tmp_path: Path) -> None:
    """Where the tape cannot be opened that is said, and the rest is shown without the frame."""
    tape = tapes.import_frames(tmp_path, [(0, tapes.snapshot(BTC))])
    running.run(tape, output=tmp_path / "run")
    rewritten(tmp_path / "run", tmp_path / "changed", "summaries", with_value("spread", 0, lambda _: 2.0))
    shutil.rmtree(tape)
    (frame,) = different(tmp_path / "run", tmp_path / "changed")["products"][BTC]["summaries"]["first"][
        "frames"
    ]
    assert (frame["row"], frame["error"]) == (None, f"{tape}: no such tape")
    shown = tapes.command("diff", tmp_path / "run", tmp_path / "changed").stdout
    assert f"The raw frame is not to be had: {tape}: no such tape" in shown


# What cannot be compared


def test_not_comparable(tape: Path, run: Path, tmp_path: Path) -> None:
    """What is neither a tape nor a RUN, or not of one sort, or has no such product, is one line."""
    assert told(tape, tmp_path) == f"Error: {tmp_path}: neither a tape nor a RUN"
    assert told(tmp_path / "x", tape) == f"Error: {tmp_path / 'x'}: no such tape or RUN"
    for pair in ((tape, run), (run, tape)):
        assert told(*pair).startswith(f"Error: {tape} is a tape and {run} a RUN: ")
    assert "neither has a product 'DOGE-USD'; there are BTC-USD" in told(tape, tape, "-p", "DOGE-USD")


@pytest.mark.parametrize(
    "text", [b"", b"[]", b"{}", b"\xff", b'{"tape":"t","digest":"","settings":{},"products":{"../x":1}}']
)
def test_bad_run_document(run: Path, tmp_path: Path, text: bytes) -> None:
    """A run.json that is no replay's is one line that names it."""
    (tmp_path / "run.json").write_bytes(text)
    assert str(tmp_path / "run.json") in told(run, tmp_path)


def test_damaged_tape(tape: Path, tmp_path: Path) -> None:
    """A tape with a damaged segment is one line that names it, and no difference."""
    other = shutil.copytree(tape, tmp_path / "tape")
    path = tapes.segment_paths(other, BTC)[1]
    tapes.flip_byte(path, path.stat().st_size // 3)
    assert str(path) in told(tape, other)


def test_missing_file(run: Path, tmp_path: Path) -> None:
    """A file that run.json counts rows for and that is not there is one line that names its place."""
    path = rewritten(run, tmp_path / "run", "signals", lambda table: table)
    path.unlink()
    line = told(run, tmp_path / "run")
    assert str(path.parent) in line
    assert "missing" in line


@pytest.mark.parametrize("position", [200, -1])
def test_damaged_file(run: Path, tmp_path: Path, position: int) -> None:
    """A damaged file, in its pages or its footer, is one line that names it."""
    shutil.copytree(run, tmp_path / "run")
    (path,) = (tmp_path / "run" / "summaries" / f"product={BTC}").glob("*.parquet")
    tapes.flip_byte(path, position)
    assert str(path) in told(tmp_path / "run", run)


@pytest.mark.parametrize(
    "change",
    [
        lambda table: table.drop_columns(["seq"]),
        lambda table: table.drop_columns(["spread"]),
        lambda table: table.take(pa.array([1, 0])),
        lambda table: table.set_column(0, "seq", pa.array([None] * len(table), pa.int64())),
    ],
)
def test_not_the_columns_of_a_run(run: Path, tmp_path: Path, change: Callable[[pa.Table], pa.Table]) -> None:
    """A file with other columns, or rows out of order, is one line that names it."""
    path = rewritten(run, tmp_path / "run", "summaries", change)
    assert str(path) in told(run, tmp_path / "run")


def test_unknown_column(tape: Path, run: Path) -> None:
    """A column to ignore that is none is wrong usage, and the columns that there are are named."""
    for pair, column in (((tape, tape), "spread"), ((run, run), "payload"), ((tape, tape), "seq")):
        done = tapes.command("diff", *pair, "--ignore", column)
        assert (done.exit_code, done.stdout) == (2, "")
        assert f"'{column}' is none of the columns" in done.stderr


def test_from_python(tape: Path, tmp_path: Path) -> None:
    """The same as a call, for notebooks."""
    other = write_tape(tmp_path / "tape", [*ROWS[:40], Row(40, ROWS[40].recv_time, 0, "frame", "?")])
    found = diff(str(tape), str(other), (BTC,))
    assert not found.is_equal
    (stream,) = found.streams
    assert stream.first is not None
    assert (stream.first.seq, stream.only_a) == (40, 259)
