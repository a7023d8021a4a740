"""How many cases a test takes: the long form if BOOKTAPE_ENDURANCE=long is set, else the short one."""

import os
from typing import Final

IS_LONG: Final = os.environ.get("BOOKTAPE_ENDURANCE") == "long"
TIMEOUT_S: Final = 4 * 3600 if IS_LONG else 300  # a busy machine takes three times as long
"""Seconds after which a test counts as hanging."""


def cases(long: int, short: int) -> int:
    """Return the number of cases of the chosen form."""
    return long if IS_LONG else short


def report(row: str, **figures: object) -> None:
    """Print the figures of a test; `pytest -s` shows them."""
    text = ", ".join(f"{name} {_text(value)}" for name, value in figures.items())
    print(f"\n{row} ({'long' if IS_LONG else 'short'} form): {text}")  # noqa: T201  shown by -s


def _text(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)
