"""Shipping a tape: what is sealed, or as long as it is recorded.

A store that fails is tried again, and nothing waits for it. Something else at that place in the store, or
another shipper at work there, ends shipping for good.
"""

import logging
import os
import secrets
import socket
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from orderbook import display
from orderbook.errors import reason_of
from recorder.shipping.keeping import Keep
from recorder.shipping.lease import LEASE_S, Lease
from recorder.shipping.manifest import check_manifest, note_shipped_rows
from recorder.shipping.product import Amount, ProductShipping
from recorder.tape.errors import LockedTapeError, ShippingError, StoreError, TapeError
from recorder.tape.format.manifest import read_manifest
from recorder.tape.store import files as store
from recorder.tape.store.paths import RemotePath

log = logging.getLogger(__name__)

_SHIP_LOCK: Final = "_ship.lock"
_AT_ONCE: Final = 8  # products
_POLL_S: Final = 1.0
_LONGEST_PAUSE_S: Final = 30.0
_GRACE_S: Final = 8.0
"""Seconds that the end of a recording waits for its last segments."""


class _StoppedError(Exception):
    """Shipping was asked to stop while it waited for a lease."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """What was shipped of a product.

    Attributes:
        segments, bytes: number of segments, and their bytes.
        rows: number of rows that the store has now.
        removed: number of segments that were removed here.
    """

    segments: int
    bytes: int
    rows: int
    removed: int


@dataclass(frozen=True, slots=True)
class ShippingStatus:
    """How shipping stands.

    Attributes:
        unshipped: by product, what is sealed and not in the store yet.
        trouble: why it does not go on; empty if it does.
    """

    unshipped: dict[str, Amount]
    trouble: str = ""

    def line(self) -> str:
        """Return how it stands, in a few words."""
        left = sum(self.unshipped.values(), Amount())
        size = f"{display.plural(left.segments, 'segment')} ({display.size(left.bytes)})"
        waiting = f"{size} not shipped" if left.segments or not self.unshipped else "all shipped"
        return f"{waiting}: {self.trouble}" if self.trouble else waiting


class Shipper:
    """Ships a local tape to a store.

    Args:
        tape: the local tape.
        remote: the tape in the store.
        keep: how long segments are kept here once they are in the store; None to keep them all.
        lease_s: seconds for which its lease lasts.
    """

    def __init__(
        self, tape: Path, remote: RemotePath, keep: Keep | None = None, lease_s: float = LEASE_S
    ) -> None:
        self._tape, self._remote, self._keep, self._lease_s = tape, remote, keep, lease_s
        self._products: dict[str, ProductShipping] = {}
        self._stop = threading.Event()
        self._trouble = ""

    @property
    def status(self) -> ShippingStatus:
        """How it stands now; any thread may ask."""
        products = self._products.copy()
        unshipped = {name: each.unshipped for name, each in products.items()}
        return ShippingStatus(unshipped, self._trouble or _keeping_trouble(products))

    def arrived(self) -> dict[str, "Arrived"]:
        """Return by product what was shipped, and the number of rows that the store has."""
        return {
            name: Arrived(each.shipped.segments, each.shipped.bytes, each.rows, each.removed)
            for name, each in sorted(self._products.items())
        }

    def stop(self) -> None:
        """End `ship` once all that is sealed by now is shipped, or the store fails."""
        self._stop.set()

    def ship(self, *, follow: bool = False) -> None:
        """Ship what is sealed; with `follow`, go on until `stop`.

        Raises:
            ShippingError: if the store has something else at this place.
            LockedTapeError: if another process ships this tape, or to this place.
            StoreError: if the store does not answer; with `follow`, it is tried again.
            TapeError: if the tape cannot be read.
        """
        with _only_shipper(self._tape) as holder:
            who = f"process {os.getpid()} on {socket.gethostname()}"
            lease = Lease(self._remote, holder, who, self._lease_s)
            try:
                with suppress(_StoppedError):
                    self._run(lease, follow=follow)
            finally:
                with suppress(StoreError):
                    lease.release()

    def follow(self) -> None:
        """Ship until `stop`; what ends it before is logged, and is its `trouble`."""
        try:
            self.ship(follow=True)
        except TapeError as error:
            self._trouble = str(error)
            if not self._stop.is_set():
                log.error("%s; the recording goes on, and is not shipped", error)  # noqa: TRY400  one line

    def _run(self, lease: Lease, *, follow: bool) -> None:
        pause_s, has_said = _POLL_S, False
        while True:
            is_last = not follow or self._stop.is_set()  # before the round, which sees all that was sealed
            try:
                has_more = self._round(lease)
            except (ShippingError, LockedTapeError):
                raise
            except (TapeError, OSError) as error:
                self._count()
                if is_last:
                    raise error if isinstance(error, TapeError) else self._unwritable(error) from None
                self._say(str(error) if isinstance(error, TapeError) else str(self._unwritable(error)))
                self._stop.wait(pause_s)
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
                continue
            self._say("")
            if follow and not has_said and (trouble := _keeping_trouble(self._products)):
                log.error("%s; shipping goes on", trouble)
                has_said = True
            pause_s = _POLL_S
            if not has_more and is_last:
                break
            if not has_more:
                self._stop.wait(_POLL_S)
        rows = {name: each.rows for name, each in self._products.items() if each.rows}
        note_shipped_rows(self._tape, self._remote, rows)
        if trouble := _keeping_trouble(self._products):
            raise ShippingError(trouble, self._tape)

    def _round(self, lease: Lease) -> bool:
        """Ship a batch of each product, or remove what is old; return whether there is more."""
        for product in read_manifest(self._tape).products:
            if product not in self._products:
                self._products[product] = ProductShipping(
                    self._tape, self._remote, product, lease, self._keep
                )
        if not lease.epoch:
            check_manifest(self._tape, self._remote)
            lease.acquire(self._pause)
        lease.check()
        with ThreadPoolExecutor(_AT_ONCE, "shipping") as threads:
            begun = [threads.submit(each.advance) for each in self._products.values()]
        failures = [error for each in begun if (error := each.exception()) is not None]
        for error in sorted(failures, key=lambda each: not isinstance(each, ShippingError | LockedTapeError)):
            raise error
        return any(each.result() for each in begun)

    def _count(self) -> None:
        with suppress(TapeError, OSError):  # it will be said when it is shipped
            for each in self._products.values():
                each.count()

    def _pause(self, seconds: float) -> None:
        if self._stop.wait(seconds):
            raise _StoppedError

    def _say(self, trouble: str) -> None:
        if trouble and not self._trouble:
            log.warning("%s; shipping is tried again, the recording does not wait for it", trouble)
        elif self._trouble and not trouble:
            log.info("%s: shipping goes on", self._remote)
        self._trouble = trouble

    def _unwritable(self, error: OSError) -> TapeError:
        return TapeError(f"{self._tape}: cannot be read or written ({reason_of(error)})", self._tape)


def _keeping_trouble(products: Mapping[str, ProductShipping]) -> str:
    """Return why nothing is removed of a product any more; empty if it is."""
    return next((each.keeping_trouble for each in products.values() if each.keeping_trouble), "")


@contextmanager
def shipping(tape: Path, remote: RemotePath | None, keep: Keep | None = None) -> Iterator[Shipper | None]:
    """Ship a tape on a thread of its own while the block runs, if there is a place for it in a store.

    It ends within seconds after the block, and says so if something is left.
    """
    if remote is None:
        yield None
        return
    shipper = Shipper(tape, remote, keep)
    thread = threading.Thread(target=shipper.follow, name="shipping", daemon=True)
    thread.start()
    try:
        yield shipper
    finally:
        shipper.stop()
        thread.join(_GRACE_S)
        if shipper.status.trouble or thread.is_alive():
            later = f"`booktape ship {tape} {remote}` does the rest"
            log.warning("%s; %s", shipper.status.line(), later)


@contextmanager
def _only_shipper(tape: Path) -> Iterator[str]:
    """Let no other process ship a tape; yield what stands for it, which no copy of it shares.

    Raises:
        LockedTapeError: if another process ships it.
        TapeError: if the tape cannot be written.
    """
    try:
        lock = store.acquire_lock(tape / _SHIP_LOCK, wait=False)
    except BlockingIOError:
        raise LockedTapeError(f"{tape}: another process ships this tape", tape) from None
    except OSError as error:
        raise TapeError(f"{tape}: cannot write ({reason_of(error)})", tape) from None
    with lock:
        token = lock.read()
        if not token:
            token = secrets.token_hex(8).encode()
            os.write(lock.fileno(), token)
        inode = os.fstat(lock.fileno()).st_ino
        yield f"{socket.gethostname()}-{inode}-{token.decode(errors='replace')}"
