"""What a lane is worth at each mark of the grid, fill, break and at the end, in compiled code.

The marks are noted for all lanes at once, and a lane takes them before the next thing that happens to its
money; so what costs something for each lane and row is nothing. See `lane.Lane` and `totals.LaneTotals`.
"""

from typing import Any

import numpy as np

from orderbook.compiled.jit import inlined, inner
from orderbook.execution.compiled import wide
from orderbook.execution.compiled.account import account_at, value_start
from orderbook.execution.compiled.addresses import load, moves_ref, sample_ref
from orderbook.execution.compiled.layout import GRID, MARK, UNKNOWN
from orderbook.execution.totals import HOUR


@inner
def take_marks(x: Any, number: int, before: int) -> None:
    """Sample the lane at the marks before a time that it has not taken."""
    market, account = x, account_at(x, number)
    while account.marks_taken < market.marks:
        at = MARK * account.marks_taken
        time, connection = load(x.marks_at, at), load(x.marks_at, at + 1)
        if time >= before:
            return
        account.marks_taken += 1
        sample(x, number, GRID, time, connection, load(x.marks_at, at + 2), load(x.marks_at, at + 3))


@inner
def sample(x: Any, number: int, why: int, time: int, connection: int, bid: int, ask: int) -> None:  # noqa: PLR0917
    """Take a sample of a lane at the best prices of a moment."""
    account = account_at(x, number)
    is_known = bid != 0 and ask != 0
    high: Any = np.int64(0)
    low: Any = np.int64(0)
    if is_known:
        high, low = _equity_twice(account, bid + ask)
        account.known_time, account.known_bid, account.known_ask = time, bid, ask
    account.position_max = max(account.position_max, account.position)
    account.position_min = min(account.position_min, account.position)
    if why == GRID:
        if account.mark_time != UNKNOWN and account.mark_connection == connection and account.mark_position:
            account.time_in_position += time - account.mark_time
        account.mark_time, account.mark_connection = time, connection
        account.mark_position = account.position
        if is_known:
            if not account.is_valued:
                value_start(account, x.first_mid)
            _note_fall(account, high, low)
            _add_move(moves_ref(x.moves_at, 2 * number), x.every, time, connection, high, low)
            if time % HOUR == 0:
                _add_move(moves_ref(x.moves_at, 2 * number + 1), HOUR, time, connection, high, low)
    if x.keeps_samples and _is_extreme(x, account, why == GRID and is_known, time, high, low):
        _keep(x, number, why, time, connection, bid, ask, high, low)


@inner
def _is_extreme(x: Any, account: Any, is_equity: bool, time: int, high: int, low: int) -> Any:
    """Tell whether a sample is beyond all before it in its bucket, by position or equity; true if all are."""
    if x.sample_shift < 0:
        return True
    position, bucket = account.position, time >> x.sample_shift
    is_first = bucket != account.bucket
    if is_first:
        account.bucket, account.has_equity = bucket, 0
        account.least_position = account.most_position = position
    is_beyond = is_first or position < account.least_position or position > account.most_position
    account.least_position = min(account.least_position, position)
    account.most_position = max(account.most_position, position)
    if not is_equity:
        return is_beyond
    if not account.has_equity or wide.is_less(high, low, account.least_equity_high, account.least_equity_low):
        account.least_equity_high, account.least_equity_low = high, low
        is_beyond = True
    if not account.has_equity or wide.is_less(account.most_equity_high, account.most_equity_low, high, low):
        account.most_equity_high, account.most_equity_low = high, low
        is_beyond = True
    account.has_equity = 1
    return is_beyond


@inlined
def _equity_twice(account: Any, mid_twice: int) -> Any:
    high, low = wide.times(account.position, mid_twice)
    high, low = wide.add(high, low, account.cash_high, account.cash_low)
    return wide.add(high, low, account.cash_high, account.cash_low)


@inlined
def _note_fall(account: Any, high: int, low: int) -> None:
    """Note how far equity is below its highest mark."""
    if wide.is_less(account.highest_high, account.highest_low, high, low):
        account.highest_high, account.highest_low = high, low
        return
    high, low = wide.less(account.highest_high, account.highest_low, high, low)
    if wide.is_less(account.fall_high, account.fall_low, high, low):
        account.fall_high, account.fall_low = high, low


@inner
def _add_move(moves: Any, every: int, time: int, connection: int, high: int, low: int) -> None:
    """Add a mark of equity, see `totals.Moves`."""
    if time % every:
        return
    if moves.last == UNKNOWN:
        moves.first = time
    elif moves.last + every == time and moves.connection == connection:
        move_high, move_low = wide.less(high, low, moves.equity_high, moves.equity_low)
        moves.count += 1
        moves.total_high, moves.total_low = wide.add(moves.total_high, moves.total_low, move_high, move_low)
        if move_high < 0:
            move_high, move_low = wide.negative(move_high, move_low)
        if move_high or move_low:
            wide.add_square(moves.squares, move_high, move_low)
    moves.last, moves.connection = time, connection
    moves.equity_high, moves.equity_low = high, low


@inner
def _keep(  # noqa: PLR0917
    x: Any, number: int, why: int, time: int, connection: int, bid: int, ask: int, high: int, low: int
) -> None:
    """Keep a sample as a row."""
    market, account = x, account_at(x, number)
    row = sample_ref(x.samples_at, market.samples)
    row.lane, row.time, row.connection, row.why, row.bid, row.ask = number, time, connection, why, bid, ask
    row.position = account.position
    row.cash_low, row.cash_high = account.cash_low, account.cash_high
    row.fees_low, row.fees_high = account.fees_low, account.fees_high
    row.realised_low, row.realised_high = account.realised_low, account.realised_high
    row.equity_low, row.equity_high = low, high
    exit_high, exit_low = wide.times(account.position, bid if account.position > 0 else ask)
    row.exit_high, row.exit_low = wide.add(exit_high, exit_low, account.cash_high, account.cash_low)
    market.samples += 1
