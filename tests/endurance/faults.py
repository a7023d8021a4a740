"""Faults at the boundary to the operating system: its file calls, intercepted while a block runs."""

import errno
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

CHANGING: Final = ("write", "fsync", "fdatasync", "ftruncate", "replace", "unlink", "mkdir")
"""The calls that change files, as Python code makes them; Arrow's own writes are not among them."""

Call = Callable[..., Any]
Hook = Callable[[str, Call, tuple[Any, ...]], Any]
"""Gets a call's name, the call itself and its positional arguments; returns the call's result."""


@contextmanager
def intercepted(hook: Hook, names: tuple[str, ...] = CHANGING) -> Iterator[None]:
    """Let a hook stand between this process and some functions of `os` while the block runs."""
    real = {name: getattr(os, name) for name in names}

    def stand_in(name: str) -> Call:
        def call(*arguments: Any, **options: Any) -> Any:
            return hook(name, lambda *given: real[name](*given, **options), arguments)

        return call

    try:
        for name in names:
            setattr(os, name, stand_in(name))
        yield
    finally:
        for name, function in real.items():
            setattr(os, name, function)


def dying_at(number: int) -> Hook:
    """Return a hook that kills this process at the n-th call: before it, or in the middle of a write."""
    left = number

    def hook(name: str, call: Call, arguments: tuple[Any, ...]) -> Any:
        nonlocal left
        left -= 1
        if left == 0:
            if name == "write":
                call(arguments[0], bytes(arguments[1])[: len(arguments[1]) * (number % 5) // 4])
            os.kill(os.getpid(), signal.SIGKILL)
        return call(*arguments)

    return hook


class FullDisk:
    """A hook by which the n-th of the calls that need room fails, and all after it; counts them."""

    def __init__(self, fails_at: int, *, is_torn: bool = False) -> None:
        self.calls = 0
        self._fails_at = fails_at
        self._is_torn = is_torn

    def __call__(self, name: str, call: Call, arguments: tuple[Any, ...]) -> Any:
        """Count a call; fail where the disk is full, after half of a write where it is to be torn."""
        self.calls += 1
        if self.calls == self._fails_at and self._is_torn and name == "write":
            return call(arguments[0], bytes(arguments[1])[: len(arguments[1]) // 2])
        if self.calls >= self._fails_at:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return call(*arguments)


NEEDING_ROOM: Final = ("write", "fsync", "fdatasync", "replace", "mkdir")
"""The calls that a full disk refuses."""
