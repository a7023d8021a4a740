"""`ship`: copy a tape to a store, until all is there or until a signal."""

from pathlib import Path

from recorder.runtime.signals import on_signals
from recorder.shipping.shipper import Arrived, Shipper
from recorder.tape.store.paths import RemotePath


def ship(tape: Path, remote: RemotePath, *, follow: bool = False) -> dict[str, Arrived]:
    """Ship what is sealed of a tape; with `follow`, go on until Ctrl-C, SIGTERM or SIGHUP.

    Returns:
        By product, what was shipped, and what the store has now.

    Raises:
        ShippingError: if the store has something else at this place.
        LockedTapeError: if another process ships this tape, or to this place.
        StoreError: if the store does not answer; with `follow`, it is tried again.
        TapeError: if the tape cannot be read.
    """
    shipper = Shipper(tape, remote)
    with on_signals(shipper.stop):
        shipper.ship(follow=follow)
    return shipper.arrived()
