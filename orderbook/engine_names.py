"""The names of the engines, as the command line and every API take them. Light to import."""

from typing import Literal

EngineName = Literal["auto", "compiled", "plain"]
"""`auto` is `compiled` if numba is installed, else `plain`; both give the same results to the last bit."""
