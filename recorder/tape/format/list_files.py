"""Which files hold the list of a product's segments.

Format 2 has a file a day, `_segments/2026-11-26.jsonl`: the lines of the segments in `date=2026-11-26`, so a
seal reads and writes the last one only. Format 1 has one file, `_segments.jsonl`, for all days. As soon as
the directory `_segments` exists, it is the list: `migration` renames it into place when it is whole.

A change of earlier lines, such as a compaction, is written beside a file as `<name>.next.jsonl`. As soon as
that name exists, it stands for the file, even if the process dies before the segments are in place.
"""

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from recorder.tape.errors import DamagedTapeError
from recorder.tape.format.layout import SEGMENT_LIST, SEGMENT_LISTS
from recorder.tape.store import files as store

_LIST: Final = ".jsonl"
_NEXT: Final = ".next.jsonl"
_LIST_OF_DAY: Final = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})\.jsonl")


@dataclass(frozen=True, slots=True)
class ListFile:
    """A file of a product's list.

    Attributes:
        path: its path.
        day: the day of its segments (YYYY-MM-DD, UTC); empty for the one file of format 1.
        version: a value that changes whenever its content does; None if nobody asked for it.
    """

    path: Path
    day: str = ""
    version: object = None

    @property
    def next_path(self) -> Path:
        """What stands for it as soon as it exists."""
        return self.path.with_suffix(_NEXT)


def list_files(product_dir: Path) -> list[ListFile]:
    """Return the files of a product's list, in the order of their segments; none if it has no list yet.

    Raises:
        DamagedTapeError: if they cannot be listed.
    """
    directory, single = product_dir / SEGMENT_LISTS, ListFile(product_dir / SEGMENT_LIST)
    with _naming(directory):
        days = _days(directory, store.names_in(directory))
        if days:
            return days
        if store.exists(single.path) or store.exists(single.next_path):
            return [single]
        return _days(directory, store.names_in(directory))  # it may have been migrated just now


def list_versions(product_dir: Path) -> list[ListFile]:
    """Return the files of a product's list with their versions.

    Raises:
        DamagedTapeError: if they cannot be listed.
    """
    directory = product_dir / SEGMENT_LISTS
    with _naming(directory):
        found = store.versions_in(directory)
        if days := _days(directory, found):
            return [
                replace(file, version=(found.get(file.next_path.name), found[file.path.name]))
                for file in days
            ]
        return [
            replace(file, version=(store.file_version(file.next_path), store.file_version(file.path)))
            for file in list_files(product_dir)
        ]


def list_file_for(product_dir: Path, day: str) -> ListFile:
    """Return the file that lists the segments of a day, which may not exist yet."""
    if store.exists(product_dir / SEGMENT_LISTS):
        return ListFile(product_dir / SEGMENT_LISTS / f"{day}{_LIST}", day)
    return ListFile(product_dir / SEGMENT_LIST)


def changed_lists(product_dir: Path) -> list[ListFile]:
    """Return the files for which another one stands, of a compaction that is not complete yet."""
    names = set(store.names_in(product_dir / SEGMENT_LISTS))
    return [
        file
        for file in list_files(product_dir)
        if (file.next_path.name in names if file.day else store.exists(file.next_path))
    ]


@contextmanager
def _naming(directory: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DamagedTapeError(f"{directory}: cannot be listed ({error.strerror})", directory) from None


def _days(directory: Path, names: Iterable[str]) -> list[ListFile]:
    """Return the files among the names in the directory of the lists of days, in order."""
    found = (match for name in sorted(names) if (match := _LIST_OF_DAY.fullmatch(name)))
    return [ListFile(directory / match[0], match[1]) for match in found]
