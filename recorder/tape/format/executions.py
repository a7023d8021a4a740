"""`_executions.jsonl`: what strategies traded on a product while it was recorded, so that it can be proved.

A line is a session, which says what ran and from which row on, or a checkpoint of the session before: the
execution digests of its lanes after all rows before one. Checkpoints are made where a segment begins, and at
the end of a recording. A session goes on when the same strategy is run again with the same settings.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from orderbook.venues.rawjson import UNREADABLE
from recorder.tape.errors import DamagedTapeError
from recorder.tape.format.layout import EXECUTIONS
from recorder.tape.store import files as store

_Seq = Annotated[int, msgspec.Meta(ge=0, lt=2**62)]
_Hash = Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{64}\Z")]
_Rate = Annotated[int, msgspec.Meta(ge=-(10**6), le=10**6)]
_Nanoseconds = Annotated[int, msgspec.Meta(ge=0, lt=2**62)]
_Units = Annotated[int, msgspec.Meta(ge=1, lt=2**62)]
Value = str | int | float | bool | None


class Session(msgspec.Struct, frozen=True, tag_field="line", tag="session"):
    """What ran, with everything that decides what happens to its orders.

    Attributes:
        first_seq: the first row that it saw.
        strategy: its name, `module:factory`. Nothing imports it because it stands here.
        settings: of the strategy.
        queues: the queue models, a lane each.
        fees: maker and taker, in millionths.
        latency: as an option is written, or a table of durations in ns.
        report: from an event to its report, in ns.
        seed, impact, on_break: as the options.
        tick, lot, cash, base: in units of 1e-8; None if not given.
        software: the program that ran it.
    """

    first_seq: _Seq
    strategy: str
    settings: dict[str, Value]
    queues: Annotated[tuple[Literal["back", "share", "front"], ...], msgspec.Meta(min_length=1)]
    fees: tuple[_Rate, _Rate]
    latency: str | Annotated[tuple[_Nanoseconds, ...], msgspec.Meta(min_length=1)]
    report: _Nanoseconds
    seed: Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
    impact: Literal["taken", "none"]
    on_break: Literal["end", "keep"]
    tick: _Units | None
    lot: _Units
    cash: _Units | None
    base: _Units | None
    software: str

    def is_continued_by(self, other: "Session") -> bool:
        """Tell whether another one runs the same, wherever it begins and whichever version runs it."""
        return self == msgspec.structs.replace(other, first_seq=self.first_seq, software=self.software)


class Checkpoint(msgspec.Struct, frozen=True, tag_field="line", tag="checkpoint"):
    """The execution digests after all rows before `next_seq`, hex, by queue model; none without a book."""

    next_seq: _Seq
    digests: dict[str, _Hash]


@dataclass(frozen=True, slots=True)
class Traded:
    """A session with its checkpoints, in order."""

    session: Session
    checkpoints: list[Checkpoint] = field(default_factory=list)

    @property
    def last_seq(self) -> int:
        """The row before which everything is covered by a checkpoint."""
        return self.checkpoints[-1].next_seq if self.checkpoints else self.session.first_seq


_LINE = msgspec.json.Decoder(Session | Checkpoint)


def read_executions(product_dir: Path) -> list[Traded]:
    """Return the sessions of a product, in order; a last line that a crash cut short is passed over.

    Raises:
        DamagedTapeError: if the file cannot be read, or a line is none or does not follow from those before.
    """
    return _sessions(line for line, _ in _lines(product_dir / EXECUTIONS))


def _lines(path: Path) -> list[tuple[Session | Checkpoint, int]]:
    """Return the whole lines of a file, each with the byte after it."""
    try:
        content = store.read_file(path)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise DamagedTapeError(f"{path}: {error.strerror}", path) from None
    found: list[tuple[Session | Checkpoint, int]] = []
    end = last = 0
    for number, text in enumerate(content.split(b"\n")[:-1], 1):
        end += len(text) + 1
        try:
            line = _LINE.decode(text)
        except UNREADABLE as error:
            raise DamagedTapeError(f"{path}: line {number}: {error}", path) from None
        follows = _place(line) >= last if isinstance(line, Session) else bool(found) and _place(line) > last
        if not follows:
            raise DamagedTapeError(f"{path}: line {number}: does not follow from the lines before", path)
        last = _place(line)
        found.append((line, end))
    return found


def _place(line: Session | Checkpoint) -> int:
    return line.first_seq if isinstance(line, Session) else line.next_seq


def _sessions(lines: Iterable[Session | Checkpoint]) -> list[Traded]:
    found: list[Traded] = []
    for line in lines:
        if isinstance(line, Session):
            found.append(Traded(line))
        else:
            found[-1].checkpoints.append(line)
    return found


class ExecutionLog:
    """Writes the sessions of a product; for the writer of its tape.

    Lines about rows that the tape does not have are cut: a copy of a tape may have its end without the rows.

    Args:
        product_dir: directory of the product.
        session: what runs from now on, `first_seq` the row after the tape's last.
        least: the first row that is here; a session from before cannot be run again, so another one begins.

    Attributes:
        traded: the session that is running, with its checkpoints so far.

    Raises:
        DamagedTapeError: if what is there cannot be read.
        OSError: if the session cannot be noted.
    """

    def __init__(self, product_dir: Path, session: Session, least: int = 0) -> None:
        self._path = product_dir / EXECUTIONS
        kept = [each for each in _lines(self._path) if _place(each[0]) <= session.first_seq]
        self._end = kept[-1][1] if kept else 0
        found = _sessions(line for line, _ in kept)
        if found and found[-1].session.first_seq >= least and found[-1].session.is_continued_by(session):
            self.traded = found[-1]
        else:
            self._append(session)
            self.traded = Traded(session)

    def note(self, checkpoint: Checkpoint) -> None:
        """Add a checkpoint, durably, unless its rows are covered already.

        Raises:
            OSError: if it cannot be written.
        """
        if checkpoint.next_seq > self.traded.last_seq:
            self._append(checkpoint)
            self.traded.checkpoints.append(checkpoint)

    def _append(self, line: Session | Checkpoint) -> None:
        data = msgspec.json.encode(line) + b"\n"
        store.replace_end(self._path, self._end, data)
        self._end += len(data)
