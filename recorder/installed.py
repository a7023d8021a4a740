"""What is installed: the version, and the tape that booktape comes with."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from orderbook.errors import BooktapeError

SAMPLE: Final = "sample:"
_ROOT: Final = Path(__file__).parents[1]
SAMPLE_PATHS: Final = (_ROOT / "booktape" / "sample", _ROOT / "data" / "sample")
"""Where it is in a wheel, and in a checkout."""


def software_version() -> str:
    """Return the installed version of booktape, `0` if it is not installed."""
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415  a fifth of what `--help` takes

    try:
        return version("booktape")
    except PackageNotFoundError:
        return "0"


def software() -> str:
    """Return the name and version of the software for a tape's manifest."""
    return f"booktape {software_version()}"


def sample() -> Path:
    """Return the path of the tape that booktape comes with: two products of the Exchange feed.

    Raises:
        BooktapeError: if it was not installed.
    """
    for path in SAMPLE_PATHS:
        if path.is_dir():
            return path
    raise BooktapeError(f"the sample tape is missing from this installation ({SAMPLE_PATHS[0]})")


def tape_name(path: Path) -> str:
    """Return what to call a tape in a text for people: `sample:`, or its path."""
    from orderbook.display import printable  # noqa: PLC0415  loads numpy, and `--help` names the sample

    return SAMPLE if path in SAMPLE_PATHS else printable(str(path), len(str(path)))


def tape_names(paths: Iterable[Path]) -> dict[Path, str]:
    """Return what to call each of several tapes in a table: the last part of its path if they all differ."""
    from orderbook.display import printable  # noqa: PLC0415  as above

    paths = list(paths)
    is_unique = len({path.name for path in paths}) == len(paths)
    return {path: printable(path.name) if is_unique else tape_name(path) for path in paths}


def tapes_title(*paths: Path) -> str:
    """Return the names of tapes and one colon, to begin a line about them."""
    return f"{', '.join(map(tape_name, paths)).removesuffix(':')}:"
