"""What a replay adds behind the core: tallies and threshold sweeps, one result a product at the end."""

from collections.abc import Callable
from copy import deepcopy
from typing import Protocol, TypeVar

import bytewax.operators as op
from bytewax.operators import KeyedStream, StatefulBatchLogic

from orderbook.engine import Step
from replay.window import Window


class Adds(Protocol):
    """What steps can be added to."""

    def add(self, step: Step, /) -> None:
        """Take up one step of a product, in seq order."""


A = TypeVar("A", bound=Adds)


class _SumLogic(StatefulBatchLogic[Step, A, A]):
    def __init__(self, total: A) -> None:
        self._total = total

    def on_batch(self, values: list[Step]) -> tuple[list[A], bool]:
        for step in values:
            self._total.add(step)
        return [], StatefulBatchLogic.RETAIN

    def on_eof(self) -> tuple[list[A], bool]:
        return [self._total], StatefulBatchLogic.RETAIN

    def snapshot(self) -> A:
        return deepcopy(self._total)  # the total goes on changing


def total(step_id: str, steps: KeyedStream[Step], start: Callable[[], A]) -> KeyedStream[A]:
    """Add up all steps of each product; the stream carries one total a product, at the end.

    Args:
        step_id: unique id of the step.
        steps: what the books did.
        start: makes an empty total.
    """
    return op.stateful_batch(step_id, steps, lambda saved: _SumLogic(start() if saved is None else saved))


def reported(step_id: str, steps: KeyedStream[Step], window: Window) -> KeyedStream[Step]:
    """Leave out the steps before a window; the source cuts batches at its edges."""
    return op.filter_value(step_id, steps, lambda step: window.is_reported(step.span.first_time))
