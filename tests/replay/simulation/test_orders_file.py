"""Tables of orders: both kinds of files, lanes by setting, and every wrong table named."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import booktape as bt
from replay.simulation.orders_file import OrderTables, read_orders
from tests.support.constants import BTC, ETH, START

TIME = pa.timestamp("ns", "UTC")


def table(**changes: Any) -> pa.Table:
    """Return two orders of two settings and products; a column that is None is left out."""
    columns = {
        "time": pa.array([START, START + 1]).view(TIME),
        "what": ["limit", "market"],
        "name": ["a", "b"],
        "side": ["bid", "ask"],
        "price": pa.array(["100.5", None], pa.string()),
        "size": ["1", "0.5"],
        "product": [BTC, ETH],
        "setting": pa.array([4, 2], pa.int32()),
    }
    return pa.table({name: values for name, values in {**columns, **changes}.items() if values is not None})


def test_files_of_both_kinds(tmp_path: Path) -> None:
    """A Parquet and an Arrow file hold the same table."""
    pq.write_table(table(), tmp_path / "orders.parquet")
    with pa.ipc.new_file(tmp_path / "orders.arrow", table().schema) as writer:
        writer.write_table(table())
    found = [read_orders(tmp_path / name) for name in ("orders.parquet", "orders.arrow")]
    assert [each.column("name").to_pylist() for each in found] == [["a", "b"]] * 2


def test_each_setting_is_a_lane() -> None:
    """Settings are numbered by their order; a row of another product is not sent."""
    tables = OrderTables(read_orders(table()))
    assert tables.settings == ({"setting": 2}, {"setting": 4})
    assert tables.make(BTC, 4).first_wake == START
    assert tables.make(BTC, 2).first_wake is None
    assert OrderTables(read_orders(table(setting=None, product=None))).settings == ({},)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"size": None}, "has no column 'size'"),
        ({"colour": ["red", "blue"]}, "has a column 'colour'"),
        ({"time": pa.array([1, 2])}, "cast it to timestamp"),
        ({"time": pa.array([1, 2]).view(pa.timestamp("ns"))}, "cast it to timestamp"),
        ({"time": pa.array([1, None]).view(TIME)}, "has no time"),
        ({"time": pa.array([2, 1]).view(TIME), "setting": None}, "sort the rows by time"),
        ({"what": ["limit", "stop"]}, "write limit, market, amend or cancel"),
        ({"name": ["a", "a"], "setting": None}, "an order of this name is above it"),
        ({"what": ["limit", "cancel"]}, "no order of this name"),
        ({"price": ["1.2.3", None]}, "row 0 of the orders, 'a': price is '1.2.3'"),
        ({"side": ["buy", "ask"]}, "write bid or ask"),
        ({"price": pa.array([None, None], pa.string())}, "it has no price"),
        ({"time": pa.array([10**11] * 2, pa.timestamp("s", "UTC"))}, "outside of the years"),
        ({"name": [1, 2]}, "column name .* is int64; cast it to string"),
        ({"price": [[1.0], None]}, "column price .* cast it to string, decimal128 or double"),
        ({"price": pa.array([100.1, None], pa.float32())}, "column price .* is float"),
        ({"post_only": ["false", "false"]}, "column post_only .* cast it to bool"),
        ({"ioc": [0, 0]}, "column ioc .* cast it to bool"),
        ({"setting": [1.0, float("nan")]}, "column setting .* cast it to int32 or string"),
        ({"setting": pa.array(["x", None])}, "a row of the table of orders has no setting"),
        ({"setting": ["x", "y"], "side": ["bid", "sell"]}, "setting y: row 0 .* write bid or ask"),
        ({"post_only": [True, False], "ioc": [True, False]}, "post_only and ioc exclude each other"),
        ({"product": [BTC, "XYZ-USD"]}, "no product 'XYZ-USD' on this tape; it has"),
    ],
)
def test_wrong_tables(changes: dict[str, Any], said: str) -> None:
    """A table that cannot be sent is refused before the tape is read."""
    with pytest.raises(bt.OptionError, match=said) as found:
        bt.open("sample:").backtest(orders=table(**changes))
    assert found.value.option == "orders"


def test_a_table_without_rows() -> None:
    """Nothing would be sent, which a filter that went wrong would not say."""
    with pytest.raises(bt.OptionError, match="has no row"):
        bt.open("sample:").backtest(orders=table().slice(0, 0))


def test_a_setting_does_not_control_a_terminal() -> None:
    """A text of others is escaped in CSV, too."""
    result = bt.open("sample:").backtest(orders=table(setting=["a\x1b[2J", "b"]), end="+5s")
    assert "\x1b" not in result.csv()
    assert "a\\x1b[2J" in result.csv()


def test_a_column_twice() -> None:
    """Which of two columns of one name is meant, nobody knows."""
    doubled = table().append_column("size", pa.array(["2", "2"]))
    with pytest.raises(bt.OptionError, match="has two columns 'size'"):
        read_orders(doubled)


@pytest.mark.parametrize(
    "kind", [pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())]
)
def test_kinds_of_text(kind: pa.DataType) -> None:
    """Every kind of text is text, as polars and pandas write it."""
    assert OrderTables(read_orders(table(what=pa.array(["limit", "market"]).cast(kind)))).settings


@pytest.mark.parametrize("content", [b"", b"PAR1 and no more", b"time,what\n", bytes(100)])
def test_files_that_are_none(content: bytes, tmp_path: Path) -> None:
    """A file of another kind is named."""
    path = tmp_path / "orders"
    path.write_bytes(content)
    with pytest.raises(bt.OptionError, match="neither a Parquet nor an Arrow file"):
        bt.open("sample:").backtest(orders=path)
    with pytest.raises(bt.OptionError, match="No such file"):
        bt.open("sample:").backtest(orders=tmp_path / "nowhere")
