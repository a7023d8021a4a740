"""The frames of a connection, read from where they are."""

from pathlib import Path

import pyarrow.parquet as pq

from recorder.record import import_captures
from recorder.tape.compaction import compact
from recorder.tape.policy import SealPolicy
from replay.serving.stage import Stage
from tests.replay.tapes import MS, SECOND, flip_byte, segment_paths, snapshot, update, write_capture

BTC = "BTC-USD"


def test_a_connection_is_read_from_the_part_that_holds_it(tmp_path: Path) -> None:
    """A later connection of a merged day is served though what lies before its part went bad meanwhile."""
    tape = tmp_path / "tape"
    sent = []
    for number, length in enumerate((17_000, 10)):
        begin = number * 100 * SECOND
        texts = [snapshot(BTC), *(update(BTC, ("buy", "98", str(place))) for place in range(1, length))]
        sent.append(texts)
        timed = [(begin + place * MS, text) for place, text in enumerate(texts)]
        import_captures(
            [write_capture(tmp_path / "capture.jsonl", timed)], tape, "jsonl", policy=SealPolicy()
        )
    compact(tape)
    stage = Stage(tape)
    first, second = stage.stretches(frozenset([BTC]))
    (path,) = segment_paths(tape, BTC)
    with pq.ParquetFile(path) as file:
        chunk = file.metadata.row_group(0).column(4)
    assert [each.text for each in stage.frames(first)] == sent[0]
    flip_byte(path, chunk.data_page_offset + chunk.total_compressed_size - 2)
    assert [each.text for each in stage.frames(second)] == sent[1]
