"""A comparison in any number of pieces is that of one pass: documents, digests and episodes."""

from pathlib import Path
from typing import Any

import pytest

from orderbook.document import to_json
from recorder.tape.overview import overview
from recorder.tape.reader import Tape
from replay.comparing.outcome import Outcome, run_pieces
from replay.comparing.passes import run_passes
from replay.comparing.results import Comparison
from replay.comparing.settings import CompareSettings
from replay.comparing.totals import Work
from replay.pieces.cutting import cut_for_workers
from replay.run_dir.writer import run_directory
from replay.running.window import WHOLE, Window
from tests.support.constants import SECOND
from tests.support.pieces import PRODUCTS, ShuffledWorkers, rows_of

THRESHOLDS = (0.0001, 0.0005, 0.001, 0.005)


def compared(
    tapes: list[Path], window: Window, by: Any, run: Path, processes: int
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the document and the episodes of a comparison: of one pass, or in pieces for some processes."""
    opened = [Tape.open(tape) for tape in tapes]
    products = [PRODUCTS for _ in opened]
    settings = CompareSettings(THRESHOLDS, PRODUCTS, window=window, by=by, fee=0.0002)
    with run_directory(run) as writer:
        work = Work(opened, [str(tape) for tape in tapes], products, settings, "compiled", writer, THRESHOLDS)
        if processes:
            pieces = cut_for_workers(zip(opened, products, strict=True), window, processes)
            assert any(len(each.pieces) > 1 for each in pieces)
            found: Outcome = run_pieces(work, pieces, ShuffledWorkers(processes))
            if window == WHOLE:
                assert_overviews_are_kept(opened)
        else:
            found = run_passes(work)
    document = Comparison(settings, "compiled", found.tapes, found.groups, THRESHOLDS, None, 0.0).document()
    return document, rows_of(run, "episodes")


def assert_overviews_are_kept(tapes: list[Tape]) -> None:
    """The pieces have seen all connections: the overview of a tape is kept, and is that of its rows."""
    for tape in tapes:
        for product in PRODUCTS:
            kept = tape.product(product).listing.overview
            assert kept is not None
            assert kept[1] == overview(Tape.open(tape.path).product(product))


@pytest.mark.parametrize(
    ("name", "by"), [("as recorded", "connection"), ("compacted", None), ("some", None), ("damaged", "hour")]
)
def test_pieces_of_a_real_capture(interrupted: dict[str, Path], name: str, by: Any, tmp_path: Path) -> None:
    """Whatever became of segments and sidecars, the numbers and the episodes are those of one pass."""
    alone = compared([interrupted["as recorded"]], WHOLE, by, tmp_path / "alone", 0)
    found = compared([interrupted[name]], WHOLE, by, tmp_path / "pieces", 5)
    assert to_json(found[0]["rows"]) == to_json(alone[0]["rows"])
    for key in ("spread", "quality", "digest"):
        assert found[0][key] == alone[0][key]
    assert found[1] == alone[1]
    assert sum(map(len, alone[1].values())) > 0


def test_pieces_of_a_window_of_two_tapes(interrupted: dict[str, Path], tmp_path: Path) -> None:
    """A window that begins and ends inside segments, over two tapes, is the same in pieces."""
    first = Tape.open(interrupted["as recorded"]).first_time()
    assert first is not None
    window = Window(first + 3 * SECOND, first + 3_612 * SECOND)
    tapes = [interrupted["as recorded"], interrupted["compacted"]]
    alone, found = (compared(tapes, window, "hour", tmp_path / str(number), number) for number in (0, 3))
    assert {**found[0], "tapes": None} == {**alone[0], "tapes": None}
    assert found[1] == alone[1]
