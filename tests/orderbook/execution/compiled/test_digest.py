"""The hash of the compiled execution digest, against that of Python."""

from hashlib import sha256

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderbook.compiled.jit import OPTIONS
from orderbook.execution.compiled import digest


@numba.njit(**OPTIONS)  # type: ignore[untyped-decorator]
def _hash_in_words(hashed: int, start: tuple[int, ...], block: tuple[int, ...]) -> tuple[int, ...]:
    found: tuple[int, ...] = digest.hash_in_words(hashed, start, block)
    return found


@numba.njit(**OPTIONS)  # type: ignore[untyped-decorator]
def _hash_block(hashed: int, start: tuple[int, ...], block: tuple[int, ...]) -> tuple[int, ...]:
    found: tuple[int, ...] = digest.hash_block(hashed, start, block)
    return found


@pytest.mark.parametrize("add_block", [_hash_in_words, _hash_block], ids=["in words", "as fast as here"])
@given(message=st.binary(max_size=200))
def test_sha256(add_block: "numba.core.dispatcher.Dispatcher", message: bytes) -> None:
    """Block by block it is SHA-256, with the instructions of a processor and without."""
    zeros = b"\0" * (-(len(message) + 9) % 64)
    padded = message + b"\x80" + zeros + (8 * len(message)).to_bytes(8, "big")
    memory = np.zeros(digest.HASHED, np.int64)
    found = digest.FIRST
    for start in range(0, len(padded), 64):
        numbers = np.frombuffer(padded[start : start + 64], ">u4").astype(np.uint32)
        found = add_block(memory.ctypes.data, found, tuple(numbers.view(np.int64).tolist()))
    words = np.array(found).view(np.uint32).astype(">u4").tobytes()
    assert words == sha256(message).digest()
