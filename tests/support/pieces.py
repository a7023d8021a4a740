"""Tapes to cut into pieces, and results of pieces merged in any association."""

import gzip
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from pickle import dumps, loads
from random import Random
from typing import TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from orderbook.engine import Engine
from recorder.api import import_captures
from recorder.settings import EngineName, ImportSettings, SealPolicy
from recorder.tape.compaction import compact
from replay.pieces.cutting import ProductPiece, ProductPieces
from replay.pieces.merging import Mergeable
from tests.support.constants import SECOND
from tests.support.tapes import copy_of, tuples_of

C = TypeVar("C")
M = TypeVar("M", bound=Mergeable)

APART_NS = 3600 * SECOND
PRODUCTS = ("DASH-BTC", "NU-GBP", "SKL-USD")
"""Of those on the capture: two large ones and a small one."""
VARIANTS = ("compacted", "some", "damaged", "none")


def merge_all(results: Sequence[M], choose: Callable[[int], int]) -> M:
    """Merge adjacent results until one is left; `choose(n)` returns which of n neighbours merge next."""
    left = [loads(dumps(each)) for each in results]  # noqa: S301  as they come from another process
    while len(left) > 1:
        place = choose(len(left) - 1)
        left[place].merge(left.pop(place + 1))
    whole: M = left[0]
    return whole


def at_random(seed: int) -> Callable[[int], int]:
    """Return a choice for `merge_all`."""
    return Random(seed).randrange


def interrupted_tape(capture: Path, directory: Path, segment_rows: int) -> Path:
    """Return a tape of a capture that is interrupted twice: once without a new snapshot, once with one.

    Frames that name none of `PRODUCTS` are left out, and so is the second half of the capture.
    """
    with gzip.open(capture, "rt", encoding="utf-8") as lines:
        records = [json.loads(line) for line in lines if any(product in line for product in PRODUCTS)]
    records = records[: len(records) // 2]
    later = [{**each, "recv_ns": each["recv_ns"] + APART_NS} for each in records]
    middle = len(records) // 2
    paths = []
    for number, part in enumerate((records[:middle], records[middle:], later)):
        paths.append(directory / f"{number}.jsonl")
        paths[-1].write_text("".join(f"{json.dumps(each)}\n" for each in part), encoding="utf-8")
    settings = ImportSettings(seal=SealPolicy(rows=segment_rows, book_rows=1), engine="plain")
    import_captures(paths, directory / "tape", settings)
    return directory / "tape"


def variants(tape: Path, directory: Path) -> None:
    """Copy a tape: compacted, without some sidecars, with a damaged one, without any."""
    copies = {}
    for name in VARIANTS:
        (directory / name).mkdir()
        copies[name] = copy_of(tape, directory / name)
    compact(copies["compacted"])
    for number, path in enumerate(sorted(copies["some"].rglob("*.book"))):
        if number % 3:
            path.unlink()
    for path in sorted(copies["damaged"].rglob("*.book"))[1::2]:
        path.write_bytes(path.read_bytes()[:-3])
    for path in copies["none"].rglob("*.book"):
        path.unlink()


def paths_of_variants(directory: Path) -> dict[str, Path]:
    """Return the tape of `interrupted_tape`, as recorded, and its copies by `variants`, of one directory."""
    return {"as recorded": directory / "tape", **{name: directory / name / "copied" for name in VARIANTS}}


class ShuffledWorkers:
    """Workers of this process, who merge adjacent results in a random association."""

    def __init__(self, seed: int, width: int = 1) -> None:
        self.width, self.are_elsewhere = width, True
        self._choose = at_random(seed)

    def ready_engine(self, engine: Engine | EngineName) -> Engine | EngineName:
        """Return the engine: they use it where it is."""
        return engine

    def merged(
        self, work: Callable[[C, ProductPiece], M], common: C, products: Sequence[ProductPieces]
    ) -> list[M]:
        """Return the merged result of each product."""
        common = loads(dumps(common))  # noqa: S301  as another process gets it
        return [merge_all([work(common, piece) for piece in each.each()], self._choose) for each in products]


class CountingWorkers(ShuffledWorkers):
    """Also count the pieces of each call."""

    def __init__(self, width: int) -> None:
        super().__init__(width, width)
        self.calls: list[int] = []

    def merged(
        self, work: Callable[[C, ProductPiece], M], common: C, products: Sequence[ProductPieces]
    ) -> list[M]:
        """Return the merged result of each product."""
        self.calls.append(sum(len(each.pieces) for each in products))
        return super().merged(work, common, products)


def rows_of(run: Path, stream: str) -> dict[str, list[tuple[object, ...]]]:
    """Return the rows of a stream of a RUN by product, in an order that no file can change."""
    found = {}
    for folder in sorted((run / stream).glob("product=*")):
        table = pa.concat_tables([pq.read_table(path) for path in sorted(folder.glob("*.parquet"))])
        found[folder.name] = sorted(tuples_of(table), key=repr)
    return found
