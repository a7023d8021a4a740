"""Who ships to a tape in a store: one at a time, by a lease with an epoch that is an object of the tape.

Clocks of two machines are never compared. A holder renews its lease, which changes the object; another one
takes it over with the next epoch once it has watched it stay the same for as long as it lasts. A shipper that
was killed gets its lease back at once: only one of a local tape can run, so its predecessor is dead.
"""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import msgspec

from orderbook.display import printable
from orderbook.venues.rawjson import UNREADABLE
from recorder.shipping.conditional import ChangedError, Stored, read, swap
from recorder.tape.errors import LockedTapeError, StoreError
from recorder.tape.store.paths import RemotePath

LEASE: Final = "_lease.json"
LEASE_S: Final = 60.0
"""Seconds for which a lease lasts unless it is renewed."""
_WATCH_S: Final = 1.0

Pause = Callable[[float], None]
"""Wait for some seconds; raise to give up."""


class _Lease(msgspec.Struct, frozen=True):
    """The object.

    Attributes:
        epoch: counts the holders.
        holder: what stands for the local tape that is shipped; empty if the lease was given back.
        seconds: for how long it lasts.
        who: the process, for people.
        renewed: counts the renewals, so that each changes the object.
    """

    epoch: int
    holder: str
    seconds: float
    who: str
    renewed: int = 0


class Lease:
    """The right to ship to a tape, once it is acquired.

    Args:
        tape: the tape in the store.
        holder: what stands for the local tape: no other tape has it, and no copy of this one.
        who: the process, for people.
        seconds: for how long a lease lasts.
    """

    def __init__(self, tape: RemotePath, holder: str, who: str, seconds: float = LEASE_S) -> None:
        self._tape = tape
        self._path = RemotePath(f"{tape}/{LEASE}")
        self._mine = _Lease(0, holder, seconds, who)
        self._stored: Stored | None = None
        self._renewed_at = 0.0
        self._lock = threading.Lock()

    @property
    def epoch(self) -> int:
        """The number of this holder; 0 before the lease is acquired."""
        return self._mine.epoch

    def acquire(self, pause: Pause) -> None:
        """Wait until nobody else holds the lease, and take it.

        Raises:
            LockedTapeError: if another shipper is at work.
            StoreError: if the store does not answer.
        """
        while True:
            stored, found = self._read()
            if found is not None and found.holder not in ("", self._mine.holder):
                self._watch(stored, found, pause)
            try:
                return self._write(stored, 1 if found is None else found.epoch + 1)
            except ChangedError:
                continue  # another one was faster: watch it

    def check(self) -> None:
        """Renew the lease if a third of its time is over; call it before anything that readers depend on.

        Raises:
            LockedTapeError: if another shipper has taken it over.
            StoreError: if the store does not answer.
        """
        with self._lock:  # products are shipped beside one another
            if time.monotonic() - self._renewed_at > self._mine.seconds / 3:
                self.renew()

    def renew(self) -> None:
        """Renew the lease; raises as `check` does."""
        try:
            self._write(self._stored, self._mine.epoch)
        except ChangedError:
            raise self._taken(self._read()[1]) from None

    def release(self) -> None:
        """Give the lease back, if it is held.

        Raises:
            StoreError: if the store does not answer; the lease ends by itself then.
        """
        if self._stored is not None:
            freed = msgspec.structs.replace(self._mine, holder="")
            with suppress(ChangedError):  # another one has it
                swap(self._path, msgspec.json.encode(freed), self._stored)
            self._stored = None

    def _read(self) -> tuple[Stored | None, _Lease | None]:
        stored = read(self._path)
        if stored is None:
            return None, None
        try:
            return stored, msgspec.json.decode(stored.data, type=_Lease)
        except UNREADABLE as error:
            raise StoreError(f"{self._path}: not a lease ({error})", self._path) from None

    def _write(self, before: Stored | None, epoch: int) -> None:
        at = time.monotonic()  # before it is written: it may last longer for others, never shorter
        lease = msgspec.structs.replace(self._mine, epoch=epoch, renewed=self._mine.renewed + 1)
        self._stored = swap(self._path, msgspec.json.encode(lease), before)
        self._mine, self._renewed_at = lease, at

    def _watch(self, stored: Stored | None, found: _Lease, pause: Pause) -> None:
        """Wait for as long as a lease of another holder lasts.

        Raises:
            LockedTapeError: if it is renewed.
        """
        until = time.monotonic() + found.seconds
        while (left := until - time.monotonic()) > 0:
            pause(min(left, _WATCH_S))
            now, lease = self._read()
            if now is None or stored is None or now.data != stored.data:
                if lease is not None and not lease.holder:
                    return  # given back
                raise self._taken(lease)

    def _taken(self, lease: _Lease | None) -> LockedTapeError:
        who = printable(lease.who, 100) if lease is not None and lease.who else "another process"
        return LockedTapeError(f"{self._tape}: {who} ships to it: only one can at a time", self._tape)
