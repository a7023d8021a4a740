"""Running a flow to its end: the first failure stops the sources and is raised after it has drained."""

import bytewax.operators as op
import pytest
from bytewax.dataflow import Dataflow
from bytewax.testing import TestingSink, TestingSource

from recorder.dataflow.running import FirstFailure, run_to_end


def test_a_failure_is_raised_after_the_flow_has_drained() -> None:
    """Items after the failed one are still processed; the first failure is raised at the end."""
    stops: list[int] = []
    failure = FirstFailure(lambda: stops.append(1))
    flow = Dataflow("test")
    written: list[int] = []

    def step(item: int) -> int:
        if item in (3, 5):
            failure.report(ValueError(item))
        return item

    op.output(
        "out", op.map("step", op.input("in", flow, TestingSource(range(8))), step), TestingSink(written)
    )
    with pytest.raises(ValueError, match=r"^3$"):
        run_to_end(flow, failure)
    assert written == list(range(8))
    assert len(stops) == 2


def test_without_a_failure_nothing_is_raised() -> None:
    """A flow without a failure ends quietly."""
    failure = FirstFailure(lambda: None)
    flow = Dataflow("test")
    written: list[int] = []
    op.output("out", op.input("in", flow, TestingSource([1, 2])), TestingSink(written))
    run_to_end(flow, failure)
    assert (written, failure.error) == ([1, 2], None)
