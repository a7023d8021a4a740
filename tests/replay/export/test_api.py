"""An export as a whole: whole or absent, never over something, the same by several processes."""

import json
import os
import signal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import booktape as bt
from tests.endurance.forms import IS_LONG
from tests.support.commands import invoke, json_of
from tests.support.constants import BTC
from tests.support.fork import FORK

FORMATS = ("parquet", "hftbacktest", "tardis")


def killed_export(tape: Path, out: Path, form: str, after: int) -> None:
    """Export, and die by SIGKILL at a step."""
    steps = 0

    def count(_product: str, _step: Any) -> None:
        nonlocal steps
        steps += 1
        if steps == after:
            os.kill(os.getpid(), signal.SIGKILL)

    bt.export(tape, out, to=form, progress=count, engine="plain")


@pytest.mark.parametrize("form", FORMATS)
def test_killed(odd_tape: Path, tmp_path: Path, form: str) -> None:
    """A killed export leaves nothing that looks whole, and the next one clears it away."""
    out = tmp_path / "out"
    for after in (1, 2):
        process = FORK.Process(target=killed_export, args=(odd_tape, out, form, after))
        process.start()
        process.join()
        assert process.exitcode == -signal.SIGKILL
        assert [path.name.startswith("_out.") for path in tmp_path.iterdir()] == [True]
    found = bt.export(odd_tape, out, to=form)
    assert list(tmp_path.iterdir()) == [out]
    assert {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()} == {
        "export.json",
        *(file.path for file in found.files),
    }
    assert all((out / file.path).stat().st_size == file.bytes for file in found.files)


@pytest.mark.parametrize("form", [*FORMATS, "duckdb"])
def test_nothing_is_overwritten(tmp_path: Path, form: str) -> None:
    """What is there stays as it is, a link as well."""
    mine, link = tmp_path / "mine", tmp_path / "link"
    mine.write_text("mine", encoding="ascii")
    link.symlink_to("nowhere")
    for out in (mine, link):
        with pytest.raises(bt.RunError, match="exists already"):
            bt.export("sample:", out, to=form)
    assert sorted(tmp_path.iterdir()) == [link, mine]
    assert mine.read_text(encoding="ascii") == "mine"


@pytest.mark.parametrize("form", FORMATS if IS_LONG else FORMATS[:1])
def test_processes(tmp_path: Path, form: str) -> None:
    """Several processes write the same files."""
    outs = [tmp_path / "one", tmp_path / "two"]
    for number, out in enumerate(outs, 1):
        bt.export("sample:", out, to=form, processes=number, end="+20s")
    paths = [sorted(path.relative_to(out) for path in out.rglob("*") if path.is_file()) for out in outs]
    assert paths[0] == paths[1]
    for path in paths[0]:
        if path.name != "export.json":
            assert (outs[0] / path).read_bytes() == (outs[1] / path).read_bytes()


def test_the_document(tmp_path: Path) -> None:
    """export.json is what --json prints."""
    out = tmp_path / "out"
    printed = json_of("export", "sample:", "-o", out, "--table", "trades", "--until", "+20s", "-p", BTC)
    assert json.loads((out / "export.json").read_bytes()) == printed
    assert (printed["format"], printed["synthetic"]) == ("parquet", True)
    assert printed["settings"]["tables"] == ["trades"]
    assert list(printed["products"]) == [BTC]


def test_a_run_in_microseconds(tmp_path: Path) -> None:
    """All tables of a RUN have the same rows, with int64 columns for the nanoseconds."""
    run, out = tmp_path / "run", tmp_path / "out"
    bt.open("sample:").replay(output=run, depth=1, trades=True, end="+20s", threshold="1bps")
    found = bt.export(run, out, time="us")
    paths = sorted(path.relative_to(run) for path in run.rglob("*.parquet"))
    assert [Path(file.path) for file in found.files] == paths != []
    assert (out / "run.json").read_bytes() == (run / "run.json").read_bytes()
    for path in paths:
        before, after = pq.ParquetFile(run / path).read(), pq.ParquetFile(out / path).read()
        assert after["recv_ns"].equals(before["recv_time"].cast(pa.int64()))
        assert all(each.unit == "us" for each in after.schema.types if pa.types.is_timestamp(each))
        others = [name for name in before.schema.names if not name.endswith("_time")]
        assert after.select(others).equals(before.select(others))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--to", "2026-01-01T00:00:00"], "--until"),
        (["--to", "csv"], "hftbacktest"),
        (["--time", "ms"], "ns, us"),
        (["--time", "us", "--to", "hftbacktest"], "--to parquet"),
        (["--table", "frames"], "levels"),
        (["--table", "levels", "--to", "tardis"], "--to parquet"),
        (["--depth", "5", "--to", "hftbacktest"], "--depth"),
        (["--depth", "5", "--table", "levels"], "--depth"),
        (["--from", "+1s", "--to", "duckdb"], "--from"),
        (["--from", "+2h"], "no row"),
        (["-p", "DOGE-USD"], "BTC-USD"),
        (["--to", "nautilus"], "install"),
    ],
)
def test_refused(tmp_path: Path, options: list[str], words: str) -> None:
    """What cannot be is refused in one line that says what to type instead, and nothing is written."""
    done = invoke("export", "sample:", "-o", tmp_path / "out", *options)
    assert done.exit_code in (1, 2)
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())


def test_what_is_printed(odd_tape: Path, tmp_path: Path) -> None:
    """People read what was interrupted, and what has no row."""
    done = invoke("export", odd_tape, "-o", tmp_path / "out")
    assert done.exit_code == 0
    assert "2 interruptions" in done.stdout
    assert "1 early_update, 1 malformed" in done.stdout
