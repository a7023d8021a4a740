"""Walk-forward: every part is a backtest of its own, none is left out, and refusals are clear."""

import json
from pathlib import Path
from statistics import median

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

import booktape as bt
from orderbook.times import parse_time
from replay.simulation.walk_plan import WalkPlan
from replay.simulation.walk_results import WALK_SCHEMA
from tests.support.commands import invoke
from tests.support.constants import BTC, SAMPLE
from tests.support.market_truth import true_market
from tests.support.rows import write_tape

SWEEP = {"threshold": ("0.2bps", "0.5bps", "0.8bps"), "inside": (0, 1)}
EXECUTION = bt.Execution(fees="1/2", latency="10ms", queue=("back", "front"))


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a tape of ten seconds of a market with trades."""
    tape = tmp_path_factory.mktemp("market") / "tape"
    return write_tape(tape, true_market("level2_batch", 5, batches=200).rows)


@pytest.mark.parametrize("choose", ["net", "turnover"])
def test_every_part_is_a_backtest_of_its_own(market: Path, choose: str) -> None:
    """What is chosen is the best of a backtest of the first part; it is judged by one of the second."""
    tape = bt.open(market)
    result = tape.walk_forward(walk="3s:2s", choose=choose, sweep=SWEEP, execution=EXECUTION)
    assert result.trials == 6
    assert {step.queue for step in result.steps} == {"back", "front"}
    assert sum(step.fills or 0 for step in result.steps) > 10
    for step in result.steps:
        fit, judge = (
            tape.backtest(
                sweep=SWEEP, start=start, end=end, fees="1/2", latency="10ms", queue=step.queue, keep=False
            ).rows
            for start, end in ((step.fit_from, step.judge_from), (step.judge_from, step.judge_to))
        )
        best = max(getattr(row, choose) for row in fit)
        first = next(row.setting for row in fit if getattr(row, choose) == best)
        chosen = next(row for row in judge if row.setting == first)
        assert (step.setting, step.in_sample) == (first, best)
        assert (step.out_of_sample, step.net, step.fills) == (
            getattr(chosen, choose),
            chosen.net,
            chosen.fills,
        )
        assert step.rank == 1 + sum(getattr(row, choose) > getattr(chosen, choose) for row in judge)
        nets = [row.net for row in judge if row.net is not None]
        assert (step.net_median, step.net_best) == (median(nets), max(nets))
        filled = tuple(sum(row.fills > 0 for row in rows) for rows in (fit, judge))
        assert (step.fit_filled, step.judge_filled) == filled
    for total in result.totals():
        of_lane = [step for step in result.steps if step.queue == total.queue]
        assert total.net == pytest.approx(sum(step.net or 0 for step in of_lane))
        assert total.steps == len(of_lane)


def test_processes_change_nothing() -> None:
    """Products in two processes give the same steps, and the document has them."""
    tape = bt.open(SAMPLE)
    one, two = (tape.walk_forward(walk="70s:60s", processes=number) for number in (1, 2))
    assert one.steps == two.steps
    assert {step.product for step in one.steps} == {"BTC-USD", "ETH-USD"}
    document = one.document()
    assert document["trials"] == len(one.settings.settings) == 4
    assert document["steps"] == msgspec.to_builtins(one.steps)
    table = one.table()
    assert table.schema.names[: len(WALK_SCHEMA)] == WALK_SCHEMA.names
    assert table["judge_from"].cast(pa.int64()).to_pylist() == [
        parse_time(step.judge_from) for step in one.steps
    ]
    assert pc.sum(table["net"]).as_py() == pytest.approx(sum(step.net or 0 for step in one.steps))


@given(
    fit=st.integers(1, 50), judge=st.integers(1, 50), first=st.integers(0, 100), length=st.integers(0, 300)
)
def test_what_is_judged_is_judged_once(fit: int, judge: int, first: int, length: int) -> None:
    """The parts to judge are all that follows the first part to fit, and each follows its own."""
    steps = list(WalkPlan(fit, judge).steps(first, first + length))
    judged = [time for _, part in steps for time in range(part.start or 0, part.end or 0)]
    assert judged == list(range(first + fit, first + length))
    for before, after in steps:
        assert before.end == after.start
        assert (before.end or 0) - (before.start or 0) == fit


def test_a_part_without_a_book_is_told(market: Path) -> None:
    """A part to fit in which no book was known gives a step without numbers, not one of zeros."""
    tape = bt.open(market)
    first = tape.rows(BTC)["recv_time"].cast(pa.int64())[0].as_py()
    result = tape.walk_forward(walk="2s:2s", start=first - 5 * 10**9, sweep=SWEEP, execution=EXECUTION)
    before, *_, last = result.steps
    assert (before.setting, before.in_sample, before.net, before.rank) == (None, None, None, None)
    assert before.fit_filled is None
    assert last.setting is not None
    assert result.totals()[0].steps < len(result.steps) / 2


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["threshold=50bps,60bps"], "no setting was filled in 2 of 2 parts to fit"),
        (["threshold=50bps,60bps", "--choose", "sharpe"], "as no setting was filled in a part to fit"),
        (["threshold=0bps,60bps", "--choose", "sharpe"], "as no setting had a value of sharpe in a part"),
    ],
)
def test_a_choice_among_nothing_is_told(options: list[str], said: str) -> None:
    """No setting is named as chosen where none was filled; what is added up says why."""
    shown = invoke("backtest", SAMPLE, "-p", BTC, "--walk", "20s:100s", "--sweep", *options).stdout
    assert said in " ".join(shown.split())
    assert shown.count("none filled") == (2 if "50bps" in options[0] else 0)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--walk", "10m:10s"], "nothing is left to judge after 600 s of 121.762 s"),
        (["--walk", "1h"], "'1d:1h', the part to fit and the part to judge"),
        (["--walk", "1h:soon"], "soon"),
        (["--walk", "1ms:1ms"], "judge longer parts"),
        (["--walk", "20s:20s", "--set", "threshold=1bps"], "nothing to choose among"),
        (["--walk", "20s:20s", "--choose", "profit"], "'profit' is not one of orders, refused"),
        (["--walk", "20s:20s", "--by", "hour"], "--walk and --by exclude each other"),
        (["--walk", "20s:20s", "-o", "run"], "--walk and -o exclude each other"),
        (["--choose", "turnover"], "--choose is only for --walk"),
    ],
)
def test_bad_input_is_told(options: list[str], said: str) -> None:
    """One line says what cannot be used, with exit code 2."""
    result = invoke("backtest", SAMPLE, *options)
    assert result.exit_code == 2
    assert said in result.stderr


def test_as_people_and_programs_read_it() -> None:
    """The table fits a narrow terminal by leaving columns out; JSON and CSV have every step."""
    options = ("backtest", SAMPLE, "--walk", "50s:40s", "-p", "ETH-USD", "--fees", "0/0", "--latency", "10ms")
    shown = invoke(*options)
    assert shown.exit_code == 0
    assert "the largest net of 4 settings over 50 s is judged on the next 40 s" in shown.stdout
    document = json.loads(invoke(*options, "--json").stdout)
    assert [step["judge_from"][:19].replace("T", " ") in shown.stdout for step in document["steps"]]
    last = document["steps"][-1]
    cut = (parse_time(last["judge_to"]) or 0) - (parse_time(last["judge_from"]) or 0)
    assert document["last_judge_s"] == cut / 1e9 < document["judge_s"] == 40
    assert f"over 2 parts (the last is shorter: {cut / 1e9:.3f} s)" in " ".join(shown.stdout.split())
    lines = invoke(*options, "--csv").stdout.splitlines()
    assert len(lines) == 1 + len(document["steps"]) == 3
    assert lines[0].startswith("product,queue,fit_from,judge_from,judge_to,setting,in_sample,out_of_sample")
