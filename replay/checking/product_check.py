"""The check of a product in one pass: its files, its rows and its journals."""

from dataclasses import dataclass, field

from orderbook.engine import Engine
from orderbook.tally import Tally
from recorder.tape.connections import Connection
from recorder.tape.errors import DamagedTapeError
from recorder.tape.reader import Tape
from replay.checking.files import check_journals, check_segment_files
from replay.checking.reconnects import ReconnectAudit
from replay.checking.replayed import ReplayCheck
from replay.checking.verdicts import SharedSequences
from replay.checking.verification import Findings


@dataclass(slots=True)
class ProductCheck:
    """What was found of a product; picklable.

    Attributes:
        findings: what is wrong, and how much was checked.
        tally: counts and digest of its rows, as far as they could be read.
        audits: an audit of each interruption.
        connections: the facts of its connections; None if damage makes them incomplete.
        sequences: the sequence numbers of shared connections; None if the venue has none.
    """

    findings: Findings
    tally: Tally
    audits: list[ReconnectAudit] = field(default_factory=list)
    connections: tuple[Connection, ...] | None = None
    sequences: SharedSequences | None = None


def check_product(tape: Tape, product: str, engine: Engine) -> ProductCheck:
    """Check the files and the rows of a product that are here; all segment files before any row."""
    rows, found = tape.product(product), Findings()
    sequences = SharedSequences(tape.venue) if tape.venue.is_numbered else None
    check = ReplayCheck(rows, engine, found, sequences)
    connections = None
    try:
        check_segment_files(rows, found)
        if (proven := rows.first_proven()) is not None:
            check.begin(rows.start_at(proven.chain_seq), proven)
            check.pass_over(part for part in rows.parts() if part.first_seq < proven.next_seq)
        check.check_unsealed(check.check_sealed())
        check_journals(rows, found)
        connections = check.connections()
    except DamagedTapeError as error:
        found.add(Findings(damage=[str(error)]))
    return ProductCheck(found, check.tally, check.book.audits, connections, sequences)
