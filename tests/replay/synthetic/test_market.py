"""The synthetic market: deterministic, never crossed, and with the statistics of a real level2 feed."""

from collections import Counter
from dataclasses import replace
from decimal import Decimal

import pytest

from orderbook.venues.base import TextChange
from replay.synthetic.market import BookLevels, SyntheticMarket
from replay.synthetic.settings import MarketSettings

BATCHES = 6_000


class NaiveBook:
    """Two dicts of Decimal prices to size text, searched from scratch each time."""

    def __init__(self, levels: BookLevels) -> None:
        self.bids = {Decimal(price): size for price, size in levels.bids}
        self.asks = {Decimal(price): size for price, size in levels.asks}

    def apply(self, changes: list[TextChange]) -> Counter[str]:
        """Apply one batch and count what its changes were."""
        seen: Counter[str] = Counter(changes=len(changes))
        for side, price_text, size in changes:
            levels, price = self.bids if side == "bid" else self.asks, Decimal(price_text)
            if size == "0":
                seen["deletes" if levels.pop(price, None) else "absent_deletes"] += 1
            else:
                seen["new" if price not in levels else "noop" if levels[price] == size else "resized"] += 1
                levels[price] = size
        return seen

    def touch(self) -> tuple[Decimal, Decimal]:
        """Return the best bid and ask."""
        return max(self.bids), min(self.asks)


def batches(settings: MarketSettings, number: int) -> list[list[TextChange]]:
    """Return the first batches of a market."""
    market = SyntheticMarket(settings)
    return [market.update() for _ in range(number)]


def test_equal_settings_give_equal_markets() -> None:
    """A market follows from its settings alone."""
    settings = MarketSettings(seed=7, depth=60)
    assert SyntheticMarket(settings).snapshot() == SyntheticMarket(settings).snapshot()
    assert batches(settings, 500) == batches(settings, 500)


@pytest.mark.parametrize("other", [{"seed": 8}, {"product": "ETH-USD"}])
def test_another_seed_or_product_gives_another_market(other: dict[str, object]) -> None:
    """Seed and product both determine the random numbers."""
    settings = MarketSettings(seed=7, depth=60)
    assert batches(settings, 50) != batches(replace(settings, **other), 50)  # type: ignore[arg-type]


def test_a_fork_goes_on_as_the_original_and_apart_from_it() -> None:
    """A fork has the same future, whichever of the two is advanced first."""
    market = SyntheticMarket(MarketSettings(depth=50))
    for _ in range(100):
        market.update()
    fork = market.fork()
    future = [fork.update() for _ in range(100)]
    assert [market.update() for _ in range(100)] == future
    assert market.snapshot() == fork.snapshot()


@pytest.mark.parametrize(
    "settings",
    [
        MarketSettings(depth=150, seed=1),
        MarketSettings(depth=150, seed=2, mid="1900.00", tick="0.01", thin_every=100),
        MarketSettings(depth=150, seed=3, mid="0.52000000", tick="0.00000001"),
        MarketSettings(depth=5, seed=4),
        MarketSettings(depth=1, seed=5, thin_every=50),
    ],
    ids=str,
)
def test_the_book_is_never_crossed_locked_or_one_sided(settings: MarketSettings) -> None:
    """After every whole batch the best bid is below the best ask, at any depth and tick."""
    market = SyntheticMarket(settings)
    book = NaiveBook(market.snapshot())
    for _ in range(1_500):
        changes = market.update()
        assert 1 <= len(changes) <= 100
        assert len({(side, price) for side, price, _ in changes}) == len(changes)
        book.apply(changes)
        bid, ask = book.touch()
        assert 0 < bid < ask


def test_snapshot_is_the_book_that_the_updates_lead_to() -> None:
    """Snapshot plus updates equals the later snapshot, sorted from the best level outwards."""
    market = SyntheticMarket(MarketSettings(depth=80))
    book = NaiveBook(market.snapshot())
    for _ in range(1_000):
        book.apply(market.update())
    later = market.snapshot()
    assert [(Decimal(price), size) for price, size in later.bids] == sorted(book.bids.items(), reverse=True)
    assert [(Decimal(price), size) for price, size in later.asks] == sorted(book.asks.items())


def test_statistics_are_those_of_a_level2_feed() -> None:
    """Changes per frame, new levels, deletions, moves of the touch and depth are near the measured ones."""
    settings = MarketSettings(depth=300)
    market = SyntheticMarket(settings)
    book = NaiveBook(market.snapshot())
    assert len(book.bids) == len(book.asks) == settings.depth
    seen: Counter[str] = Counter()
    for _ in range(BATCHES):
        before = book.touch()
        changes = market.update()
        seen["near"] += sum(
            (before[0] - Decimal(price) if side == "bid" else Decimal(price) - before[1]) <= 50
            for side, price, _ in changes
        )
        seen += book.apply(changes)
        seen["moves"] += book.touch() != before
        seen["at_most_10"] += len(changes) <= 10
        assert 0.8 * settings.depth <= min(len(book.bids), len(book.asks))
        assert max(len(book.bids), len(book.asks)) <= 1.1 * settings.depth
    total = seen["changes"]
    assert 5.4 < total / BATCHES < 6.6
    assert 0.84 < seen["at_most_10"] / BATCHES < 0.9
    assert 0.35 < seen["moves"] / BATCHES < 0.5
    assert 0.8 < seen["near"] / total < 0.92
    assert 0.4 < (seen["new"] + seen["deletes"]) / total < 0.5
    assert 0.004 < seen["absent_deletes"] / total < 0.02
    assert 0.004 < seen["noop"] / total < 0.02


def test_the_share_of_time_above_falls_with_the_threshold() -> None:
    """Thresholds of 1, 5, 10 and 20 bps are all exceeded, each for less time than the one before."""
    market = SyntheticMarket(MarketSettings(depth=100))
    book = NaiveBook(market.snapshot())
    spreads = []
    for _ in range(BATCHES):
        book.apply(market.update())
        bid, ask = book.touch()
        spreads.append((ask - bid) / ask * 10_000)
    above = [sum(spread > bps for spread in spreads) / BATCHES for bps in (0, 1, 5, 10, 20)]
    assert above == sorted(set(above), reverse=True)
    assert above[1] < 0.7
    assert above[-1] > 0


def test_a_market_that_never_thins_out_stays_tight() -> None:
    """With `thin_every=0` the spread stays below 8 bps."""
    market = SyntheticMarket(MarketSettings(depth=100, thin_every=0))
    book = NaiveBook(market.snapshot())
    for _ in range(2_000):
        book.apply(market.update())
        bid, ask = book.touch()
        assert (ask - bid) / ask < Decimal("0.0008")


def test_a_book_of_twenty_thousand_levels_needs_a_smaller_tick() -> None:
    """Bids that would not fit above zero are refused; a small tick allows 20,000 levels on each side."""
    with pytest.raises(ValueError, match="smaller tick"):
        MarketSettings(depth=20_000)
    levels = SyntheticMarket(MarketSettings(depth=20_000, tick="0.01")).snapshot()
    assert len(levels.bids) == len(levels.asks) == 20_000
    assert Decimal(levels.bids[-1][0]) > 0


def test_trades_fill_real_orders_at_the_touch() -> None:
    """Trades are numbered one by one, at most as large as what was there, each with one order."""
    market = SyntheticMarket(MarketSettings(depth=50, trade_every=2))
    events = market.keep_events()
    trades = 0
    for _ in range(1_000):
        book = NaiveBook(market.snapshot())
        bid, ask = book.touch()
        seen = len(events)
        market.update()
        fills = [event for event in events[seen:] if event.what == "fill"]
        assert len(fills) == len(market.trades)
        for trade, fill in zip(market.trades, fills, strict=True):
            trades += 1
            assert trade.trade_id == trades
            assert (trade.maker_side, Decimal(trade.size)) == (fill.side, Decimal(fill.size) / 10**8)
            levels = book.bids if trade.maker_side == "bid" else book.asks
            assert Decimal(levels[Decimal(trade.price)]) >= Decimal(trade.size) > 0
            assert Decimal(trade.price) <= bid if trade.maker_side == "bid" else Decimal(trade.price) >= ask
    assert trades > 300
    assert market.last_trade_id == trades
