"""Writing a tape: one writer at a time, with a `ProductWriter` for each product, and the manifest."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, replace
from io import FileIO
from pathlib import Path
from typing import Final

from orderbook.errors import reason_of
from orderbook.times import format_time
from recorder.settings import SEAL, SealPolicy
from recorder.tape.errors import LockedTapeError, NotATapeError, TapeError
from recorder.tape.format.layout import JOURNALS, LOCK, MANIFEST, product_dir
from recorder.tape.format.manifest import FORMAT, Manifest, change_manifest, write_manifest
from recorder.tape.format.presence import complete_manifest, note_sealed_rows, require_no_rows
from recorder.tape.product_writer import ProductWriter
from recorder.tape.store import files as store
from recorder.tape.store.durable import DISK_THREADS

MIN_FREE_BYTES: Final = 128 * 2**20
"""Free disk space that writing to a tape needs to start."""


@dataclass(frozen=True, eq=False)
class TapeWriter(AbstractContextManager["TapeWriter"]):
    """The only writer of a tape. Close it or use `with`; rows that are not sealed stay in the journal."""

    path: Path
    policy: SealPolicy
    manifest: Manifest
    products: dict[str, ProductWriter]
    lock: FileIO

    @classmethod
    def open(
        cls,
        path: Path,
        feed: str,
        products: Sequence[str],
        software: str,
        policy: SealPolicy = SEAL,
        now_ns: Callable[[], int] = time.time_ns,
    ) -> "TapeWriter":
        """Open a tape for writing; create it if it does not exist.

        Args:
            path: directory of the tape.
            feed: the name of the venue of the frames.
            products: product ids to write; new ones are added to the tape.
            software: name and version of the program, for a new manifest.
            policy: when a segment ends.
            now_ns: wall clock, for segments that end by age alone.

        Raises:
            TapeError: if the disk is nearly full, or cannot be written, or two products differ in case alone.
            LockedTapeError: if another process is writing to the tape.
            NotATapeError: if the path is something else, or a tape of another feed.
            UnknownProductError: if a name is not a product id.
        """
        for product in products:
            product_dir(path, product)  # refuse a bad name before anything is created
        _require_other_names(path, (), products)
        lock = _lock(path)
        try:
            manifest = _add_to_manifest(path, feed, products, software, now_ns)
            with ThreadPoolExecutor(DISK_THREADS) as threads:  # each waits for the disk
                opened = threads.map(
                    lambda each: ProductWriter(path, manifest, each, policy, now_ns), products
                )
                writers = dict(zip(products, opened, strict=True))
        except BaseException as error:
            lock.close()
            if isinstance(error, OSError):
                raise TapeError(f"{path}: cannot write ({reason_of(error)})", path) from None
            raise
        return cls(path, policy, manifest, writers, lock)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            self.close()
        except TapeError:
            if kind is None:  # otherwise the first error is the one to report
                raise

    def sizes(self) -> tuple[int, int]:
        """Return the bytes in open journals, and the bytes that this writer sealed."""
        writers = self.products.values()
        return sum(each.journal_bytes for each in writers), sum(each.sealed_bytes for each in writers)

    def seal_seconds(self) -> float:
        """Return the time that this writer spent on sealing."""
        return sum(each.seal_seconds for each in self.products.values())

    def sync(self) -> None:
        """Make the journals durable.

        Raises:
            OSError: if one cannot be made durable.
        """
        for writer in self.products.values():
            writer.sync()

    def is_in_place(self) -> bool:
        """Tell whether the path still leads to the files that are being written."""
        is_there = store.leads_to(self.path / LOCK, self.lock.fileno())
        return is_there and all(writer.is_in_place() for writer in self.products.values())

    def failure(self, error: Exception | None, kept: str = "what was recorded before is intact") -> TapeError:
        """Return what to tell the user when writing to the tape failed, or when it is not in place.

        Args:
            error: why it failed.
            kept: what is true of its rows, if it is in place.
        """
        if not self.is_in_place():
            return TapeError(
                f"{self.path}: was moved or removed while rows were written to it; the recording has ended",
                self.path,
            )
        reason = "" if error is None else f" ({reason_of(error)})"
        return TapeError(f"{self.path}: cannot write{reason}; {kept}", self.path)

    def close(self) -> None:
        """Make the journals durable, close them and release the lock.

        Raises:
            TapeError: if a journal cannot be made durable; everything is released even so.
        """
        problems = []
        for writer in self.products.values():
            try:
                writer.close()
            except OSError as error:
                problems.append(error)
        failure = self.failure(problems[0], "its rows are in the journal") if problems else None
        if failure is None and self.is_in_place():
            with suppress(OSError, TapeError):  # what was noted before is still true
                note_sealed_rows(self.path, self.products)
        self.lock.close()
        if failure is not None:
            raise failure


def _lock(path: Path) -> FileIO:
    """Lock a tape, or a new directory for one; refuse anything else."""
    try:
        store.make_directory(path)
        found = {each.name for each in store.list_files(path)}
    except OSError as error:
        raise NotATapeError(f"{path}: cannot hold a tape ({reason_of(error)})", path) from None
    if found and not found & {MANIFEST, LOCK}:
        raise NotATapeError(f"{path}: a directory with other files, not a tape", path)
    free = store.free_bytes(path)
    if free < MIN_FREE_BYTES:
        raise TapeError(
            f"{path}: only {free // 2**20} MiB free on its disk; writing a tape needs at least"
            f" {MIN_FREE_BYTES // 2**20} MiB",
            path,
        )
    try:
        return store.acquire_lock(path / LOCK, wait=False)
    except BlockingIOError:
        raise LockedTapeError(f"{path}: another recorder is writing to this tape", path) from None
    except OSError as error:
        raise TapeError(f"{path}: cannot be written ({reason_of(error)})", path) from None


def _add_to_manifest(
    path: Path, feed: str, products: Sequence[str], software: str, now_ns: Callable[[], int]
) -> Manifest:
    """Return the manifest with the products, written if that changes it."""
    if not store.exists(path / MANIFEST):
        require_no_rows(path)
        _make_directories(path, products)
        manifest = Manifest(FORMAT, feed, tuple(products), format_time(now_ns()), software)
        write_manifest(path, manifest)
        return manifest
    manifest = complete_manifest(path)
    if manifest.feed != feed:
        raise NotATapeError(
            f"{path}: a tape of the {manifest.feed} feed, it cannot take frames of {feed}", path
        )
    new = tuple(product for product in products if product not in manifest.products)
    if new:
        _require_other_names(path, manifest.products, new)
        _make_directories(path, new)
        return change_manifest(path, lambda found: replace(found, products=found.products + new))
    return manifest


def _require_other_names(path: Path, known: Sequence[str], new: Sequence[str]) -> None:
    """Refuse new products that differ from another one in case alone, wherever the tape is.

    File systems that ignore case would give both one directory, now or when the tape is copied to one.
    """
    spellings = {product.lower(): product for product in known}
    for product in new:
        other = spellings.setdefault(product.lower(), product)
        if other != product:
            raise TapeError(
                f"{path}: {product} and {other} would share a directory where names ignore case: name {other}"
                f" alone, or write {product} to another tape",
                path,
            )


def _make_directories(path: Path, products: Sequence[str]) -> None:
    """Create the directories of products before the manifest names them, so that none is ever missing."""
    for product in products:
        store.make_directory(product_dir(path, product) / JOURNALS)
