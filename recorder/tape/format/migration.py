"""From format 1 to format 2: the one list of a product's segments becomes a file a day.

1. The manifest says format 2, so that no earlier version reads or writes the tape any more.
2. The files of the days are written under `_segments.next`, complete and durable.
3. That directory is renamed to `_segments`: from now on it is the list. Before this nothing has changed.
4. The old list is removed.

If the process dies in between, readers find one of the two lists, and the next writer or compaction goes on.
"""

from itertools import groupby
from pathlib import Path

from recorder.tape.format.layout import NEXT_SEGMENT_LISTS, SEGMENT_LIST, SEGMENT_LISTS, day_of
from recorder.tape.format.list_files import list_files
from recorder.tape.format.segment_entry import encode_entry
from recorder.tape.format.segment_list import read_segment_list
from recorder.tape.store import files as store
from recorder.tape.store.durable import sync_directory


def migrate_list(product_dir: Path) -> None:
    """Bring a product's list to format 2, or complete that; no compaction may be unfinished.

    Hold the lock of the tape's writer and `segment_list_lock`; the manifest must say format 2 durably.

    Raises:
        DamagedTapeError: if the list of format 1 cannot be read; then nothing is changed.
        OSError: if the lists cannot be written.
    """
    old, lists = product_dir / SEGMENT_LIST, product_dir / SEGMENT_LISTS
    if not store.exists(lists):
        if not list_files(product_dir):
            store.make_directory(lists)
            return
        entries = read_segment_list(product_dir)
        aside = product_dir / NEXT_SEGMENT_LISTS
        store.make_directory(aside)
        for path in store.list_files(aside):
            store.remove_file(path)  # of a process that died
        for day, of_day in groupby(entries, key=lambda entry: day_of(entry.file)):
            store.replace_file(aside / f"{day}.jsonl", b"".join(map(encode_entry, of_day)))
        sync_directory(aside)
        store.rename_file(aside, lists)
    if store.exists(old):
        sync_directory(product_dir)  # the rename may be that of a process that died
        store.remove_file(old)
        sync_directory(product_dir)
