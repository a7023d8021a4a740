"""The first pass over captures: it checks every line and finds venue and products; nothing is written."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from orderbook.venues.registry import all_venues, venue
from recorder.captures.formats import CaptureError, read_capture
from recorder.settings import ImportSettings

FrameId = tuple[int, bytes]
"""The recv_time of a frame, and the hash of its text."""


@dataclass(slots=True)
class Capture:
    """A file, whose products share its connections; times in nanoseconds since 1970.

    Attributes:
        path: the file.
        first_time: time of its first frame; -1 before it.
        common_time: the last time of a frame that names no product, and so belongs to all.
        times: by product, the last time of a frame that names it.
        firsts: by product, the first frame that names it.
        went_back: by how much the time of a row was before that of the product's row before, at most.
        subscribed: by connection, the products that its acknowledgements list; none if it has none.
        torn_bytes: bytes of an incomplete end, which is left out; None if the capture is whole.
        unit: what its times are in, where that was recognised; else empty.
    """

    path: Path
    first_time: int = -1
    common_time: int = 0
    times: dict[str, int] = field(default_factory=dict)
    firsts: dict[str, FrameId] = field(default_factory=dict)
    went_back: int = 0
    subscribed: list[frozenset[str]] = field(default_factory=list)
    torn_bytes: int | None = None
    unit: str = ""
    _is_open: bool = False

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

    def tear(self, size: int) -> None:
        """Note that the capture ends with so many bytes of an incomplete line."""
        self.torn_bytes = size


@dataclass(frozen=True, slots=True)
class Survey:
    """The captures of one import, in the order of the tape, and the name of their venue."""

    feed: str
    captures: tuple[Capture, ...]

    @property
    def products(self) -> tuple[str, ...]:
        """All products, each once, in order of appearance."""
        return tuple(dict.fromkeys(name for capture in self.captures for name in capture.products))

    def torn(self) -> dict[str, int]:
        """Return the captures whose end is left out, and the bytes of each."""
        return {str(each.path): each.torn_bytes for each in self.captures if each.torn_bytes is not None}


def survey(paths: Sequence[Path], settings: ImportSettings) -> Survey:
    """Read captures once to the end. O(bytes).

    Args:
        paths: the files.
        settings: their format and feed, and the order in which to import them.

    Raises:
        CaptureError: if a line is not of the format, a file names no product, or the venue is ambiguous.
    """
    feeds: dict[str, Path] = {}
    venues = all_venues() if settings.feed is None else [venue(settings.feed)]
    readers = {each.products_named for each in venues}
    captures = []
    for path in paths:
        capture = Capture(path)
        on_torn = capture.tear if settings.torn_end else None
        for time, frame in read_capture(path, settings.form, on_torn, capture.recognise):
            if frame is None:
                capture.disconnect()
                continue
            capture.add(time, frame, dict.fromkeys(name for read in readers for name in read(frame)))
            for each in venues:
                capture.subscribe(each.acknowledged(frame) or ())
            if settings.feed is None:
                for each in venues:
                    if each.holds_book(frame):
                        feeds.setdefault(each.name, path)
                        break
        if not capture.products:
            raise CaptureError(f"{path}: no frame names a product")
        captures.append(capture)
    if not settings.as_given:
        captures.sort(key=lambda each: each.first_time)
    return Survey(settings.feed or _only_feed(feeds, paths), tuple(captures))


def frame_id(time: int, text: str) -> FrameId:
    """Return what identifies a frame: no feed sends a text twice at the same nanosecond."""
    return time, sha256(text.encode()).digest()


def _only_feed(feeds: dict[str, Path], paths: Sequence[Path]) -> str:
    if not feeds:
        raise CaptureError(f"{paths[0]}: no level2 frame of a known feed; say which with --feed")
    if len(feeds) > 1:
        raise CaptureError(f"{paths[0]}: level2 frames of several feeds; say which with --feed")
    return next(iter(feeds))
