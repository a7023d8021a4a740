"""What a tape must hold: its manifest against its directories. `complete_list` has the segments of a product.

Absent is not empty. What is named and missing, or there and not named, is damage, for every command.
"""

from collections.abc import Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Final

from recorder.tape.errors import DamagedTapeError
from recorder.tape.format.layout import (
    DAY,
    JOURNALS,
    MANIFEST,
    PRODUCT,
    product_of,
)
from recorder.tape.format.list_files import list_files
from recorder.tape.format.manifest import Manifest, change_manifest, read_manifest
from recorder.tape.format.segment_list import (
    last_entry,
    require_directory,
    sync_segment_list,
)
from recorder.tape.store import files as store
from recorder.tape.store.durable import DISK_THREADS

_SEGMENT: Final = ".parquet"


def complete_manifest(tape: Path, problems: list[str] | None = None) -> Manifest:
    """Return the manifest of a tape, if it names exactly the products of which there are directories.

    Args:
        tape: directory of the tape.
        problems: takes a line for each product that is missing or not named; None raises an error instead.

    Raises:
        NotATapeError, NewerTapeError: if the manifest cannot be read.
        DamagedTapeError: if products are missing or not named, and `problems` is None.
    """
    manifest = read_manifest(tape)
    names = names_in(tape)
    if _unnamed(tape, names, manifest.products):
        manifest = read_manifest(tape)  # a recorder names a product before it gets rows
        names = names_in(tape)
    missing = []
    for product in manifest.products:
        try:
            if f"{PRODUCT}{product}" not in names:
                require_directory(tape / f"{PRODUCT}{product}")
        except DamagedTapeError as error:
            missing.append(str(error))
    unnamed = _unnamed(tape, names, manifest.products)
    missing += [
        f"{path}: has rows, but {MANIFEST} does not name the product; add it to its `products`"
        for path in unnamed
    ]
    known = {*manifest.products, *map(product_of, unnamed)}
    missing += [
        f"{tape / MANIFEST}: `sealed_rows` names {product!r}, which is none of its products"
        for product in sorted(manifest.sealed_rows.keys() - known)
    ]
    report_problems(missing, problems, tape)
    return manifest


def require_no_rows(tape: Path) -> None:
    """Check that a directory without a manifest has no rows of a tape, so that it may become a tape.

    Raises:
        DamagedTapeError: if it has some.
    """
    for path in _unnamed(tape, names_in(tape), ()):
        raise DamagedTapeError(f"{tape}: {MANIFEST} is missing, but {path.name} has rows; restore it", tape)


def note_sealed_rows(tape: Path, products: Collection[str]) -> None:
    """Write the number of sealed rows of some products to the manifest; for the tape's writer at its end.

    Raises:
        OSError: if it cannot be written.
        TapeError: if the manifest or a list cannot be read.
    """

    def durable_rows(product: str) -> int:
        directory = tape / f"{PRODUCT}{product}"
        sync_segment_list(directory)  # a line must not be less durable than the note of its rows
        last = last_entry(directory)
        return last.next_seq if last else 0

    with ThreadPoolExecutor(DISK_THREADS) as threads:
        rows = dict(zip(products, threads.map(durable_rows, products), strict=True))
    sealed = {each: number for each, number in rows.items() if number}
    change_manifest(tape, lambda found: replace(found, sealed_rows={**found.sealed_rows, **sealed}))


def _unnamed(tape: Path, names: Iterable[str], products: Iterable[str]) -> list[Path]:
    """Return the directories of other products, among the names in a tape, that have rows."""
    named = {f"{PRODUCT}{product}" for product in products}
    found = (name for name in names if name.startswith(PRODUCT) and name not in named)
    return [tape / name for name in found if _has_rows(tape / name)]


def _has_rows(product_dir: Path) -> bool:
    if list_files(product_dir):
        return True
    if store.is_remote(product_dir):
        return False  # segments are shipped before their product is named, and listed after that
    return any(name.startswith(DAY) for name in names_in(product_dir)) or bool(
        names_in(product_dir / JOURNALS)
    )


def names_in(directory: Path) -> list[str]:
    """Return the names in a directory, in order; none if it does not exist.

    Raises:
        DamagedTapeError: if it cannot be listed.
    """
    try:
        return store.names_in(directory)
    except OSError as error:
        raise DamagedTapeError(f"{directory}: cannot be listed ({error.strerror})", directory) from None


def report_problems(found: list[str], problems: list[str] | None, path: Path) -> None:
    """Add lines to `problems`; if that is None, raise the first one.

    Raises:
        DamagedTapeError: if there is one, and `problems` is None.
    """
    if problems is not None:
        problems += found
    elif found:
        more = f" (and {len(found) - 1:,} more; `booktape verify` names them)" if len(found) > 1 else ""
        raise DamagedTapeError(f"{found[0]}{more}", path)
