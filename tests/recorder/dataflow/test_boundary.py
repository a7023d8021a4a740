"""No exception leaves a step: whatever it is and wherever, the flow ends, and the failure has one line."""
# ruff: noqa: ARG002  the methods are called by bytewax

import errno
import os
from collections.abc import Callable
from datetime import datetime
from typing import Any

import bytewax.operators as op
import pytest
from bytewax.dataflow import Dataflow
from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition
from bytewax.operators import StatefulBatchLogic
from bytewax.outputs import DynamicSink, FixedPartitionedSink, StatefulSinkPartition, StatelessSinkPartition

from orderbook.errors import StepError
from recorder.dataflow.running import AWAKE, FirstFailure, run_to_end

ITEMS = 6
ERRORS: list[BaseException] = [
    MemoryError(),
    RecursionError("maximum recursion depth exceeded"),
    UnicodeEncodeError("ascii", "\udc80", 0, 1, "ordinal not in range"),
    OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "file"),
    OSError(errno.EMFILE, os.strerror(errno.EMFILE)),
    OSError(errno.EIO, os.strerror(errno.EIO)),
    BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE)),
    KeyboardInterrupt(),
    SystemExit(3),
    GeneratorExit(),
    StopIteration(),
    AssertionError("two\nlines"),
]


class Fails:
    """Raises at one place of a flow, the second time that the flow gets there."""

    def __init__(self, place: str, error: BaseException, nth: int = 2) -> None:
        self.place = place
        self.error = error
        self.left = nth

    def at(self, place: str) -> None:
        """Raise if this is the place."""
        if place == self.place:
            self.left -= 1
            if not self.left:
                raise self.error


class _Numbers(StatefulSourcePartition[Any, None]):
    def __init__(self, fails: Fails, stopped: Callable[[], bool]) -> None:
        self._fails = fails
        self._stopped = stopped
        self._left = ITEMS

    def next_batch(self) -> list[tuple[str, int]]:
        self._fails.at("next_batch")
        if not self._left or self._stopped():
            raise StopIteration
        self._left -= 1
        return [("a", self._left)]

    def next_awake(self) -> datetime:
        self._fails.at("next_awake")
        return AWAKE

    def snapshot(self) -> None:
        self._fails.at("source snapshot")

    def close(self) -> None:
        self._fails.at("source close")


class _Source(FixedPartitionedSource[Any, None]):
    def __init__(self, fails: Fails) -> None:
        self._fails = fails
        self.is_stopped = False

    def list_parts(self) -> list[str]:
        self._fails.at("source list_parts")
        return ["one", "two"]

    def build_part(self, step_id: str, for_part: str, resume_state: None) -> _Numbers:
        self._fails.at("source build_part")
        return _Numbers(self._fails, lambda: self.is_stopped)


class _Logic(StatefulBatchLogic[Any, Any, None]):
    def __init__(self, fails: Fails) -> None:
        fails.at("builder")
        self._fails = fails

    def on_batch(self, values: list[Any]) -> tuple[list[Any], bool]:
        self._fails.at("on_batch")
        return values, StatefulBatchLogic.RETAIN

    def on_eof(self) -> tuple[list[Any], bool]:
        self._fails.at("on_eof")
        return [], StatefulBatchLogic.RETAIN

    def notify_at(self) -> None:
        self._fails.at("notify_at")

    def snapshot(self) -> None:
        self._fails.at("logic snapshot")


class _Kept(StatefulSinkPartition[Any, None]):
    def __init__(self, fails: Fails) -> None:
        self._fails = fails

    def write_batch(self, values: list[Any]) -> None:
        self._fails.at("keep")

    def snapshot(self) -> None:
        self._fails.at("sink snapshot")

    def close(self) -> None:
        self._fails.at("sink close")


class _Keeps(FixedPartitionedSink[Any, None]):
    def __init__(self, fails: Fails) -> None:
        self._fails = fails

    def list_parts(self) -> list[str]:
        self._fails.at("sink list_parts")
        return ["all"]

    def part_fn(self, item_key: str) -> int:
        self._fails.at("part_fn")
        return 0

    def build_part(self, step_id: str, for_part: str, resume_state: None) -> _Kept:
        self._fails.at("sink build_part")
        return _Kept(self._fails)


class _Shown(StatelessSinkPartition[Any]):
    def __init__(self, fails: Fails) -> None:
        self._fails = fails

    def write_batch(self, items: list[Any]) -> None:
        self._fails.at("show")

    def close(self) -> None:
        self._fails.at("stateless close")


class _Shows(DynamicSink[Any]):
    def __init__(self, fails: Fails) -> None:
        self._fails = fails

    def build(self, step_id: str, worker_index: int, worker_count: int) -> _Shown:
        self._fails.at("sink build")
        return _Shown(self._fails)


ONCE = (
    *("source list_parts", "source build_part", "source close", "builder", "on_eof"),
    *("sink list_parts", "sink build_part", "sink close", "sink build", "stateless close"),
)
OFTEN = ("next_batch", "next_awake", "map", "watch", "on_batch", "notify_at", "part_fn", "keep", "show")


def run(fails: Fails) -> FirstFailure:
    """Run a flow with a step of each kind to its end."""
    source = _Source(fails)

    def stop() -> None:
        source.is_stopped = True

    def mapped(item: Any) -> Any:
        fails.at("map")
        return item

    failure = FirstFailure(stop)
    flow = Dataflow("test")
    stream = op.map("map", op.input("in", flow, source), mapped)
    stream = op.inspect("watch", stream, lambda *_: fails.at("watch"))
    stream = op.stateful_batch("logic", stream, lambda _saved: _Logic(fails))
    op.output("keep", stream, _Keeps(fails))
    op.output("show", stream, _Shows(fails))
    run_to_end(flow, failure)
    return failure


@pytest.mark.parametrize("place", [*OFTEN, *ONCE])
def test_wherever_a_step_fails(place: str, capfd: pytest.CaptureFixture[str]) -> None:
    """Any function that bytewax calls may fail: the flow ends with our error, and bytewax says nothing."""
    with pytest.raises(StepError, match=r"out of memory.*in the step test\.") as raised:
        run(Fails(place, MemoryError(), nth=1 if place in ONCE else 2))
    assert isinstance(raised.value.__cause__, MemoryError)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: f"{type(error).__name__} {error}".strip())
@pytest.mark.parametrize("place", ["map", "keep", "on_batch"])
def test_whatever_a_step_raises(place: str, error: BaseException, capfd: pytest.CaptureFixture[str]) -> None:
    """Any exception becomes one line; only Ctrl-C stays what it is."""
    with pytest.raises((StepError, KeyboardInterrupt)) as raised:
        run(Fails(place, error))
    assert isinstance(raised.value, KeyboardInterrupt) is isinstance(error, KeyboardInterrupt)
    assert "\n" not in str(raised.value)
    assert capfd.readouterr() == ("", "")


def test_without_a_failure_everything_is_called() -> None:
    """The boundary changes nothing in a flow that does not fail: its places are all reached."""
    for place in (*OFTEN, *ONCE):
        fails = Fails(place, MemoryError(), nth=10**6)
        run(fails)
        assert fails.left < 10**6, place
