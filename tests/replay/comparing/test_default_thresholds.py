"""The thresholds that are compared if none is named come from the tape's own spread."""

import re
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

import booktape as bt
from orderbook.thresholds import format_threshold, parse_threshold
from recorder.tape.reader import Tape
from replay.comparing import default_thresholds
from replay.comparing.default_thresholds import (
    choose_thresholds,
    just_below,
    middle_threshold,
    quantile_thresholds,
)
from replay.comparing.sweep.spread_times import SpreadStatistics
from replay.running.window import WHOLE, Window
from tests.support import tapes
from tests.support.commands import invoke
from tests.support.constants import BTC, ETH, SAMPLE, SECOND


def spread(*quantiles: float | None, largest: float | None = None) -> SpreadStatistics:
    """Return statistics with these quantiles."""
    p5, p25, p50, p75, p95, p99 = quantiles
    return SpreadStatistics(1.0, p5, p25, p50, p75, p95, p99, quantiles_exact=True, largest=largest)


def test_four_digits_just_above_what_is_usual() -> None:
    """All but the lowest are at or above their quantile, so that a market of one tick passes none of them."""
    tick = 1.53648e-07
    assert list(quantile_thresholds(spread(*[tick] * 6))) == [1.536e-07, *[1.537e-07] * 5]
    mixed = spread(0.0, 0.0, 1e-4, 1.00001e-4, -1e-4, None)
    assert list(quantile_thresholds(mixed)) == [0.0, 0.0, 1e-4, 1.001e-4]
    for text in ("1.5bps", "0.0015bps", "9.99999bps", "100%"):
        below = just_below(parse_threshold(text))
        assert below < parse_threshold(text) < Fraction(112, 100) * Fraction(below)


def test_the_middle_one_has_episodes() -> None:
    """A market that nearly always has one spread shows the threshold below it, as the others have none."""
    tick = 1.53648e-07
    always, wider = (spread(*[tick] * 6, largest=largest) for largest in (tick, 2 * tick))
    thresholds = [1.536e-07, 1.537e-07]
    assert middle_threshold(always, thresholds) == 1.536e-07
    assert middle_threshold(wider, thresholds) == 1.537e-07
    assert middle_threshold(always, thresholds[1:]) is None


def test_the_quantiles_of_the_result() -> None:
    """They are those that the comparison then reports, of all products; what selects nothing is left out."""
    comparison = bt.open(SAMPLE).compare()
    document: Any = comparison.document()
    wanted = {each for group in comparison.groups for each in quantile_thresholds(group.spread)}
    assert set(comparison.settings.thresholds) == wanted
    assert document["settings"]["thresholds_from"] == "spread"
    for product in comparison.products:
        signals = [row["signals"] for row in comparison.rows() if row["product"] == product]
        assert len(signals) > 3
        assert signals == sorted(set(signals), reverse=True)
        assert signals[-1] > 0
    named = bt.open(SAMPLE).compare(comparison.settings.thresholds)
    rows = {(row["product"], row["threshold"]): row for row in named.rows()}
    assert all(rows[row["product"], row["threshold"]] == row for row in comparison.rows())


def test_slices_of_a_long_tape(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a long tape slices all over its window are read: about as many rows as wished, and no row twice."""
    tape = Tape.open(SAMPLE)
    whole = choose_thresholds([tape], (), WHOLE, "plain").thresholds
    monkeypatch.setattr(default_thresholds, "SAMPLED_ROWS", 600)
    parts = list(default_thresholds.slices_of(tape.product(BTC), WHOLE))
    assert len(parts) == 16
    assert all(one.end <= other.start for one, other in pairwise(parts))  # type: ignore[operator]
    rows = sum(bt.open(SAMPLE).rows(BTC, start=part.start, end=part.end).num_rows for part in parts)
    assert 500 < rows < 700
    estimated = choose_thresholds([tape], (), WHOLE, "plain").thresholds
    assert 0.5 < estimated[-1] / whole[-1] < 1.1


def test_no_book_and_many_products(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a spread there is no threshold; there are never too many."""
    tape = tapes.import_frames(tmp_path, [(0, tapes.update(BTC, ("buy", "1", "1"))), (SECOND, "[]")])
    assert choose_thresholds([Tape.open(tape)], (), WHOLE, "plain") == ((), {})
    assert bt.open(tape).compare().rows() == []
    assert "no spread is above 0" in invoke("compare", str(tape)).output
    monkeypatch.setattr(default_thresholds, "MAX_THRESHOLDS", 3)
    found = choose_thresholds([Tape.open(SAMPLE)], (), Window(), "plain").thresholds
    assert len(found) == 3


def test_each_product_shows_its_own(tmp_path: Path) -> None:
    """The episodes and figures of a product are those of its middle threshold, which is none of another's."""
    report = tmp_path / "report.html"
    comparison = bt.open(SAMPLE).compare(html=report)
    text = report.read_text(encoding="utf-8")
    shown = re.findall(r"Episodes above ([0-9.,]+ bps): (?:the longest [0-9,]+ of )?([0-9,]+)", text)
    assert len({threshold for threshold, _ in shown}) == len(comparison.products)
    for product, (threshold, _) in zip(comparison.products, dict.fromkeys(shown), strict=True):
        spread = comparison.whole(product).spread
        own = sorted(set(quantile_thresholds(spread)))
        assert threshold == format_threshold(own[len(own) // 2])
    named = tmp_path / "named.html"
    bt.open(SAMPLE).compare(html=named, detail="2bps", products=ETH)
    assert len(set(re.findall(r"Episodes above ([0-9.,]+ bps):", named.read_text(encoding="utf-8")))) == 1
