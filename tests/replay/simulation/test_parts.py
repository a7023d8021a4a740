"""Parts of a lane: they add up to the whole, and each is what its own fills and marks say."""

from pathlib import Path
from typing import Any

import pytest

import booktape as bt
from replay.comparing.metrics import By
from replay.simulation.parts import BacktestPart
from tests.support.commands import invoke
from tests.support.constants import BTC, ETH, SECOND
from tests.support.market_truth import true_market
from tests.support.rows import write_tape

HOUR = 3600 * SECOND


@pytest.fixture(scope="module")
def midnight(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a tape of a market whose rows lie around a midnight."""
    rows = true_market("level2_batch", 5, batches=60).rows
    middle = rows[len(rows) // 2].recv_time
    offset = -(-middle // (24 * HOUR)) * 24 * HOUR - middle
    shifted = [row._replace(recv_time=row.recv_time + offset) for row in rows]
    return write_tape(tmp_path_factory.mktemp("midnight") / "tape", shifted)


@pytest.mark.parametrize("by", ["hour", "day", "connection"])
def test_parts_add_up(midnight: Path, by: By) -> None:
    """Counts exactly, money to the rounding of the floats."""
    is_short = by == "connection"
    tape: Path | str = "sample:" if is_short else midnight
    window: dict[str, Any] = {"start": "+50s", "end": "+70s"} if is_short else {}
    threshold = "0.2bps" if not is_short else "2bps"
    result = bt.open(tape).backtest(
        settings={"threshold": threshold}, queue=("back", "share"), fees="-1/5", by=by, **window
    )
    assert len(result.parts) == 2 * len(result.rows)
    for row in result.rows:
        lane = (row.product, row.setting, row.queue)
        parts = [each for each in result.parts if (each.product, each.setting, each.queue) == lane]
        for name in ("fills", "fills_maker", "fills_taker"):
            assert sum(getattr(each, name) for each in parts) == getattr(row, name)
        for name in ("turnover", "fees", "realised", "net"):
            total = sum(getattr(each, name) for each in parts)
            assert total == pytest.approx(getattr(row, name), abs=1e-9)
        assert parts[-1].position == row.position


def naive_net(result: Any, boundary: int) -> tuple[float, float]:
    """Return the profit before and from a time on, by the samples of the equity."""
    samples = zip(result.equity.column("time"), result.equity.column("equity").to_pylist(), strict=True)
    known = [(time.value, float(value)) for time, value in samples if value is not None]
    before = [value for time, value in known if time < boundary]
    return before[-1], known[-1][1] - before[-1]


def test_profit_of_a_part_is_the_change_of_the_equity(midnight: Path) -> None:
    """From the last sample before the part to its own last one; fills belong to the part of their time."""
    settings = {"threshold": "0.2bps"}
    result = bt.open(midnight).backtest(settings=settings, latency="0", by="day")
    first, second = result.parts
    assert isinstance(first, BacktestPart)
    assert first.fills > 0 < second.fills
    day = 24 * HOUR
    boundary = bt.open(midnight).rows(BTC).column("recv_time")[-1].value // day * day
    assert (first.net, second.net) == pytest.approx(naive_net(result, boundary))
    assert result.fills is not None
    times = [time.value for time in result.fills.column("time")]
    assert first.fills == sum(time < boundary for time in times)
    for engine in ("plain", "compiled"):  # without tables, of which the compiled one keeps few rows then
        few = bt.open(midnight).backtest(settings=settings, latency="0", by="day", keep=False, engine=engine)
        assert few.parts == result.parts
    whole = bt.open(midnight).backtest(settings=settings, latency="0")
    assert whole.rows == result.rows
    assert whole.parts == []


def test_parts_in_every_form() -> None:
    """JSON and CSV have them, the terminal shows them above their lane."""
    result = bt.open("sample:").backtest(products=ETH, settings={"threshold": "1bps"}, by="connection")
    document = result.document()
    assert [part["part"] for part in document["parts"]] == [0, 1]  # type: ignore[attr-defined]
    assert result.csv().splitlines()[0].startswith("product,setting,queue,part,fills")
    assert result.parts_table().num_rows == len(result.csv().splitlines()) - 1 == 2
    printed = invoke("backtest", "sample:", "-p", ETH, "--set", "threshold=1bps", "--by", "connection").stdout
    rows = [line.split()[:3] for line in printed.splitlines() if line.startswith(ETH)]
    assert rows[:3] == [[ETH, "share", "0"], [ETH, "share", "1"], [ETH, "share", "whole"]]
