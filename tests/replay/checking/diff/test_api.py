"""`diff`: the differences between two tapes or two RUNs, and the errors for what cannot be compared."""

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

from recorder.settings import SealPolicy
from recorder.tape.compaction import compact
from replay.checking.diff.api import diff
from replay.running import api as running
from replay.running.settings import ReplaySettings
from tests.support import tapes
from tests.support.commands import Json, invoke, json_of
from tests.support.constants import BTC, ETH
from tests.support.oracle import Row
from tests.support.rows import frames, in_batches, open_writer, write_tape
from tests.support.tapes import Recording

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
    done = invoke("diff", a, b, "--json", *options)
    assert (done.exit_code, done.stderr) == (1, "")
    document: Json = json.loads(done.stdout)
    assert document["equal"] is False
    return document


def first_line(a: Path, b: Path, *options: str) -> str:
    """Return the first line of a diff that finds a difference."""
    done = invoke("diff", a, b, *options)
    assert (done.exit_code, done.stderr) == (1, "")
    return done.stdout.splitlines()[0]


def error_line(a: Path, b: Path, *options: str) -> str:
    """Assert that a diff fails with one line and no result; return the line."""
    done = invoke("diff", a, b, *options)
    assert (done.exit_code, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("Error: ")
    return line


@pytest.fixture(scope="module")
def tape(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a tape of 300 rows in three segments; do not change it."""
    return write_tape(tmp_path_factory.mktemp("a") / "tape", ROWS, policy=SMALL)


# Tapes


@pytest.mark.parametrize("column", CHANGES)
def test_one_changed_value(tape: Path, tmp_path: Path, column: str) -> None:
    """One changed value is found at its seq, with both rows complete and the counts."""
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
    assert json_of("diff", tape, other, "--ignore", f"kind,{column}")["equal"] is True


def test_frames_alone(tape: Path, tmp_path: Path) -> None:
    """Two recordings of one feed have the same frames, whenever and on whichever connection they came."""
    frames_only = [row for row in ROWS if row.kind == "frame"]
    moved = [
        row._replace(seq=seq, recv_time=row.recv_time + 7 * seq, connection=row.connection + 3)
        for seq, row in enumerate(frames_only)
    ]
    other = write_tape(tmp_path / "tape", moved, policy=SealPolicy(rows=70))
    assert different(tape, other)["equal"] is False
    document = json_of("diff", tape, other, "--frames")
    assert document["products"][BTC]["frames"]["equal"] == len(frames_only)
    moved[137] = moved[137]._replace(payload=CHANGES["payload"])
    changed = write_tape(tmp_path / "changed", moved)
    found = different(tape, changed, "--frames")["products"][BTC]["frames"]
    assert (found["differing"], found["first"]["seq"], found["first"]["columns"]) == (1, 137, ["payload"])
    assert first_line(tape, changed, "--frames") == "Different: BTC-USD frames first at row 137: payload"
    shorter = write_tape(tmp_path / "shorter", moved[:-1])
    assert different(other, shorter, "--frames")["products"][BTC]["frames"]["only_a"] == 1


def test_prefix(tape: Path, tmp_path: Path) -> None:
    """A tape without the last rows of the other one differs, and the line says where it ends."""
    shorter = write_tape(tmp_path / "tape", ROWS[:-7], policy=SMALL)
    found = different(tape, shorter)["products"][BTC]["rows"]
    assert (found["equal"], found["only_a"], found["only_b"]) == (293, 7, 0)
    assert (found["first"]["seq"], found["first"]["a"]["payload"]) == (293, ROWS[293].payload)
    assert found["first"]["b"] is None
    assert first_line(tape, shorter) == "Different: BTC-USD rows first at row 293: B ends after row 292"
    assert first_line(shorter, tape) == "Different: BTC-USD rows first at row 293: A ends after row 292"


@pytest.mark.parametrize("rows", [0, 3])
def test_product_that_one_has(tape: Path, tmp_path: Path, rows: int) -> None:
    """A product that only one tape has is a difference, even without rows; the other products are equal."""
    other = shutil.copytree(tape, tmp_path / "tape")
    with open_writer(other, ETH) as writer:
        for batch in in_batches(frames(rows) if rows else [], 10):
            writer.products[ETH].append(batch)
    document = different(tape, other)
    assert (document["only_a"], document["only_b"]) == ([], [ETH])
    assert document["products"][BTC]["rows"]["equal"] == 300
    assert document["products"][ETH]["rows"]["only_b"] == rows
    assert ETH in first_line(tape, other)
    assert json_of("diff", tape, other, "-p", BTC)["equal"] is True


def test_files_do_not_matter(tape: Path, tmp_path: Path) -> None:
    """Equal rows are equal in any segments, compacted or not, sealed or in a journal."""
    others = [
        write_tape(tmp_path / "one", ROWS),
        write_tape(tmp_path / "sevens", ROWS, policy=SealPolicy(rows=7)),
        write_tape(tmp_path / "journal", ROWS, policy=SMALL, batch_rows=11, seal=False),
        shutil.copytree(tape, tmp_path / "compacted"),
    ]
    assert compact(others[-1])
    for other in others:
        assert len(tapes.segment_paths(other, BTC)) != 3
        document = json_of("diff", tape, other)
        assert document["equal"] is True
        assert document["products"][BTC]["rows"]["equal"] == 300


def test_two_recorders(tape: Path, tmp_path: Path) -> None:
    """Two recordings of one market differ in every time and connection; --ignore shows the rest."""
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
    done = invoke("diff", tape, other, "--ignore", "recv_time", "--ignore", "connection")
    assert "row 251, the first frame that differs: payload" in done.stdout
    assert "\x1b" not in done.stdout


def test_feeds(tape: Path, tmp_path: Path) -> None:
    """Tapes with the same rows but different feeds are different."""
    other = shutil.copytree(tape, tmp_path / "tape")
    manifest = json.loads((other / "_tape.json").read_bytes())
    (other / "_tape.json").write_text(json.dumps({**manifest, "feed": "advanced"}), encoding="utf-8")
    assert different(tape, other)["facts"] == {"feed": ["exchange", "advanced"]}
    assert first_line(tape, other).startswith("Different: the rows are equal, but the feeds are not")


# RUNs


@pytest.fixture(scope="module")
def run(recording: Recording, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a RUN of the recording with three levels a side; do not change it."""
    output = tmp_path_factory.mktemp("runs") / "run"
    running.run(recording.tape, ReplaySettings(threshold=0.0008, depth=3), output=output, keep=False)
    return output


def rewritten(run: Path, copy: Path, stream: str, change: Callable[[pa.Table], pa.Table]) -> Path:
    """Copy a RUN and change one of its BTC-USD files; return the path of that file."""
    shutil.copytree(run, copy)
    (path,) = (copy / stream / f"product={BTC}").glob("*.parquet")
    pq.write_table(change(pq.ParquetFile(path).read()), path)
    return path


def with_value(column: str, row: int, change: Callable[[Any], Any]) -> Callable[[pa.Table], pa.Table]:
    """Return a function that changes one value of a table."""

    def changed(table: pa.Table) -> pa.Table:
        values = table[column].to_pylist()
        values[row] = change(values[row])
        place = table.schema.get_field_index(column)
        return table.set_column(place, table.schema.field(place), pa.array(values, table.schema.types[place]))

    return changed


def test_batches_and_speed_do_not_matter(recording: Recording, run: Path, tmp_path: Path) -> None:
    """RUNs of one tape with different batch sizes and speeds are equal; different settings are listed."""
    settings = ReplaySettings(threshold=0.0008, batch_rows=777, speed=1e6, idle_limit=0.1)
    running.run(recording.tape, settings, output=tmp_path / "run", keep=False)
    document = json_of("diff", run, tmp_path / "run")
    assert document["equal"] is True
    assert document["facts"].keys() == {"speed", "idle_limit_s", "depth"}
    assert document["uncompared"] == {"depth": "A"}
    compared = document["products"][BTC]
    assert compared.keys() == {"summaries", "signals", "anomalies"}
    assert compared["summaries"]["equal"] == recording.document["products"][BTC]["summaries"]


@pytest.mark.parametrize(
    ("stream", "column", "change"),
    [
        ("summaries", "bid_size", lambda value: math.nextafter(value, math.inf)),
        ("summaries", "bid_size", lambda _: math.nan),
        ("depth", "ask_price_2", lambda _: None),
    ],
)
def test_one_changed_float(
    recording: Recording, run: Path, tmp_path: Path, stream: str, column: str, change: Callable[[float], Any]
) -> None:
    """A change of the last bit of a float, a null or a NaN is found, with both rows and the raw frame."""
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
    lines = invoke("diff", run, tmp_path / "run").stdout.splitlines()
    assert lines[0] == f"Different: BTC-USD {stream} first at row {row.seq:,}: {column}"
    assert row.payload[:100] in "\n".join(lines)
    assert [line.split()[0] for line in lines if re.match(r"\w+\* ", line)] == [f"{column}*"]


def test_nan_is_not_null(run: Path, tmp_path: Path) -> None:
    """NaN and null differ, though JSON has no NaN."""
    rewritten(run, tmp_path / "a", "summaries", with_value("spread", 5, lambda _: None))
    rewritten(run, tmp_path / "b", "summaries", with_value("spread", 5, lambda _: math.nan))
    first = different(tmp_path / "a", tmp_path / "b")["products"][BTC]["summaries"]["first"]
    assert (first["a"]["spread"], first["b"]["spread"]) == (None, "nan (7ff8000000000000)")


def test_threshold(recording: Recording, run: Path, tmp_path: Path) -> None:
    """RUNs with different thresholds differ only in their signals, and in the listed settings."""
    running.run(recording.tape, ReplaySettings(threshold=0.0009), output=tmp_path / "run", keep=False)
    document = different(run, tmp_path / "run")
    assert document["facts"]["threshold"] == [0.0008, 0.0009]
    found = document["products"][BTC]
    assert found["summaries"]["first"] is None
    assert found["signals"]["only_a"] > 0
    assert found["signals"]["only_b"] == found["signals"]["differing"] == 0
    assert "threshold: A 0.0008, B 0.0009" in invoke("diff", run, tmp_path / "run").stdout


def test_anomalies_of_one_row(tmp_path: Path) -> None:
    """Several anomalies of one row are compared in order, even if one is missing."""
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
    """For different depths, the levels that both have are compared."""
    output = tmp_path / "run"
    running.run(
        recording.tape, ReplaySettings(products=(BTC,), threshold=0.0008, depth=5), output=output, keep=False
    )
    document = json_of("diff", run, tmp_path / "run", "-p", BTC)
    assert document["facts"]["depth"] == [3, 5]
    assert document["products"][BTC]["depth"]["equal"] == document["products"][BTC]["summaries"]["equal"]


def test_runs_of_other_tapes(tmp_path: Path) -> None:
    """RUNs of two tapes are compared; the tapes are listed first, and the frames of both are shown."""
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
    lines = invoke("diff", *runs).stdout.splitlines()
    assert lines[0] == "Different: BTC-USD summaries first at row 1: bid_size"
    assert lines[1].startswith("tape: A ")


def test_missing_tape(tmp_path: Path) -> None:
    """If the tape cannot be opened, the diff says so and shows the rest without the frame."""
    tape = tapes.import_frames(tmp_path, [(0, tapes.snapshot(BTC))])
    running.run(tape, output=tmp_path / "run")
    rewritten(tmp_path / "run", tmp_path / "changed", "summaries", with_value("spread", 0, lambda _: 2.0))
    shutil.rmtree(tape)
    (frame,) = different(tmp_path / "run", tmp_path / "changed")["products"][BTC]["summaries"]["first"][
        "frames"
    ]
    assert (frame["row"], frame["error"]) == (None, f"{tape}: no such tape")
    shown = invoke("diff", tmp_path / "run", tmp_path / "changed").stdout
    assert f"The raw frame cannot be read: {tape}: no such tape" in shown


# What cannot be compared


def test_not_comparable(tape: Path, run: Path, tmp_path: Path) -> None:
    """Anything but two tapes or two RUNs, or an unknown product, is one line."""
    assert error_line(tape, tmp_path) == f"Error: {tmp_path}: neither a tape nor a RUN"
    assert error_line(tmp_path / "x", tape) == f"Error: {tmp_path / 'x'}: no such tape or RUN"
    for pair in ((tape, run), (run, tape)):
        assert error_line(*pair).startswith(f"Error: {tape} is a tape and {run} a RUN: ")
    assert invoke("compare", tape, "--threshold", "1bps", "-o", tmp_path / "compared").exit_code == 0
    for pair in ((tmp_path / "compared", run), (run, tmp_path / "compared")):
        assert error_line(*pair).startswith(f"Error: {tmp_path / 'compared'} is a RUN of compare: name RUNs")
    assert "neither has a product 'DOGE-USD'; there are BTC-USD" in error_line(tape, tape, "-p", "DOGE-USD")


def test_damaged_tape(tape: Path, tmp_path: Path) -> None:
    """A damaged segment is one line that names it, not a difference."""
    other = shutil.copytree(tape, tmp_path / "tape")
    path = tapes.segment_paths(other, BTC)[1]
    path.write_bytes(path.read_bytes()[:-1])
    assert str(path) in error_line(tape, other)


def test_unknown_column(tape: Path, run: Path) -> None:
    """An unknown column to ignore is a usage error that names the columns."""
    for pair, column in (((tape, tape), "spread"), ((run, run), "payload"), ((tape, tape), "seq")):
        done = invoke("diff", *pair, "--ignore", column)
        assert (done.exit_code, done.stdout) == (2, "")
        assert f"'{column}' is not a column of" in done.stderr


def test_from_python(tape: Path, tmp_path: Path) -> None:
    """`diff` can be called from Python."""
    other = write_tape(tmp_path / "tape", [*ROWS[:40], Row(40, ROWS[40].recv_time, 0, "frame", "?")])
    found = diff(str(tape), str(other), products=(BTC,))
    assert not found.is_equal
    (stream,) = found.streams
    assert stream.first is not None
    assert (stream.first.seq, stream.only_a) == (40, 259)
