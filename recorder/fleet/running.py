"""Running the recorders of one machine, each in a process of its own, where nothing else looks after them."""

import subprocess
import sys
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from threading import Event, Lock, Thread
from typing import Final

from recorder.fleet.plan import Recorder
from recorder.runtime.signals import on_signals

_PAUSE_S: Final = 5.0
"""Before a recorder that ended starts again; as RestartSec= of a unit."""


def run(
    recorders: Sequence[Recorder], on_line: Callable[[str, str], None], pause_s: float = _PAUSE_S
) -> None:
    """Run recorders until a signal; start each again that ends before. All have sealed when it returns.

    Args:
        recorders: those of this machine.
        on_line: called with the name of a recorder and a line that it printed, on a thread of its own.
        pause_s: seconds before a recorder starts again.
    """
    stopped: SimpleQueue[None] = SimpleQueue()  # may be put to from a handler of signals, unlike an Event
    threads = [_Process(each, on_line, pause_s) for each in recorders]
    with on_signals(lambda: stopped.put(None)):
        for each in threads:
            each.start()
        stopped.get()
        for each in threads:
            each.stop()
        for each in threads:
            each.join()


class _Process(Thread):
    """The process of one recorder: started again until it is stopped."""

    def __init__(self, recorder: Recorder, on_line: Callable[[str, str], None], pause_s: float) -> None:
        super().__init__(name=f"recorder-{recorder.name}")
        self._recorder, self._on_line, self._pause_s = recorder, on_line, pause_s
        self._stopping = Event()
        self._starting = Lock()
        self._running: subprocess.Popen[str] | None = None

    def run(self) -> None:
        while process := self._start():
            with process:
                for line in process.stdout or ():
                    self._say(line.rstrip("\n"))
            if not self._stopping.is_set():
                self._say(f"ended with code {process.returncode}; starts again in {self._pause_s:g} s")
                self._stopping.wait(self._pause_s)

    def stop(self) -> None:
        """Let the process seal what it has, and end."""
        with self._starting:
            self._stopping.set()
            if self._running is not None and self._running.poll() is None:
                self._running.terminate()

    def _start(self) -> "subprocess.Popen[str] | None":
        with self._starting:
            if self._stopping.is_set():
                return None
            self._running = subprocess.Popen(  # noqa: S603  our own program, its options checked
                [sys.executable, "-m", "booktape", *self._recorder.arguments()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                encoding="utf-8",
                errors="backslashreplace",
                start_new_session=True,  # Ctrl-C of a terminal reaches it once, by us
            )
            return self._running

    def _say(self, line: str) -> None:
        self._on_line(self._recorder.name, line)
