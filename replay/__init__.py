"""Reading a tape back through the same core: replay, comparison, checks, reports.

import replay
replay.run("data/sample").summaries["BTC-USD"]  # see `replay.running.api.run`
replay.compare("data/sample", "10bps").table()  # see `replay.comparing.api.compare`
replay.flow("data/sample").signals(0.001)  # a bytewax flow, see `replay.dataflow.flows.flow`
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from replay.checking.diff.api import diff
    from replay.comparing.api import compare
    from replay.dataflow.flows import flow
    from replay.running.api import run

__all__ = ["compare", "diff", "flow", "run"]

_MODULES = {
    "compare": "replay.comparing.api",
    "diff": "replay.checking.diff.api",
    "flow": "replay.dataflow.flows",
    "run": "replay.running.api",
}


def __getattr__(name: str) -> Any:
    """Import on first use: `booktape --help` must not wait for Arrow and bytewax."""
    if name in _MODULES:
        return getattr(import_module(_MODULES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
