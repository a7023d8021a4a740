"""The columns of a backtest for people and programs: a row for each lane, and for each part of one."""

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec
import pyarrow as pa

from orderbook.display import printable
from orderbook.schema import columns
from orderbook.times import format_optional
from replay.simulation.parts import BacktestPart
from replay.simulation.rows import BacktestRow
from replay.simulation.tables import horizon_name

_LANE: Final = columns(False, product=pa.string(), setting=pa.int32(), queue=pa.string())
_ASCENDING: Final = frozenset({"product", "tape", "setting", "queue"})
_NUMBER: Final = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")

_PLAIN: Final = frozenset(BacktestRow.__struct_fields__) - {"refused", "markouts"}
"""Columns that a row has as they are."""

_TAPE: Final = columns(True, tape=pa.string())
"""After the product, if there are several tapes; null of all together."""


def parts_schema(*, has_tapes: bool) -> pa.Schema:
    """Return the columns of `Backtest.parts_table`, after which come those of the strategy's settings."""
    return _with_tapes(PARTS_SCHEMA) if has_tapes else PARTS_SCHEMA


def _with_tapes(schema: pa.Schema) -> pa.Schema:
    return schema.insert(1, _TAPE[0])


PARTS_SCHEMA: Final = pa.schema(
    [
        *_LANE,
        *columns(False, part=pa.string()),
        *columns(False, fills=pa.int64(), fills_maker=pa.int64(), fills_taker=pa.int64()),
        *columns(False, turnover=pa.float64(), fees=pa.float64(), realised=pa.float64()),
        *columns(True, net=pa.float64()),
        *columns(False, position=pa.float64()),
    ]
)
"""Columns of `Backtest.parts_table`, after which come those of the strategy's settings."""


def backtest_schema(horizons: Sequence[int], *, has_tapes: bool = False) -> pa.Schema:
    """Return the columns of `Backtest.table` with mark-outs after these times, in nanoseconds."""
    names = [
        f"markout_{horizon_name(each)}_{what}_bps"
        for each in horizons
        for what in ("mean", "standard_error", "maker", "taker")
    ]
    schema = pa.schema(
        [
            *_LANE,
            *columns(False, orders=pa.int64(), refused=pa.int64()),
            *columns(False, fills=pa.int64(), fills_maker=pa.int64(), fills_taker=pa.int64()),
            *columns(
                True, fill_ratio=pa.float64(), fill_ratio_back=pa.float64(), fill_ratio_front=pa.float64()
            ),
            *columns(False, turnover=pa.float64(), fees=pa.float64(), realised=pa.float64()),
            *columns(True, mark=pa.float64(), unrealised=pa.float64(), net=pa.float64()),
            *columns(True, net_exit=pa.float64()),
            *columns(False, position=pa.float64(), position_max=pa.float64(), position_min=pa.float64()),
            *columns(False, drawdown=pa.float64(), time_in_position_s=pa.float64(), observed_s=pa.float64()),
            *columns(True, sharpe=pa.float64()),
            *columns(False, sharpe_samples=pa.int64()),
            *columns(True, sharpe_standard_error=pa.float64(), sharpe_hourly=pa.float64()),
            *columns(False, interrupted_size=pa.float64(), interrupted_through=pa.int64()),
            *columns(False, interrupted_traded=pa.int64(), trade_gaps=pa.int64()),
            *columns(False, trades_malformed=pa.int64()),
            *columns(True, **dict.fromkeys(names, pa.float64())),
        ]
    )
    return _with_tapes(schema) if has_tapes else schema


def setting_names(settings: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the columns of the strategy's settings."""
    return [f"setting_{name}" for name in dict.fromkeys(name for values in settings for name in values)]


def sort_columns(
    horizons: Sequence[int], settings: Iterable[Mapping[str, Any]], *, has_tapes: bool
) -> tuple[str, ...]:
    """Return the columns that rows can be sorted by: all of them."""
    return (*backtest_schema(horizons, has_tapes=has_tapes).names, *setting_names(settings))


def number_columns(horizons: Sequence[int]) -> tuple[str, ...]:
    """Return the columns of one tape that are numbers of a lane, not what names it."""
    return tuple(each.name for each in backtest_schema(horizons) if each.name not in _ASCENDING)


def sort_rows(rows: list[dict[str, Any]], by: str) -> list[int]:
    """Return the places of rows in the order of a column: what names a lane ascending, others largest first.

    A row without a value comes last; rows of equal values stay as they are.
    """
    known = [place for place, row in enumerate(rows) if row[by] is not None]
    if by in _ASCENDING or by.startswith("setting_"):
        known.sort(key=lambda place: _natural(rows[place][by]))
    else:
        known.sort(key=lambda place: rows[place][by], reverse=True)
    return known + [place for place, row in enumerate(rows) if row[by] is None]


def _natural(value: object) -> tuple[bool, float, str]:
    """Return a key under which 5bps comes before 10bps, and numbers before texts."""
    text = str(value)
    number = _NUMBER.match(text)
    return number is None, float(number[0]) if number else 0.0, text


def flat_row(row: BacktestRow, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the cells of a lane by column, those of its settings included."""
    flat = msgspec.structs.asdict(row) | {"refused": sum(row.refused.values())}
    for name, found in row.markouts.items():
        flat |= {
            f"markout_{name}_mean_bps": found.all.mean_bps,
            f"markout_{name}_standard_error_bps": found.all.standard_error_bps,
            f"markout_{name}_maker_bps": found.maker.mean_bps,
            f"markout_{name}_taker_bps": found.taker.mean_bps,
        }
    return flat | _settings(values)


def cell(row: BacktestRow, column: str) -> Any:
    """Return one cell of a lane, of a column that is not one of its settings."""
    return getattr(row, column) if column in _PLAIN else flat_row(row, {})[column]


def flat_part(part: BacktestPart, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the cells of a part of a lane by column, those of its settings included."""
    return msgspec.structs.asdict(part) | {"part": str(part.part)} | _settings(values)


def table_of(rows: list[dict[str, Any]], schema: pa.Schema, settings: Iterable[str]) -> pa.Table:
    """Return rows as a table; settings are texts."""
    names = [pa.field(name, pa.string()) for name in settings]
    return pa.Table.from_pylist(rows, pa.schema([*schema, *names]))


def csv_of(table: pa.Table) -> str:
    """Return a table as CSV with a header."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(map(_csv_cell, table.column_names))
    writer.writerows(zip(*map(_csv_cells, table.columns), strict=True))
    return text.getvalue()


def _csv_cells(column: pa.ChunkedArray) -> list[object]:
    """Return values for CSV: times as ISO texts; a setting must not control a terminal."""
    if pa.types.is_timestamp(column.type):
        return [format_optional(time) for time in column.cast(pa.int64()).to_pylist()]
    return [_csv_cell(value) for value in column.to_pylist()]


def _csv_cell(value: object) -> object:
    return printable(value, len(value)) if isinstance(value, str) else value


def _settings(values: Mapping[str, Any]) -> dict[str, Any]:
    return {f"setting_{name}": None if value is None else str(value) for name, value in values.items()}
