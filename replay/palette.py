"""The colours of the report and of the page of `view`: for Plotly, and as variables of CSS."""

from collections.abc import Iterator, Mapping
from typing import Final

# Of figures. A contrast of at least 3 to 1 on white and on near black.
BLUE: Final = "#2f7ed8"
"""Bids, and takers who bought."""
ORANGE: Final = "#d9730d"
"""Asks, and takers who sold."""
VIOLET: Final = "#9b6dd6"
"""Own orders, fills and positions."""
GREEN: Final = "#2a9d5c"
GREY: Final = "#7d8894"

HEAT: Final = ("#1b2a49", "#22527c", "#1f8390", "#5bb06a", "#c9cf4a", "#fff3a0")
"""Of sizes, from the smallest to the largest, on `NOTHING`: dark in both schemes."""
NOTHING: Final = "#0d1322"

_FIGURES: Final = {
    "blue": BLUE,
    "orange": ORANGE,
    "violet": VIOLET,
    "nothing": NOTHING,
    "over-heat": "#e6e9ed",
    **{f"heat-{place}": colour for place, colour in enumerate(HEAT)},
}
_LIGHT: Final = {
    "page": "#ffffff",
    "panel": "#f6f8fa",
    "ink": "#1a1d21",
    "muted": "#57606a",
    "line": "#d5dae0",
    "link": "#0b5cad",
    "warn": "#b3420b",
    "shade": "#1a1d2140",
    "bid": "#0b5cad",
    "ask": "#b3470b",
}
_DARK: Final = {
    "page": "#14171b",
    "panel": "#1b2026",
    "ink": "#e6e9ed",
    "muted": "#a3adb8",
    "line": "#343c45",
    "link": "#7fb5f5",
    "warn": "#ff9d5c",
    "shade": "#ffffff40",
    "bid": "#6fb1ff",
    "ask": "#ff9a5c",
}
"""`bid` and `ask` are of text, which needs more contrast than a figure."""


def css() -> str:
    """Return the variables of CSS in both schemes.

    >>> css().splitlines()[0]
    ':root { color-scheme: light dark; }'
    """
    return "\n".join(_rules())


def _rules() -> Iterator[str]:
    yield ":root { color-scheme: light dark; }"
    yield _rule(_FIGURES | _LIGHT)
    yield f"@media (prefers-color-scheme: dark) {{ {_rule(_DARK)} }}"


def _rule(colours: Mapping[str, str]) -> str:
    return f":root {{ {' '.join(f'--{name}: {colour};' for name, colour in colours.items())} }}"
