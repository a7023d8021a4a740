"""The first pass over captures: it checks every line and finds venue and products; nothing is written."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from orderbook.errors import OptionError
from orderbook.venues.columns import ColumnWriter
from orderbook.venues.registry import DEFAULT_VENUE, all_venues, venue
from recorder.captures.capture import Capture
from recorder.captures.formats import CaptureError
from recorder.captures.reading import in_series, read_files
from recorder.captures.tardis_files import survey_columns
from recorder.settings import ImportSettings


@dataclass(frozen=True, slots=True)
class Survey:
    """The captures of one import, in the order of the tape.

    Attributes:
        feed: name of the venue of their frames.
        writer: makes their frames, if they hold columns.
    """

    feed: str
    captures: tuple[Capture, ...]
    writer: ColumnWriter | None = None

    @property
    def products(self) -> tuple[str, ...]:
        """All products, each once, in order of appearance."""
        return tuple(dict.fromkeys(name for capture in self.captures for name in capture.products))

    def torn(self) -> dict[str, int]:
        """Return the captures whose end is left out, and the bytes of each."""
        return {str(path): size for each in self.captures for path, size in each.torn.items()}


def survey(paths: Sequence[Path], settings: ImportSettings) -> Survey:
    """Read captures once to the end. O(bytes).

    Args:
        paths: the files.
        settings: their format and feed, and the order in which to import them.

    Raises:
        CaptureError: if a line is not of the format, a file names no product, or the venue is ambiguous.
    """
    if settings.form.name == "tardis-csv":
        feed, writer = settings.feed or DEFAULT_VENUE, column_writer(settings.feed)
        captures = survey_columns(paths, writer, settings)
    else:
        feed, captures = _survey_frames(paths, settings)
        writer = None
    if not settings.as_given:
        captures.sort(key=lambda each: each.first_time)
    return Survey(feed, tuple(captures), writer)


def column_writer(feed: str | None) -> ColumnWriter:
    """Return what makes frames of a feed of columns.

    Raises:
        OptionError: if nothing does.
    """
    if (make := venue(feed or DEFAULT_VENUE).column_writer) is None:
        raise OptionError(
            "no frames of this feed are made of columns: leave it out", option="feed", value=feed
        )
    return make()


def _survey_frames(paths: Sequence[Path], settings: ImportSettings) -> tuple[str, list[Capture]]:
    """Return the feed and the captures of files of frames."""
    feeds: dict[str, Path] = {}
    venues = all_venues() if settings.feed is None else [venue(settings.feed)]
    readers = {each.products_named for each in venues}
    captures = []
    for files in in_series(paths, settings.form):
        capture = Capture(files)
        on_torn = capture.tear if settings.torn_end else None
        for time, frame, _ in read_files(files, settings.form, None, on_torn, capture.recognise):
            if frame is None:
                capture.disconnect()
                continue
            capture.add(time, frame, dict.fromkeys(name for read in readers for name in read(frame)))
            for each in venues:
                capture.subscribe(each.acknowledged(frame) or ())
            if settings.feed is None:
                for each in venues:
                    if each.holds_book(frame):
                        feeds.setdefault(each.name, capture.path)
                        break
        if not capture.products:
            missing = "no frame names a product" if capture.first_time >= 0 else "holds no frame"
            raise CaptureError(f"{capture.path}: {missing}")
        captures.append(capture)
    return settings.feed or _only_feed(feeds, paths), captures


def _only_feed(feeds: dict[str, Path], paths: Sequence[Path]) -> str:
    if not feeds:
        raise CaptureError(f"{paths[0]}: no level2 frame of a known feed; say which with --feed")
    if len(feeds) > 1:
        raise CaptureError(f"{paths[0]}: level2 frames of several feeds; say which with --feed")
    return next(iter(feeds))
