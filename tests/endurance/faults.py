"""Faults in file operations: the calls of the operating system, intercepted while a block runs."""

import errno
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

CHANGING: Final = ("write", "fsync", "fdatasync", "ftruncate", "replace", "unlink", "mkdir")
"""The functions of `os` that change files. Arrow writes files without them."""

Call = Callable[..., Any]
Hook = Callable[[str, Call, tuple[Any, ...]], Any]
"""A function that gets the name of a call, the call and its positional arguments, and returns its result."""


@contextmanager
def intercepted(hook: Hook, names: tuple[str, ...] = CHANGING) -> Iterator[None]:
    """Pass all calls of some functions of `os` to a hook while the block runs."""
    real = {name: getattr(os, name) for name in names}

    def replacement(name: str) -> Call:
        def call(*arguments: Any, **options: Any) -> Any:
            return hook(name, lambda *changed: real[name](*changed, **options), arguments)

        return call

    try:
        for name in names:
            setattr(os, name, replacement(name))
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
    """A hook that fails the n-th call and all later ones, and counts the calls."""

    def __init__(self, fails_at: int, *, is_torn: bool = False) -> None:
        self.calls = 0
        self._fails_at = fails_at
        self._is_torn = is_torn

    def __call__(self, name: str, call: Call, arguments: tuple[Any, ...]) -> Any:
        """Count a call and fail it if the disk is full; a torn write writes its first half."""
        self.calls += 1
        if self.calls == self._fails_at and self._is_torn and name == "write":
            return call(arguments[0], bytes(arguments[1])[: len(arguments[1]) // 2])
        if self.calls >= self._fails_at:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return call(*arguments)


NEEDING_SPACE: Final = ("write", "fsync", "fdatasync", "replace", "mkdir")
"""The functions of `os` that fail on a full disk."""
