"""Looking a tape over: what is damaged is told, and no mark is lost without a word."""

import shutil
from pathlib import Path

import pyarrow.parquet as pq

from recorder.tape.errors import DamagedTapeError
from recorder.tape.overview import Overview, overview
from recorder.tape.reader import Tape

SAMPLE = Path(__file__).parents[3] / "data" / "sample"
PRODUCT = "BTC-USD"


def look_over(tape: Path) -> Overview | str:
    """Return what a tape holds, or what is said of its damage."""
    try:
        return overview(Tape.open(tape).product(PRODUCT))
    except DamagedTapeError as error:
        return str(error)


def test_no_flipped_bit_among_the_kinds_loses_a_mark(tmp_path: Path) -> None:
    """A flip in the page of the kinds' texts, its header included, is told, or changes nothing."""
    tape = tmp_path / "tape"
    shutil.copytree(SAMPLE, tape)
    segment = min(tape.glob(f"product={PRODUCT}/*/*.parquet"))
    whole = segment.read_bytes()
    group = pq.read_metadata(segment).row_group(0)
    (kind,) = (group.column(n) for n in range(group.num_columns) if group.column(n).path_in_schema == "kind")
    expected = look_over(tape)
    assert isinstance(expected, Overview)
    assert expected.marks
    told = 0
    for place in range(kind.dictionary_page_offset, kind.data_page_offset):
        for bit in range(8):
            segment.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << bit]) + whole[place + 1 :])
            found = look_over(tape)
            if isinstance(found, str):
                told += str(segment) in found
            else:
                assert found == expected, (place, bit)
    assert told
