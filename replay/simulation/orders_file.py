"""A table of orders, Parquet or Arrow: what is sent to the exchange, and when."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from orderbook.errors import OptionError
from orderbook.execution.table import OrdersTable, TableRow
from recorder.tape.store.local import open_file

_TEXT: Final = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
_WHOLE: Final = (pa.types.is_integer,)
_NUMBER: Final = (*_TEXT, *_WHOLE, pa.types.is_decimal, pa.types.is_float64)
_NEEDED: Final = ("time", "what", "name", "side", "price", "size")
_OPTIONAL: Final = ("post_only", "ioc", "product", "setting")
_TYPES: Final = {
    **dict.fromkeys(("what", "name", "side", "product"), (_TEXT, "string")),
    **dict.fromkeys(("price", "size"), (_NUMBER, "string, decimal128 or double")),
    **dict.fromkeys(("post_only", "ioc"), ((pa.types.is_boolean,), "bool")),
    "setting": ((*_TEXT, *_WHOLE), "int32 or string"),
}
"""Types that a column can have, and how to say it. It can be a dictionary of them, or of nulls alone."""

_COLUMNS: Final = "time, what, name, side, price, size and, if you like, post_only, ioc, product, setting"


def read_orders(source: Path | pa.Table) -> pa.Table:
    """Return a table of orders.

    Raises:
        OptionError: if the file cannot be read, or a column is missing, unknown or of another type.
    """
    table = _read_file(source) if isinstance(source, Path) else source
    missing = [name for name in _NEEDED if name not in table.column_names]
    unknown = [name for name in table.column_names if name not in {*_NEEDED, *_OPTIONAL}]
    if missing or unknown:
        wrong = f"has no column {missing[0]!r}" if missing else f"has a column {unknown[0]!r}"
        raise OptionError(f"{_name(source)} {wrong}; the columns are {_COLUMNS}", option="orders")
    if not table.num_rows:
        raise OptionError(f"{_name(source)} has no row, so there is nothing to send", option="orders")
    twice = next((name for name in table.column_names if table.column_names.count(name) > 1), None)
    if twice is not None:
        raise OptionError(f"{_name(source)} has two columns {twice!r}", option="orders")
    time = table.schema.field("time").type
    if not pa.types.is_timestamp(time) or time.tz not in {"UTC", "+00:00", "Etc/UTC"}:
        reason = f"column time of {_name(source)} is {time}; cast it to timestamp[ns, UTC]"
        raise OptionError(reason, option="orders")
    for name, (checks, types) in _TYPES.items():
        kind = table.schema.field(name).type if name in table.column_names else pa.null()
        if not _is_of(kind, checks):
            reason = f"column {name} of {_name(source)} is {kind}; cast it to {types}"
            raise OptionError(reason, option="orders")
    if table.column("time").null_count or table.column("what").null_count or table.column("name").null_count:
        raise OptionError(f"a row of {_name(source)} has no time, what or name", option="orders")
    if "setting" in table.column_names and 0 < table.column("setting").null_count < table.num_rows:
        raise OptionError(f"a row of {_name(source)} has no setting, others have one", option="orders")
    return table


def _is_of(kind: pa.DataType, checks: Iterable[Callable[[pa.DataType], bool]]) -> bool:
    value = kind.value_type if pa.types.is_dictionary(kind) else kind
    return pa.types.is_null(value) or any(check(value) for check in checks)


def _read_file(path: Path) -> pa.Table:
    try:
        with open_file(path) as file:
            is_parquet = file.read(4) == b"PAR1"
        if is_parquet:
            return pq.read_table(path, partitioning=None)
        with pa.memory_map(str(path)) as source:
            return pa.ipc.open_file(source).read_all()
    except OSError as error:
        reason = f"{path}: {error.strerror or error}"
    except pa.ArrowException as error:
        reason = f"{path}: neither a Parquet nor an Arrow file ({str(error).splitlines()[0]})"
    raise OptionError(reason, option="orders")


def _name(source: Path | pa.Table) -> str:
    return str(source) if isinstance(source, Path) else "the table of orders"


class OrderTables:
    """The lanes of a table of orders: one for each value of its column `setting`, or one alone.

    Args:
        table: as `read_orders` returns it.

    Raises:
        OptionError: if a row cannot be sent, or the times of a setting go back.
    """

    def __init__(self, table: pa.Table) -> None:
        try:
            times = table.column("time").cast(pa.timestamp("ns", "UTC")).combine_chunks().view(pa.int64())
        except pa.ArrowInvalid:
            raise OptionError("a time is outside of the years 1678 to 2261", option="orders") from None
        columns = {name: table.column(name).to_pylist() for name in table.column_names if name != "time"}
        self._rows: dict[int | str | None, list[tuple[str | None, TableRow]]] = {}
        for place, time in enumerate(times.to_pylist()):
            values = {name: column[place] for name, column in columns.items()}
            row = self._rows.setdefault(values.pop("setting", None), [])
            row.append((values.pop("product", None), _table_row(time, values)))
        for setting in self._rows:
            try:
                OrdersTable([row for _, row in self._rows[setting]])  # checks all rows before any is sent
            except OptionError as error:
                if setting is not None:
                    error = OptionError(f"setting {setting}: {error.reason}", option="orders")
                raise error from None

    @property
    def settings(self) -> tuple[Mapping[str, Any], ...]:
        """The settings of the lanes, `{}` of a table without settings."""
        if self._rows.keys() <= {None}:
            return ({},)
        return tuple({"setting": setting} for setting in sorted(self._rows))  # type: ignore[type-var]  # of one type

    def make(self, product: str, setting: int | str | None = None) -> OrdersTable:
        """Return the strategy that sends the rows of a product."""
        rows: Sequence[tuple[str | None, TableRow]] = self._rows.get(setting, ())
        return OrdersTable([row for of, row in rows if of in {None, product}])

    def products(self) -> Iterable[str]:
        """Return the products that rows name."""
        return sorted({of for rows in self._rows.values() for of, _ in rows if of is not None})


def _table_row(time: int, values: Mapping[str, Any]) -> TableRow:
    return TableRow(
        time,
        values["what"],
        values["name"],
        values["side"],
        values["price"],
        values["size"],
        bool(values.get("post_only")),
        bool(values.get("ioc")),
    )
