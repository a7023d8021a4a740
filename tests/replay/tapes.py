"""What the tests of the replay side share: tapes made to measure, read and damaged without our own reader."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq
from click.testing import CliRunner, Result

from booktape import cli
from recorder.record import import_captures
from recorder.tape.policy import SealPolicy
from tests import oracle

ROOT: Final = Path(__file__).resolve().parents[2]
START: Final = 1_786_309_548_000_000_000  # 2026-08-09T21:05:48Z
MS: Final = 10**6
SECOND: Final = 10**9
TIMEOUT_S: Final = 60

Json = dict[str, Any]
Timed = tuple[int, str]
"""When a frame was received, in nanoseconds since START, and its text."""


@dataclass(frozen=True)
class Recording:
    """A tape that a `booktape record` process wrote, and the document that it printed when it was stopped."""

    tape: Path
    document: Json


# Running booktape


def clean_environment() -> dict[str, str]:
    """Return the environment without what would change how things look or where they are found.

    The plain engine unless a test asks for another: most processes here see a few hundred frames, and
    importing numba takes longer than all of them.
    """
    unwanted = {
        "ARROW_DEFAULT_MEMORY_POOL",  # a recorder that ran in this process has set it
        "BOOKTAPE_TRACEBACK",
        "BYTEWAX_DATAFLOW_API_ENABLED",
        "COLUMNS",
        "FORCE_COLOR",
        "NO_COLOR",
    }
    kept = {name: value for name, value in os.environ.items() if name not in unwanted}
    return {**kept, "PYTHONPATH": str(ROOT), "BOOKTAPE_ENGINE": "plain"}


def booktape(*arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a `booktape` process to its end; options are those of `subprocess.run`."""
    return _run(["-m", "booktape", *arguments], options)


def python(program: str, *arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a program in a Python process to its end; options are those of `subprocess.run`."""
    return _run(["-c", program, *arguments], options)


def _run(arguments: Sequence[object], options: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    options = {"env": clean_environment(), "timeout": TIMEOUT_S, **options}
    if "stdout" not in options:
        options |= {"capture_output": True}
    return subprocess.run([sys.executable, *map(str, arguments)], text=True, check=False, **options)


def command(*arguments: object) -> Result:
    """Run a command of `booktape` in this process, which is faster; no error but a told one may end it."""
    done = CliRunner().invoke(cli, [*map(str, arguments)])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


def json_of(*arguments: object) -> Json:
    """Return the JSON document that a command prints, and insist on exit code 0 and on nothing else."""
    done = command(*arguments, "--json")
    assert (done.exit_code, done.stderr) == (0, "")
    document: Json = json.loads(done.stdout)
    return document


def record(tape: Path, products: Sequence[str], url: str, until: Callable[[], None], *options: str) -> Json:
    """Record in a process until a call returns, then stop it by SIGTERM; return the document it printed."""
    program = [sys.executable, "-m", "booktape", "record", *products, "-o", str(tape), "--url", url, "--json"]
    with subprocess.Popen(
        [*program, *options],
        env=clean_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            until()
        finally:
            process.send_signal(signal.SIGTERM)
        stdout, stderr = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 0, stderr
    document: Json = json.loads(stdout)
    return document


# Frames of the Exchange feed


def snapshot(
    product: str,
    bids: Sequence[Sequence[str]] = (("99", "1"),),
    asks: Sequence[Sequence[str]] = (("100", "1"),),
) -> str:
    """Return a snapshot."""
    return json.dumps({"type": "snapshot", "product_id": product, "bids": bids, "asks": asks})


def update(product: str, *changes: tuple[str, str, str]) -> str:
    """Return an update; the changes are (buy or sell, price, size)."""
    return json.dumps({"type": "l2update", "product_id": product, "changes": changes})


# Making tapes


def write_capture(path: Path, frames: Iterable[Timed]) -> Path:
    """Write frames as a capture of the jsonl format."""
    lines = [json.dumps({"recv_ns": START + time, "frame": frame}) for time, frame in frames]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def import_frames(directory: Path, frames: Iterable[Timed], segment_rows: int = 50_000) -> Path:
    """Return a tape in a directory, imported from frames of one connection."""
    capture = write_capture(directory / "capture.jsonl", frames)
    tape = directory / "tape"
    import_captures([capture], tape, "jsonl", policy=SealPolicy(rows=segment_rows))
    return tape


# Reading tapes: Arrow and JSON only


def products_of(tape: Path) -> list[str]:
    """Return the products of a tape, sorted."""
    manifest = json.loads((tape / "_tape.json").read_bytes())
    return sorted(manifest["products"])


def feed_of(tape: Path) -> str:
    """Return the feed of a tape."""
    return str(json.loads((tape / "_tape.json").read_bytes())["feed"])


def catalog(tape: Path, product: str) -> list[Json]:
    """Return the entries of a product's sealed segments."""
    text = (tape / f"product={product}" / "_segments.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def segment_paths(tape: Path, product: str) -> list[Path]:
    """Return the sealed segments of a product, in order."""
    return sorted(tape.glob(f"product={product}/date=*/*.parquet"))


def tape_rows(tape: Path, product: str) -> list[oracle.Row]:
    """Return the sealed rows of a product."""
    rows: list[oracle.Row] = []
    for path in segment_paths(tape, product):
        table = pq.ParquetFile(path).read()
        columns = [
            (column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column).to_pylist()
            for column in table.columns
        ]
        rows += [oracle.Row(*values) for values in zip(*columns, strict=True)]
    return rows


def oracle_runs(tape: Path) -> dict[str, oracle.OracleRun]:
    """Return what the oracle makes of each product of a tape."""
    feed = feed_of(tape)
    return {product: oracle.replay(tape_rows(tape, product), product, feed) for product in products_of(tape)}


def summaries_of(table: pa.Table) -> list[tuple[Any, ...]]:
    """Return a table of summaries as the first nine fields of the oracle's; times in nanoseconds."""
    columns = [
        (column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column).to_pylist()
        for column in table.columns
    ]
    return list(zip(*columns, strict=True))


def digests_of(document: Json) -> dict[str, str]:
    """Return the digest of a run and those of its products, out of a JSON document."""
    return {
        "run": document["digest"],
        **{product: found["digest"] for product, found in document["products"].items()},
    }


# Damaging tapes


def copy_of(tape: Path, directory: Path) -> Path:
    """Return a copy of a tape that can be damaged."""
    copied = directory / "copied"
    shutil.copytree(tape, copied)
    return copied


def flip_byte(path: Path, position: int) -> None:
    """Change one byte of a file; a negative position counts from its end."""
    data = bytearray(path.read_bytes())
    data[position] ^= 0xFF
    path.write_bytes(data)


def edit_catalog(tape: Path, product: str, line: int, **changes: Any) -> None:
    """Change fields of one line of a product's list of segments."""
    entries = catalog(tape, product)
    entries[line] |= changes
    lines = [json.dumps(entry, separators=(",", ":")) for entry in entries]
    path = tape / f"product={product}" / "_segments.jsonl"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def rewrite_segment(tape: Path, product: str, line: int, change: Callable[[pa.Table], pa.Table]) -> Path:
    """Change the rows of a sealed segment, and its size and checksum in the list; return its path."""
    name: str = catalog(tape, product)[line]["file"]
    path = tape / f"product={product}" / name
    file = pq.ParquetFile(path)
    table = change(file.read())
    pq.write_table(table.cast(file.schema_arrow), path, compression="zstd", write_page_checksum=True)
    data = path.read_bytes()
    edit_catalog(tape, product, line, bytes=len(data), sha256=hashlib.sha256(data).hexdigest())
    return path
