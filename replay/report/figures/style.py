"""Colours and line styles of the figures; the other looks are in report.css and report.js.

A figure is plain data that Plotly draws. Lines of different colours also differ in dash and marker.
"""

from typing import Any, Final

Figure = dict[str, Any]

# A contrast of at least 3 to 1 on white and on near black.
BLUE: Final = "#2f7ed8"
ORANGE: Final = "#d9730d"
GREEN: Final = "#2a9d5c"
VIOLET: Final = "#9b6dd6"
GREY: Final = "#7d8894"
STYLES: Final = (
    (BLUE, "solid", "circle"),
    (ORANGE, "dash", "square"),
    (GREEN, "dot", "diamond"),
    (VIOLET, "dashdot", "triangle-up"),
    (GREY, "longdash", "x"),
)

NO_LEGEND: Final = {"showlegend": False}
