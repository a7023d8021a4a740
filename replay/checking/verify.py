"""`verify`: check that a tape is what was written, and that its replay is what was seen live."""

from collections.abc import Iterator, Sequence
from contextlib import suppress

from orderbook.anomalies import FEED_FAULTS
from orderbook.engine import Engine
from orderbook.errors import OptionError
from orderbook.tally import Tally
from recorder.runtime.loading import engine_for, engine_name, load_engine
from recorder.settings import EngineName
from recorder.tape.connections import outage_at_end
from recorder.tape.errors import DamagedTapeError
from recorder.tape.format.segment_entry import sealed_rows
from recorder.tape.format.segment_list import read_segment_list
from recorder.tape.overview import overview
from recorder.tape.reader import Tape, TapeLike
from replay.checking.executions import NamedTrader, check_executions
from replay.checking.pieces import VerifyWork, check_piece, judged
from replay.checking.product_check import ProductCheck, check_product
from replay.checking.verdicts import SharedSequences, judge
from replay.checking.verification import Verification
from replay.pieces.cutting import ProductPieces, cut_for_workers, whole_product
from replay.pieces.workers import Workers
from replay.running.window import WHOLE


def verify(
    tape: TapeLike,
    engine: Engine | EngineName = "auto",
    trader: NamedTrader | None = None,
    *,
    workers: Workers | None = None,
) -> Verification:
    """Check a whole tape: files, numbering, order of time, sequence numbers, and live = replay.

    Args:
        tape: the tape, or its path.
        engine: runs the books.
        trader: a strategy whose orders are compared with those of its replay.
        workers: who work on the pieces of the tape; None for this process. No finding depends on them.

    Raises:
        NotATapeError, NewerTapeError: if the path is not a tape of this format.
        OptionError: if this strategy has not traded on the tape.
    """
    damage: list[str] = []
    opened = Tape.open(tape, damage)
    damage += opened.manifest.unfinished_lines()
    products = opened.select(())
    engine = engine_for(_sealed_rows(opened, products), engine)
    if workers is None:
        running = load_engine(engine)
        name, checks = running.name, {each: check_product(opened, each, running) for each in products}
    else:
        sent = workers.ready_engine(engine)
        name, checks = engine_name(sent), _in_pieces(opened, products, sent, workers)
    found = Verification(opened, name, damage=damage)
    found.removed = {each: removed for each in products if (removed := opened.product(each).removed)}
    sequences = SharedSequences(opened.venue)
    for product, check in checks.items():
        found.add(check.findings)
        found.tallies[product] = check.tally
        found.audits[product] = check.audits
        found.feed_faults += _feed_faults(product, check.tally)
        if check.sequences is not None:
            sequences.merge(check.sequences)
    numbers = sequences.faults()
    for product, check in checks.items():
        if check.connections is None:  # the facts of a damaged product are incomplete
            continue
        try:
            found.executions += check_executions(opened, product, trader)
        except DamagedTapeError as error:
            found.damage.append(str(error))
        found.verdicts[product] = judge(opened.venue, check.connections, numbers)
        if (outage := outage_at_end(check.connections, check.tally)) is not None:
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


def _sealed_rows(tape: Tape, products: Sequence[str]) -> int:
    sealed = 0
    for product in products:
        with suppress(DamagedTapeError):  # a damaged list of segments is a finding of its product
            sealed += sealed_rows(read_segment_list(tape.product(product).directory))
    return sealed


def _in_pieces(
    tape: Tape, products: Sequence[str], engine: Engine | EngineName, workers: Workers
) -> dict[str, ProductCheck]:
    """Check the pieces of all products; in one pass what is damaged, or what its pieces cannot tell."""
    work = VerifyWork(tape.to_send(elsewhere=workers.are_elsewhere), engine)
    pieces = _pieces(tape, products, workers.width)
    checks = {
        each.product: judged(tape.product(each.product), tape.venue, found)
        for each, found in zip(pieces, workers.merged(check_piece, work, pieces), strict=True)
    }
    again = [whole_product(0, product) for product, check in checks.items() if check is None]
    for each, found in zip(again, workers.merged(check_piece, work, again) if again else (), strict=True):
        checks[each.product] = found.whole
    done = {product: check for product in products if (check := checks[product]) is not None}
    if work.tape.path != tape.path:
        for check in done.values():
            check.findings.name_as(tape.path, work.tape.path)
    return done


def _pieces(tape: Tape, products: Sequence[str], workers: int) -> list[ProductPieces]:
    """Cut the products; one whose list or files are damaged, or without its first rows, is one piece."""
    sound, is_shared = [], False
    for product in products:
        with suppress(DamagedTapeError):
            seen = overview(tape.product(product))
            is_shared |= tape.venue.is_numbered and any(each.opened.is_shared for each in seen.connections)
            if seen.removed is None:
                sound.append(product)
    # The numbers of a shared connection are counted by its id, which its first row has.
    pieces = cut_for_workers(
        [(tape, sound)], WHOLE, workers, at_connections=is_shared, believes_unlisted=False
    )
    return pieces + [whole_product(0, product) for product in products if product not in sound]


def _feed_faults(product: str, tally: Tally) -> Iterator[str]:
    """Yield a line for every kind of fault of the feed in a product's rows."""
    trades = tally.trades
    if trades is not None and (trades.gaps or trades.malformed or trades.repeated):
        yield f"{product}: {trades.summary()}"
    for kind in FEED_FAULTS:
        if tally.anomalies[kind]:
            yield f"{product}: {tally.anomalies[kind]:,} {kind}"
