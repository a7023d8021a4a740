"""A `booktape` command that runs meanwhile in a fork, with what of `subprocess.Popen` tests use."""

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support.fork import FORK, run_words


class RunningCommand:
    """A command that was started as a fork: that saves all imports.

    Attributes:
        stdout, stderr: what it prints.
    """

    def __init__(
        self, words: Sequence[str], *, cwd: Path | None, env: Mapping[str, str], start_new_session: bool
    ) -> None:
        self._words = words
        (output, printing), (errors, failing) = (FORK.Pipe(duplex=False) for _ in range(2))
        self._process = FORK.Process(
            target=run_words, args=(words, cwd, dict(env), printing, failing, start_new_session)
        )
        with printing, failing, output, errors:
            self._process.start()
            self.stdout, self.stderr = (
                os.fdopen(os.dup(each.fileno()), encoding="utf-8") for each in (output, errors)
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.stdout.close()
        self.stderr.close()
        self._process.join()

    @property
    def pid(self) -> int:
        """The number of the process."""
        assert self._process.pid is not None
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """Its exit code; None while it runs, and minus the signal that ended it."""
        return self._process.exitcode

    def poll(self) -> int | None:
        """Return the exit code, or None while it runs."""
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end, and return the exit code."""
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired(self._words, timeout or 0)
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        if self._process.exitcode is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        """Kill it, unless it has ended."""
        self.send_signal(signal.SIGKILL)

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """Return all else that it prints, when it has ended."""
        with ThreadPoolExecutor(2) as pool:
            texts = [pool.submit(each.read) for each in (self.stdout, self.stderr)]
            try:
                self.wait(timeout)
            except subprocess.TimeoutExpired:
                self.kill()
                raise
            printed, said = (each.result() for each in texts)
        return printed, said
