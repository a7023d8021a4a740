"""Other tools on our exports, each in its own environment; BOOKTAPE_TOOLS=1 runs them, as CI does."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import booktape as bt
from orderbook.times import NS
from tests.replay.export.test_hftbacktest import check, expected_best, files_of
from tests.support import tapes
from tests.support.constants import BTC, ROOT, START
from tests.support.tool_environments import HFTBACKTEST, NAUTILUS, interpreter_or_skip

TOOLS = ROOT / "tests" / "support" / "tools"
ENGINES = ("duckdb", "polars", "pandas", "pyarrow", "tzdata")
SPARK = ("pyspark>=4",)
LAKES = ("deltalake", "pyarrow", "pyiceberg[sql-sqlite]")
PAGE = ROOT / "docs" / "export.md"
LINES = re.compile(r"<!-- tool: (\w+) -->\n```py\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TICK = 0.01
EMPTY = (-1.0, 0.0)

pytestmark = pytest.mark.timeout(1200)  # an installation, and numba compiles hftbacktest's loops


def run(python: str, *arguments: object, cwd: Path | None = None) -> str:
    """Run a program of a tool's environment, and return what it prints."""
    command = [python, *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=600
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def as_ticks(best: tuple[Any, ...]) -> tuple[float, ...]:
    """Return best levels as hftbacktest has them: prices in ticks."""
    sides = (best[:2], best[2:])
    bid, ask = (EMPTY if price is None else (round(price / TICK), size) for price, size in sides)
    return (*bid, *ask)


def check_replayed(found: Path, expected: dict[int, tuple[Any, ...]]) -> None:
    """Compare what hftbacktest had at each of our times with ours."""
    with np.load(found) as archive:
        times, best = archive["times"], archive["best"]
    wanted = np.array(list(expected))
    at = np.searchsorted(times, wanted, "right") - 1
    assert (at >= 0).all()
    ours = np.array([as_ticks(each) for each in expected.values()])
    differs = np.flatnonzero((best[at] != ours).any(axis=1))
    assert not len(differs), (wanted[differs[0]], best[at][differs[0]], ours[differs[0]])


def test_hftbacktest(import_capture: Callable[[str], Path], tmp_path: Path) -> None:
    """Hftbacktest has our best levels at every time: from our files, from those of Tardis, on any day."""
    python = interpreter_or_skip(HFTBACKTEST)
    sample, capture = bt.open("sample:"), bt.open(import_capture("advanced-2026-08-btc-eth"))
    jobs: list[dict[str, Any]] = []
    wanted: list[dict[int, tuple[Any, ...]]] = []

    def add(files: list[Path], best: dict[int, tuple[Any, ...]], book: str = "hashmap", **more: Any) -> None:
        out = tmp_path / f"{len(jobs)}.npz"
        files_text = [str(file) for file in files]
        job = {"book": book, "tick": TICK, "start": None, "convert": [], "files": files_text, "out": str(out)}
        jobs.append({**job, **more})
        wanted.append(best)

    for number, (tape, product) in enumerate(((sample, BTC), (sample, "ETH-USD"), (capture, BTC))):
        directory = tmp_path / f"export-{number}"
        shift = tape.export(directory, to="hftbacktest", products=product).products[product].shift_ns
        for book in ("hashmap", "roivector")[: 2 if product == BTC else 1]:
            add(files_of(directory, product), expected_best(tape, product, shift), book)

    sample.export(tmp_path / "window", to="hftbacktest", products=BTC, start="+30s", end="+90s")
    add(files_of(tmp_path / "window"), expected_best(sample, BTC, 0, start="+30s", end="+90s"))

    days = bt.open(two_days(tmp_path))
    days.export(tmp_path / "days", to="hftbacktest")
    (start,) = (tmp_path / "days").glob("*_start.npz")
    second = {time: best for time, best in expected_best(days, BTC, 0).items() if time >= MIDNIGHT}
    add(files_of(tmp_path / "days")[1:], second, start=str(start))

    csv = tmp_path / "csv"
    sample.export(csv, to="tardis", products=BTC, end="+60s")  # its converter fails at a second snapshot
    files = [str(path) for name in ("trades", "incremental") for path in csv.glob(f"*_{name}*.csv.gz")]
    cut = {
        time // 1000 * 1000: best
        for time, best in expected_best(sample, BTC, 0, end="+60s").items()
        if best != (None, None, None, None)
    }
    add([tmp_path / "converted.npz"], cut, convert=files)

    (tmp_path / "jobs.json").write_text(json.dumps(jobs), encoding="utf-8")
    run(python, TOOLS / "hftbacktest_best.py", tmp_path / "jobs.json")
    for job, best in zip(jobs, wanted, strict=True):
        check_replayed(Path(job["out"]), best)


def test_nautilus(import_capture: Callable[[str], Path], tmp_path: Path) -> None:
    """nautilus_trader's engine has our best levels after each frame, and gets every trade."""
    python = interpreter_or_skip(NAUTILUS, is_large=True)
    for number, (path, product) in enumerate(
        ((bt.sample(), BTC), (import_capture("advanced-2026-08-btc-eth"), "ETH-USD"))
    ):
        out = tmp_path / f"{number}.json"
        run(python, TOOLS / "nautilus_best.py", path, product, tmp_path / f"catalog-{number}", out)
        found, tape = json.loads(out.read_text(encoding="utf-8")), bt.open(path)
        check({time: tuple(best) for time, *best in found["rows"]}, expected_best(tape, product, 0))
        told = tape.trades(product)["is_history"].to_pylist()
        assert (found["trades"], found["precision"]) == (told.count(False), 2)


MIDNIGHT = START - START % (86_400 * NS) + 86_400 * NS


def two_days(directory: Path) -> Path:
    """Return a tape whose book goes on over midnight."""
    before = MIDNIGHT - START
    frames = [(before - 2 * NS, tapes.snapshot(BTC, [["99", "1"], ["98.5", "2"]], [["100", "3"]]))]
    frames += [(before - NS + n, tapes.update(BTC, ("buy", "99", str(n)))) for n in range(3)]
    frames += [(before + n, tapes.update(BTC, ("sell", f"99.{n}", "1"))) for n in range(9, 1, -1)]
    frames.sort(key=lambda frame: frame[0])
    return tapes.import_frames(directory, frames)


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory with the exports that docs/export.md reads."""
    directory = tmp_path_factory.mktemp("engines")
    tape = bt.open("sample:")
    tape.export(directory / "tables")
    tape.export(directory / "tables-us", time="us")
    bt.export(tape, directory / "tape.sql", to="duckdb")
    bt.export(directory / "tables", directory / "tables.sql", to="duckdb")
    return directory


def line_of(tool: str) -> str:
    """Return the example of a tool on the page."""
    (found,) = (body for name, body in LINES.findall(PAGE.read_text(encoding="utf-8")) if name == tool)
    return str(found)


@pytest.mark.parametrize("tool", ["duckdb", "polars", "pandas", "pyarrow", "views"])
def test_the_lines_of_the_page(tables: Path, tool: str) -> None:
    """Each line of docs/export.md reads what we wrote: the summaries of BTC-USD, to the last row."""
    python = interpreter_or_skip(ENGINES)
    (tables / f"read_{tool}.py").write_text(line_of(tool), encoding="utf-8")
    number, best = run(python, f"read_{tool}.py", cwd=tables).split()
    summaries = bt.open("sample:").summaries(BTC)
    assert (int(number), float(best)) == (summaries.num_rows, max(summaries["bid_price"].to_pylist()))


@pytest.mark.parametrize("tool", ["delta", "iceberg"])
def test_lakes(tables: Path, tool: str) -> None:
    """They take the tables in microseconds; of those in nanoseconds one is cut, and the other refused."""
    python = interpreter_or_skip(LAKES, is_large=True)
    line = line_of(tool)
    (tables / f"read_{tool}.py").write_text(line, encoding="utf-8")
    number, best = run(python, f"read_{tool}.py", cwd=tables).split()
    summaries = bt.open("sample:").summaries(BTC)
    assert (int(number), float(best)) == (summaries.num_rows, max(summaries["bid_price"].to_pylist()))
    shutil.rmtree(tables / tool)
    told = 'print(DeltaTable("delta").to_pyarrow_dataset().schema.field("recv_time").type)'
    if tool == "iceberg":
        line = line.replace("table =", "try:\n    table =").partition("table.append")[0]
        told = "except Exception as error:\n    print(error)"
    program = f"{line.replace('tables-us', 'tables')}\n{told}\n"
    (tables / f"nanoseconds_{tool}.py").write_text(program, encoding="utf-8")
    printed = run(python, f"nanoseconds_{tool}.py", cwd=tables).splitlines()
    expected = "timestamp[us, tz=UTC]" if tool == "delta" else "unsupported type: timestamp[ns, tz=UTC]"
    assert printed[-1].endswith(expected)


def test_duckdb_rebuilds_the_book(tables: Path) -> None:
    """The best levels that SQL computes of the table of changes are those of the summaries, all of them."""
    python = interpreter_or_skip(ENGINES)
    printed = run(python, TOOLS / "duckdb_best.py", tables / "tables")
    sample = bt.open("sample:")
    rows = sum(sample.summaries(product).num_rows for product in sample.products)
    assert json.loads(printed) == {"rows": rows, "different": 0}


def test_spark(tables: Path) -> None:
    """Spark reads the tables in microseconds."""
    if shutil.which("java") is None:
        pytest.skip("Spark needs Java")
    python = interpreter_or_skip(SPARK, is_large=True)
    (tables / "read_spark.py").write_text(line_of("spark"), encoding="utf-8")
    number, best = run(python, "read_spark.py", cwd=tables).split()
    summaries = bt.open("sample:").summaries(BTC)
    assert (int(number), float(best)) == (summaries.num_rows, max(summaries["bid_price"].to_pylist()))
