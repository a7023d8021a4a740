"""Several latencies in one pass: each lane is that of a run with its latency alone."""

from pathlib import Path
from typing import Any

import pytest

import booktape as bt
from recorder.settings import EngineName
from tests.support.commands import invoke, json_of
from tests.support.constants import ETH, SAMPLE

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
