"""`_removed.json` of a product: which of its first rows were removed here, and in which store they are.

It is written before any file is removed, so what is before its row is gone as soon as it exists, also if the
process dies in between. The list of segments keeps all its lines.
"""

from pathlib import Path, PurePath
from typing import Annotated, Final

import msgspec

from orderbook.times import parse_time
from orderbook.venues.rawjson import UNREADABLE
from recorder.tape.errors import DamagedTapeError, RemovedRowsError
from recorder.tape.format.layout import DAY, PREPARED, SIDECARS, product_of
from recorder.tape.store import files as store

REMOVED: Final = "_removed.json"


class Removed(msgspec.Struct, frozen=True):
    """The first rows of a product, which are in a store alone.

    Attributes:
        url: the tape in the store.
        rows: how many they are, which is the seq of the first row that is here.
        first_time: recv_time of the first of them, ISO with 9 digits.
        kept_from: recv_time of the first row that is here; all of them are before it.
        removed: when they were removed last, ISO.
        begun: payload of the first of them, which says what kind of tape it is.
    """

    url: str
    rows: Annotated[int, msgspec.Meta(ge=1, lt=2**62)]
    first_time: str
    kept_from: str
    removed: str
    begun: str = ""

    @property
    def kept_from_ns(self) -> int:
        """`kept_from` in nanoseconds since 1970."""
        return parse_time(self.kept_from) or 0

    @property
    def first_time_ns(self) -> int:
        """`first_time` in nanoseconds since 1970."""
        return parse_time(self.first_time) or 0

    def line(self) -> str:
        """Return which rows are where, in a few words."""
        return f"rows 0 to {self.rows - 1:,} are in {self.url} (removed here on {self.removed[:10]})"

    def error(self, product_dir: Path) -> RemovedRowsError:
        """Return what to tell someone who asks for them."""
        return RemovedRowsError(
            f"{product_dir.parent}: {product_of(product_dir)}: {self.line()}: read them there, or here from "
            f"{self.kept_from} on",
            product_dir,
        )


def read_removed(product_dir: Path) -> Removed | None:
    """Return which rows of a product were removed here; None if all are here, as in a store.

    Raises:
        DamagedTapeError: if the file cannot be read.
    """
    if store.is_remote(product_dir):
        return None
    path = product_dir / REMOVED
    try:
        found = msgspec.json.decode(store.read_file(path), type=Removed)
    except FileNotFoundError:
        return None
    except (OSError, *UNREADABLE) as error:
        raise DamagedTapeError(f"{path}: {error}", path) from None
    if parse_time(found.first_time) is None or parse_time(found.kept_from) is None:
        raise DamagedTapeError(f"{path}: its times are none", path)
    return found


def removed_rows(product_dir: Path) -> int:
    """Return how many of the first rows of a product were removed here."""
    found = read_removed(product_dir)
    return 0 if found is None else found.rows


def write_removed(product_dir: Path, removed: Removed) -> None:
    """Note which rows were removed, durably. Only `sweep_removed` removes the files."""
    store.replace_file(product_dir / REMOVED, msgspec.json.encode(removed))


def sweep_removed(product_dir: Path) -> None:
    """Remove the files of the rows that are noted as removed: again if a process died over it."""
    end = f"{removed_rows(product_dir):020d}"
    for folder in store.names_in(product_dir):
        if not folder.startswith(DAY) and folder not in (SIDECARS, PREPARED):
            continue
        names = store.names_in(product_dir / folder)
        gone = [name for name in names if name[:20].isdecimal() and PurePath(name).stem < end]
        for name in gone:
            store.remove_file(product_dir / folder / name)
        if folder.startswith(DAY) and gone == names:
            store.remove_directory(product_dir / folder)
