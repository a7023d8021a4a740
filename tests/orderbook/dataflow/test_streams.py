"""Streams behind the books: what ends in a function of this process, and what a failing output does."""

import bytewax.operators as op
import pytest
from bytewax.dataflow import Dataflow
from bytewax.errors import BytewaxRuntimeError
from bytewax.testing import TestingSource, run_main

from orderbook.dataflow.operators import order_book
from orderbook.dataflow.streams import CallSink, Streams
from orderbook.engine import PlainEngine
from orderbook.errors import OptionError, ThresholdError
from orderbook.tally import Tally
from tests.orderbook.test_tracker import EMPTY_UPDATE, GOOD_SNAPSHOT, on_one_connection
from tests.support.rows import to_batch

ITEMS = [("A", 1), ("B", 2), ("A", 3)]


def run_into(sink: CallSink) -> None:
    """Run a flow that ends in a sink."""
    flow = Dataflow("test")
    op.output("out", op.input("in", flow, TestingSource(ITEMS)), sink)
    run_main(flow)  # type: ignore[no-untyped-call]  # bytewax types it in a comment


def test_a_bad_value_is_refused_where_it_is_typed() -> None:
    """A threshold or a factory that cannot be used fails at the call, not while the flow runs."""
    flow = Dataflow("test")
    rows = op.input("in", flow, TestingSource(ITEMS))
    streams = Streams(flow, order_book("book", rows, PlainEngine(), "exchange"))
    for value in ("x", None, -1, "1bps:2bps:1bps"):
        with pytest.raises(ThresholdError):
            streams.signals(value)  # type: ignore[arg-type]
    with pytest.raises(OptionError):
        streams.strategy(5)  # type: ignore[arg-type]
    streams.signals("10bps")
    assert repr(streams) == "<Streams of the flow test>"


def test_a_function_gets_every_item_in_order() -> None:
    """Product and value arrive as they were emitted."""
    received: list[tuple[str, int]] = []
    run_into(CallSink(lambda product, value: received.append((product, value))))
    assert received == ITEMS


def test_after_an_error_of_the_output_nothing_is_written() -> None:
    """The first OSError is reported once; what came before is written, nothing after."""
    calls: list[str] = []
    errors: list[OSError] = []

    def take(product: str, value: int) -> None:
        calls.append(product)
        if value == 2:
            raise OSError("disk full")

    run_into(CallSink(take, errors.append))
    assert calls == ["A", "B"]
    assert [str(error) for error in errors] == ["disk full"]


def test_without_a_handler_an_error_ends_the_flow() -> None:
    """No output that nobody watches is lost in silence."""

    def take(product: str, value: int) -> None:
        raise OSError(f"{product} {value}")

    with pytest.raises(BytewaxRuntimeError):
        run_into(CallSink(take))


def test_a_total_adds_up_every_step_of_its_product() -> None:
    """The books of two products, and one total of each at the end."""
    rows = on_one_connection(GOOD_SNAPSHOT["exchange"], EMPTY_UPDATE["exchange"], EMPTY_UPDATE["exchange"])
    batches = [("BTC-USD", to_batch(rows[:2])), ("ETH-USD", to_batch(rows)), ("BTC-USD", to_batch(rows[2:]))]
    flow = Dataflow("test")
    steps = order_book(
        "book", op.input("in", flow, TestingSource(batches)), PlainEngine(), "exchange", recoverable=False
    )
    streams = Streams(flow, steps)
    totals: dict[str, Tally] = {}
    streams.into("totals", streams.total("total", lambda: Tally(0.001)), totals.__setitem__)
    run_main(flow)  # type: ignore[no-untyped-call]  # bytewax types it in a comment
    # The snapshot is of BTC-USD: the other product has rows, but no book.
    counts = {product: (total.rows, total.summaries) for product, total in totals.items()}
    assert counts == {"BTC-USD": (4, 3), "ETH-USD": (4, 0)}
