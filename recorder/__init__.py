"""Recording a live feed to a tape; also the tape format (`recorder.tape`) and the import of captures.

import recorder
recorder.flow(["BTC-USD"])      # the streams of a live feed
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from recorder.dataflow.flows import flow

__all__ = ["flow"]


def __getattr__(name: str) -> Any:
    """Import on first use: `booktape --help` must not wait for Arrow and bytewax."""
    if name in __all__:
        return getattr(import_module("recorder.dataflow.flows"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
