"""The status of a recording: counted from the steps of the dataflow, with an injected clock."""

import json
from collections.abc import Iterator

from orderbook.anomalies import ANOMALY_KINDS
from orderbook.engine import PlainEngine
from orderbook.schema import TAPE_SCHEMA, empty_batch
from orderbook.tally import Tally
from orderbook.thresholds import DEFAULT_THRESHOLD
from recorder.monitor.status import ProductStatus, RowStatus
from tests.support.constants import BTC, ETH, SECOND, START
from tests.support.oracle import Row
from tests.support.rows import to_batch
from tests.support.tapes import snapshot, update

ENGINE = PlainEngine()


class Watched:
    """A status updated by the rows of one product; its clock reads `now`."""

    def __init__(self, first_connection: int = 0) -> None:
        self.now = 100.0
        self._tallies = {product: Tally(DEFAULT_THRESHOLD) for product in (BTC, ETH)}
        self.status = RowStatus(self._tallies, lambda: self.now)
        self._state = ENGINE.start(BTC, "exchange")
        self._seq = 0
        self._connection = first_connection - 1

    def feed(self, *payloads: str) -> ProductStatus:
        """Update by rows as one step: `+` opens a connection, `-` ends it, anything else is a frame."""
        rows = list(self._rows(payloads))
        self._state, step = ENGINE.step(self._state, to_batch(rows) if rows else empty_batch(TAPE_SCHEMA))
        self._tallies[BTC].add(step)
        self.status.update(BTC, step)
        return self.status.products()[BTC]

    def _rows(self, payloads: tuple[str, ...]) -> Iterator[Row]:
        for payload in payloads:
            kind = {"+": "connected", "-": "disconnected"}.get(payload, "frame")
            self._connection += payload == "+"
            text = payload if kind == "frame" else json.dumps({"code": 1, "reason": ""})
            yield Row(self._seq, START + self._seq * SECOND, self._connection, kind, text)
            self._seq += 1


def test_nothing_is_known_at_first() -> None:
    """Before the first row everything is zero or not known."""
    watched = Watched()
    for state in watched.status.products().values():
        assert state == ProductStatus(0, 0, 0, dict.fromkeys(ANOMALY_KINDS, 0), None, None, None, None, None)
        assert watched.status.seconds_since(state.last_frame) is None


def test_rows_frames_and_prices() -> None:
    """Rows, frames, the best prices and the spread are those of the last step; a tick changes nothing."""
    watched = Watched()
    watched.feed("+", snapshot(BTC, [["99.5", "1"]], [["100", "2"]]))
    state = watched.feed(update(BTC, ("buy", "99.75", "1")), update(BTC, ("buy", "99.9", "1")))
    assert (state.rows, state.frames, state.connections) == (4, 3, 1)
    assert (state.bid, state.ask, state.relative_spread) == (99.9, 100.0, 0.001)
    assert watched.feed() == state
    assert watched.status.products()[ETH].rows == 0


def test_no_price_outlives_its_connection() -> None:
    """From the end of a connection to the next snapshot prices are unknown."""
    watched = Watched()
    watched.feed("+", snapshot(BTC, [["99.5", "1"]], [["100", "2"]]))
    for payloads in (("-",), ("+", "hello"), (update(BTC, ("buy", "99.9", "1")),)):
        state = watched.feed(*payloads)
        assert (state.bid, state.ask, state.relative_spread) == (None, None, None)
    assert watched.feed(snapshot(BTC, [["99.6", "1"]], [["100", "2"]])).bid == 99.6


def test_the_time_of_the_last_frame() -> None:
    """Only frames count as a sign of life: neither ticks nor the rows that open and end connections."""
    watched = Watched()
    state = watched.feed("+", snapshot(BTC))
    watched.now += 7.5
    for payloads in ((), ("-",), ("+",)):
        state = watched.feed(*payloads)
        assert watched.status.seconds_since(state.last_frame) == 7.5
    state = watched.feed("text")
    assert watched.status.seconds_since(state.last_book) == 7.5  # the book has not changed
    assert watched.status.seconds_since(state.last_frame) == 0.0
    assert watched.status.now() == 107.5


def test_anomalies_by_kind() -> None:
    """Every anomaly is counted under its kind, and a status handed out before does not change."""
    watched = Watched()
    before = watched.feed("+", update(BTC), "no JSON", snapshot(BTC))
    after = watched.feed(update(BTC, ("buy", "101", "1")), '{"type":"strange"}', "no JSON")
    assert {kind: n for kind, n in before.anomalies.items() if n} == {"early_update": 1, "malformed": 1}
    expected = {"early_update": 1, "malformed": 2, "crossed": 1, "unknown": 1}
    assert {kind: n for kind, n in after.anomalies.items() if n} == expected


def test_connections_of_this_run() -> None:
    """Only the connections of this run count, whatever is on the tape."""
    for first in (0, 5):
        watched = Watched(first)
        assert watched.feed("+").connections == 1
        assert watched.feed(snapshot(BTC), "-").connections == 1
        assert watched.feed("+", "text").connections == 2
        assert watched.feed("-", "+", "-", "+").connections == 4
        assert watched.feed("text").connections == 4


def test_connections_of_a_first_step_with_several() -> None:
    """Connections that came and went before the first look are counted like any others."""
    for first in (0, 5):
        assert Watched(first).feed("+", "-", "+", "-", "+", snapshot(BTC)).connections == 3
