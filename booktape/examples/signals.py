"""Signals made in polars (pip install polars), sent as a table of orders.

python -m booktape.examples.signals sample: ETH-USD
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import booktape as bt

if TYPE_CHECKING:
    import polars as pl


def signals(tape: bt.Tape, product: str, fast: str, slow: str, size: str) -> pl.DataFrame:
    """Return market orders that follow a fast mean of the mid across a slow one, both over time.

    A signal is decided by the row that makes it and sent at the time of that row, so it knows nothing later.
    A mean of the whole day, or a shift by -1, would know the future, and no backtest can see that.
    """
    import polars as pl

    book = pl.DataFrame(tape.summaries(product)).drop_nulls(["bid_price", "ask_price"])
    mid = (pl.col("bid_price") + pl.col("ask_price")) / 2
    means = book.select(
        time="recv_time",
        above=mid.ewm_mean_by("recv_time", half_life=fast) > mid.ewm_mean_by("recv_time", half_life=slow),
    )
    crossings = means.filter(pl.col("above") != pl.col("above").shift(1))
    return crossings.select(
        time="time",
        what=pl.lit("market"),
        name=pl.int_range(pl.len()).cast(pl.String),
        side=pl.when("above").then(pl.lit("bid")).otherwise(pl.lit("ask")),
        price=pl.lit(None, pl.String),
        size=pl.lit(size),
    )


def both(tape: bt.Tape, product: str) -> pl.DataFrame:
    """Return the signals of two settings as one table: each is a lane of its own, in one pass."""
    import polars as pl

    settings = {"fast": ("500ms", "5s"), "slow": ("2s", "20s")}
    tables = [
        signals(tape, product, *values, "0.05").with_columns(setting=pl.lit(name))
        for name, values in settings.items()
    ]
    return pl.concat(tables)


def main(path: str, product: str) -> None:
    """Run the signals over a tape and print what came of them."""
    import polars as pl

    tape = bt.open(Path(path))
    result = tape.backtest(orders=both(tape, product), products=product, fees="0/5")
    print(pl.DataFrame(result.table()).select("setting_setting", "orders", "fills", "fees", "net"))  # noqa: T201  what it is for


if __name__ == "__main__":
    main(*sys.argv[1:])
