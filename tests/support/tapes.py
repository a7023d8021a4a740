"""Tapes imported from frames, and tapes read and damaged without our own reader."""

import hashlib
import json
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from recorder.api import import_captures
from recorder.settings import ImportSettings, SealPolicy
from tests.support import oracle
from tests.support.commands import Json
from tests.support.constants import BTC, START

Timed = tuple[int, str]
"""Time at which a frame was received, in nanoseconds since START, and its text."""


@dataclass(frozen=True)
class Recording:
    """A tape that a `booktape record` process wrote, and the JSON document that the process printed."""

    tape: Path
    document: Json


# Frames of the Exchange feed


def snapshot(
    product: str,
    bids: Sequence[Sequence[str]] = (("99", "1"),),
    asks: Sequence[Sequence[str]] = (("100", "1"),),
) -> str:
    """Return a snapshot frame."""
    return json.dumps({"type": "snapshot", "product_id": product, "bids": bids, "asks": asks})


def update(product: str, *changes: tuple[str, str, str]) -> str:
    """Return an update frame; the changes are (buy or sell, price, size)."""
    return json.dumps({"type": "l2update", "product_id": product, "changes": changes})


# Importing tapes


def write_capture(path: Path, frames: Iterable[Timed]) -> Path:
    """Write frames as a capture in the jsonl format."""
    lines = [json.dumps({"recv_ns": START + time, "frame": frame}) for time, frame in frames]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def import_frames(directory: Path, frames: Iterable[Timed], segment_rows: int = 50_000) -> Path:
    """Import frames of one connection and return the tape, a new directory inside `directory`."""
    capture = write_capture(directory / "capture.jsonl", frames)
    tape = directory / "tape"
    import_captures([capture], tape, ImportSettings(seal=SealPolicy(rows=segment_rows, book_rows=1)))
    return tape


# Reading tapes, by Arrow and JSON only


def products_of(tape: Path) -> list[str]:
    """Return the products of a tape, sorted."""
    manifest = json.loads((tape / "_tape.json").read_bytes())
    return sorted(manifest["products"])


def feed_of(tape: Path) -> str:
    """Return the feed of a tape."""
    return str(json.loads((tape / "_tape.json").read_bytes())["feed"])


def catalog(tape: Path, product: str) -> list[Json]:
    """Return the entries of a product's sealed segments."""
    texts = [path.read_text(encoding="utf-8") for path in list_paths(tape, product)]
    return [json.loads(line) for text in texts for line in text.splitlines()]


def list_paths(tape: Path, product: str = BTC) -> list[Path]:
    """Return the files of a product's list of segments, in order: one a day, or the one of format 1."""
    found = (tape / f"product={product}").glob("_segments/????-??-??.jsonl")
    return sorted(found) or [tape / f"product={product}" / "_segments.jsonl"]


def list_path(tape: Path, product: str = BTC) -> Path:
    """Return the only file of a product's list of segments."""
    (path,) = list_paths(tape, product)
    return path


def segment_paths(tape: Path, product: str = BTC) -> list[Path]:
    """Return the files of a product's sealed segments, in order."""
    return sorted(tape.glob(f"product={product}/date=*/*.parquet"), key=lambda path: path.name)


def tape_rows(tape: Path, product: str) -> list[oracle.Row]:
    """Return the sealed rows of a product."""
    rows: list[oracle.Row] = []
    for path in segment_paths(tape, product):
        rows += [oracle.Row(*values) for values in tuples_of(pq.ParquetFile(path).read())]
    return rows


def oracle_runs(tape: Path) -> dict[str, oracle.OracleRun]:
    """Return the result of the oracle for each product of a tape."""
    feed = feed_of(tape)
    return {product: oracle.replay(tape_rows(tape, product), product, feed) for product in products_of(tape)}


def tuples_of(table: pa.Table | pa.RecordBatch) -> list[tuple[Any, ...]]:
    """Return the rows of a table, times in nanoseconds since the epoch."""
    columns = [
        (column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column).to_pylist()
        for column in table.columns
    ]
    return list(zip(*columns, strict=True))


def digests_of(document: Json) -> dict[str, str]:
    """Return the digests in the JSON document of a run: of the run, and of each product."""
    return {
        "run": document["digest"],
        **{product: found["digest"] for product, found in document["products"].items()},
    }


# Damaging tapes


def copy_of(tape: Path, directory: Path) -> Path:
    """Return a copy of a tape, for damaging."""
    copied = directory / "copied"
    shutil.copytree(tape, copied)
    return copied


def flip_byte(path: Path, position: int) -> None:
    """Change one byte of a file; a negative position counts from its end."""
    data = bytearray(path.read_bytes())
    data[position] ^= 0xFF
    path.write_bytes(data)


def edit_catalog(tape: Path, product: str, line: int, **changes: Any) -> None:
    """Change fields in one line of a product's list of segments."""
    file = catalog(tape, product)[line]["file"]
    for path in list_paths(tape, product):
        entries = [json.loads(each) for each in path.read_text(encoding="utf-8").splitlines()]
        for entry in entries:
            entry.update(changes if entry["file"] == file else {})
        lines = [json.dumps(entry, separators=(",", ":")) for entry in entries]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def make_format_1(tape: Path) -> Path:
    """Turn a tape into one of format 1, with one list of segments for all days; return it."""
    for product in products_of(tape):
        lists = tape / f"product={product}" / "_segments"
        lines = b"".join(path.read_bytes() for path in list_paths(tape, product))
        shutil.rmtree(lists)
        if lines:
            lists.with_suffix(".jsonl").write_bytes(lines)
    manifest = json.loads((tape / "_tape.json").read_bytes())
    (tape / "_tape.json").write_text(json.dumps({**manifest, "format": 1}), encoding="utf-8")
    return tape


def rewrite_segment(tape: Path, product: str, line: int, change: Callable[[pa.Table], pa.Table]) -> Path:
    """Change the rows of a sealed segment, with its size and checksum in the list; return its path."""
    name: str = catalog(tape, product)[line]["file"]
    path = tape / f"product={product}" / name
    file = pq.ParquetFile(path)
    table = change(file.read())
    pq.write_table(table.cast(file.schema_arrow), path, compression="zstd", write_page_checksum=True)
    data = path.read_bytes()
    edit_catalog(tape, product, line, bytes=len(data), sha256=hashlib.sha256(data).hexdigest())
    return path
