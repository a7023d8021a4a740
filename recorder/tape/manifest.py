"""`_tape.json`: what a tape is, before anything of it is read."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import msgspec

from orderbook.feeds import FEEDS, Feed
from recorder.tape.errors import NewerTapeError, NotATapeError
from recorder.tape.files import replace_file
from recorder.tape.layout import MANIFEST, is_product_id

FORMAT: Final = 1
"""The tape format of this version."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """The manifest's fields.

    Attributes:
        format: the tape format, an int.
        feed: the dialect of all frames.
        products: in the order in which they came to the tape.
        created: ISO time.
        software: who made it, e.g. `booktape 0.1.0`.
    """

    format: int
    feed: Feed
    products: tuple[str, ...]
    created: str
    software: str


def write_manifest(tape: Path, manifest: Manifest) -> None:
    """Write or replace a tape's manifest atomically."""
    replace_file(
        tape / MANIFEST, msgspec.json.format(msgspec.json.encode(asdict(manifest)), indent=2) + b"\n"
    )


def read_manifest(tape: Path) -> Manifest:
    """Read a tape's manifest.

    Raises:
        NotATapeError: where the path is missing, no tape, or its manifest is unreadable.
        NewerTapeError: where the format is newer than ours.
    """
    if not tape.exists():
        raise NotATapeError(f"{tape}: no such tape")
    path = tape / MANIFEST
    try:
        text = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise NotATapeError(f"{tape}: not a tape ({MANIFEST} is missing)") from None
    except OSError as error:
        raise NotATapeError(f"{path}: {error.strerror}") from None
    try:
        version = msgspec.json.decode(text, type=_Version).format
        if version > FORMAT:
            raise NewerTapeError(
                f"{tape}: tape format {version} is newer than format {FORMAT}, update booktape"
            )
        manifest = msgspec.json.decode(text, type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise NotATapeError(f"{path}: not a tape's manifest ({error})") from None
    bad = [product for product in manifest.products if not is_product_id(product)]
    if version < 1 or manifest.feed not in FEEDS or bad:
        raise NotATapeError(f"{path}: not a tape's manifest (format {version}, feed {manifest.feed}, {bad})")
    return manifest


class _Version(msgspec.Struct):
    format: int
