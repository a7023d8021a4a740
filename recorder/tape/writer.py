"""Writing a tape: one writer at a time, a `ProductWriter` for each product, and the manifest."""

import fcntl
import os
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, Self

from orderbook.feeds import Feed
from orderbook.times import format_time
from recorder.tape.errors import LockedTapeError, NotATapeError, TapeError
from recorder.tape.files import make_directory, open_private
from recorder.tape.layout import LOCK, MANIFEST, product_dir
from recorder.tape.manifest import FORMAT, Manifest, read_manifest, write_manifest
from recorder.tape.policy import SealPolicy
from recorder.tape.product_writer import ProductWriter

MIN_FREE_BYTES: Final = 128 * 2**20
"""Free space without which no recording starts."""

SEAL_POLICY: Final = SealPolicy()


class TapeWriter:
    """The one writer of a tape; close it or use `with`. What is not sealed then stays in the journal."""

    def __init__(
        self,
        path: Path,
        lock: int,
        manifest: Manifest,
        products: dict[str, ProductWriter],
        policy: SealPolicy,
    ) -> None:
        self.path = path
        self.policy = policy
        self.manifest = manifest
        self.products = products
        self._lock = lock

    @classmethod
    def open(
        cls,
        path: Path,
        feed: Feed,
        products: Sequence[str],
        software: str,
        policy: SealPolicy = SEAL_POLICY,
        now_ns: Callable[[], int] = time.time_ns,
    ) -> "TapeWriter":
        """Open a tape for writing; make it where there is none, go on where there is one.

        Args:
            path: the tape's directory.
            feed: the dialect of the frames to come.
            products: those to be written; new ones join the tape.
            software: who writes, for a new manifest.
            policy: when a segment ends.
            now_ns: wall clock, for segments that end by age alone.

        Raises:
            TapeError: where the disk is full or nearly so, or cannot be written.
            LockedTapeError: where another writer holds the tape.
            NotATapeError: where the path is something else, or a tape of another feed.
            UnknownProductError: where a name is no product id.
        """
        for product in products:
            product_dir(path, product)
        lock = _lock(path)
        try:
            manifest = _join(path, feed, products, software, now_ns)
            writers = {product: ProductWriter(path, product, policy, now_ns) for product in products}
        except OSError as error:
            os.close(lock)
            raise TapeError(f"{path}: cannot write ({error})") from None
        except BaseException:
            os.close(lock)
            raise
        return cls(path, lock, manifest, writers, policy)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            self.close()
        except TapeError:
            if kind is None:  # else what went wrong before is what to tell
                raise

    def sizes(self) -> tuple[int, int]:
        """Return the bytes that are in journals, and those sealed by this writer."""
        writers = self.products.values()
        return sum(each.journal_bytes for each in writers), sum(each.sealed_bytes for each in writers)

    def seal_seconds(self) -> float:
        """Return the time that this writer spent on sealing."""
        return sum(each.seal_seconds for each in self.products.values())

    def close(self) -> None:
        """Make the journals durable, release them and the lock.

        Raises:
            TapeError: where a journal cannot be made durable; all is released even so.
        """
        problems = []
        for writer in self.products.values():
            try:
                writer.close()
            except OSError as error:
                problems.append(error)
        os.close(self._lock)
        if problems:
            raise TapeError(
                f"{self.path}: cannot be made durable ({problems[0]}); its rows are in the journal"
            )


def _lock(path: Path) -> int:
    """Make the tape's directory where it is missing, and take its lock; refuse what is no tape."""
    try:
        make_directory(path)
        found = {each.name for each in path.iterdir()}
    except OSError as error:
        raise NotATapeError(f"{path}: cannot hold a tape ({error.strerror})") from None
    if found and not found & {MANIFEST, LOCK}:
        raise NotATapeError(f"{path}: a directory with other files, not a tape")
    free = shutil.disk_usage(path).free
    if free < MIN_FREE_BYTES:
        raise TapeError(
            f"{path}: only {free // 2**20} MiB free, a recording needs at least {MIN_FREE_BYTES // 2**20}"
        )
    try:
        fd = open_private(path / LOCK, os.O_RDWR | os.O_CREAT)
    except OSError as error:
        raise TapeError(f"{path}: cannot be written ({error.strerror})") from None
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        raise LockedTapeError(f"{path}: another recorder is writing to this tape") from None
    return fd


def _join(
    path: Path, feed: Feed, products: Sequence[str], software: str, now_ns: Callable[[], int]
) -> Manifest:
    """Return the manifest with the products on it, written where that changes it."""
    if not (path / MANIFEST).exists():
        manifest = Manifest(FORMAT, feed, tuple(products), format_time(now_ns()), software)
        write_manifest(path, manifest)
        return manifest
    manifest = read_manifest(path)
    if manifest.feed != feed:
        raise NotATapeError(f"{path}: a tape of the {manifest.feed} feed, it cannot take frames of {feed}")
    new = tuple(product for product in products if product not in manifest.products)
    if new:
        manifest = replace(manifest, products=manifest.products + new)
        write_manifest(path, manifest)
    return manifest
