"""Where streams end in a function of this process."""

from collections.abc import Callable
from typing import Any

from bytewax.outputs import DynamicSink, StatelessSinkPartition


class CallSink(DynamicSink[tuple[str, Any]]):
    """Hands every (product, value) to a function of this process.

    Args:
        take: the function.
        on_error: told of the first OSError that it raises; from then on nothing is handed over.
    """

    def __init__(
        self, take: Callable[[str, Any], None], on_error: Callable[[OSError], None] | None = None
    ) -> None:
        self._take = take
        self._on_error = on_error

    def build(self, step_id: str, worker_index: int, worker_count: int) -> "_CallPartition":  # noqa: ARG002  bytewax
        """Return the sink of a worker."""
        return _CallPartition(self._take, self._on_error)


class _CallPartition(StatelessSinkPartition[tuple[str, Any]]):
    def __init__(self, take: Callable[[str, Any], None], on_error: Callable[[OSError], None] | None) -> None:
        self._take = take
        self._on_error = on_error
        self._is_broken = False

    def write_batch(self, items: list[tuple[str, Any]]) -> None:
        for product, value in items:
            if self._is_broken:
                return
            try:
                self._take(product, value)
            except OSError as error:
                if self._on_error is None:
                    raise
                self._is_broken = True
                self._on_error(error)
