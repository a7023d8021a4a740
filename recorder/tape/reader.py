"""An open tape: what its manifest says, and its products."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pyarrow as pa

from orderbook.venues.base import Venue
from orderbook.venues.registry import venue
from recorder.installed import tapes_title
from recorder.tape.errors import NotATapeError, UnknownProductError
from recorder.tape.format.layout import product_dir
from recorder.tape.format.manifest import FORMAT_WITHOUT_FIRST_ROWS, Manifest
from recorder.tape.format.presence import complete_manifest
from recorder.tape.listing import Listing
from recorder.tape.product_tape import ProductTape
from recorder.tape.store import files as store

_MANY_ROWS = 1_000_000  # from which on more make no difference to what engine runs them
_ROW_BYTES = 40  # an ordinary row on disk: the plain engine takes as long for as many bytes of a snapshot


@dataclass(frozen=True, slots=True)
class Tape:
    """A tape opened for reading: its path and its manifest. Holds no file, so it is cheap to pickle.

    Attributes:
        path: its directory.
        manifest: its format, feed and products.
        listings: what was read of each product so far.
    """

    path: Path
    manifest: Manifest
    listings: dict[str, Listing] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def open(cls, tape: "TapeLike", problems: list[str] | None = None) -> "Tape":
        """Open a tape by its path; return a tape that is open already as it is.

        Args:
            tape: the tape, or its path.
            problems: takes a line for each product that is missing or not named; None raises an error.

        Raises:
            NotATapeError: if the path is not a tape.
            NewerTapeError: if its format is newer than this version's.
            DamagedTapeError: if a product is missing or not named, and `problems` is None.
        """
        if isinstance(tape, Tape):
            return tape
        path = tape if isinstance(tape, Path) else Path(tape)
        manifest = complete_manifest(path, problems)
        if manifest.format == FORMAT_WITHOUT_FIRST_ROWS and store.is_remote(path):
            reason = "a copy of a tape whose first rows were removed: copy it to a directory to read it"
            raise NotATapeError(f"{path}: {reason}", path)
        return cls(path, manifest)

    def to_send(self, *, elsewhere: bool) -> "Tape":
        """Return the tape for another process, without its long lists.

        Args:
            elsewhere: whether it may be in another directory; if not, its errors name files as this one's do.
        """
        return replace(self, path=store.absolute(self.path) if elsewhere else self.path, listings={})

    @property
    def feed(self) -> str:
        """The name of the venue whose frames it holds."""
        return self.manifest.feed

    @property
    def venue(self) -> Venue:
        """The venue whose frames it holds."""
        return venue(self.feed)

    def select(self, products: str | Iterable[str]) -> tuple[str, ...]:
        """Return one or several products, sorted and without duplicates; all of the tape if none is named.

        Raises:
            UnknownProductError: if the tape has no such product.
        """
        wanted = [products] if isinstance(products, str) else list(products)
        for product in wanted:
            if product not in self.manifest.products:
                known = tuple(sorted(self.manifest.products))
                message = (
                    f"{tapes_title(self.path)} no product {product!r} on this tape; it has {', '.join(known)}"
                )
                raise UnknownProductError(message, self.path, product=product, choices=known)
        return tuple(sorted(set(wanted or self.manifest.products)))

    def sealed_rows(self, products: tuple[str, ...] = ()) -> int:
        """Return the number of sealed rows of some products, or of all; reads the lists of the last day.

        Raises:
            UnknownProductError: if the tape does not have one of them.
        """
        return sum(self.product(product).sealed_rows() for product in self.select(products))

    def sealed_work(self, products: tuple[str, ...] = ()) -> int:
        """Return how many ordinary rows take as long as the sealed ones of some products, or of all.

        Rows with large frames, such as snapshots, count as the many that have as many bytes on disk; a tape
        of many rows is not read for them.
        """
        found = [self.product(product) for product in self.select(products)]
        rows = sum(each.sealed_rows() for each in found)
        if rows >= _MANY_ROWS:
            return rows
        stored = sum(entry.bytes for each in found for entry in each.segments())
        return max(rows, stored // _ROW_BYTES)

    def product(self, product: str) -> ProductTape:
        """Return the part of one product.

        Raises:
            UnknownProductError: if the tape has no such product.
        """
        (known,) = self.select((product,))
        directory = product_dir(self.path, known)
        least = self.manifest.sealed_rows.get(known, 0)
        return ProductTape(
            known, directory, self.feed, self.listings.setdefault(known, Listing(directory, least))
        )

    def first_time(self) -> int | None:
        """Return recv_time of the first row of any product, nanoseconds since 1970; None without rows.

        That of a row that was removed here is known, too: offsets are the same as on the tape in the store.

        Raises:
            DamagedTapeError: if a file is not what was written.
        """
        times = []
        for tape in map(self.product, self.select(())):
            if (removed := tape.removed) is not None:
                times.append(removed.first_time_ns)
            elif (rows := next(tape.batches(1), None)) is not None:
                times.append(rows.column("recv_time").cast(pa.int64())[0].as_py())
        return min(times, default=None)

    def require_rows(self, products: tuple[str, ...] = (), start: int | None = None) -> None:
        """Check that the rows of some products, or of all, are here from a time on.

        Args:
            products: the products; empty for all.
            start: nanoseconds since 1970; None for the first row.

        Raises:
            RemovedRowsError: if rows were removed, and are in a store.
            UnknownProductError: if the tape does not have one of them.
        """
        gone = [
            (removed.kept_from_ns, tape.directory, removed)
            for tape in map(self.product, self.select(products))
            if (removed := tape.removed) is not None and (start is None or start < removed.kept_from_ns)
        ]
        if gone:
            _, directory, last = max(gone, key=lambda each: each[0])  # from then on all are here
            raise last.error(directory)


TapeLike = Tape | store.PathLike
"""An open tape, or the path of one; `Tape.open` accepts both."""
