"""How the kernel is compiled: once, and what it is made of stays callable."""

from tests.support.commands import python

PROGRAM = """
import numba
from numba import types
from orderbook.compiled import jit

@jit.inner
def double(value):
    return 2 * value

@jit.inner
def doubled_and_one(value):
    return double(value) + 1

def entry(value):
    return doubled_and_one(value) + 1

with jit.compiled_once():
    compiled = numba.njit(**jit.OPTIONS)(entry)
    compiled.compile((types.int64,))

@numba.njit(**jit.OPTIONS)
def other(value):
    return doubled_and_one(value)

print(compiled(4), other(4))
"""


def test_parts_can_be_called_after_the_kernel_is_compiled() -> None:
    """Another function that calls a part has machine code of it and of all below; it jumped to nowhere."""
    done = python(PROGRAM)
    assert (done.returncode, done.stdout, done.stderr) == (0, "10 9\n", "")
