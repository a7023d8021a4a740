"""The compiled engine against the plain one: no input changes a result."""

import gc
import json
import subprocess
import sys
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from random import Random

import numba
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orderbook.compiled import jit, numbers
from orderbook.compiled.book import words_of
from orderbook.venues.registry import VENUE_NAMES
from recorder.runtime.loading import load_engine
from recorder.tape.reader import Tape
from tests.endurance.forms import TIMEOUT_S, cases
from tests.endurance.test_mutated_frames import SEEDS, mutated
from tests.orderbook.test_tracker import (
    BAD_TEXTS,
    EMPTY_UPDATE,
    GOOD_SNAPSHOT,
    SETTINGS,
    good_numbers,
    on_one_connection,
    update_frame,
)
from tests.support import random_frames as strategies
from tests.support.commands import clean_environment
from tests.support.constants import BTC, ROOT, SAMPLE
from tests.support.engines import assert_engines_agree
from tests.support.market_truth import FEED_KINDS, FeedKind, true_market
from tests.support.odd_values import BAD_TIMES, BAD_VALUES, GOOD_VALUES, NAMES, TIMES
from tests.support.oracle import Row
from tests.support.rows import cut, in_batches, to_batch
from tests.support.tapes import snapshot, update


def frames_on_one_connection(feed: str, texts: list[str]) -> list[Row]:
    """Return texts as frames, a good snapshot before and an empty update behind each."""
    return on_one_connection(
        *(frame for text in texts for frame in (GOOD_SNAPSHOT[feed], text, EMPTY_UPDATE[feed]))
    )


@pytest.mark.parametrize("feed", VENUE_NAMES)
@pytest.mark.timeout(600)  # shrinking a failure takes its time
@settings(SETTINGS, max_examples=cases(300, 30))
@given(data=st.data())
def test_any_rows(feed: str, data: st.DataObject) -> None:
    """Good and bad rows in any batches, with the engines switched in between, give the same steps."""
    rows = data.draw(strategies.tape_rows(feed))
    cuts = data.draw(st.lists(st.integers(0, len(rows)), max_size=4))
    switches = data.draw(st.lists(st.booleans(), max_size=5))
    depth = data.draw(st.sampled_from([0, 0, 1, 3]))
    assert_engines_agree(cut(rows, cuts), feed, depth=depth, switches=switches)


@pytest.mark.parametrize("batch_rows", [1, 8192])
def test_captures(capture_tape: Path, batch_rows: int) -> None:
    """Every product of every real capture, at any batch size."""
    tape = Tape.open(capture_tape)
    for product in tape.select(()):
        batches = list(islice(tape.product(product).batches(batch_rows), 100))
        switches = [place == 3 for place in range(len(batches))]  # a book of 46,000 levels is saved slowly
        assert_engines_agree(batches, tape.feed, product, switches=switches)


@pytest.mark.parametrize("batch_rows", [1, 7, 8192])
def test_sample(batch_rows: int) -> None:
    """The sample tape, with its interruptions, and the best levels after every frame."""
    tape = Tape.open(SAMPLE)
    for product in tape.select(()):
        batches = list(islice(tape.product(product).batches(batch_rows), 100))
        assert_engines_agree(batches, tape.feed, product, depth=10)


@pytest.mark.parametrize("kind", FEED_KINDS)
def test_markets(kind: FeedKind) -> None:
    """A market with its trades, each feed in its own order of trade and update, in batches of any size."""
    market = true_market(kind, 5, batches=60)
    for size in (3, 64, 10_000):
        assert_engines_agree(in_batches(market.rows, size), market.feed)


def test_long_sizes() -> None:
    """Sizes of more than eight decimals, or of ten billion up, are set, set again, moved and removed."""
    sizes = ["1", "9999999999.99999999", "10000000000", "46116860184.27387904", "0.000000001", "1.123456789"]
    prices = [f"{99 - place}.5" for place in range(len(sizes))]
    frames = [snapshot(BTC, list(zip(prices, sizes, strict=True)), [("100", "20000000000")])]
    for turned in (0, 0, 1, 1, 2, 3):
        placed = zip(prices, sizes[turned:] + sizes[:turned], strict=True)
        frames.append(update(BTC, *(("buy", price, size) for price, size in placed)))
    frames.append(update(BTC, ("sell", "100", "20000000000")))
    frames.append(update(BTC, *(("buy", price, "0") for price in prices)))
    rows = on_one_connection(*frames)
    for ends in (range(0), range(0, len(frames), 2), range(0, len(frames), 3)):
        assert_engines_agree(cut(rows, ends), "exchange", depth=3)


def test_frames_of_several_events() -> None:
    """Events of one frame: updates before and after a snapshot, other products between, times that differ."""

    def level(side: str, price: str, size: str, ms: int) -> str:
        time = f"2026-08-09T21:05:48.{ms:03d}Z"
        return f'{{"side":"{side}","event_time":"{time}","price_level":"{price}","new_quantity":"{size}"}}'

    def event(kind: str, *levels: str, product: str = BTC) -> str:
        return f'{{"type":"{kind}","product_id":"{product}","updates":[{",".join(levels)}]}}'

    def frame(*events: str) -> str:
        return f'{{"channel":"l2_data","timestamp":"2026-08-09T21:05:49Z","events":[{",".join(events)}]}}'

    bid, ask = level("bid", "99.5", "1", 7), level("offer", "100.00000001", "0.000000000000000001", 5)
    early = event("update", level("bid", "99.25", "2", 9))
    other = event("update", level("bid", "99", "2", 999), product="ETH-USD")
    texts = [
        frame(early, event("snapshot", ask, bid), other),
        frame(early, event("snapshot", ask, bid), other, event("update", ask, bid, ask)),
        frame(other),
        frame(event("update")),
        frame(event("update", bid.replace("side", "s\\u0069de"), ask)),
        frame(
            event("update", bid.replace("48.007Z", "48.00700001Z"), bid.replace(':48.007Z"', ':48.007Z "'))
        ),
    ]
    assert_engines_agree([to_batch(on_one_connection(*texts))], "advanced")
    assert_engines_agree(cut(on_one_connection(*texts), range(7)), "advanced")


@pytest.mark.parametrize("feed", VENUE_NAMES)
def test_bad_texts(feed: str) -> None:
    """Every bad number, side, shape and text, each between good frames."""
    texts = [str(case.values[1]) for case in BAD_TEXTS if case.values[0] == feed]
    assert len(texts) > 100
    assert_engines_agree([to_batch(frames_on_one_connection(feed, texts))], feed)


@pytest.mark.parametrize("feed", VENUE_NAMES)
def test_good_texts(feed: str) -> None:
    """Every good number, time and unread value, whitespace everywhere, and frames of other kinds."""
    key = "time" if feed == "exchange" else "timestamp"
    good = GOOD_SNAPSHOT[feed]
    texts = [
        good.replace('"100"', f'"{price}"').replace('"1"', f'"{size}"') for price, size in good_numbers()
    ]
    texts += [f'{{"{key}":{text},{good[1:]}' for text in [*TIMES, *BAD_TIMES]]
    texts += [f'{{"extra":{value},{good[1:]}' for value in [*GOOD_VALUES, *BAD_VALUES]]
    texts += [
        f'{good[:-1]},"sequence_num":{value}}}'
        for value in ("0", "-1", "01", "1.0", "1e0", "9" * 18, "9" * 19)
    ]
    texts += [json.dumps(json.loads(good), indent=indent) for indent in (0, 1, "\t")]
    texts += [update_frame(feed), update_frame(feed, price='"100.0"', size='"2.00"')]
    for name in NAMES:
        texts += [f'{{"type":"{name}"}}', f'{{"channel":"{name}"}}', f'{{"type":"{name}","channel":null}}']
        texts += [f'{{"channel":"{name}","sequence_num":5,"events":[{{"a":[1,2.5e-3,null,true,"x"]}}]}}']
    assert_engines_agree([to_batch(frames_on_one_connection(feed, texts))], feed)


@pytest.mark.parametrize("feed", VENUE_NAMES)
def test_mutations(feed: str) -> None:
    """Mutated frames; `tests/endurance/test_engines.py` has the long form."""
    rng = Random(11)
    texts = [mutated(rng.choice(SEEDS[feed]), SEEDS[feed], rng) for _ in range(1200)]
    frames = [SEEDS[feed][0] if place % 50 == 5 else text for place, text in enumerate(texts)]
    assert_engines_agree(cut(on_one_connection(*frames), range(0, len(frames), 500)), feed)


def test_connections_of_several_products_are_not_numbered() -> None:
    """Sequence numbers count only where a connection serves one product; one that is huge still counts."""
    good = GOOD_SNAPSHOT["advanced"]
    texts = [f'{{"sequence_num":{number},{good[1:]}' for number in (1, 2, 10**30, 10**30 + 1, 5, 6, 8)]
    rows = on_one_connection(*texts)
    assert_engines_agree(cut(rows, [3, 4, 5]), "advanced", switches=[False, True, True])
    shared = rows[0]._replace(payload=json.dumps({"products": ["BTC-USD", "ETH-USD"]}))
    other = [row._replace(connection=row.seq % 3) for row in rows]
    assert_engines_agree(cut([shared, *rows[1:]], [3]), "advanced")
    assert_engines_agree([to_batch(other)], "advanced")


def test_slices_and_other_types() -> None:
    """A slice of a batch and large strings are read as well as a batch of its own."""
    rows = on_one_connection(GOOD_SNAPSHOT["exchange"], update_frame("exchange"), EMPTY_UPDATE["exchange"])
    batch = to_batch([*rows, *rows])
    assert_engines_agree([batch.slice(0, 2), batch.slice(2, 0), batch.slice(2, 4)], "exchange")
    large = batch.set_column(4, "payload", batch.column(4).cast(pa.large_string()))
    assert_engines_agree([large], "exchange")


# Numbers and structure on their own


@pytest.fixture(scope="module")
def to_float() -> list[Callable[..., float]]:
    """Return the functions of the kernel for prices and sizes, which Python cannot call, compiled."""

    def price_to_float(units: int) -> float:
        return numbers.price_to_float(units)

    def size_to_float(units: int, rest: int) -> float:
        return numbers.size_to_float(units, rest)

    return [numba.njit(**jit.OPTIONS)(each) for each in (price_to_float, size_to_float)]


@pytest.mark.timeout(TIMEOUT_S)
@SETTINGS
@given(
    units=st.integers(-(10**18), 10**18) | st.integers(2**53 - 100, 2**53 + 100),
    whole=st.integers(0, 10**18 - 1) | st.integers(0, 1000) | st.integers(2**53 - 10, 2**54 + 10),
    fraction=st.integers(0, 10**18 - 1) | st.sampled_from([0, 1, 5 * 10**17, 5 * 10**17 + 1, 10**10]),
)
def test_nearest_floats(to_float: list[Callable[..., float]], units: int, whole: int, fraction: int) -> None:
    """Floats are the nearest to the exact decimals, also beyond 2**53."""
    price, size = to_float
    assert price(units) == units / 10**8
    text = f"{whole}.{fraction:018d}"
    assert size(*words_of(text)) == float(text)


def test_halves(to_float: list[Callable[..., float]]) -> None:
    """What lies in the middle between two floats goes to the even one."""
    for whole in (2**53 + 1, 2**53 + 3, 2**54 + 2, 2**59 + 64):
        for fraction in (0, 1):
            text = f"{whole}.{fraction:018d}"
            assert to_float[1](*words_of(text)) == float(text)


IN_PYTHON = """
from random import Random
from orderbook.compiled import layout, levels, near
levels._PATIENCE, near.MOST_PLACES = 2, 256
layout.FEWEST_PLACES = near.FEWEST_PLACES = 64  # the array follows, grows and is left
from tests.orderbook.compiled.test_book import moving_touch
from tests.endurance.test_mutated_frames import SEEDS, mutated
from tests.support.engines import assert_engines_agree
from tests.orderbook.test_tracker import on_one_connection
from tests.support.rows import cut
for feed, seeds in SEEDS.items():
    rng = Random(5)
    texts = [rng.choice(seeds) if n % 3 else mutated(rng.choice(seeds), seeds, rng) for n in range(75)]
    assert_engines_agree(cut(on_one_connection(seeds[0], *texts), range(0, 75, 15)), feed, depth=2)
for step in (1, -1):
    rows = on_one_connection(*moving_touch(step, 300))
    assert_engines_agree(cut(rows, range(0, 300, 30)), "exchange", depth=9)
"""


def test_every_index_is_inside() -> None:
    """The kernel run as plain Python, where NumPy refuses every index outside of an array."""
    wraps = "ignore:overflow encountered in scalar multiply:RuntimeWarning"  # `lowest_bit` does
    done = subprocess.run(
        [sys.executable, "-W", "error", "-W", wraps, "-c", IN_PYTHON],
        env=clean_environment() | {"NUMBA_DISABLE_JIT": "1"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_batch_is_let_go_at_once() -> None:
    """No batch waits for the garbage collector, which rarely comes by: memory would grow with the tape."""
    engine = load_engine("compiled")
    state = engine.start("BTC-USD", "exchange")
    tape = Tape.open(ROOT / "data" / "sample").product("BTC-USD")
    for rows in tape.batches(500):
        state, _ = engine.step(state, rows)
        del rows
    gc.collect()
    gc.disable()
    try:
        before = pa.total_allocated_bytes()
        for rows in tape.batches(500):
            state, _ = engine.step(state, rows)
            del rows
        assert pa.total_allocated_bytes() <= before
    finally:
        gc.enable()
