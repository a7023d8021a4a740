"""The overview of a tape: damage is reported, and no connection is lost silently."""

import shutil
from pathlib import Path

import pyarrow.parquet as pq

from recorder.tape.connections import ConnectionCollector
from recorder.tape.errors import DamagedTapeError
from recorder.tape.overview import Overview, keep_overview, overview
from recorder.tape.reader import Tape
from tests.support.constants import BTC, SAMPLE
from tests.support.rows import frames, open_writer, tally, to_batch

PRODUCT = "BTC-USD"


def look_over(tape: Path) -> Overview | str:
    """Return the overview of a tape, or the text of its error."""
    try:
        return overview(Tape.open(tape).product(PRODUCT))
    except DamagedTapeError as error:
        return str(error)


def test_no_flipped_bit_among_the_kinds_loses_a_mark(tmp_path: Path) -> None:
    """A flipped bit in the dictionary page of the kinds or its header is an error, or changes nothing."""
    tape = tmp_path / "tape"
    shutil.copytree(SAMPLE, tape)
    segment = min(tape.glob(f"product={PRODUCT}/*/*.parquet"))
    whole = segment.read_bytes()
    group = pq.read_metadata(segment).row_group(0)
    (kind,) = (group.column(n) for n in range(group.num_columns) if group.column(n).path_in_schema == "kind")
    expected = look_over(tape)
    assert isinstance(expected, Overview)
    assert expected.connections
    reported = 0
    for place in range(kind.dictionary_page_offset, kind.data_page_offset):
        for bit in range(8):
            segment.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << bit]) + whole[place + 1 :])
            found = look_over(tape)
            if isinstance(found, str):
                reported += str(segment) in found
            else:
                assert found == expected, (place, bit)
    assert reported


def test_an_open_tape_shows_what_is_recorded_meanwhile(half_sealed: Path) -> None:
    """The overview of an open tape is read again after a row is appended, and after the rows are sealed."""
    opened = Tape.open(half_sealed).product(BTC)
    assert overview(opened) is overview(opened)  # nothing is read twice
    assert overview(opened).rows == 100
    with open_writer(half_sealed) as writer:
        writer.products[BTC].append(to_batch(frames(10, 100)))
        assert overview(opened) == look_over(half_sealed)
        assert (overview(opened).rows, overview(opened).segments) == (110, 3)
        writer.products[BTC].seal(tally(), 110)
    assert overview(opened) == look_over(half_sealed)
    assert (overview(opened).rows, overview(opened).segments) == (110, 4)


def test_what_was_read_is_kept_only_if_it_is_all(half_sealed: Path) -> None:
    """An overview has the rows that a reader of the segments did not see: in a journal, or sealed since."""
    opened = Tape.open(half_sealed).product(BTC)
    collector = ConnectionCollector()
    for rows in opened.batches(next_seq=90):
        collector.add(rows)
    keep_overview(opened, 90, collector)
    assert opened.listing.overview is None  # ten rows are in a journal
    with open_writer(half_sealed) as writer:
        writer.products[BTC].seal(tally(), 100)
    keep_overview(opened, 90, collector)
    assert opened.listing.overview is None
    assert overview(opened) == look_over(half_sealed)
