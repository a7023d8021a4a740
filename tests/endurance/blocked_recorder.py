"""A recorder of which one part is blocked for ever: `python -m tests.endurance.blocked_recorder`.

Arguments: what is blocked (`seal`, `strategy`, `busy strategy` or `stderr`), a file that is created once it
is, and the arguments of `booktape`.
"""

import os
import sys
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final, NoReturn

from booktape.cli.main import main
from tests.endurance.faults import Call, Hook, intercepted
from tests.support.user_strategies import Spreads

SYNCS: Final = "SYNCS"
"""Environment variable: a file that gets the time of the monotonic clock after each sync of a journal."""


def _block(mark: Path) -> NoReturn:
    mark.touch()
    threading.Event().wait()
    raise AssertionError


class Blocks(Spreads):
    """A strategy that never returns from its first step."""

    def step(self, summaries: object) -> NoReturn:  # noqa: ARG002  the interface
        """Wait."""
        _block(Path(os.environ["MARK"]))


class Spins(Spreads):
    """A strategy that never returns from its first step and computes all the time."""

    def step(self, summaries: object) -> NoReturn:  # noqa: ARG002  the interface
        """Compute."""
        Path(os.environ["MARK"]).touch()
        while True:
            pass


def _block_a_seal(_name: str, call: Call, arguments: tuple[Any, ...]) -> Any:
    """Block in the call that makes a segment durable, before it gets its name."""
    if Path(f"/proc/self/fd/{arguments[0]}").readlink().name.endswith(".parquet.tmp"):
        _block(Path(os.environ["MARK"]))
    return call(*arguments)


def _note_syncs(path: Path) -> Hook:
    """Return a hook that writes the time after each sync to a file."""

    def hook(_name: str, call: Call, arguments: tuple[Any, ...]) -> Any:
        result = call(*arguments)
        with path.open("a", encoding="ascii") as file:
            file.write(f"{time.monotonic()}\n")
        return result

    return hook


def _fill(stream: int) -> None:
    """Fill the pipe behind a descriptor, which nobody reads."""
    os.set_blocking(stream, False)
    try:
        while True:
            os.write(stream, b"x" * 4096)
    except BlockingIOError:
        os.set_blocking(stream, True)


if __name__ == "__main__":
    blocked, mark, *sys.argv[1:] = sys.argv[1:]
    os.environ["MARK"] = mark
    if blocked == "stderr":
        _fill(sys.stderr.fileno())
        Path(mark).touch()
    with ExitStack() as stack:
        if blocked == "seal":
            stack.enter_context(intercepted(_block_a_seal, ("fsync",)))
        if SYNCS in os.environ:
            stack.enter_context(intercepted(_note_syncs(Path(os.environ[SYNCS])), ("fdatasync",)))
        main()
