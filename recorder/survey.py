"""The first pass over captures: every line checked, feed and products found, nothing written."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from orderbook.feeds import Feed
from recorder.captures import CaptureError, CaptureFormat, read_capture
from recorder.naming import feed_of, products_named


@dataclass(frozen=True, slots=True)
class Capture:
    """One file: its products share its connections."""

    path: Path
    capture_format: CaptureFormat
    products: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Survey:
    """What the captures of one import hold, in the order given."""

    feed: Feed
    captures: tuple[Capture, ...]

    @property
    def products(self) -> tuple[str, ...]:
        """All products, each once, in the order in which they turn up."""
        return tuple(dict.fromkeys(name for capture in self.captures for name in capture.products))


def survey(paths: Sequence[Path], capture_format: CaptureFormat, feed: Feed | None) -> Survey:
    """Read captures through once. O(bytes).

    Args:
        paths: the files, in the order of their time.
        capture_format: of all of them.
        feed: whose frames they are; None to recognise it.

    Raises:
        CaptureError: where a line is not of the format, a file names no product, or the feed is not clear.
    """
    feeds: dict[Feed, Path] = {}
    captures = []
    for path in paths:
        products: dict[str, None] = {}
        for _, frame in read_capture(path, capture_format):
            if frame is None:
                continue
            products.update(dict.fromkeys(products_named(frame)))
            found = feed_of(frame) if feed is None else None
            if found is not None:
                feeds.setdefault(found, path)
        if not products:
            raise CaptureError(f"{path}: no frame names a product")
        captures.append(Capture(path, capture_format, tuple(products)))
    return Survey(feed or _the_one(feeds, paths), tuple(captures))


def _the_one(feeds: dict[Feed, Path], paths: Sequence[Path]) -> Feed:
    if not feeds:
        raise CaptureError(f"{paths[0]}: no level2 frame of either feed; say which with --feed")
    if len(feeds) > 1:
        raise CaptureError(f"{paths[0]}: level2 frames of both feeds; say which with --feed")
    return next(iter(feeds))
