"""The profit of each threshold is that of a backtest with it, in every group and in every form of output."""

import json
from pathlib import Path
from typing import Any

import pytest

import booktape as bt
from booktape.strategies import QuoteWhenWide
from replay.comparing.metrics import PROFIT_METRICS
from replay.comparing.profits import Profit
from tests.support.commands import invoke, json_of
from tests.support.constants import ETH, SAMPLE
from tests.support.market_truth import true_market
from tests.support.rows import write_tape

WORKED = "booktape.strategies:QuoteWhenWide"
THRESHOLDS = ("0.00002", "0.5bps")
EXECUTION = bt.Execution(fees="1/2", latency="10ms")


class Derived(QuoteWhenWide):
    """The same in Python: so several processes share its thresholds."""


def test_columns_are_those_of_a_profit() -> None:
    """The one list of columns names what a profit holds, in its order."""
    assert tuple(metric.name for metric in PROFIT_METRICS) == Profit._fields


def test_each_row_is_a_backtest(tmp_path: Path) -> None:
    """Of each tape and of both, by connection and whole, the numbers are those of a backtest alone."""
    tapes = [
        write_tape(tmp_path / str(seed), true_market("level2_batch", seed, batches=60).rows)
        for seed in (5, 6)
    ]
    found = bt.compare(tapes, THRESHOLDS, strategy=Derived, execution=EXECUTION, by="connection", processes=2)
    rows = {(row["tape"], row["product"], row["connection"], row["threshold"]): row for row in found.rows()}
    traded = 0
    for text, threshold in zip(THRESHOLDS, (0.00002, 0.00005), strict=True):
        for queue, name in (("share", "profit"), ("back", "profit_back"), ("front", "profit_front")):
            alone = bt.backtest(
                tapes,
                settings={"threshold": text},
                queue=queue,
                fees="1/2",
                latency="10ms",
                by="connection",
                keep=False,
            )
            for each in alone.rows:
                row = rows[each.tape, each.product, None, threshold]
                assert row[name] == pytest.approx(each.net, abs=1e-12)
                assert queue != "share" or row["fills"] == each.fills
                traded += each.fills
            for part in alone.parts:
                row = rows[part.tape, part.product, part.part, threshold]
                assert row[name] == pytest.approx(part.net, abs=1e-12)
                assert queue != "share" or row["fills"] == part.fills
    assert traded > 100


def test_forms_of_output(tmp_path: Path) -> None:
    """JSON, CSV, Parquet and the table have the same numbers; the document says what was traded."""
    plain = ("compare", str(SAMPLE), "-p", ETH, "--sweep", "0bps", "2bps", "1bps", "--to", "+30s")
    trading = ("--strategy", WORKED, "--set", "size=0.02", "--fees", "coinbase:top", "--sort", "profit")
    document = json_of(*plain, *trading, "-o", str(tmp_path / "run"))
    profits = [row["profit"] for row in document["rows"]]
    assert profits == sorted(profits, reverse=True)
    traded = document["traded"]
    assert (traded["strategy"], traded["settings"], traded["trials"]) == (WORKED, {"size": "0.02"}, 3)
    assert (traded["fees"], traded["latency"]) == ("coinbase:top", "100ms")
    assert json.loads((tmp_path / "run" / "run.json").read_bytes())["traded"] == traded
    shown = invoke(*plain, *trading).stdout
    assert [f"{profit:+.4g}" in shown for profit in profits] == [True] * 3
    assert "the best of 3 settings, so some of it is luck" in " ".join(shown.split())
    without = json_of(*plain)
    assert without["traded"] is None
    assert "profit" not in without["rows"][0]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--strategy", "booktape.examples.market_making:MarketMaker"], "no threshold to trade by"),
        (["--strategy", WORKED, "--set", "threshold=1bps"], "set other settings"),
        (["--strategy", WORKED, "--set", "sizes=1"], "its settings are threshold, size"),
        (["--strategy", WORKED, "--latency", "1s,2s"], "a comparison has one latency"),
        (["--set", "size=1"], "'--set': only with a strategy"),
        (["--fees", "1/2"], "'--fees': only with a strategy"),
        (["--sort", "profit"], "'profit' is not one of threshold"),
    ],
)
def test_what_cannot_be_traded(words: list[str], said: str) -> None:
    """Each is refused in one line."""
    done = invoke("compare", str(SAMPLE), "--threshold", "1bps", *words)
    assert (done.exit_code, done.stdout) == (2, "")
    assert said in done.stderr


def test_a_strategy_of_ones_own() -> None:
    """A callable is named, and gets each threshold as it is compared, to the last digit."""
    given: list[Any] = []

    class Watching:
        wakes = bt.Wakes(top=True)

        def __init__(self, product: str, threshold: str) -> None:
            given.append((product, threshold))

        def on_event(self, m: bt.MarketView) -> None:
            """Do nothing."""

    found = bt.open(SAMPLE).compare([1.2345e-5, "7%"], strategy=Watching, products=ETH, end="+2s")
    assert set(given) == {(ETH, "0.12345bps"), (ETH, "700bps")}
    assert {row["profit"] for row in found.rows()} == {0}
