"""The errors that a user can act on: each is one clear line, and a command ends with it and an exit code.

BooktapeError              exit code 1
├── OptionError            a value that an argument or option cannot have; exit code 2 (here)
│   ├── ThresholdError     not a threshold (here)
│   ├── TimeError          not a time or a duration (here)
│   │   └── EmptyWindowError  replay.running.window: the start is not before the end
│   └── UnknownVenueError  a feed that is not in `orderbook.venues.registry` (here)
├── StrategyError          orderbook.strategy: a strategy raised, or returned other rows than it promised
├── EngineError            recorder.runtime.loading: the engine is not installed
├── InterruptedRunError    recorder.runtime.signals: a signal ended a run before its end
├── TapeError              recorder.tape.errors: not a tape, a newer one, locked, damaged, unknown product
├── CaptureError           recorder.captures.formats: a line that is not of its format
├── FeedError              recorder.live.endpoint: the exchange refused the request, or a key is missing
├── FleetError             recorder.fleet.plan: the file of a fleet cannot be used
├── MetricsError           recorder.monitor.metrics: the address of the metrics server is in use
├── DiffError              replay.checking.diff.api: two directories that cannot be compared
├── NoBookError            replay.checking.ladder: no book is known at that time
├── ServeError             replay.serving.served_tape: nothing to serve, or the address is in use
├── ReportError            replay.report.render: the report cannot be written
├── RunError               replay.run_dir.writer: an output that exists already, or is not a RUN directory
├── StepError              a step of a run failed by what is not the user's (here)
├── LostProcessError       replay.processes.starting: a process of a job ended without a result
└── DemoError              booktape.demo: the replay of the demo differs from its recording
"""

import errno
from typing import Final


class BooktapeError(Exception):
    """Base of all errors that are meant for the user: `str()` is one clear line."""


class OptionError(BooktapeError, ValueError):
    """An argument of the Python API, or an option of the command line, has a value that it cannot have.

    Attributes:
        reason: what is wrong, and what to write instead.
        option: name of the argument; empty if it is not known.
        value: the value as it was given.
    """

    def __init__(self, reason: str, *, option: str = "", value: object = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.option = option
        self.value = value

    def __str__(self) -> str:
        return f"{self.option}: {self.reason}" if self.option else self.reason


class ThresholdError(OptionError):
    """The value is not a threshold: `0.1%`, `10bps` or `0.001`, never negative."""


class TimeError(OptionError):
    """The value is not a time, such as `2026-08-09T21:05:50Z` or `+5m`, or not a duration, such as `90s`."""


class UnknownVenueError(OptionError):
    """No feed has this name."""


class StepError(BooktapeError):
    """A step of a run, or one of its processes, failed: no memory, no descriptors, or a defect of ours."""


_ADVICE: Final = {
    errno.EMFILE: "allow more of them with `ulimit -n`",
    errno.ENFILE: "the system has no more of them",
    errno.ENOSPC: "make room and start again",
    errno.EDQUOT: "make room and start again",
    errno.EAGAIN: "the system allows no more processes or threads, see `ulimit -u`",
}


def explain(error: BaseException) -> str:
    """Return one line for an exception: what it is, and what to do about it.

    A line that begins with "unexpected" tells of a defect of ours.
    """
    if isinstance(error, BooktapeError):
        return str(error)
    return _known(error) or f"unexpected {first_line(error)}"


def reason_of(error: BaseException) -> str:
    """Return why an operation failed: of the system's errors the file or stream, and its words for it.

    >>> reason_of(OSError(28, "No space left on device", "tape/_lock")), reason_of(ValueError("no"))
    ('tape/_lock: No space left on device', 'no')
    """
    if not isinstance(error, OSError) or not error.strerror:
        return (str(error).splitlines() or [""])[0]
    where = f"{error.filename}: " if isinstance(error.filename, str) else ""
    _, detail, words = error.strerror.rpartition(" Detail: ")  # Arrow puts the system's words behind its own
    return f"{where}{words.rpartition('] ')[2] if detail else error.strerror}"


def first_line(error: BaseException) -> str:
    r"""Return the kind of an exception and the first line of its text, and how to see the rest.

    >>> first_line(ValueError("first\nsecond"))
    'ValueError: first (BOOKTAPE_TRACEBACK=1 shows where)'
    """
    try:
        text = (str(error).splitlines() or [""])[0]
    except Exception as again:  # noqa: BLE001  the exception is of a user's code, and its text too
        text = f"its text raises {type(again).__name__}"
    return f"{type(error).__name__}: {text} (BOOKTAPE_TRACEBACK=1 shows where)"


def _known(error: BaseException) -> str | None:  # noqa: PLR0911  one for each kind
    """Return the line for an exception that the machine is to blame for; None for any other."""
    match error:
        case MemoryError():
            return "out of memory; use fewer products or processes at once, or a machine with more of it"
        case OSError() if error.strerror:
            advice = _ADVICE.get(error.errno or 0)
            return f"{reason_of(error)}{f'; {advice}' if advice else ''}"
        case RuntimeError() if "start new thread" in str(error):
            return f"no thread can be started; {_ADVICE[errno.EAGAIN]}"
        case ModuleNotFoundError(name=str(name)):
            return f"{name} is not installed: install it, or booktape again (pip install booktape)"
        case ImportError():
            return f"a part of booktape cannot be loaded ({error}); install it again, or free memory"
        case EOFError() | ValueError() if "marshal data" in str(error):
            return "a file in a __pycache__ directory is damaged, as a full disk leaves it; delete them"
        case UnicodeEncodeError():
            return f"the output cannot be encoded as {error.encoding}; set PYTHONIOENCODING=utf-8"
    return None
