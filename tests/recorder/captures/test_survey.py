"""The survey of captures: the venue and products that it finds, and the captures that it refuses."""

from pathlib import Path

import pytest

from recorder.captures.formats import CaptureError
from recorder.captures.survey import Survey, survey
from recorder.settings import ImportSettings
from tests.recorder.captures.test_capture_rows import ADVANCED
from tests.support.constants import BTC, ETH
from tests.support.tapes import Timed, snapshot, write_capture

TICKER = '{"type":"ticker","product_id":"BTC-USD"}'


def surveyed(directory: Path, *captures: list[Timed], feed: str | None = None) -> Survey:
    """Return the survey of captures of the jsonl format, each in a file."""
    paths = [write_capture(directory / f"{number}.jsonl", frames) for number, frames in enumerate(captures)]
    return survey(paths, ImportSettings(feed=feed))


@pytest.mark.parametrize(("text", "feed"), [(snapshot(BTC), "exchange"), (ADVANCED % 0, "advanced")])
def test_the_feed_is_recognised(tmp_path: Path, text: str, feed: str) -> None:
    """The frames of the book decide the venue."""
    assert surveyed(tmp_path, [(0, TICKER), (1, text)]).feed == feed


@pytest.mark.parametrize("text", [snapshot(BTC), TICKER])
def test_the_option_decides(tmp_path: Path, text: str) -> None:
    """A given venue is used, even if the frames are of another one or of none."""
    assert surveyed(tmp_path, [(0, text)], feed="advanced").feed == "advanced"


def test_products_are_found_in_order(tmp_path: Path) -> None:
    """Each file has the products that its frames name; the import has all of them, each once."""
    found = surveyed(tmp_path, [(0, snapshot(ETH)), (1, "no JSON"), (2, snapshot(BTC))], [(3, snapshot(BTC))])
    assert [capture.products for capture in found.captures] == [(ETH, BTC), (BTC,)]
    assert found.products == (ETH, BTC)


def test_files_come_in_the_order_of_their_times(tmp_path: Path) -> None:
    """Files are sorted by their first frame, as the shell sorts them by their names; an option keeps them."""
    paths = [write_capture(tmp_path / f"day-{day}", [(day, snapshot(BTC))]) for day in (10, 2, 30, 1)]
    ordered = [capture.path.name for capture in survey(paths, ImportSettings()).captures]
    assert ordered == ["day-1", "day-2", "day-10", "day-30"]
    as_given = survey(paths, ImportSettings(as_given=True)).captures
    assert [capture.path for capture in as_given] == paths


@pytest.mark.parametrize(
    ("captures", "reason"),
    [
        ([[(0, snapshot(BTC)), (1, ADVANCED % 0)]], "several feeds"),
        ([[(0, snapshot(BTC))], [(1, ADVANCED % 0)]], "several feeds"),
        ([[(0, TICKER)]], "--feed"),
        ([[(0, snapshot(BTC))], [(0, "no JSON")]], "1.jsonl: no frame names a product"),
        ([[]], "0.jsonl: holds no frame"),
    ],
)
def test_ambiguous_captures_are_refused(tmp_path: Path, captures: list[list[Timed]], reason: str) -> None:
    """Captures of several venues, of none, and without a product are refused."""
    with pytest.raises(CaptureError, match=reason):
        surveyed(tmp_path, *captures)
