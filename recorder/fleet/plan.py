"""Which process records which products, on which machine, into which tape; and what no plan can have."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path, PurePosixPath

import msgspec
import pyarrow as pa

from orderbook.display import plural
from orderbook.document import Document
from orderbook.errors import BooktapeError
from orderbook.result import Result


class FleetError(BooktapeError):
    """The file of a fleet cannot be used, or its plan contradicts itself."""


@dataclass(frozen=True, slots=True)
class Recorder:
    """One process to be.

    Attributes:
        name: what the file calls it; a standby pair is two processes of one name on two hosts.
        host: the machine that it runs on.
        products: product ids.
        tape: absolute path of its tape on that machine.
        ship: where in an object store its sealed segments are copied; None for nowhere.
        metrics_port: port of its metrics; None for none.
        options: further options of `booktape record`, by name, as text or as a switch.
    """

    name: str
    host: str
    products: tuple[str, ...]
    tape: PurePosixPath
    ship: str | None
    metrics_port: int | None
    options: Mapping[str, str | bool]

    def arguments(self, **changed: str | None) -> tuple[str, ...]:
        """Return the arguments of `booktape` that run it; an option that is None is left out."""
        options: dict[str, str | bool | None] = {
            **self.options,
            "ship": self.ship,
            "metrics_port": None if self.metrics_port is None else str(self.metrics_port),
            **changed,
        }
        return ("record", *self.products, "-o", str(self.tape), "--log-json", *_flags(options))


class RecorderDocument(Document, frozen=True):
    """The JSON form of a process of a fleet.

    Attributes:
        recorder: what the file calls it.
        command: what runs it on its host, as words.
        standby: the other hosts on which the same recorder runs.
    """

    recorder: str
    host: str
    products: tuple[str, ...]
    tape: str
    ship: str | None
    metrics_port: int | None
    command: tuple[str, ...]
    standby: tuple[str, ...]


class FleetDocument(Document, frozen=True):
    """The JSON form of `Fleet`.

    Attributes:
        hosts: the machines, in the order in which they are named.
        once: products that only one process records: its interruptions are holes in the data.
    """

    file: str
    hosts: tuple[str, ...]
    recorders: tuple[RecorderDocument, ...]
    once: tuple[str, ...]


@dataclass(frozen=True, slots=True, repr=False)
class Fleet(Result):
    """A plan that contradicts itself nowhere.

    Attributes:
        file: the file that says it.
        recorders: the processes, in the file's order, those of a host in the order in which it is named.
    """

    file: Path
    recorders: tuple[Recorder, ...]

    @property
    def hosts(self) -> tuple[str, ...]:
        """Return the machines, in the order in which they are named."""
        return tuple(dict.fromkeys(each.host for each in self.recorders))

    @property
    def once(self) -> tuple[str, ...]:
        """Return the products that only one process records, sorted."""
        counts: dict[str, int] = defaultdict(int)
        for each in self.recorders:
            for product in each.products:
                counts[product] += 1
        return tuple(sorted(product for product, count in counts.items() if count == 1))

    def standby(self, recorder: Recorder) -> tuple[str, ...]:
        """Return the other hosts on which the same recorder runs."""
        hosts = (each.host for each in self.recorders if each.name == recorder.name)
        return tuple(host for host in hosts if host != recorder.host)

    def on(self, host: str) -> "Fleet":
        """Return the part of one machine.

        Raises:
            FleetError: if the plan has no such machine.
        """
        if host not in self.hosts:
            raise FleetError(f"{self.file} has no host {host!r}, only {', '.join(self.hosts)}")
        return Fleet(self.file, tuple(each for each in self.recorders if each.host == host))

    def summary(self) -> str:
        """Return one line for people."""
        products = {product for each in self.recorders for product in each.products}
        processes, hosts = plural(len(self.recorders), "recorder"), plural(len(self.hosts), "host")
        return f"{processes} on {hosts}, {plural(len(products), 'product')}"

    def table(self) -> pa.Table:
        """Return a row for each process."""
        return pa.Table.from_pylist([msgspec.to_builtins(each) for each in self._document().recorders])

    def _document(self) -> FleetDocument:
        recorders = tuple(_recorder_document(self, each) for each in self.recorders)
        return FleetDocument.of(self, file=str(self.file), recorders=recorders)


def _recorder_document(fleet: Fleet, recorder: Recorder) -> RecorderDocument:
    return RecorderDocument.of(
        recorder,
        recorder=recorder.name,
        tape=str(recorder.tape),
        command=("booktape", *recorder.arguments()),
        standby=fleet.standby(recorder),
    )


def _flags(options: Mapping[str, str | bool | None]) -> Iterator[str]:
    for name, value in options.items():
        flag = name.replace("_", "-")
        if isinstance(value, bool):
            yield f"--{flag}" if value else f"--no-{flag}"
        elif value is not None:
            yield from (f"--{flag}", value)


def refuse_contradictions(recorders: Sequence[Recorder]) -> None:
    """Refuse what two processes cannot both have.

    Raises:
        FleetError: for the first pair of them, with what to change.
    """
    for one, other in combinations(recorders, 2):
        both = f"[recorder.{one.name}] and [recorder.{other.name}]"
        if one.ship is not None and one.ship == other.ship:
            raise FleetError(f"{both} ship to {one.ship}: write {{host}} and {{recorder}} into `ship`")
        if one.host != other.host:
            continue
        if one.tape.is_relative_to(other.tape) or other.tape.is_relative_to(one.tape):
            raise FleetError(f"{both} have the tape {one.tape}: write {{recorder}} into `tape`")
        if one.metrics_port is not None and one.metrics_port == other.metrics_port:
            raise FleetError(f"{both} have the metrics port {one.metrics_port} on {one.host}")
        if twice := sorted(set(one.products) & set(other.products)):
            raise FleetError(f"{both} record {', '.join(twice)} on {one.host}: name it in one of them")
