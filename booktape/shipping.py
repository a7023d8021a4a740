"""`Tape.ship`: copy a tape to an object store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from booktape import arguments
from booktape.paths import PathLike, shipping_url, written_tape
from orderbook.errors import OptionError

if TYPE_CHECKING:
    from orderbook.time_input import DurationLike
    from recorder.shipping.keeping import Keep
    from recorder.shipping.shipper import Arrived


def ship(
    tape: PathLike, url: PathLike, *, follow: bool = False, keep: DurationLike | None = None
) -> dict[str, Arrived]:
    """Copy the sealed segments of the tape to an object store that does not have them yet.

    It goes on where an earlier call ended, wherever that was. A reader of the store sees a whole tape at any
    time.

    Args:
        tape: the tape, which may be being recorded.
        url: the tape in the store, such as `s3://bucket/tape`.
        follow: go on shipping what is sealed, until Ctrl-C or SIGTERM.
        keep: remove segments here that are older than this, once the store was seen to have them: from the
            first one on, back to a saved book. None removes nothing.

    Returns:
        By product, what was shipped now, the number of rows that the store has, and of segments removed here.

    Raises:
        OptionError: if the URL is of no object store.
        ShippingError: if the store has another tape, or something else, at this place.
        LockedTapeError: if another process ships this tape, or to this place.
        StoreError: if the store does not answer; with `follow`, it is tried again.
        TapeError: if the tape cannot be read.
    """
    from recorder.shipping.api import ship as run

    remote = shipping_url(url, "url")
    return run(
        written_tape(tape),
        remote,
        follow=arguments.flag(follow, "follow"),
        keep=kept_for(keep, url),
    )


def kept_for(keep: DurationLike | None, ship: PathLike | None) -> Keep | None:
    """Return how long segments are kept on the local disk once they are shipped; None for all time."""
    from recorder.shipping.keeping import Keep

    if keep is None:
        return None
    if ship is None:
        reason = "only what is shipped is removed: say where to ship, such as s3://bucket/tape"
        raise OptionError(reason, option="keep", value=keep)
    return Keep(arguments.seconds(keep, "keep"))
