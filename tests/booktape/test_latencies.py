"""Several latencies in one pass: each lane is that of a run with its latency alone."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

import booktape as bt
from recorder.settings import EngineName
from tests.support.commands import invoke, json_of
from tests.support.constants import ETH, SAMPLE, START
from tests.support.market_truth import true_market
from tests.support.rows import write_tape

LATENCIES = ("20ms", "uniform:20ms:200ms", "feed:40ms:1", "1s")
OPTIONS: dict[str, Any] = {"sweep": {"threshold": ("1bps", "5bps")}, "queue": "back,share", "end": "+20s"}


PATIENT = f"{__name__}:Patient"


class Patient:
    """A strategy with a setting of the same name."""

    wakes = bt.Wakes(top=True)

    def __init__(self, product: str, latency: str = "1s") -> None:
        pass

    def on_event(self, m: bt.MarketView) -> None:
        """Do nothing."""


@pytest.mark.parametrize(("engine", "processes"), [("plain", 1), ("compiled", 2)])
def test_a_lane_is_that_of_its_latency_alone(engine: EngineName, processes: int) -> None:
    """Digests and caveats are those of single runs, with the same random draws, and the table names each."""
    tape = bt.open(SAMPLE)
    many = tape.backtest(latency=LATENCIES, engine=engine, processes=processes, keep=False, **OPTIONS)
    assert len(many.rows) == 2 * 2 * 2 * len(LATENCIES)
    for latency in LATENCIES:
        alone = tape.backtest(latency=latency, engine="plain", keep=False, **OPTIONS)
        rows = [row for row in many.rows if many.values(row)["latency"] == latency]
        assert [(row.product, row.queue, row.execution_digest, row.caveats) for row in rows] == [
            (row.product, row.queue, row.execution_digest, row.caveats) for row in alone.rows
        ]
    traded = [row for row in many.rows if row.product == ETH and row.fills]
    assert len({row.execution_digest for row in traded}) >= len(LATENCIES)
    assert set(many.table()["setting_latency"].to_pylist()) == set(LATENCIES)


def test_a_curve_on_the_command_line(tmp_path: Path) -> None:
    """A list with ranges and files is one lane each, named as it was written; the strategy never sees it."""
    delays = tmp_path / "delays"
    delays.write_text("30ms\n70ms\n")
    latencies = f"20ms:60ms:20ms,file:{delays}"
    options = ("backtest", SAMPLE, "-p", ETH, "--set", "threshold=1bps", "--to", "+10s")
    document = json_of(*options, "--latency", latencies)
    texts = ["20ms", "40ms", "60ms", f"file:{delays}"]
    assert [each["latency"] for each in document["settings"]] == texts
    for row, latency in zip(document["rows"], texts, strict=True):
        (alone,) = json_of(*options, "--latency", latency)["rows"]
        assert row["net"] == alone["net"]


def test_the_best_is_chosen_at_one_latency() -> None:
    """The largest: nobody chooses a latency, so neither the best nor of how many it is the best counts them.

    Here a setting is the best at the smallest latency by far, and another one at the largest.
    """
    options: dict[str, Any] = {"products": ETH, "end": "+25s", "fees": "coinbase:top", "keep": False}
    sweep = {"threshold": ("0bps", "1bps", "5bps")}
    tape = bt.open(SAMPLE)
    many = tape.backtest(latency="50ms,2s,10ms", sweep=sweep, **options)
    alone = {each: tape.backtest(latency=each, sweep=sweep, **options) for each in ("10ms", "50ms", "2s")}
    assert max(row.net or 0 for row in many.rows) != alone["2s"].best().net
    assert (many.settings.best_at, many.trials) == ("2s", 3)
    best = many.best()
    assert (best.net, best.best_of, best.best_at) == (alone["2s"].best().net, 3, "2s")
    assert str(best).endswith("the best net of 3 settings at a latency of 2s")
    for latency, each in alone.items():
        assert many.best(latency=latency).net == each.best().net
        assert each.best().best_at is None
    with pytest.raises(bt.OptionError, match="latency: '3s' is not one of 50ms, 2s, 10ms"):
        many.best(latency="3s")
    document = many.document()
    assert (document["trials"], document["best_at"]) == (3, "2s")
    curve = next(each for each in many.neighbours() if each.name == "latency")
    assert [each.at for each in curve.points] == ["50ms", "2s", "10ms"]
    models = ("10ms", "uniform:1ms:30ms", "feed:5ms:1", "feed:5ms:0.000001")
    assert tape.backtest(latency=models, end="+2s", keep=False).settings.best_at == "feed:5ms:1"


def test_luck_is_judged_at_one_latency(tmp_path: Path) -> None:
    """With hours enough: the judgement is that of a run with the largest latency alone."""
    rows = [
        row._replace(recv_time=START + (row.recv_time - START) * 15_000)
        for row in true_market("level2_batch", 5, batches=200).rows
    ]
    tape = bt.open(write_tape(tmp_path / "tape", rows))
    options: dict[str, Any] = {
        "sweep": {"threshold": ("0.2bps", "0.6bps", "1bps")},
        "fees": "0/0",
        "by": "hour",
        "equity_every": "10m",
        "keep": False,
    }
    (both,) = tape.backtest(latency="10ms,4m", **options).luck()
    (alone,) = tape.backtest(latency="4m", **options).luck()
    assert both.trials == 3
    assert msgspec.structs.replace(both, setting=both.setting // 2) == alone


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("backtest", SAMPLE, "--latency", "20ms,soon"), "'soon' is not a duration"),
        (("backtest", SAMPLE, "--latency", "20ms:10ms:1ms"), "with LOW up to HIGH"),
        (
            ("backtest", SAMPLE, "--latency", "1ms:6000ms:1ms", "--sweep", "size=1,2"),
            "lanes are more than 10,000",
        ),
        (("backtest", SAMPLE, "--latency", "1s,2s", "--walk", "20s:20s"), "a walk has one latency"),
        (
            (
                "backtest",
                SAMPLE,
                "--latency",
                "1s,2s",
                "--strategy",
                f"{__name__}:Patient",
                "--set",
                "latency=2s",
            ),
            "which the strategy has, too",
        ),
        (
            ("live", ETH, "--strategy", "booktape.strategies:QuoteWhenWide", "--latency", "1s,2s"),
            "a live strategy has one latency",
        ),
    ],
)
def test_latencies_that_cannot_be_compared(words: tuple[Any, ...], said: str) -> None:
    """Each is refused in one line, before anything is run."""
    done = invoke(*map(str, words))
    assert (done.exit_code, done.stdout) == (2, "")
    assert said in done.stderr
