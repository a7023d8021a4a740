"""The frames of a connection are read from the part of a file that holds them."""

from pathlib import Path

import pyarrow.parquet as pq

from recorder.api import import_captures
from recorder.settings import ImportSettings, SealPolicy
from recorder.tape.compaction import compact
from replay.serving.served_tape import ServedTape
from tests.support.constants import BTC, MS, SECOND
from tests.support.tapes import flip_byte, segment_paths, snapshot, update, write_capture


def test_a_connection_is_read_from_the_part_that_holds_it(tmp_path: Path) -> None:
    """A later connection of a merged day is served although data before its part is damaged."""
    tape = tmp_path / "tape"
    sent = []
    for number, length in enumerate((17_000, 10)):
        begin = number * 100 * SECOND
        texts = [snapshot(BTC), *(update(BTC, ("buy", "98", str(place))) for place in range(1, length))]
        sent.append(texts)
        timed = [(begin + place * MS, text) for place, text in enumerate(texts)]
        import_captures(
            [write_capture(tmp_path / "capture.jsonl", timed)], tape, ImportSettings(seal=SealPolicy())
        )
    compact(tape)
    served = ServedTape(tape)
    first, second = served.playlist(frozenset([BTC]))
    (path,) = segment_paths(tape, BTC)
    with pq.ParquetFile(path) as file:
        chunk = file.metadata.row_group(0).column(4)
    assert [each.text for each in served.frames(first)] == sent[0]
    flip_byte(path, chunk.data_page_offset + chunk.total_compressed_size - 2)
    assert [each.text for each in served.frames(second)] == sent[1]
