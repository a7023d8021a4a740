"""The boundary in front of every step of a flow: no exception of Python's reaches bytewax.

An exception that leaves a step panics in bytewax's Rust code: 90 lines on stderr, the items in flight are
lost, and one that comes while the flow is taken down aborts the process. So before a flow runs, each function
that bytewax would call is put behind a boundary. The first exception of a step is reported, and the step does
nothing from then on; the other steps go on to the end of the flow, which the report brings about.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, Final

from bytewax.dataflow import Dataflow, Operator
from bytewax.inputs import StatefulSourcePartition
from bytewax.operators import StatefulBatchLogic
from bytewax.outputs import StatefulSinkPartition, StatelessSinkPartition

Call = Callable[..., Any]
Errors = tuple[type[BaseException], ...]

_NOTHING: Final = ((), StatefulBatchLogic.RETAIN)


def guard(flow: Dataflow, report: Callable[[str, BaseException], None]) -> None:
    """Put the boundary around everything of a flow that bytewax calls.

    Args:
        flow: a flow that is complete.
        report: called with the id of a step and what it raised; it must end the sources.
    """
    for step in _core_steps(flow.substeps):
        boundary = _Boundary(partial(report, step.step_id))
        for name, put in _BEHIND.items():
            if (given := getattr(step, name, None)) is not None:
                object.__setattr__(step, name, put(boundary, given))  # operators are frozen


def _core_steps(steps: Sequence[Operator]) -> Iterator[Operator]:
    """Yield the steps that bytewax itself runs; the others are made of them."""
    for step in steps:
        if step.substeps:
            yield from _core_steps(step.substeps)
        else:
            yield step


class _Boundary:
    """One step's: after the first exception nothing of the step is called any more."""

    def __init__(self, report: Callable[[BaseException], None]) -> None:
        self._report = report
        self._is_closed = False

    def call(self, passes: Errors, function: Call, instead: Call, *arguments: Any) -> Any:
        """Return what a function returns, or what another does once the step has failed."""
        if not self._is_closed:
            try:
                return function(*arguments)
            except passes:
                raise
            except BaseException as error:  # noqa: BLE001  whatever it is, it would be a panic
                self._is_closed = True
                self._report(error)
        return instead(*arguments)

    def around(self, function: Call, instead: Call, passes: Errors = ()) -> Call:
        """Return a function behind the boundary, which some errors pass."""
        return partial(self.call, passes, function, instead)

    def around_methods(self, owner: Any, instead: Any) -> Any:
        """Put those methods of an object behind the boundary that its stand-in has, and return it."""
        for name, stand_in in vars(type(instead)).items():
            if callable(stand_in) and (method := getattr(owner, name, None)) is not None:
                ends = (StopIteration,) if name == "next_batch" else ()  # which ends the partition
                setattr(owner, name, self.around(method, getattr(instead, name), ends))
        return owner


class _EndedPartition(StatefulSourcePartition[Any, Any]):
    def next_batch(self) -> list[Any]:
        raise StopIteration

    def next_awake(self) -> None:
        return None

    def snapshot(self) -> None:
        return None

    def close(self) -> None:
        return None


class _IdleLogic(StatefulBatchLogic[Any, Any, Any]):
    def on_batch(self, _values: list[Any]) -> Any:
        return _NOTHING

    def on_notify(self) -> Any:
        return _NOTHING

    def on_eof(self) -> Any:
        return _NOTHING

    def notify_at(self) -> None:
        return None

    def snapshot(self) -> None:
        return None


class _ClosedSink(StatefulSinkPartition[Any, Any]):
    def write_batch(self, _values: list[Any]) -> None:
        return None

    def snapshot(self) -> None:
        return None

    def close(self) -> None:
        return None


class _ClosedStatelessSink(StatelessSinkPartition[Any]):
    def write_batch(self, _items: list[Any]) -> None:
        return None

    def close(self) -> None:
        return None


def _maker(boundary: _Boundary, make: Call, stand_in: Callable[[], Any]) -> Call:
    """Return a function that makes an object whose methods are behind the boundary."""

    def guarded(*arguments: Any) -> Any:
        return boundary.around_methods(make(*arguments), stand_in())

    return boundary.around(guarded, lambda *_: stand_in())


def _mapper(boundary: _Boundary, mapper: Call) -> Call:
    # A list: bytewax would call the rest of a generator outside of the boundary.
    return boundary.around(lambda batch: list(mapper(batch)), lambda _batch: ())


def _inspector(boundary: _Boundary, inspector: Call) -> Call:
    return boundary.around(inspector, lambda *_: None)


def _builder(boundary: _Boundary, builder: Call) -> Call:
    return _maker(boundary, builder, _IdleLogic)


def _source(boundary: _Boundary, source: Any) -> Any:
    source.list_parts = boundary.around(source.list_parts, list)
    source.build_part = _maker(boundary, source.build_part, _EndedPartition)
    return source


def _sink(boundary: _Boundary, sink: Any) -> Any:
    if hasattr(sink, "build"):
        sink.build = _maker(boundary, sink.build, _ClosedStatelessSink)
        return sink
    sink.list_parts = boundary.around(sink.list_parts, lambda: ["closed"])
    sink.part_fn = boundary.around(sink.part_fn, lambda _key: 0)
    sink.build_part = _maker(boundary, sink.build_part, _ClosedSink)
    return sink


_BEHIND: Final[dict[str, Callable[[_Boundary, Any], Any]]] = {
    "mapper": _mapper,
    "inspector": _inspector,
    "builder": _builder,
    "source": _source,
    "sink": _sink,
}
"""What bytewax calls, by its name in the core operators of bytewax 0.21."""
