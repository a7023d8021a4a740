"""Names and paths of a tape. Every name is built here, from checked parts only."""

import re
from pathlib import Path
from typing import Final

from orderbook.times import format_time
from orderbook.venues.base import is_product_id
from recorder.tape.errors import UnknownProductError

PRODUCT: Final = "product="
DAY: Final = "date="
MANIFEST: Final = "_tape.json"
LOCK: Final = "_lock"
MAINTENANCE_LOCK: Final = "_maintenance.lock"
SEGMENT_LIST: Final = "_segments.jsonl"
SEGMENT_LISTS: Final = "_segments"
NEXT_SEGMENT_LISTS: Final = "_segments.next"
EXECUTIONS: Final = "_executions.jsonl"
SEGMENT_LIST_LOCK: Final = "_segments.lock"
JOURNALS: Final = "_journal"
SIDECARS: Final = "_index"
PREPARED: Final = "_columns"


_JOURNAL = re.compile(r"[0-9]{20}\.journal")


def product_dir(tape: Path, product: str) -> Path:
    """Return the directory of a product.

    Raises:
        UnknownProductError: if the name is not a product id.
    """
    if not is_product_id(product):
        raise UnknownProductError(f"{product!r} is not a product id such as BTC-USD")
    return tape / f"{PRODUCT}{product}"


def product_of(product_dir: Path) -> str:
    """Return the product of a directory of `product_dir`."""
    return product_dir.name.removeprefix(PRODUCT)


def book_file(product_dir: Path, first_seq: int) -> Path:
    """Return the sidecar with the book before the segment that begins with this row."""
    return product_dir / SIDECARS / f"{first_seq:020d}.book"


def checks_file(product_dir: Path, first_seq: int) -> Path:
    """Return the sidecar with the row checks of the segment that begins with this row."""
    return product_dir / SIDECARS / f"{first_seq:020d}.checks"


def prepared_file(product_dir: Path, first_seq: int) -> Path:
    """Return the file with the rows, prepared for the engine, of the segment that begins with this row."""
    return product_dir / PREPARED / f"{first_seq:020d}.rows"


def journal_file(first_seq: int) -> str:
    """Return the name of the journal that begins with this row."""
    return f"{first_seq:020d}.journal"


def is_journal_file(name: str) -> bool:
    """Tell whether a name is one of `journal_file`; any other file in that directory is none of ours."""
    return _JOURNAL.fullmatch(name) is not None


def segment_file(first_seq: int, first_time: int) -> str:
    """Return the path of a segment inside its product's directory.

    Args:
        first_seq: seq of its first row.
        first_time: recv_time of its first row, nanoseconds since 1970; its UTC date names the folder.
    """
    return segment_on(format_time(first_time)[:10], first_seq)


def segment_on(day: str, first_seq: int) -> str:
    """Return the path of a segment of a day (YYYY-MM-DD) inside its product's directory."""
    return f"{DAY}{day}/{first_seq:020d}.parquet"


def day_of(segment: str) -> str:
    """Return the day (YYYY-MM-DD) of a segment by its path inside its product's directory.

    >>> day_of("date=2026-11-26/00000000000000000000.parquet")
    '2026-11-26'
    """
    return segment.partition("/")[0].removeprefix(DAY)


def merged_file(segment: Path) -> Path:
    """Return where a merged segment waits for its name; readers find it there too."""
    return segment.with_name(f"_{segment.name}.merged")
