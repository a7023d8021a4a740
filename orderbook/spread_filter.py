"""The spread filter: the summaries whose relative spread is above a threshold."""

import pyarrow as pa
import pyarrow.compute as pc


def above(summaries: pa.RecordBatch, threshold: float) -> pa.RecordBatch:
    """Return the summaries with relative_spread > threshold, in buffers of their own.

    Equal is not above. One-sided books have no relative spread (null), crossed and locked ones have
    none above 0: as a threshold is never negative, they never pass. O(rows), one vectorised expression.
    """
    spreads = summaries.column("relative_spread")
    return summaries.filter(pc.greater(spreads, pa.scalar(threshold, pa.float64())))
