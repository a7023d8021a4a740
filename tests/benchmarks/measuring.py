"""Options, environment and printed figures of the benchmarks."""

import argparse
import os
import platform
import statistics
import sys
from collections.abc import Sequence
from typing import Final

from tests.support.constants import ROOT

ENVIRONMENT: Final = {**os.environ, "PYTHONPATH": str(ROOT)}
"""Environment of a Python process that imports our packages."""


def parser(description: str, *, runs: int, frames: int = 100_000) -> argparse.ArgumentParser:
    """Return a parser with the options that every benchmark has."""
    options = argparse.ArgumentParser(description=description)
    options.add_argument(
        "--frames", type=int, default=frames, help="updates on the tape (default: %(default)s)"
    )
    options.add_argument("--depth", type=int, default=2_500, help="levels a side (default: %(default)s)")
    options.add_argument("--runs", type=int, default=runs, help="measurements (default: %(default)s)")
    return options


def print_line(text: str) -> None:
    """Print a line of the result at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def describe_machine() -> str:
    """Return the Python and the processors that the figures were measured on."""
    return f"Python {platform.python_version()}, {os.cpu_count()} CPUs, {platform.machine()}"


def use_one_core() -> None:
    """Restrict this process to one core, if the system supports that."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def spread(values: Sequence[float], form: str = ",.3f") -> str:
    """Return minimum, median and maximum as text."""
    low, middle, high = min(values), statistics.median(values), max(values)
    return f"min {low:{form}}, median {middle:{form}}, max {high:{form}}"
