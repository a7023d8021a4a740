"""A replay in any number of pieces is that of one pass: counts, digests, tables and files."""

from pathlib import Path

import pytest

from recorder.tape.reader import Tape
from replay.pieces.cutting import cut_for_workers
from replay.run_dir.writer import run_directory
from replay.running import api as running
from replay.running.pieces import PieceWork, is_divisible, run_piece
from replay.running.results import RunResult
from replay.running.settings import ReplaySettings
from replay.running.window import Window
from tests.support.constants import SECOND
from tests.support.pieces import PRODUCTS, ShuffledWorkers, rows_of

STREAMS = ("summaries", "signals", "anomalies", "depth", "trades")


def in_pieces(tape: Path, settings: ReplaySettings, processes: int, run: Path) -> dict[str, RunResult]:
    """Return the result of each product, replayed in pieces for some processes, with a RUN."""
    opened = Tape.open(tape)
    products = opened.select(settings.products)
    pieces = cut_for_workers([(opened, products)], settings.window, processes, at_connections=settings.trades)
    assert settings.trades or any(len(each.pieces) > 1 for each in pieces)
    with run_directory(run) as writer:
        work = PieceWork(opened.to_send(elsewhere=True), settings, writer, keep=True, engine="compiled")
        found = ShuffledWorkers(processes).merged(run_piece, work, pieces)
    return dict(zip(products, found, strict=True))


@pytest.mark.parametrize(
    ("name", "trades"),
    [("as recorded", True), ("compacted", True), ("some", False), ("damaged", False)],
)
def test_pieces_of_a_real_capture(
    interrupted: dict[str, Path], name: str, trades: bool, tmp_path: Path
) -> None:
    """Counts, digests, tables and the rows of the files are those of one pass, the trades as well."""
    settings = ReplaySettings(PRODUCTS, threshold=0.0005, depth=2, trades=trades)
    alone = running.run(interrupted["as recorded"], settings, output=tmp_path / "alone", engine="compiled")
    found = in_pieces(interrupted[name], settings, 5, tmp_path / "pieces")
    for product, result in found.items():
        assert result.tallies[product].document() == alone.tallies[product].document()
        assert result.tallies[product].facts == alone.tallies[product].facts
        for stream in STREAMS:
            assert getattr(result, stream) == {
                each: table for each, table in getattr(alone, stream).items() if each == product
            }
    for stream in STREAMS:
        assert rows_of(tmp_path / "pieces", stream) == rows_of(tmp_path / "alone", stream)


def test_pieces_of_a_window(interrupted: dict[str, Path], tmp_path: Path) -> None:
    """A window that begins and ends inside segments is the same in pieces."""
    tape = interrupted["as recorded"]
    first = Tape.open(tape).first_time()
    assert first is not None
    window = Window(first + 3 * SECOND, first + 3_612 * SECOND)
    settings = ReplaySettings(PRODUCTS, window=window)
    alone = running.run(tape, settings, engine="compiled")
    for product, result in in_pieces(tape, settings, 3, tmp_path / "run").items():
        assert result.tallies[product].document() == alone.tallies[product].document()


def test_what_has_a_state_is_not_divided() -> None:
    """A strategy, a clock and a recording that goes on need whole products."""
    assert is_divisible(ReplaySettings(), has_strategy=False)
    assert not is_divisible(ReplaySettings(), has_strategy=True)
    assert not is_divisible(ReplaySettings(speed=2.0), has_strategy=False)
    assert not is_divisible(ReplaySettings(follow=True), has_strategy=False)
