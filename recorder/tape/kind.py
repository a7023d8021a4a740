"""What kind of tape a recording would continue: rows of an import or of a made-up market are not mixed in."""

from pathlib import Path

from orderbook.connection_marks import read_connected
from orderbook.display import printable
from recorder.live.redaction import without_secrets
from recorder.tape.errors import TapeError
from recorder.tape.format.layout import MANIFEST
from recorder.tape.reader import Tape
from recorder.tape.store import local as store


def check_kind(tape: Path, url: str) -> None:
    """Refuse to continue a tape of another kind than a recording of an address.

    Args:
        tape: directory of the tape; it may not exist.
        url: address of the feed.

    Raises:
        TapeError: if the tape is one, or cannot be read.
    """
    other = _other_kind(tape, url)
    if other:
        raise TapeError(f"{tape}: {other}: name another tape, or add --append to continue this one", tape)


def _other_kind(tape: Path, url: str) -> str:
    """Return what a tape holds by the marks of its first connections; an empty text if that may go on."""
    if not store.exists(tape / MANIFEST):
        return ""
    opened = Tape.open(tape)
    is_local = url.startswith("ws://")
    if opened.manifest.synthetic and not is_local:
        return "a tape of a synthetic market"
    for product in opened.select(()):
        rows = next(opened.product(product).batches(1), None)
        if rows is not None and rows.column("kind")[0].as_py() == "connected":
            begun = read_connected(rows.column("payload")[0].as_py()).url
            if begun and "://" not in begun:
                return f"an import of {printable(without_secrets(begun), 80)}, not a recording"
            if begun and begun.startswith("ws://") != is_local:
                where = "this machine" if begun.startswith("ws://") else printable(without_secrets(begun), 80)
                return f"a recording from {where}, not from {printable(url, 80)}"
    return ""
