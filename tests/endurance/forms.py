"""How long an endurance test runs: the long form where BOOKTAPE_ENDURANCE=long is set, else the short one."""

import os
from typing import Final

IS_LONG: Final = os.environ.get("BOOKTAPE_ENDURANCE") == "long"
TIMEOUT_S: Final = 4 * 3600 if IS_LONG else 120
"""After which a test counts as hanging."""


def cases(long: int, short: int) -> int:
    """Return the number of cases of the form that is asked for."""
    return long if IS_LONG else short


def tell(row: str, **figures: object) -> None:
    """Print what a test has reached; `pytest -s` shows it."""
    said = ", ".join(f"{name} {_text(value)}" for name, value in figures.items())
    print(f"\n{row} ({'long' if IS_LONG else 'short'} form): {said}")  # noqa: T201  the figures are the point


def _text(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)
