"""Other programs, each in an environment of its own that is made once and kept for later runs."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

import pytest

from tests.endurance.forms import IS_LONG

INSTALL_S: Final = 900
WANTED: Final = "BOOKTAPE_TOOLS"
"""Set this to 1, as in CI, to run the tests of other programs, and to install what is missing."""

HFTBACKTEST: Final = ("hftbacktest==2.4.4", "numpy<2.3", "orjson")  # it cannot be imported with a later NumPy
CRYPTOFEED: Final = ("cryptofeed==2.4.1",)
NAUTILUS: Final = (
    "nautilus_trader==1.221.0",
    # What our Python API needs beside it, to write the catalog in the same process.
    *("sortedcontainers", "zstandard", "msgspec", "bytewax", "websockets", "prometheus-client", "obstore"),
)


class UnavailableError(Exception):
    """Raised if a program cannot be installed."""


def cache_dir() -> Path:
    """Return the directory in which tests and benchmarks keep files for later runs."""
    directory = Path(tempfile.gettempdir()) / f"booktape-bench-{os.getuid()}"
    directory.mkdir(mode=0o700, exist_ok=True)
    return directory


def interpreter(requirements: tuple[str, ...]) -> str:
    """Return the path of a Python with these packages; create its environment if it does not exist yet.

    Raises:
        UnavailableError: if pip fails, with the reason.
    """
    if not requirements:
        return sys.executable
    directory = _directory(requirements)
    python, ready = directory / "bin" / "python", directory / "ready"
    if ready.exists():
        return str(python)
    sys.stdout.write(f"installing {', '.join(requirements)}\n")
    sys.stdout.flush()
    try:
        for command in (
            [sys.executable, "-m", "venv", "--clear", str(directory)],
            [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *requirements],
        ):
            subprocess.run(command, check=True, capture_output=True, text=True, timeout=INSTALL_S)
    except subprocess.CalledProcessError as error:
        raise UnavailableError((error.stderr.strip().splitlines() or ["pip failed"])[-1]) from None
    except subprocess.TimeoutExpired:
        raise UnavailableError(f"pip took over {INSTALL_S} s") from None
    ready.touch()
    return str(python)


def interpreter_or_skip(requirements: tuple[str, ...], *, is_large: bool = False) -> str:
    """Return the same for a test; skip it if such tests are not wanted, or it cannot be installed.

    What takes minutes to install is installed only in the long form of the tests.
    """
    if not os.environ.get(WANTED):
        pytest.skip(f"tests of {requirements[0]} take half a minute: set {WANTED}=1")
    if is_large and not IS_LONG and not (_directory(requirements) / "ready").exists():
        pytest.skip(f"{requirements[0]} is not installed: set BOOKTAPE_ENDURANCE=long too")
    try:
        return interpreter(requirements)
    except UnavailableError as error:
        pytest.skip(f"{requirements[0]} cannot be installed: {error}")


def _directory(requirements: tuple[str, ...]) -> Path:
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    name = "-".join((*requirements, version)).translate(str.maketrans("=<>", "___"))
    return cache_dir() / "peers" / name
