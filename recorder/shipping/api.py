"""`ship`: copy a tape to a store, until all is there or until a signal."""

from pathlib import Path

from recorder.runtime.signals import on_signals
from recorder.shipping.keeping import Keep
from recorder.shipping.shipper import Arrived, Shipper
from recorder.tape.store.paths import RemotePath


def ship(
    tape: Path, remote: RemotePath, *, follow: bool = False, keep: Keep | None = None
) -> dict[str, Arrived]:
    """Ship what is sealed of a tape; with `follow`, go on until Ctrl-C, SIGTERM or SIGHUP.

    With `keep`, segments that are in the store are removed here once they are old.

    Returns:
        By product, what was shipped, what the store has now, and what was removed here.

    Raises:
        ShippingError: if the store has something else at this place.
        LockedTapeError: if another process ships this tape, or to this place.
        StoreError: if the store does not answer; with `follow`, it is tried again.
        TapeError: if the tape cannot be read.
    """
    shipper = Shipper(tape, remote, keep)
    with on_signals(shipper.stop):
        shipper.ship(follow=follow)
    return shipper.arrived()
