"""What is known of a capture before it is imported."""

from collections.abc import Collection
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

FrameId = tuple[int, bytes]
"""The recv_time of a frame, and the hash of its text."""


@dataclass(slots=True)
class Capture:
    """Files that are read as one capture; times in nanoseconds since 1970.

    Its products share its connections, unless it was made of rows of columns: then each has its own.

    Attributes:
        paths: the files, in order; of columns, which are merged by their times, in any order.
        first_time: time of its first frame; -1 before it.
        common_time: the last time of a frame that names no product, and so belongs to all.
        times: by product, the last time of a frame that names it.
        firsts: by product, the first frame that names it.
        went_back: by how much the time of a row was before that of the product's row before, at most.
        subscribed: by connection, the products that its acknowledgements list; none if it has none.
        torn: by file, bytes of an incomplete end, which is left out; none if all are whole.
        unit: what its times are in, where that was recognised; else empty.
        made_from: what its frames are made from; empty if they are as they were received.
    """

    paths: tuple[Path, ...]
    first_time: int = -1
    common_time: int = 0
    times: dict[str, int] = field(default_factory=dict)
    firsts: dict[str, FrameId] = field(default_factory=dict)
    went_back: int = 0
    subscribed: list[frozenset[str]] = field(default_factory=list)
    torn: dict[Path, int] = field(default_factory=dict)
    unit: str = ""
    made_from: str = ""
    _is_open: bool = False

    @property
    def path(self) -> Path:
        """The first file."""
        return self.paths[0]

    @property
    def name(self) -> str:
        """The names of the files, without their directories."""
        names = [path.name for path in self.paths]
        return ", ".join(names) if len(names) <= 4 else f"{names[0]} to {names[-1]} ({len(names)} files)"

    @property
    def products(self) -> tuple[str, ...]:
        """The products that its frames name, in order of appearance."""
        return tuple(self.firsts)

    def last_time(self, product: str) -> int:
        """Return the time of the last row of a product, as the tape will have it."""
        return max(self.common_time, self.times.get(product, 0))

    def add(self, time: int, frame: str, named: Collection[str]) -> None:
        """Add a frame and the products that it names."""
        if not self._is_open:
            self._is_open = True
            self.subscribed.append(frozenset())
        if self.first_time < 0:
            self.first_time = self.common_time = time
        last = max((self.last_time(product) for product in named or self.times), default=self.common_time)
        self.went_back = max(self.went_back, last - time)
        if not named:
            self.common_time = max(self.common_time, time)
        for product in named:
            self.times[product] = max(time, self.last_time(product))
            if product not in self.firsts:
                self.firsts[product] = frame_id(time, frame)

    def subscribe(self, products: Collection[str]) -> None:
        """Note what an acknowledgement lists."""
        self.subscribed[-1] |= frozenset(products)

    def disconnect(self) -> None:
        """Note that the connection ended; the next frame opens another one."""
        self._is_open = False

    def recognise(self, unit: str) -> None:
        """Note what the times are in."""
        self.unit = unit

    def tear(self, path: Path, size: int) -> None:
        """Note that a file ends with so many bytes of an incomplete line."""
        self.torn[path] = size


def frame_id(time: int, text: str) -> FrameId:
    """Return what identifies a frame: no feed sends a text twice at the same nanosecond."""
    return time, sha256(text.encode()).digest()
