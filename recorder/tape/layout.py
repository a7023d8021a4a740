"""Names and paths of a tape. Every name is made here, from checked parts only."""

import re
from pathlib import Path
from typing import Final

from orderbook.times import format_time
from recorder.tape.errors import UnknownProductError

MANIFEST: Final = "_tape.json"
LOCK: Final = "_lock"
CATALOG: Final = "_segments.jsonl"

_PRODUCT = re.compile(r"[A-Za-z0-9]{1,32}(-[A-Za-z0-9]{1,32}){0,4}")


def is_product_id(text: str) -> bool:
    """Tell whether a text can be a product id, and so part of a path.

    >>> is_product_id("BTC-USD"), is_product_id("../BTC"), is_product_id("")
    (True, False, False)
    """
    return _PRODUCT.fullmatch(text) is not None


def product_dir(tape: Path, product: str) -> Path:
    """Return a product's directory.

    Raises:
        UnknownProductError: where the name is no product id.
    """
    if not is_product_id(product):
        raise UnknownProductError(f"{product!r} is no product id")
    return tape / f"product={product}"


def journal_dir(tape: Path, product: str) -> Path:
    """Return the directory of a product's journals."""
    return product_dir(tape, product) / "_journal"


def book_file(product_dir: Path, first_seq: int) -> Path:
    """Return the sidecar with the book before the segment that begins with a row."""
    return product_dir / "_index" / f"{first_seq:020d}.book"


def checks_file(product_dir: Path, first_seq: int) -> Path:
    """Return the sidecar with the checks of the rows of the segment that begins with a row."""
    return product_dir / "_index" / f"{first_seq:020d}.checks"


def journal_file(first_seq: int) -> str:
    """Return the name of the journal that begins with a row."""
    return f"{first_seq:020d}.journal"


def segment_file(first_seq: int, first_time: int) -> str:
    """Return a segment's path inside its product's directory.

    Args:
        first_seq: of its first row.
        first_time: recv_time of its first row, nanoseconds since 1970; its UTC date names the folder.
    """
    return f"date={format_time(first_time)[:10]}/{first_seq:020d}.parquet"
