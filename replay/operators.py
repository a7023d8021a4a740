"""What a replay adds behind the core: the part that is reported."""

import bytewax.operators as op
from bytewax.operators import KeyedStream

from orderbook.engine import Step
from replay.window import Window


def reported(step_id: str, steps: KeyedStream[Step], window: Window) -> KeyedStream[Step]:
    """Leave out the steps before a window; the source cuts batches at its edges."""
    return op.filter_value(step_id, steps, lambda step: window.is_reported(step.span.first_time))
