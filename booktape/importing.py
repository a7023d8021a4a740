"""`import_`: check the arguments, make one call."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from glob import glob, has_magic
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, get_args

from booktape import arguments
from booktape.arguments import SizeLike
from booktape.feed_arguments import seal_policy
from booktape.paths import PathLike, local_path, output_path, paths_of
from orderbook.errors import OptionError
from orderbook.thresholds import ThresholdLike
from orderbook.time_input import DurationLike, format_duration
from orderbook.venues.registry import VENUE_NAMES
from recorder.settings import (
    IMPORT,
    LIVE,
    SEAL,
    CaptureForm,
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
    format: CaptureFormat = IMPORT.form.name,  # noqa: A002  what it is called on the command line
    time_field: str | None = None,
    frame_field: str | None = None,
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
        files: plain, gzip or zstd files, or patterns such as `day-*.jsonl.gz`; each file starts a connection,
            except the later files of a series (of cryptofeed, or raw minutes of Tardis), which continue that
            of the file before. `-` is what is piped in.
        tape: the tape's directory.
        format: `jsonl`, `cryptofeed`, `tardis`, `json` or `tardis-csv`. The last has no frames: they are made
            of the rows of `incremental_book_L2` and `trades` files, which are merged by their times.
        time_field: of JSON objects, the name of the time: ISO, or a number of s, ms, us or ns, which its
            first value tells. None for `recv_ns`.
        frame_field: of JSON objects, the name of the frame: a text, or the object itself. None for `frame`.
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

    named = paths_of(files, "files", local_path)
    if not named:
        raise OptionError("name one file or several", option="files", value=files)
    form = _form(arguments.choice(format, "format", get_args(CaptureFormat)), time_field, frame_field)
    arguments.choice(feed, "feed", (None, *VENUE_NAMES))
    settings = ImportSettings(
        form,
        feed,
        arguments.flag(as_given, "as_given"),
        arguments.flag(clamp, "clamp"),
        arguments.flag(torn_end, "torn_end"),
        seal_policy(segment_rows, segment_bytes, segment_time),
        arguments.threshold(threshold),
        arguments.engine_of(engine),
    )
    with _piped_in(named) as paths:
        return import_captures(_matched(paths), output_path(tape, "tape"), settings)


def _form(name: CaptureFormat, time_field: str | None, frame_field: str | None) -> CaptureForm:
    """Return what is in a capture; names of fields are those of JSON objects."""
    given = {"time_field": time_field, "frame_field": frame_field}
    named = {
        option: arguments.text_of(text, option, "ts") for option, text in given.items() if text is not None
    }
    for option, text in named.items():
        if name not in ("json", "jsonl"):
            raise OptionError("only for JSON, by --format json", option=option, value=text)
    if len(set(named.values())) < len(named):
        raise OptionError("time and frame cannot be one field", option="frame_field", value=frame_field)
    return CaptureForm("json" if named else name, **named)


def _matched(paths: Sequence[Path]) -> list[Path]:
    """Return the files that paths and patterns name, each once; a file that exists is no pattern."""
    found: dict[Path, None] = {}
    for path in paths:
        pattern = str(path)
        is_pattern = has_magic(pattern) and not path.exists()
        files = sorted(map(Path, glob(pattern))) if is_pattern else [path]  # noqa: PTH207  may be absolute
        if not files:
            raise OptionError(f"no file matches {pattern}", option="files", value=pattern)
        if path.is_dir():
            from recorder.captures.formats import CaptureError
            from recorder.tape.format.layout import MANIFEST

            tip = f"a directory: name files in it, such as {path / '*.jsonl.gz'}"
            reason = "a tape already" if (path / MANIFEST).exists() else tip
            raise CaptureError(f"{path} is {reason}")
        found |= dict.fromkeys(files)
    return list(found)


@contextmanager
def _piped_in(paths: Sequence[Path]) -> Iterator[list[Path]]:
    """Yield the paths, with a file of what is piped in for `-`: a capture is read twice."""
    from recorder.captures.formats import CaptureError

    if Path("-") not in paths:
        yield list(paths)
        return
    with TemporaryDirectory(prefix="booktape-") as directory:
        piped = Path(directory) / "stdin"
        with piped.open("wb") as file:
            shutil.copyfileobj(sys.stdin.buffer, file)
        if not piped.stat().st_size:
            raise OptionError("- is what is piped in, and nothing was", option="files", value="-")
        try:
            yield [piped if path == Path("-") else path for path in paths]
        except CaptureError as error:
            raise CaptureError(str(error).replace(str(piped), piped.name)) from None
