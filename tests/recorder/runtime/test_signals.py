"""Signals: they stop a run, end one that would end by itself, and are as before when the block is left."""

import signal
import threading
from contextlib import suppress

import pytest

from recorder.runtime.signals import (
    InterruptedRunError,
    Interrupting,
    deferred_signals,
    ignore_repeats,
    interruptible,
    on_signals,
    stops_once,
)

ALL = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.mark.parametrize("number", ALL)
def test_a_signal_stops_and_handlers_come_back(number: signal.Signals) -> None:
    """The first signal calls `stop`, which may hold a lock when others come; then handlers are restored."""
    before = [signal.getsignal(each) for each in ALL]
    stops: list[int] = []
    lock = threading.Lock()

    def stop() -> None:
        stops.append(1)
        with lock:
            signal.raise_signal(number)

    with on_signals(stop):
        signal.raise_signal(number)
        signal.raise_signal(number)
    assert len(stops) == 1
    assert [signal.getsignal(each) for each in ALL] == before


def test_an_import_is_not_interrupted_by_an_exception() -> None:
    """Code of Python that imports a module goes on, and the exception comes right after it."""
    before = [signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGALRM)]
    passed: list[int] = []
    code = compile("raise_signal(15)\npassed.append(1)", "<frozen importlib._bootstrap>", "exec")

    def import_and_wait() -> None:
        exec(code, {"raise_signal": signal.raise_signal, "passed": passed})  # noqa: S102  ours
        signal.pause()

    try:
        signal.signal(signal.SIGTERM, Interrupting())
        with pytest.raises(KeyboardInterrupt):
            import_and_wait()
    finally:
        signal.signal(signal.SIGTERM, before[0])
        signal.signal(signal.SIGALRM, before[1])
    assert passed == [1]


def test_a_run_begins_stopped_if_an_exception_was_swallowed() -> None:
    """Whatever became of the exception that was to end a command, its run does not go on."""
    before = signal.getsignal(signal.SIGTERM)
    handler = Interrupting()
    stops: list[int] = []
    try:
        signal.signal(signal.SIGTERM, handler)
        with suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
        with on_signals(lambda: stops.append(1)):
            assert stops == [1]
    finally:
        signal.signal(signal.SIGTERM, before)


def test_a_command_that_has_run_ignores_signals() -> None:
    """Before the run a signal ends the command; from the end of the run on it does nothing."""
    before = [signal.getsignal(each) for each in ALL]
    try:
        with pytest.raises(KeyboardInterrupt), stops_once():
            signal.raise_signal(signal.SIGTERM)
        stops: list[int] = []
        with stops_once():
            with on_signals(lambda: stops.append(1)):
                signal.raise_signal(signal.SIGTERM)
            for each in ALL:
                signal.raise_signal(each)
        for each in ALL:
            signal.raise_signal(each)
        ignore_repeats()
        assert [signal.getsignal(each) for each in ALL] == [signal.SIG_IGN] * 3
        assert stops == [1]
    finally:
        for each, handler in zip(ALL, before, strict=True):
            signal.signal(each, handler)


def test_a_command_that_did_not_run_leaves_signals_as_they_were() -> None:
    """Without a run nothing is ignored after the block."""
    before = [signal.getsignal(each) for each in ALL]
    with stops_once():
        pass
    ignore_repeats()
    assert [signal.getsignal(each) for each in ALL] == before


def test_sighup_stays_ignored_under_nohup() -> None:
    """What `nohup` has ignored ends no run; Ctrl-C still does."""
    before = [signal.getsignal(each) for each in ALL]
    stops: list[int] = []
    try:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        with stops_once():
            signal.raise_signal(signal.SIGHUP)
            with on_signals(lambda: stops.append(1)):
                signal.raise_signal(signal.SIGHUP)
                assert not stops
                signal.raise_signal(signal.SIGINT)
        assert stops == [1]
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        for each, handler in zip(ALL, before, strict=True):
            signal.signal(each, handler)


@pytest.mark.parametrize("number", ALL)
def test_a_deferred_signal_is_remembered(number: signal.Signals) -> None:
    """A signal inside the block ends nothing; the event says that it came."""
    with deferred_signals() as received:
        assert not received.is_set()
        signal.raise_signal(number)
        assert received.is_set()


def interrupted(steps: list[str], number: signal.Signals | None) -> None:
    """Run a block that drains after a signal."""
    with interruptible(lambda: steps.append("stop"), "nothing was written"):
        if number is not None:
            signal.raise_signal(number)
        steps.append("drained")


@pytest.mark.parametrize("number", ALL)
def test_an_interrupted_run_raises_after_it_has_drained(number: signal.Signals) -> None:
    """The rest of the block runs after the signal, then the error says what follows."""
    steps: list[str] = []
    with pytest.raises(InterruptedRunError, match=r"^interrupted; nothing was written$"):
        interrupted(steps, number)
    assert steps == ["stop", "drained"]


def test_a_run_without_a_signal_ends_quietly() -> None:
    """Without a signal nothing is stopped and nothing raised."""
    steps: list[str] = []
    interrupted(steps, None)
    assert steps == ["drained"]


def test_other_threads_leave_signals_alone() -> None:
    """Outside the main thread the block runs without a handler, which Python could not set there."""
    handlers: list[object] = []

    def run() -> None:
        with on_signals(lambda: None):
            handlers.extend(signal.getsignal(each) for each in ALL)

    thread = threading.Thread(target=run)
    before = [signal.getsignal(each) for each in ALL]
    thread.start()
    thread.join()
    assert handlers == before
