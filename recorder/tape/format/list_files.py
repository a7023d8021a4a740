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
        product_dir: directory of the product.
        day: the day of its segments (YYYY-MM-DD, UTC); empty for the one file of format 1.
        version: a value that changes whenever its content does; None if nobody asked for it.
    """

    product_dir: Path
    day: str = ""
    version: object = None

    @property
    def path(self) -> Path:
        """Its path."""
        return self.product_dir / (f"{SEGMENT_LISTS}/{self.day}{_LIST}" if self.day else SEGMENT_LIST)

    @property
    def next_path(self) -> Path:
        """What stands for it as soon as it exists."""
        return self.path.with_suffix(_NEXT)


def list_files(product_dir: Path) -> list[ListFile]:
    """Return the files of a product's list, in the order of their segments; none if it has no list yet.

    Raises:
        DamagedTapeError: if they cannot be listed.
    """
    single = ListFile(product_dir)
    with _naming(product_dir):
        days = list_days(product_dir)
        if not days and (store.exists(single.path) or store.exists(single.next_path)):
            return [single]
        return [ListFile(product_dir, day) for day in days or list_days(product_dir)]  # migrated just now?


def list_versions(product_dir: Path) -> list[ListFile]:
    """Return the files of a product's list with their versions.

    Raises:
        DamagedTapeError: if they cannot be listed.
    """
    with _naming(product_dir):
        found = store.versions_in(product_dir / SEGMENT_LISTS)
        if days := _days(found):
            return [
                ListFile(product_dir, day, (found.get(f"{day}{_NEXT}"), found[f"{day}{_LIST}"]))
                for day in days
            ]
        return [
            replace(file, version=(store.file_version(file.next_path), store.file_version(file.path)))
            for file in list_files(product_dir)
        ]


def list_days(product_dir: Path) -> list[str]:
    """Return the days of which a product has a list, in order; none in format 1.

    Raises:
        OSError: if they cannot be listed.
    """
    return _days(store.names_in(product_dir / SEGMENT_LISTS))


def changed_lists(product_dir: Path) -> list[ListFile]:
    """Return the files for which another one stands, of a compaction that is not complete yet."""
    names = store.names_in(product_dir / SEGMENT_LISTS)
    days = [name.removesuffix(_NEXT) for name in names if name.endswith(_NEXT)]
    files = [ListFile(product_dir, day) for day in days if f"{day}{_LIST}" in names]
    single = ListFile(product_dir)
    if not names and store.exists(single.next_path):
        files.append(single)
    return files


@contextmanager
def _naming(product_dir: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        path = product_dir / SEGMENT_LISTS
        raise DamagedTapeError(f"{path}: cannot be listed ({error.strerror})", path) from None


def _days(names: Iterable[str]) -> list[str]:
    return sorted(match[1] for name in names if (match := _LIST_OF_DAY.fullmatch(name)))
