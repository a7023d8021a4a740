"""What a tape must hold: its manifest against its directories, its list of segments against its files.

Absent is not empty. What is named and missing, or there and not named, is damage, for every command.
"""

from bisect import bisect_left
from collections.abc import Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path, PurePath
from typing import Final

from recorder.tape.errors import DamagedTapeError
from recorder.tape.format.journal import journal_paths
from recorder.tape.format.layout import (
    DAY,
    JOURNALS,
    MANIFEST,
    PRODUCT,
    SIDECARS,
    merged_file,
    product_of,
)
from recorder.tape.format.list_files import changed_lists, list_files
from recorder.tape.format.manifest import Manifest, read_manifest, write_manifest
from recorder.tape.format.segment_entry import SegmentEntry, sealed_rows
from recorder.tape.format.segment_list import (
    entry_before,
    last_entry,
    parse_segment_list,
    read_segment_list,
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
    names = _names(tape)
    if _unnamed(tape, names, manifest.products):
        manifest = read_manifest(tape)  # a recorder names a product before it gets rows
        names = _names(tape)
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
    _report(missing, problems, tape)
    return manifest


def require_no_rows(tape: Path) -> None:
    """Check that a directory without a manifest has no rows of a tape, so that it may become a tape.

    Raises:
        DamagedTapeError: if it has some.
    """
    for path in _unnamed(tape, _names(tape), ()):
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

    manifest = read_manifest(tape)
    with ThreadPoolExecutor(DISK_THREADS) as threads:
        rows = dict(zip(products, threads.map(durable_rows, products), strict=True))
    noted = {**manifest.sealed_rows, **{each: number for each, number in rows.items() if number}}
    if noted != manifest.sealed_rows:
        write_manifest(tape, replace(manifest, sealed_rows=noted))


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
    return any(name.startswith(DAY) for name in _names(product_dir)) or bool(_names(product_dir / JOURNALS))


def complete_list(product_dir: Path, least: int, problems: list[str] | None = None) -> list[SegmentEntry]:
    """Return the list of segments of which every file is there, and which lists all files that are.

    A file that waits for its line still has its journal; in a store it is one behind all that are listed, as
    files are shipped before their lines. Files are looked up first, then journals, then lines, so that a
    recorder, a shipping or a compaction at work is no problem. O(segments), opens none.

    Args:
        product_dir: directory of the product.
        least: rows that were sealed when the last recorder ended, by the manifest.
        problems: takes a line for each file that is missing or not listed; None raises an error instead.

    Raises:
        DamagedTapeError: if the list cannot be read; if files are missing or not listed and `problems` is
            None.
    """
    files = {name for name in _files_by_day(product_dir) if name.endswith(_SEGMENT)}
    is_remote = store.is_remote(product_dir)
    sidecars = [] if is_remote else _names(product_dir / SIDECARS)
    waiting = {path.stem for path in journal_paths(product_dir / JOURNALS)}
    entries = read_segment_list(product_dir)
    if is_remote:
        end = f"{sealed_rows(entries):020d}"
        waiting = {PurePath(name).stem for name in files if PurePath(name).stem >= end}
    listed = {entry.file for entry in entries}
    if files - listed:
        listed |= _replaced(product_dir)
    found = [
        f"{product_dir / name}: a segment that the list of segments does not name"
        for name in sorted(files - listed)
        if PurePath(name).stem not in waiting and store.exists(product_dir / name)
    ]
    known = waiting | {PurePath(name).stem for name in files - listed}
    found += [
        f"{product_dir / SIDECARS / name}: belongs to rows that the list of segments does not have"
        for name in sidecars[bisect_left(sidecars, f"{sealed_rows(entries):020d}") :]
        if name[:20].isdecimal() and name[:20] not in known
    ]
    found += [
        f"{product_dir / entry.file}: a sealed segment is missing"
        for entry in entries
        if entry.file not in files and _is_missing(product_dir, entry)
    ]
    if sealed_rows(entries) < least:
        found.append(f"{product_dir}: the list has {sealed_rows(entries):,} rows, but {least:,} were sealed")
    _report(found, problems, product_dir)
    return entries


def _replaced(product_dir: Path) -> set[str]:
    """Return the files that a compaction has replaced in the list, and not removed yet."""
    found: set[str] = set()
    for file in changed_lists(product_dir):
        with suppress(FileNotFoundError):
            content = store.read_file(file.path)
            found |= {
                entry.file
                for entry in parse_segment_list(file.path, content, entry_before(product_dir, file))[0]
            }
    return found


def _is_missing(product_dir: Path, entry: SegmentEntry) -> bool:
    """Tell whether a listed segment is missing: not sealed, renamed or merged since files were looked up."""
    path = product_dir / entry.file
    return (
        not store.exists(merged_file(path))
        and not store.exists(path)
        and entry in read_segment_list(product_dir)
    )


def _names(directory: Path) -> list[str]:
    """Return the names in a directory, in order; none if it does not exist.

    Raises:
        DamagedTapeError: if it cannot be listed.
    """
    try:
        return store.names_in(directory)
    except OSError as error:
        raise DamagedTapeError(f"{directory}: cannot be listed ({error.strerror})", directory) from None


def _files_by_day(product_dir: Path) -> Iterable[str]:
    """Return the paths of the files in the folders of days, inside a product's directory.

    Raises:
        DamagedTapeError: if they cannot be listed.
    """
    try:
        return store.file_sizes(product_dir, DAY)
    except OSError as error:
        raise DamagedTapeError(f"{product_dir}: cannot be listed ({error.strerror})", product_dir) from None


def _report(found: list[str], problems: list[str] | None, path: Path) -> None:
    if problems is not None:
        problems += found
    elif found:
        more = f" (and {len(found) - 1:,} more; `booktape verify` names them)" if len(found) > 1 else ""
        raise DamagedTapeError(f"{found[0]}{more}", path)
