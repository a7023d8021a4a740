"""The log lines of a running recording: anomalies, its status from time to time, and clocks that differ."""

import logging
import threading
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from orderbook import display
from orderbook.display import printable
from orderbook.engine import Step
from orderbook.facts import clock_fault, duration, last_lag
from orderbook.times import NS
from recorder.live.clock import Clock
from recorder.monitor.status import OWN_PRODUCTS, ProductStatus, RecordingView
from recorder.settings import LOG_EVERY_S

log = logging.getLogger(__name__)

_STEP_S: Final = 5.0
"""Seconds by which clocks may differ without a line."""


class AnomalyLog:
    """Logs the first anomaly of a kind on each connection; the others are counted and on the tape."""

    def __init__(self) -> None:
        self._logged: set[tuple[str, int, str]] = set()

    def update(self, product: str, step: Step) -> None:
        """Log what is new in a step of a product."""
        if not step.anomalies.num_rows:
            return
        for anomaly in step.anomalies.select(["kind", "detail", "connection"]).to_pylist():
            key = (product, anomaly["connection"], anomaly["kind"])
            if key not in self._logged:
                self._logged.add(key)
                log.warning("%s: %s: %s", product, anomaly["kind"], printable(anomaly["detail"]))


@contextmanager
def status_lines(view: RecordingView, log_every: float = LOG_EVERY_S) -> Iterator[None]:
    """Log a status line every `log_every` seconds while the block runs."""
    ended = threading.Event()

    def log_until_ended() -> None:
        while not ended.wait(log_every):
            log.info("%s", status_line(view))

    thread = threading.Thread(target=log_until_ended, name="status-lines", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def status_line(view: RecordingView) -> str:
    """Return the status of a recording as one line: each product, or the sums of many."""
    states, given_up = view.status.products(), view.reader.given_up
    recorded = {product: state for product, state in states.items() if product not in given_up}
    if len(states) > OWN_PRODUCTS:
        parts = _sums(view, recorded)
        parts += [f"given up: {display.products_title(given_up)}"] if given_up else []
    else:
        parts = [_product_part(view, product, state) for product, state in recorded.items()]
        parts += [f"{product} given up: {reason}" for product, reason in given_up.items()]
        standings = ((product, view.standing(product)) for product in view.writer.products)
        parts += [f"{product} {standing.line()}" for product, standing in standings if standing is not None]
    journal, sealed = view.writer.sizes()
    queued = display.size(view.reader.queue.queued_bytes)
    total = f"journal {display.size(journal)}, sealed {display.size(sealed)}, queue {queued}"
    if view.shipper is not None:
        total = f"{total}; {view.shipper.status.line()}"
    return "; ".join([*parts, total])


def _product_part(view: RecordingView, product: str, state: ProductStatus) -> str:
    since = view.status.seconds_since(state.last_frame)
    last = "no frame yet" if since is None else f"last frame {since:.1f} s ago"
    since = view.status.seconds_since(state.last_book)
    book = "no book yet" if since is None else f"book changed {since:.1f} s ago"
    trades, price = view.reader.trades(product)
    traded = f"{display.plural(trades, 'trade')}, the last at {display.price(price)}"
    if not view.reader.reads_trades:
        traded = "trades not recorded"
    elif not trades:
        traded = "no trade yet"
    return (
        f"{product} {_counts([state])}, "
        f"{display.price(state.bid)} / {display.price(state.ask)}, {last}, {book}, {traded}"
    )


def _sums(view: RecordingView, states: Mapping[str, ProductStatus]) -> list[str]:
    """Return the sums of many products, and the names of those that have no frame, or no book."""
    sums = [f"{display.plural(len(states), 'product')} {_counts(states.values())}"]
    frames = {product: state.last_frame for product, state in states.items() if state.last_frame is not None}
    if frames:
        latest, oldest = max(frames, key=frames.__getitem__), min(frames, key=frames.__getitem__)
        since, longest = (view.status.seconds_since(frames[each]) for each in (latest, oldest))
        sums.append(f"last frame {since:.1f} s ago, that of {oldest} {longest:.1f} s ago")
    if view.reader.reads_trades:
        sums.append(display.plural(sum(view.reader.trades(product)[0] for product in states), "trade"))
    parts = [", ".join(sums)]
    for what, names in (
        ("no frame yet", [product for product in states if product not in frames]),
        ("no book", [product for product in frames if not states[product].has_book]),
    ):
        parts += [f"{what}: {display.products_title(names)}"] if names else []
    standings = [each for product in states if (each := view.standing(product)) is not None]
    if standings:
        orders, fills = sum(each.orders for each in standings), sum(each.fills for each in standings)
        parts.append(f"on paper {display.plural(orders, 'open order')}, {display.plural(fills, 'fill')}")
    return parts


def _counts(states: Collection[ProductStatus]) -> str:
    rows = display.plural(sum(state.rows for state in states), "row")
    connections = display.plural(sum(state.connections for state in states), "connection")
    return f"{rows}, {connections}, {sum(sum(state.anomalies.values()) for state in states):,} anomalies"


class ClockLog:
    """Logs once for each connection if its recv_time is wrong, and every step of the machine's clock.

    recv_time never goes back: it continues from the tape's last row and then counts the time that passes. So
    a wrong clock stays in it as long as its connection, and a clock that was ahead for longer.

    Args:
        wall: the machine's clock, nanoseconds since 1970.
        monotonic: a clock that is never set.
    """

    def __init__(self, wall: Clock = time.time_ns, monotonic: Clock = time.monotonic_ns) -> None:
        self._wall = wall
        self._monotonic = monotonic
        self._offset = wall() - monotonic()
        self._told: set[tuple[str, int | None, str]] = set()

    def update(self, product: str, step: Step) -> None:
        """Log what is new in a step of a product. O(1)."""
        now, span = self._wall(), step.span
        offset = now - self._monotonic()
        if abs(moved := offset - self._offset) > _STEP_S * NS:
            log.warning(
                "the clock was set %s by %s; recv_time goes on without that until a connection ends",
                "forward" if moved > 0 else "back",
                duration(abs(moved) / NS),
            )
            self._offset = offset
        if span.last_time is not None and (ahead := span.last_time - now) > _STEP_S * NS:
            continued = f"the tape's last row is {duration(ahead / NS)} ahead of the clock"
            self._tell(product, span.last_connection, "ahead", f"{continued}; recv_time continues from there")
        lag = last_lag(step.summaries)
        if lag is not None and (fault := clock_fault((lag, lag))):
            self._tell(product, span.last_connection, "lag", fault)

    def _tell(self, product: str, connection: int | None, what: str, line: str) -> None:
        """Log a line, once for each connection."""
        if (product, connection, what) not in self._told:
            self._told.add((product, connection, what))
            log.warning("%s: %s", product, line)
