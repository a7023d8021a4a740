"""`_tape.json`: format, feed and products of a tape."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Final

import msgspec

from orderbook.display import printable
from orderbook.document import to_json
from orderbook.errors import reason_of
from orderbook.venues.base import is_product_id
from orderbook.venues.rawjson import UNREADABLE
from orderbook.venues.registry import VENUE_NAMES
from recorder.tape.errors import NewerTapeError, NotATapeError, TapeError
from recorder.tape.format.layout import MANIFEST, PRODUCT
from recorder.tape.store import files as store

FORMAT: Final = 2
"""The format of a new tape; one of format 1 is read and recorded to as it is, see `migration`."""

FORMAT_WITHOUT_FIRST_ROWS: Final = 3
"""The format of a tape of which first rows were removed (`removed`): earlier versions would say that it is
damaged, so they are to refuse it. All else is as in format 2."""

_MANIFEST_LOCK: Final = "_manifest.lock"


@dataclass(frozen=True, slots=True)
class Manifest:
    """The fields of a manifest.

    Attributes:
        format: version of the tape format.
        feed: the name of the venue of all frames.
        products: product ids in the order in which they were added.
        created: ISO time.
        software: the program that created the tape, e.g. `booktape 0.1.0`.
        synthetic: whether a synthetic exchange sent its frames: no price on it was ever quoted.
        sealed_rows: how many rows each product had sealed when its last recorder ended; never fewer are left.
        unfinished: captures whose import began and has not ended: their last rows are missing.
    """

    format: int
    feed: str
    products: tuple[str, ...]
    created: str
    software: str
    synthetic: bool = False
    sealed_rows: dict[str, Annotated[int, msgspec.Meta(ge=0, lt=2**62)]] = field(default_factory=dict)
    unfinished: tuple[str, ...] = ()

    def unfinished_lines(self) -> list[str]:
        """Return a line for each capture of which a part is missing."""
        return [
            f"the import of {each} has not ended; if it died, import it to another tape"
            for each in self.unfinished
        ]


class _Version(msgspec.Struct):
    format: int


def write_manifest(tape: Path, manifest: Manifest) -> None:
    """Write or replace the manifest of a tape atomically."""
    store.replace_file(tape / MANIFEST, to_json(manifest))


def change_manifest(tape: Path, change: Callable[[Manifest], Manifest]) -> Manifest:
    """Change the manifest of a tape as it is now, and return it: a recorder and a shipper both may.

    Raises:
        TapeError: if it cannot be read.
        OSError: if it cannot be written.
    """
    with store.acquire_lock(tape / _MANIFEST_LOCK, wait=True):
        before = read_manifest(tape)
        changed = change(before)
        if changed != before:
            write_manifest(tape, changed)
        return changed


def mark_synthetic(tape: Path) -> None:
    """Say in the manifest of a tape that its frames are synthetic; for its writer."""
    change_manifest(tape, lambda manifest: replace(manifest, synthetic=True))


def note_import(tape: Path, captures: Iterable[str], *, ended: bool) -> None:
    """Say in the manifest of a tape that an import of captures begins, or that it has ended; for its writer.

    Raises:
        TapeError: if it cannot be read or written.
    """
    named = tuple(map(printable, captures))

    def change(found: Manifest) -> Manifest:
        others = tuple(each for each in found.unfinished if each not in named)
        return replace(found, unfinished=others if ended else (*others, *named))

    try:
        change_manifest(tape, change)
    except OSError as error:
        raise TapeError(f"{tape}: cannot write ({reason_of(error)})", tape) from None


def read_manifest(tape: Path) -> Manifest:
    """Read the manifest of a tape.

    Raises:
        NotATapeError: if the path is missing or not a tape, or its manifest is unreadable.
        NewerTapeError: if the format is newer than this version's.
    """
    path = tape / MANIFEST
    try:
        text = store.read_file(path)
    except (FileNotFoundError, NotADirectoryError) as error:
        is_file = isinstance(error, NotADirectoryError)
        raise NotATapeError(f"{tape}: {_why_none(tape, is_file=is_file)}", tape) from None
    except OSError as error:
        raise NotATapeError(f"{path}: {error.strerror}", tape) from None
    try:
        version = msgspec.json.decode(text, type=_Version).format
        if version > FORMAT_WITHOUT_FIRST_ROWS:
            known = FORMAT_WITHOUT_FIRST_ROWS
            raise NewerTapeError(
                f"{tape}: tape format {version} is newer than format {known}, update booktape", tape
            )
        manifest = msgspec.json.decode(text, type=Manifest)
    except UNREADABLE as error:
        raise NotATapeError(f"{path}: not a tape's manifest ({error})", tape) from None
    if problem := _problem(manifest):
        raise NotATapeError(f"{path}: not a tape's manifest ({problem})", tape)
    return manifest


def _why_none(path: Path, *, is_file: bool) -> str:
    """Return why a path without a manifest is no tape."""
    if not store.exists(path):
        return "no such tape"
    for each in (path, *path.parents):
        product = each.name.removeprefix(PRODUCT)
        if product != each.name and store.exists(each.parent / MANIFEST):
            return f"a part of the tape {each.parent}: give that, and --product {product} for this one alone"
    if is_file:
        return "a file, and a tape is a directory: `booktape import FILE -o TAPE` makes one of captures"
    if store.exists(path / "run.json"):
        return "a RUN, not a tape: name the tape that it was made of"
    return f"not a tape ({MANIFEST} is missing)"


def _problem(manifest: Manifest) -> str:
    """Return what is wrong with the fields of a manifest; an empty text if nothing is."""
    products = manifest.products
    if manifest.format < 1:
        return f"format {manifest.format}"
    if manifest.feed not in VENUE_NAMES:
        return f"feed {manifest.feed!r}"
    if bad := [product for product in products if not is_product_id(product)]:
        return f"{bad} are no products"
    return "it names a product twice" if len(set(products)) < len(products) else ""
