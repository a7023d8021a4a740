"""Exports of a tape that is being recorded, and of one in an object store."""

import signal
import time
from pathlib import Path

import pytest

import booktape as bt
from orderbook.digest import Digest
from orderbook.engine import PlainEngine
from orderbook.tally import Tally
from orderbook.thresholds import DEFAULT_THRESHOLD
from recorder.tape.reader import Tape
from recorder.tape.store import objects
from tests.support.commands import end, invoke, json_of, running_booktape
from tests.support.constants import ETH, SAMPLE
from tests.support.object_store import ObjectStore, enter
from tests.support.tape_server import serving

FORMATS = ("parquet", "hftbacktest", "tardis")
SEALED = 200


def rows_of(tape: Path) -> int:
    """Return the number of rows so far; 0 before there is a tape."""
    return Tape.open(tape).product(ETH).sealed_rows() if (tape / "_tape.json").exists() else 0


def digest_of_first(tape: Path, rows: int) -> str:
    """Return the digest of the first rows of a tape."""
    stored, engine = Tape.open(tape).product(ETH), PlainEngine()
    state, tally = engine.start(ETH, "exchange"), Tally(DEFAULT_THRESHOLD, Digest())
    for batch in stored.batches():
        part = batch.slice(0, max(0, rows - tally.rows))
        if part.num_rows:
            state, step = engine.step(state, part)
            tally.add(step)
    return tally.digest.hexdigest()


def test_a_running_recording(tmp_path: Path) -> None:
    """Each form has what is recorded by then, sealed or not; a view for DuckDB tells what it lacks."""
    tape = tmp_path / "tape"
    options = ("--segment-rows", SEALED, "--json")
    with (
        serving(SAMPLE, speed=20) as url,
        running_booktape("record", ETH, "-o", tape, "--url", url, *options) as recorder,
    ):
        while rows_of(tape) < SEALED:
            time.sleep(0.02)  # nothing tells a reader of another process's rows
        made = {form: bt.export(tape, tmp_path / form, to=form).products[ETH] for form in FORMATS}
        end(recorder, signal.SIGKILL, -signal.SIGKILL)
    for form, found in made.items():
        assert found.rows > SEALED, form
        assert found.digest == digest_of_first(tape, found.rows), form
    unsealed = json_of("inspect", tape)["products"][ETH]["journal_rows"]
    assert unsealed > 0
    done = invoke("export", tape, "--to", "duckdb", "-o", tmp_path / "tape.sql")
    assert f"not in the view: {unsealed} row" in done.stdout
    assert f"-- {unsealed} row" in (tmp_path / "tape.sql").read_text(encoding="utf-8")
    refused = invoke("export", "s3://bucket/tape", "--to", "duckdb", "-o", tmp_path / "other.sql")
    assert (refused.exit_code, "--to parquet" in refused.stderr) == (2, True)


@pytest.mark.parametrize("form", FORMATS)
def test_a_tape_in_a_store(
    object_store: ObjectStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, form: str
) -> None:
    """An export of a tape in a store is that of the tape on disk, byte for byte."""
    url = object_store.put_tree(SAMPLE, f"exported-{form}")
    enter(object_store.environment(), monkeypatch)
    outs = [tmp_path / "here", tmp_path / "there"]
    try:
        for tape, out in zip((str(SAMPLE), url), outs, strict=True):
            bt.export(tape, out, to=form, products=ETH, end="+40s")
    finally:
        objects.client.cache_clear()
    paths = [sorted(path.relative_to(out) for path in out.rglob("*") if path.is_file()) for out in outs]
    assert paths[0] == paths[1]
    for path in paths[0]:
        if path.name != "export.json":
            assert (outs[0] / path).read_bytes() == (outs[1] / path).read_bytes()
