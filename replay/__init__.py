"""From a tape back through the same core: replay, pacing, comparison, verification, the demo.

import replay
replay.run("data/sample").summaries["BTC-USD"]      # see `replay.running.run`
replay.compare("data/sample", [0.001, 0.002]).table()      # see `replay.comparing.compare`
replay.flow("data/sample").signals(0.001)      # a bytewax flow, see `replay.flows.flow`
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from replay.comparing import compare
    from replay.comparison import Comparison
    from replay.diffing import Diff, diff
    from replay.flows import flow
    from replay.running import ReplaySettings, RunResult, run

__all__ = ["Comparison", "Diff", "ReplaySettings", "RunResult", "compare", "diff", "flow", "run"]

_HOMES = {
    "Comparison": "replay.comparison",
    "Diff": "replay.diffing",
    "ReplaySettings": "replay.running",
    "RunResult": "replay.running",
    "compare": "replay.comparing",
    "diff": "replay.diffing",
    "flow": "replay.flows",
    "run": "replay.running",
}


def __getattr__(name: str) -> Any:
    """Import on first use: `booktape --help` must not wait for Arrow and bytewax."""
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
