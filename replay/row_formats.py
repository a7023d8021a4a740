"""The rows of a comparison as an Arrow table and as CSV: the same columns, also where there is no row."""

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any, Final

import pyarrow as pa

from replay.sweep.parts import By
from replay.sweep.results import PLAIN_FIELDS, ThresholdStatistics, horizon_label

_TYPES: Final[dict[Any, pa.DataType]] = {
    int: pa.int64(),
    float: pa.float64(),
    float | None: pa.float64(),
    bool: pa.bool_(),
}

_QUALITY: Final = {
    "excluded_s": pa.float64(),
    "interruptions": pa.int64(),
    "crossed": pa.int64(),
    "verdict": pa.string(),
}


def row_schema(horizons_ns: Sequence[int], by: By | None, *, has_tapes: bool) -> pa.Schema:
    """Return the columns of a comparison's rows.

    Args:
        horizons_ns: of the mark-outs.
        by: what the rows are split by.
        has_tapes: whether they are of several tapes.
    """
    columns: dict[str, pa.DataType] = {"product": pa.string()}
    if has_tapes:
        columns["tape"] = pa.string()
    if by is not None:
        columns[by] = pa.int64() if by == "connection" else pa.string()
    columns |= {name: _TYPES[ThresholdStatistics.__annotations__[name]] for name in PLAIN_FIELDS}
    for horizon in horizons_ns:
        start = f"markout_{horizon_label(horizon)}"
        columns |= {f"{start}_episodes": pa.int64(), f"{start}_left_out": pa.int64()}
        columns |= {
            f"{start}_{name}": pa.float64() for name in ("mean_bps", "standard_error_bps", "mean_abs_bps")
        }
    return pa.schema(columns | _QUALITY)


def to_csv(rows: Sequence[Mapping[str, object]], schema: pa.Schema) -> str:
    """Return rows as CSV with a heading; nothing where a value is None."""
    text = io.StringIO()
    writer = csv.DictWriter(text, schema.names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
