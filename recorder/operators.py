"""What the flows of recordings and of replays share: a strategy behind the books, and a run to the end."""

from collections.abc import Callable
from datetime import timedelta
from typing import Final

import bytewax.operators as op
from bytewax.dataflow import Dataflow
from bytewax.testing import run_main

from orderbook.flows import Streams
from orderbook.operators import strategy
from orderbook.strategy import StrategyError
from recorder.halt import Halt
from recorder.strategies import StrategyRun

EPOCH_S: Final = 1.0
"""Length of an epoch: so often a recording makes its journal durable."""


def attach_strategy(
    streams: Streams,
    run: StrategyRun,
    on_failure: Callable[[StrategyError], None],
    on_error: Callable[[OSError], None],
) -> None:
    """Run a strategy behind a flow and add up its rows, which go where the run says.

    Args:
        streams: the flow.
        run: the strategy.
        on_failure: told where it fails; the product then goes on without.
        on_error: told where its rows cannot be put.
    """

    def failed(error: StrategyError) -> None:
        run.failure = run.failure or error
        on_failure(error)

    rows = strategy("strategy", streams.steps, run.start, failed, recoverable=False)
    rows = op.inspect("strategy_digest", rows, lambda _step_id, item: run.add(*item))
    streams.into("strategy_rows", rows, run.take, on_error)


def run_to_end(flow: Dataflow, halt: Halt, epoch_s: float = EPOCH_S) -> None:
    """Run a flow to its end, then raise what halted it.

    `run_main` is bytewax's one-worker runner; of its runners it is the one that leaves signals to us.

    Raises:
        Exception: the failure that a step reported to `halt`.
    """
    run_main(flow, epoch_interval=timedelta(seconds=epoch_s))  # type: ignore[no-untyped-call]  # bytewax types it in a comment
    halt.raise_failure()
