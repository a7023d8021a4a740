"""`verify`: check that a tape is what was written, and that its replay is what was seen live."""

from collections.abc import Iterator
from contextlib import suppress

from orderbook.anomalies import FEED_FAULTS
from orderbook.engine import Engine
from orderbook.errors import OptionError
from orderbook.tally import Tally
from recorder.runtime.loading import engine_for, load_engine
from recorder.settings import EngineName
from recorder.tape.connections import outage_at_end
from recorder.tape.errors import DamagedTapeError
from recorder.tape.format.segment_entry import sealed_rows
from recorder.tape.format.segment_list import read_segment_list
from recorder.tape.product_tape import ProductTape
from recorder.tape.reader import Tape, TapeLike
from replay.checking.executions import NamedTrader, check_executions
from replay.checking.files import check_journals, check_segment_files
from replay.checking.replayed import ReplayCheck
from replay.checking.verdicts import SharedSequences, judge
from replay.checking.verification import Verification


def verify(
    tape: TapeLike, engine: Engine | EngineName = "auto", trader: NamedTrader | None = None
) -> Verification:
    """Check a whole tape: files, numbering, order of time, sequence numbers, and live = replay.

    Args:
        tape: the tape, or its path.
        engine: runs the books.
        trader: a strategy whose orders are compared with those of its replay.

    Raises:
        NotATapeError, NewerTapeError: if the path is not a tape of this format.
        OptionError: if this strategy has not traded on the tape.
    """
    damage: list[str] = []
    opened = Tape.open(tape, damage)
    sealed = 0
    for product in opened.select(()):
        with suppress(DamagedTapeError):  # a damaged list of segments is a finding, below
            sealed += sealed_rows(read_segment_list(opened.product(product).directory))
    running = load_engine(engine_for(sealed, engine))
    found = Verification(opened, running.name, damage)
    sequences = SharedSequences(opened.venue) if opened.venue.is_numbered else None
    complete = {}
    for product in opened.select(()):
        rows = opened.product(product)
        check = ReplayCheck(rows, running, found, sequences)
        try:
            _check(rows, check, found)
        except DamagedTapeError as error:
            if str(error) not in found.damage:
                found.damage.append(str(error))
        else:
            complete[product] = check
        found.tallies[product] = check.tally
        found.audits[product] = check.book.audits
        found.feed_faults += _feed_faults(product, check.tally)
    numbers = sequences.faults() if sequences is not None else {}
    for product, check in complete.items():  # the facts of a damaged product are incomplete
        try:
            found.executions += check_executions(opened, product, trader)
        except DamagedTapeError as error:
            found.damage.append(str(error))
        connections = check.connections()
        found.verdicts[product] = judge(opened.venue, connections, numbers)
        if (outage := outage_at_end(connections, check.tally)) is not None:
            found.outages[product] = outage
    found.feed_faults += [
        f"connection {connection}: {faults}" for connection, faults in numbers.items() if str(faults)
    ]
    found.damage += [each.line() for each in found.executions if each.verdict == "different"]
    traders = sorted({each.strategy for each in found.executions})
    if trader is not None and trader.name not in traders and not found.damage:
        reason = f"{trader.name} has not traded on this tape; {', '.join(traders) or 'no strategy'} has"
        raise OptionError(reason, option="strategy", value=trader.name)
    return found


def _feed_faults(product: str, tally: Tally) -> Iterator[str]:
    """Yield a line for every kind of fault of the feed in a product's rows."""
    trades = tally.trades
    if trades is not None and (trades.gaps or trades.malformed or trades.repeated):
        yield f"{product}: {trades.summary()}"
    for kind in FEED_FAULTS:
        if tally.anomalies[kind]:
            yield f"{product}: {tally.anomalies[kind]:,} {kind}"


def _check(rows: ProductTape, check: ReplayCheck, found: Verification) -> None:
    """Check the files and the rows of a product; all segment files before any row.

    Raises:
        DamagedTapeError: if the rest cannot be judged any more.
    """
    check_segment_files(rows, found)
    next_seq = check.check_sealed()
    check.check_unsealed(next_seq)
    check_journals(rows, found)
