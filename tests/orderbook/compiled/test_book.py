"""The book of the compiled engine: its two structures, and how levels move between them."""

from random import Random

import pytest

from orderbook.compiled.book import CompiledBook
from orderbook.compiled.loading import kernels
from orderbook.compiled.near import MOST_PLACES
from orderbook.events import BookEvent, Level
from tests.orderbook.test_tracker import on_one_connection
from tests.support.depth_oracle import best_first
from tests.support.engines import COMPILED, PLAIN, assert_same
from tests.support.oracle import Row
from tests.support.rows import to_batch

Sides = tuple[dict[int, str], dict[int, str]]


def change(book: CompiledBook, held: Sides, *sides: list[Level], is_snapshot: bool = False) -> None:
    """Apply an event to the book and to plain dicts; both must hold the same."""
    for levels, changes in zip(held, sides, strict=True):
        if is_snapshot:
            levels.clear()
        for price, size in changes:
            levels.pop(price, None)
            if size:
                levels[price] = size
    book.apply(BookEvent(is_snapshot, *sides))
    book.check()
    assert book.levels() == best_first(*held)


def test_deep_book() -> None:
    """A book of many blocks, changed everywhere: filled, thinned out, emptied and filled again."""
    rng = Random(3)
    book = CompiledBook(kernels())
    held: tuple[dict[int, str], dict[int, str]] = ({}, {})
    book.apply(BookEvent(True, [], []))
    for round_ in range(60):
        keep = (0.95, 0.5, 0.05)[round_ % 3]
        sides: list[list[tuple[int, str]]] = []
        for levels in held:
            changes = [(rng.randrange(1, 4000), "1.5" if rng.random() < keep else "") for _ in range(500)]
            if round_ % 20 == 19:
                changes = [(price, "") for price in list(levels)]
            for price, size in changes:
                levels.pop(price, None)
                if size:
                    levels[price] = size
            sides.append(changes)
        book.apply(BookEvent(False, *sides))
        book.check()
        assert book.levels() == best_first(*held)


TICK = 100
MID = 3_000_000 * TICK


def a_side(rng: Random, number: int) -> list[Level]:
    """Return levels on ticks, up to three times as many ticks away from the middle."""
    return [(MID + TICK * away, "2") for away in rng.sample(range(1, 3 * number), number)]


def mirrored(levels: list[Level]) -> list[Level]:
    """Return levels as far below the middle as they were above it."""
    return [(2 * MID - price, size) for price, size in levels]


@pytest.mark.parametrize("seed", range(8))
def test_a_book_around_its_touch(seed: int) -> None:
    """Levels on a tick and between two, near and far, better than any and as bad as can be."""
    rng = Random(seed)
    book = CompiledBook(kernels())
    held: Sides = ({}, {})
    for round_ in range(6):
        number = rng.choice((1, 40, 300, 2_000))
        change(book, held, mirrored(a_side(rng, number)), a_side(rng, number), is_snapshot=True)
        registers = book.memory.registers
        places = int(registers["places"])
        assert registers["reach"][0] == registers["reach"][1] >= places * TICK
        for _ in range(12):
            sides: list[list[Level]] = []
            for levels, sign in zip(held, (-1, 1), strict=True):
                aways = [rng.randrange(-places // 2, places * 2) * TICK for _ in range(40)]
                aways += [rng.randrange(-60 * TICK, 60 * TICK) for _ in range(40)]
                aways += [rng.choice([places, places - 1, places * 3 // 4, -places // 4]) * TICK]
                prices = [MID + sign * away for away in aways] + rng.sample(
                    sorted(levels), min(30, len(levels))
                )
                prices += [1, 10**18 - 1]
                sizes = ("", "2", ".000000000000000001", "10000000000")
                sides.append([(price, rng.choice(sizes)) for price in prices])
            change(book, held, *sides)
        if round_ % 3 == 2:
            book.clear()
            for levels in held:
                levels.clear()
            book.check()
            assert book.levels() == ([], [])


def test_places_grow_with_the_book() -> None:
    """A book of many levels gets many places, but never more than some megabytes."""
    book = CompiledBook(kernels())
    for number, places in ((10, 1 << 10), (20_000, MOST_PLACES), (90_000, MOST_PLACES), (10, MOST_PLACES)):
        change(
            book, ({}, {}), mirrored(a_side(Random(1), number)), a_side(Random(2), number), is_snapshot=True
        )
        assert book.memory.registers["places"] == places


def update(middle: int, rng: Random) -> str:
    """Return an update around a middle: new levels, and those gone that the middle has passed."""
    changes = [
        ["buy" if away < 0 else "sell", f"{middle + away}.00", rng.choice(("0", "1.5"))]
        for away in rng.sample([*range(-20, 0), *range(1, 20)], 6)
    ]
    changes += [["sell", f"{middle}.00", "0"], ["sell", f"{middle - 1}.00", "0"]]
    changes += [["buy", f"{middle}.00", "0"], ["buy", f"{middle + 1}.00", "0"]]
    listed = ",".join(f'["{side}","{price}","{size}"]' for side, price, size in changes)
    return f'{{"type":"l2update","product_id":"BTC-USD","changes":[{listed}],"time":"2026-01-01T00:00:00Z"}}'


def moving_touch(step: int, number: int) -> list[str]:
    """Return a snapshot, and updates whose middle moves by a step every four of them."""
    rng = Random(step)
    middle = 50_000
    levels = [",".join(f'["{middle + sign * n}.00","1"]' for n in range(1, 200)) for sign in (-1, 1)]
    snapshot = f'{{"type":"snapshot","product_id":"BTC-USD","bids":[{levels[0]}],"asks":[{levels[1]}]}}'
    return [snapshot, *(update(middle + step * (n // 4), rng) for n in range(number))]


@pytest.mark.parametrize("step", [1, -1])
def test_a_touch_that_moves_away(step: int) -> None:
    """The array follows a touch that leaves it, and no summary tells where a level was held."""
    rows: list[Row] = on_one_connection(*moving_touch(step, 12_000))
    plain, compiled = PLAIN.start("BTC-USD", "exchange"), COMPILED.start("BTC-USD", "exchange")
    firsts = set()
    for start in range(0, len(rows), 1_000):
        batch = to_batch(rows[start : start + 1_000])
        plain, expected = PLAIN.step(plain, batch, 30)
        compiled, found = COMPILED.step(compiled, batch, 30)
        assert_same(expected, found)
        COMPILED.check(compiled)
        assert COMPILED.save(compiled) == PLAIN.save(plain)
        firsts.add(int(compiled.book.memory.registers["first_key"][0]))
    assert len(firsts) > 1


@pytest.mark.parametrize("odd", [[], [(MID - 3 * TICK + 1, "2")]])
def test_an_odd_price_is_no_tick(odd: list[Level]) -> None:
    """One price between two ticks, or a snapshot of nothing, keeps no level out of the array for good."""
    book = CompiledBook(kernels())
    held: Sides = ({}, {})
    bids, asks = mirrored(a_side(Random(1), 500)), a_side(Random(2), 500)
    change(book, held, [*bids, *odd], asks, is_snapshot=True)
    assert book.memory.registers["tick"] == TICK
    assert book.memory.registers["used_blocks"].tolist() == [len(odd), 0]


def test_a_book_that_began_empty() -> None:
    """After a snapshot of nothing the array comes to where the updates have put the touch."""
    rows = on_one_connection(*moving_touch(1, 6_000))
    empty = '{"type":"snapshot","product_id":"BTC-USD","bids":[],"asks":[]}'
    state = COMPILED.start("BTC-USD", "exchange")
    state, _ = COMPILED.step(state, to_batch([rows[0], rows[1]._replace(payload=empty), *rows[2:]]))
    COMPILED.check(state)
    registers = state.book.memory.registers
    assert registers["tick"] == 10**8
    assert registers["reach"][0] == registers["reach"][1] > 0
