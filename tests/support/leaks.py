"""What a piece of code leaves open, as Python's garbage collector finds it."""

import gc
import warnings
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def leaves_nothing_open() -> Iterator[None]:
    """Assert that the block leaves no socket, transport, loop or file to the garbage collector."""
    gc.collect()  # what others left is not what the block did
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
        gc.collect()
    assert [str(each.message) for each in caught if each.category is ResourceWarning] == []
