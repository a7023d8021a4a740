"""Damage of files: segments that are changed, cut, missing or not listed."""

from pathlib import Path

import pytest

from tests.support import tapes
from tests.support.constants import BTC, ETH
from tests.support.verified import assert_damaged


@pytest.mark.parametrize("position", [4, 100, 0.5, 0.8, -9, -300, -1])
def test_flipped_byte(tape: Path, position: float) -> None:
    """One changed byte anywhere in a segment is found, and the file named."""
    path = tapes.segment_paths(tape, BTC)[1]
    at = int(position * path.stat().st_size) if isinstance(position, float) else position
    tapes.flip_byte(path, at)
    assert_damaged(tape, path)


@pytest.mark.parametrize("left", [0.0, 0.5, 1.0])
def test_truncated_segment(tape: Path, left: float) -> None:
    """A segment that lacks even one byte at its end is found and named."""
    path = tapes.segment_paths(tape, ETH)[0]
    data = path.read_bytes()
    path.write_bytes(data[: min(len(data) - 1, int(left * len(data)))])
    assert_damaged(tape, path)


def test_missing_segment(tape: Path) -> None:
    """A missing segment is found and named."""
    path = tapes.segment_paths(tape, BTC)[-1]
    path.unlink()
    assert_damaged(tape, path)


def test_swapped_segments(imported: Path) -> None:
    """Two segments with each other's content are found."""
    first, second, _ = tapes.segment_paths(imported, BTC)
    data = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(data)
    assert_damaged(imported, first)


def test_invalid_entry(imported: Path) -> None:
    """An invalid line in the list of segments is found and named."""
    path = imported / f"product={BTC}" / "_segments.jsonl"
    path.write_text("{}\n" + path.read_text(encoding="utf-8"), encoding="utf-8")
    assert_damaged(imported, path)


@pytest.mark.parametrize("kept_lines", [0, 2])
def test_unlisted_segments(imported: Path, kept_lines: int) -> None:
    """If lines of the list are lost, the rows that other readers still see are reported."""
    path = imported / f"product={BTC}" / "_segments.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text("".join(lines[:kept_lines]), encoding="utf-8")
    assert_damaged(imported, f"product={BTC}")


def test_damage_of_one_segment_hides_no_other(imported: Path) -> None:
    """Every damaged file of a product is named, not only the first."""
    first, second, third = tapes.segment_paths(imported, BTC)
    first.unlink()
    tapes.flip_byte(second, -9)
    third.write_bytes(third.read_bytes()[:-1])
    for path in (first, second, third):
        assert_damaged(imported, path)
