"""`import_`: check the arguments, make one call."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, get_args

from booktape import arguments
from booktape.arguments import PathLike, SizeLike
from booktape.feed_arguments import seal_policy
from orderbook.errors import OptionError
from orderbook.thresholds import ThresholdLike
from orderbook.time_input import DurationLike, format_duration
from orderbook.venues.registry import VENUE_NAMES
from recorder.settings import (
    IMPORT,
    LIVE,
    SEAL,
    CaptureFormat,
    EngineName,
    ImportSettings,
)

if TYPE_CHECKING:
    from orderbook.engine import Engine
    from recorder.results import Recorded


def import_(
    files: PathLike | Iterable[PathLike],
    tape: PathLike,
    *,
    format: CaptureFormat = IMPORT.capture_format,  # noqa: A002  what it is called on the command line
    feed: str | None = None,
    as_given: bool = False,
    clamp: bool = False,
    torn_end: bool = False,
    threshold: ThresholdLike = arguments.THRESHOLD,
    segment_rows: int = SEAL.rows,
    segment_bytes: SizeLike = arguments.format_size(SEAL.bytes),
    segment_time: DurationLike = format_duration(SEAL.seconds),
    engine: Engine | EngineName = LIVE.engine,
) -> Recorded:
    """Make a tape of captures, or append them to one. All lines are checked before anything is written.

    Args:
        files: plain, gzip or zstd files; each starts a connection.
        tape: the tape's directory.
        format: `jsonl`, `cryptofeed` or `tardis`.
        feed: the feed that sent the frames; None to recognise it.
        as_given: keep the order of the files; otherwise they are sorted by the time of their first frame.
        clamp: take captures whose times go back by more than 5 s; such rows get the time of the row before.
        torn_end: leave out the incomplete end of a capture whose recorder died.
        threshold: a signal is a summary whose relative spread is above it.
        segment_rows: rows in a segment at most.
        segment_bytes: bytes of frames in a segment at most.
        segment_time: time in a segment at most.
        engine: what runs the books; all give the same results.

    Raises:
        OptionError: if an argument cannot be used.
        CaptureError: if a line of a file is not of the format, the tape has the capture already, or its
            rows would lose their times; nothing was written.
        TapeError: if the tape cannot be written.
    """
    from recorder.api import import_captures

    paths = arguments.paths_of(files, "files", arguments.local_path)
    if not paths:
        raise OptionError("name one file or several", option="files", value=files)
    arguments.choice(format, "format", get_args(CaptureFormat))
    arguments.choice(feed, "feed", (None, *VENUE_NAMES))
    settings = ImportSettings(
        format,
        feed,
        arguments.flag(as_given, "as_given"),
        arguments.flag(clamp, "clamp"),
        arguments.flag(torn_end, "torn_end"),
        seal_policy(segment_rows, segment_bytes, segment_time),
        arguments.threshold(threshold),
        arguments.engine_of(engine),
    )
    return import_captures(paths, arguments.output_path(tape, "tape"), settings)
