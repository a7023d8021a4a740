"""`_shipped.json` of a product: how much of it is in an object store, so that a compaction leaves that apart.

A segment in a store stays as it is cut. So a compaction merges none that are on their way, and none across
the end of those that have arrived.
"""

from io import FileIO
from pathlib import Path
from typing import Final

import msgspec

from orderbook.venues.rawjson import UNREADABLE
from recorder.tape.errors import DamagedTapeError
from recorder.tape.store import files as store

_SHIPPED: Final = "_shipped.json"
_CLAIM_LOCK: Final = "_claim.lock"


class Shipped(msgspec.Struct, frozen=True):
    """What of a product is in a store.

    Attributes:
        url: the tape in the store.
        shipped: the seq after the rows that are listed there.
        claimed: the seq after those that are on their way.
    """

    url: str
    shipped: int
    claimed: int


def read_shipped(product_dir: Path) -> Shipped | None:
    """Return what of a product is in a store; None if it was never shipped.

    Raises:
        DamagedTapeError: if the file cannot be read.
    """
    path = product_dir / _SHIPPED
    try:
        return msgspec.json.decode(store.read_file(path), type=Shipped)
    except FileNotFoundError:
        return None
    except (OSError, *UNREADABLE) as error:
        raise DamagedTapeError(f"{path}: {error}; remove it if nothing is shipped", path) from None


def write_shipped(product_dir: Path, shipped: Shipped) -> None:
    """Note what of a product is in a store, and on its way there, durably. Hold `claim_lock`."""
    store.replace_file(product_dir / _SHIPPED, msgspec.json.encode(shipped))


def claim_lock(product_dir: Path, *, wait: bool) -> FileIO:
    """Return a lock to merge segments of a product, or to choose those that are shipped next; use `with`.

    Raises:
        BlockingIOError: if another process holds it and `wait` is false.
    """
    return store.acquire_lock(product_dir / _CLAIM_LOCK, wait=wait)
