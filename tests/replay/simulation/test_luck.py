"""What luck alone gives: published examples, brute force, and settings known to be lucky or good."""

import json
from importlib.util import find_spec
from math import isnan, sqrt
from pathlib import Path

import numpy as np
import pytest

from replay.simulation.luck import Moments, deflated_sharpe, largest_by_luck, moments, reality_check
from tests.support.commands import invoke
from tests.support.constants import START
from tests.support.market_truth import true_market
from tests.support.rows import write_tape


@pytest.mark.parametrize(("trials", "probability"), [(100, 0.9004), (46, 0.9505)])
def test_the_published_example(trials: int, probability: float) -> None:
    """Bailey and Lopez de Prado 2014: five years of days, a yearly ratio of 2.5 among so many trials."""
    by_luck = largest_by_luck(trials, 0.5 / 250)
    found = Moments(sharpe=2.5 / sqrt(250), skewness=-3.0, kurtosis=10.0)
    assert deflated_sharpe(found, 1250, by_luck) == pytest.approx(probability, abs=5e-5)


def test_the_largest_by_luck_is_that_of_a_simulation() -> None:
    """The mean of the largest of so many normal numbers, drawn again and again, is what is expected."""
    drawn = np.random.default_rng(5).normal(0.0, 0.3, (20_000, 50)).max(axis=1).mean()
    assert largest_by_luck(50, 0.3**2) == pytest.approx(drawn, rel=0.02)


def test_moments() -> None:
    """Against the definitions, for an exponential distribution: skewness 2, kurtosis 9."""
    found = moments(np.random.default_rng(3).exponential(1.0, 400_000))
    assert found.sharpe == pytest.approx(1.0, rel=0.01)
    assert found.skewness == pytest.approx(2.0, rel=0.05)
    assert found.kurtosis == pytest.approx(9.0, rel=0.15)
    assert moments(np.zeros(40)) == Moments(0.0, 0.0, 3.0)


def test_moments_without_a_standard_error() -> None:
    """Profits that are skewed beyond what the formula admits give no number, not a wrong one."""
    assert isnan(deflated_sharpe(Moments(3.0, 9.0, 4.0), 100, 0.1))


needs_arch = pytest.mark.skipif(find_spec("arch") is None, reason="needs booktape[search]; .ci/run has it")


@needs_arch
def test_the_reality_check_knows_luck_from_skill() -> None:
    """Settings that earn nothing pass at a level of 10 % about once in ten; one that earns much does, too."""
    rng = np.random.default_rng(11)
    lucky = [reality_check(rng.normal(0.0, 1.0, (120, 20))) for _ in range(60)]
    assert 1 <= sum(p < 0.1 for p in lucky) <= 14
    assert np.mean(lucky) == pytest.approx(0.5, abs=0.12)
    profits = rng.normal(0.0, 1.0, (120, 20))
    profits[:, 7] += 1.0
    assert reality_check(profits) < 0.01


@needs_arch
def test_the_reality_check_is_that_of_white() -> None:
    """With blocks of one period it is the bootstrap of independent periods, done here by hand."""
    profits = np.random.default_rng(2).normal(0.1, 1.0, (100, 5))
    means, rng = profits.mean(axis=0), np.random.default_rng(4)
    largest = []
    for _ in range(4000):
        again = profits[rng.integers(0, 100, 100)].mean(axis=0)
        largest.append((again - means).max())
    by_hand = float(np.mean(np.array(largest) > means.max()))
    assert reality_check(profits) == pytest.approx(by_hand, abs=0.08)


def test_the_best_of_a_sweep_is_judged_by_its_hours(tmp_path: Path) -> None:
    """The document has what follows from the profits by hour that stand in it, and a sentence says it."""
    rows = [
        row._replace(recv_time=START + (row.recv_time - START) * 15_000)
        for row in true_market("level2_batch", 5, batches=200).rows
    ]
    tape = write_tape(tmp_path / "tape", rows)
    options = (
        "backtest",
        str(tape),
        "--sweep",
        "threshold=0.2bps:1bps:0.2bps",
        "--fees",
        "0/0",
        "--by",
        "hour",
        "--equity-every",
        "10m",
    )
    document = json.loads(invoke(*options, "--json").stdout)
    (found,) = document["luck"]
    nets = {
        setting: [part["net"] for part in document["parts"] if part["setting"] == setting]
        for setting in range(5)
    }
    assert (found["trials"], found["periods"]) == (5, len(nets[0]))
    assert found["periods"] >= 30
    ratios = {
        setting: float(np.mean(of_hours) / np.std(of_hours, ddof=1)) if any(of_hours) else 0.0
        for setting, of_hours in nets.items()
    }
    assert found["setting"] == max(nets, key=lambda setting: sum(nets[setting]))
    assert found["sharpe"] == pytest.approx(ratios[found["setting"]])
    by_luck = largest_by_luck(5, float(np.var(list(ratios.values()), ddof=1)))
    assert found["sharpe_by_luck"] == pytest.approx(by_luck)
    assert 0 <= found["deflated_sharpe"] <= 1
    assert (found["reality_check"] is None) == (find_spec("arch") is None)
    shown = " ".join(invoke(*options).stdout.split())
    assert "what luck gives. Its Sharpe ratio by hour is" in shown
    short = invoke(*options, "--to", "+3h")
    assert "How much of it is luck is not judged: that needs 30 hours with a known book" in short.stdout
