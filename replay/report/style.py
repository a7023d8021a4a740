"""How figures look, as far as it stands in their data; the rest is in report.css and report.js.

A figure is what Plotly takes, plain data. Line and marker differ wherever colour does.
"""

from typing import Any, Final

Figure = dict[str, Any]

# Legible on white and on near black alike: 3 to 1 or better.
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
