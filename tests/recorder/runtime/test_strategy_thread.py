"""A strategy on a thread of its own: bounded, in order, and never waited for without end."""

import threading
from collections.abc import Callable, Mapping
from pathlib import Path

import pyarrow as pa
import pytest

from orderbook.schema import FLOW_SUMMARY_SCHEMA
from orderbook.strategy import StrategyError
from recorder.api import live, record
from recorder.runtime.strategy_run import StrategyRun, WriteRows
from recorder.runtime.strategy_thread import StrategyThread
from recorder.settings import STRATEGY_BYTES, ConnectionSettings, LiveSettings, RecordSettings
from recorder.tape.reader import Tape
from recorder.tape.row_batches import Position
from replay.checking.verify import verify
from replay.synthetic.exchange import SyntheticExchange
from replay.synthetic.settings import ExchangeSettings, MarketSettings
from tests.support.constants import BTC, ETH, TIMEOUT_S
from tests.support.recordings import QUICK
from tests.support.user_strategies import Spreads

LONG = pa.schema([("seq", pa.int64()), ("text", pa.string())])


def rows(seq: int, size: int = 8) -> pa.RecordBatch:
    """Return a batch of one row."""
    return pa.RecordBatch.from_pylist([{"seq": seq, "text": "x" * size}], schema=LONG)


class Given:
    """A strategy whose calls are given by the test."""

    name = "given"
    reads_rows = True
    reads_trades = False
    digest = execution = execution_digest = None

    def __init__(self, take: Callable[[int], object] = lambda _seq: None) -> None:
        self.failure: StrategyError | None = None
        self.write: WriteRows = lambda _product, _rows: None
        self.taken: list[int] = []
        self.has_finished = False
        self._take = take
        self.before: Callable[[Callable[[], bool]], None] = lambda _is_out_of_time: None

    def begin(self, feed: str, positions: Mapping[str, Position], tape: Tape | None) -> None:
        """Begin."""

    def catch_up(self, is_out_of_time: Callable[[], bool]) -> None:
        """Do what the test wants."""
        self.before(is_out_of_time)

    def standing(self, product: str) -> None:
        """Have no position."""

    def line(self) -> str:
        """Say nothing."""
        return ""

    def document(self) -> None:
        """Have no rows."""

    def take(self, product: str, item: pa.RecordBatch) -> None:
        """Note the row, and do what the test wants."""
        assert product == BTC
        (seq,) = item.column("seq").to_pylist()
        self.taken.append(seq)
        self._take(seq)

    def finish(self) -> None:
        """Note the end."""
        self.has_finished = True


class Told:
    """What a thread says."""

    def __init__(self) -> None:
        self.failures: list[StrategyError] = []
        self.lost: list[OSError] = []
        self.defects: list[BaseException] = []

    def thread(self, strategy: Given, *, is_ending: bool = True) -> StrategyThread:
        """Return a thread that says it here."""
        outlets = self.failures.append, self.lost.append, self.defects.append
        return StrategyThread(strategy, lambda: is_ending, outlets, patience_s=0.2)


def test_everything_is_taken_in_order() -> None:
    """The end waits for a strategy that works, however much longer than its patience that takes."""
    never = threading.Event()
    strategy, told = Given(lambda _seq: never.wait(0.01)), Told()
    with told.thread(strategy) as thread:
        for seq in range(40):
            thread.put(BTC, rows(seq))
        thread.put(BTC, rows(0).slice(0, 0))
    assert strategy.taken == list(range(40))
    assert strategy.has_finished
    assert (told.failures, told.lost, told.defects) == ([], [], [])


def test_what_waits_is_bounded() -> None:
    """While a strategy is busy and the feed goes on, whoever hands over waits at the bound."""
    may_go, at_bound = threading.Event(), threading.Event()
    handed: list[int] = []
    strategy, told = Given(lambda _seq: may_go.wait()), Told()

    def hand_over() -> None:
        for seq in range(8):
            thread.put(BTC, rows(seq, STRATEGY_BYTES // 2))
            handed.append(seq)
            if seq == 1:
                at_bound.set()

    with told.thread(strategy, is_ending=False) as thread:
        giving = threading.Thread(target=hand_over)
        giving.start()
        assert at_bound.wait(TIMEOUT_S)
        giving.join(0.2)
        assert giving.is_alive()
        assert handed == [0, 1]
        may_go.set()
        giving.join(TIMEOUT_S)
        assert not giving.is_alive()
    assert strategy.taken == list(range(8))


def test_a_strategy_that_does_not_come_back_is_given_up() -> None:
    """Once the feed is ending neither a hand-over nor the end waits for it; it is named with its rows."""
    for_ever = threading.Event()
    strategy, told = Given(lambda _seq: for_ever.wait()), Told()
    with told.thread(strategy) as thread:
        for seq in range(8):
            thread.put(BTC, rows(seq, STRATEGY_BYTES // 2))
    (error,) = told.failures
    assert str(error) == "strategy given, BTC-USD, rows 0 to 0: it has not come back for 0.2 s"
    assert strategy.failure is error
    assert strategy.taken == [0]
    for_ever.set()  # it comes back after all: nothing more is asked of it
    for each in threading.enumerate():
        if each.name == "strategy":
            each.join(TIMEOUT_S)
    assert strategy.taken == [0]
    assert not strategy.has_finished


def test_reading_what_was_before_has_its_time() -> None:
    """It may go on for its patience after the end of the feed, however long it took before that."""
    ending, asked = threading.Event(), list[bool]()

    def before(is_out_of_time: Callable[[], bool]) -> None:
        for _ in range(3):
            asked.append(is_out_of_time())
        ending.set()
        while not is_out_of_time():
            ending.wait()
        asked.append(True)

    strategy, told = Given(), Told()
    strategy.before = before
    outlets = told.failures.append, told.lost.append, told.defects.append
    with StrategyThread(strategy, ending.is_set, outlets, patience_s=0.2) as thread:
        thread.put(BTC, rows(0))
        assert ending.wait(TIMEOUT_S)
    assert asked == [False, False, False, True]
    assert (strategy.taken, strategy.has_finished, told.failures) == ([0], True, [])


def test_what_it_raises() -> None:
    """A failure is told and the next call made; lost output is told once; a defect is told, and ends it."""
    raised: dict[int, BaseException] = {
        0: StrategyError("one"),
        1: OSError(32, "Broken pipe"),
        3: KeyError(3),
    }

    def take(seq: int) -> None:
        if seq in raised:
            raise raised[seq]

    strategy, told = Given(take), Told()
    with told.thread(strategy) as thread:
        for seq in range(5):
            thread.put(BTC, rows(seq))
    assert strategy.taken == [0, 1, 2, 3]
    assert (told.failures, told.lost, told.defects) == ([raised[0]], [raised[1]], [raised[3]])


def test_it_cannot_interrupt() -> None:
    """A KeyboardInterrupt that it raises is its failure, and no end of the recording."""
    raised = [KeyboardInterrupt()]

    def take(_seq: int) -> None:
        raise raised.pop()

    strategy, told = Given(take), Told()
    with told.thread(strategy) as thread:
        for seq in range(3):
            thread.put(BTC, rows(seq))
    assert (strategy.taken, strategy.has_finished, told.defects) == ([0], False, [])
    assert [str(each).partition(": ")[2] for each in told.failures] == ["KeyboardInterrupt"]


@pytest.mark.parametrize("job", ["record", "live"])
def test_behind_a_feed(tmp_path: Path, job: str) -> None:
    """A recording whose strategy never returns ends, everything sealed; `live` ends with the reason."""
    never = threading.Event()

    class Blocks(Spreads):
        def step(self, summaries: pa.RecordBatch) -> pa.RecordBatch | None:
            assert summaries.schema == FLOW_SUMMARY_SCHEMA
            never.wait()
            return None

    settings = ExchangeSettings(rate=3000.0, frames=200, drop_after=(200, 200), heartbeats=False)
    tape = tmp_path / "tape"
    run = StrategyRun(Blocks, lambda _product, _rows: None)
    try:
        with SyntheticExchange([MarketSettings(BTC), MarketSettings(ETH)], settings) as exchange:
            connection = ConnectionSettings(url=exchange.url, backoff=QUICK, spacing=0.0, connections=1)
            if job == "record":
                recorded = record([BTC, ETH], tape, RecordSettings(connection, patience=0.2), strategy=run)
                assert recorded.strategy is run
                assert verify(tape).passes(strict=True)
                assert all(tally.summaries > 100 for tally in recorded.tallies.values())
            else:
                with pytest.raises(StrategyError, match="has not come back"):
                    live([BTC, ETH], LiveSettings(connection, patience=0.2), strategy=run)
    finally:
        never.set()
    assert "has not come back for 0.2 s" in str(run.failure)
    assert run.digest is None
