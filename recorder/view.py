"""What an observer of a running recording may look at."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from recorder.inbox import Inbox
from recorder.reader import FeedReader
from recorder.status import RecorderStatus
from recorder.tape.writer import TapeWriter


@dataclass(frozen=True, slots=True)
class RecordingView:
    """The parts of a recording, to be read from any thread and never changed."""

    status: RecorderStatus
    reader: FeedReader
    inbox: Inbox
    writer: TapeWriter


Observer = Callable[[RecordingView], AbstractContextManager[object]]
"""Observes a recording for as long as its block runs: a panel, a log line, metrics."""
