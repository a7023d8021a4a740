"""The check of what strategies traded: run again over the tape, they must do what was noted of them live.

Only a strategy that the user names is run: code is never imported because a tape names it.
"""

from dataclasses import dataclass
from shlex import quote
from typing import Literal, NamedTuple

from orderbook.display import plural, printable
from orderbook.document import Document
from orderbook.engine import PlainEngine
from orderbook.strategy import StrategyError
from recorder.tape.format.executions import Traded, read_executions
from recorder.tape.reader import Tape
from recorder.tape.row_batches import split_at
from replay.simulation.passes import ProductPass
from replay.simulation.sessions import settings_of
from replay.simulation.settings import TraderFactory


class ExecutionVerdict(Document, frozen=True):
    """What a strategy did on one product while it was recorded, against the same rows replayed.

    Attributes:
        product: product id.
        strategy: its name, `module:factory`.
        first_seq: the first row that it saw.
        next_seq: the row before which what it did is noted.
        verdict: `equal`, `different`, or `unchecked` if it was not run again.
        checkpoints: number of places at which it is noted.
        equal: number of those that were reached with the same orders.
        reason: from which row on it differs, or why it is unchecked; null if it is equal.
    """

    product: str
    strategy: str
    first_seq: int
    next_seq: int
    verdict: Literal["equal", "different", "unchecked"]
    checkpoints: int
    equal: int
    reason: str | None

    def line(self) -> str:
        """Return the verdict as one line."""
        what = f"{self.product}: orders of {self.strategy} from row {self.first_seq:,}"
        if self.verdict == "equal":
            places = plural(self.checkpoints, "checkpoint")
            return f"{what}: those of their replay at {places}, to row {self.next_seq - 1:,}"
        return f"{what}: {self.verdict}, {self.reason}"


@dataclass(frozen=True, slots=True)
class NamedTrader:
    """A strategy that trades, as the user has named it."""

    name: str
    make: TraderFactory


def check_executions(tape: Tape, product: str, trader: NamedTrader | None) -> list[ExecutionVerdict]:
    """Return a verdict on each session of a product, of which a strategy is run again if it is named.

    Raises:
        DamagedTapeError: if what is noted cannot be read, or has settings that no recording wrote.
    """
    verdicts = []
    for traded in read_executions(tape.product(product).directory):
        session = traded.session
        if not traded.checkpoints:
            found = _Found("unchecked", 0, "nothing is noted: no row came, or a kill in its first segment")
        elif (removed := tape.product(product).removed) and traded.session.first_seq < removed.rows:
            found = _Found("unchecked", 0, f"its first rows are in {removed.url}: verify that tape")
        elif trader is None or trader.name != session.strategy:
            name = quote(printable(session.strategy))  # the tape may come from anyone
            found = _Found("unchecked", 0, f"`verify --strategy {name}` runs it again")
        else:
            found = _run_again(tape, product, traded, trader)
        place = (product, printable(session.strategy), session.first_seq, traded.last_seq)
        verdicts.append(ExecutionVerdict(*place, found.verdict, len(traded.checkpoints), *found[1:]))
    return verdicts


class _Found(NamedTuple):
    verdict: Literal["equal", "different", "unchecked"]
    equal: int
    reason: str | None


def _run_again(tape: Tape, product: str, traded: Traded, trader: NamedTrader) -> _Found:
    settings = settings_of(traded.session, product, trader.make)
    passing = ProductPass(product, settings, PlainEngine().start(product, tape.feed))
    noted = {each.next_seq: each.digests for each in traded.checkpoints}
    reached, equal = traded.session.first_seq, 0
    try:
        for rows in split_at(tape.product(product).batches(first_seq=reached), noted):
            passing.step(rows)
            next_seq = rows.column("seq")[-1].as_py() + 1
            if next_seq in noted:
                if passing.run.digests() != noted[next_seq]:
                    return _Found("different", equal, f"from a row of {reached:,} to {next_seq - 1:,} on")
                reached, equal = next_seq, equal + 1
            if next_seq == traded.last_seq:
                return _Found("equal", equal, None)
    except StrategyError as error:
        return _Found("different", equal, f"after row {max(reached - 1, 0):,}: {error}")
    lacks = f"the tape has no row {traded.last_seq - 1:,}, to which it is noted"
    return _Found("unchecked", equal, f"{lacks}; {plural(equal, 'checkpoint')} before its end are equal")
