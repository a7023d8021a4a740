"""Whether captures follow one another and the tape: rows never go back in time, and no frame comes twice."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from orderbook.display import printable
from orderbook.times import NS, format_time
from recorder.captures.capture import Capture, FrameId, frame_id
from recorder.captures.formats import CaptureError
from recorder.captures.reading import leave_out, read_files
from recorder.captures.survey import Survey
from recorder.settings import MAX_CLAMP_S, ImportSettings
from recorder.tape.format.layout import MANIFEST
from recorder.tape.format.manifest import read_manifest
from recorder.tape.product_tape import ProductTape
from recorder.tape.reader import Tape
from recorder.tape.store import files as store


def check_order(survey: Survey, tape: Path, settings: ImportSettings) -> None:
    """Refuse captures that repeat what was imported before, or whose rows would lose their times.

    Args:
        survey: the captures, in the order of the tape.
        tape: directory of the tape that they are to be added to; it may not exist.
        settings: the format of the captures, and whether times may go back.

    Raises:
        CaptureError: naming the capture, and what to do instead.
        TapeError: if the tape cannot be read.
    """
    ends = dict(_ends_on(tape, survey.products))
    for capture in survey.captures:
        overlapping = {
            product: ends[product]
            for product in capture.products
            if product in ends and capture.first_time <= ends[product].last_time
        }
        for product in _repeated(capture, overlapping, survey, settings):
            where = overlapping[product].where
            begun = "; its import has not ended" if printable(capture.name) in _unfinished(tape) else ""
            raise CaptureError(
                f"{capture.path}: its first frame of {product} is {where} already{begun}: a capture is "
                "imported once, to a tape that does not have it"
            )
        for product, before in overlapping.items():
            _check_gap(capture, product, before, settings)
        for product in capture.products:
            ends[product] = _End(capture.path, capture.last_time(product), capture)
        if capture.went_back > MAX_CLAMP_S * NS and not settings.clamp:
            raise CaptureError(
                f"{capture.path}: its times go back by {capture.went_back / NS:,.1f} s: the clock was set, "
                f"or several recordings are in one file; {_CLAMP}"
            )


_CLAMP = "--clamp gives such rows the time of the row before"


@dataclass(frozen=True, slots=True)
class _End:
    """Where a product's rows end before the next capture, on the tape or in another capture."""

    path: Path
    last_time: int
    source: Capture | ProductTape

    @property
    def where(self) -> str:
        return f"in {self.path}" if isinstance(self.source, Capture) else f"on {self.path}"


def _repeated(
    capture: Capture, overlapping: Mapping[str, _End], survey: Survey, settings: ImportSettings
) -> Iterator[str]:
    """Yield the products whose first frame in a capture is among the rows before it.

    O(rows) of those on the tape at that time, and of the captures that overlap, each read once.
    """
    wanted: dict[tuple[Path, ...], dict[FrameId, str]] = {}
    for product, before in overlapping.items():
        frame = capture.firsts[product]
        if not isinstance(before.source, Capture):
            if any(frame_id(frame[0], text) == frame for text in _texts_at(before.source, frame[0])):
                yield product
        elif before.source.firsts.get(product) == frame:
            yield product
        else:
            wanted.setdefault(before.source.paths, {})[frame] = product
    for paths, frames in wanted.items():
        times = {time for time, _ in frames}
        for time, text, _ in read_files(paths, settings.form, survey.writer, leave_out):
            if time in times and text is not None and (found := frames.get(frame_id(time, text))):
                yield found


def _check_gap(capture: Capture, product: str, before: _End, settings: ImportSettings) -> None:
    """Refuse a capture that begins well before the last row of a product."""
    seconds = (before.last_time - capture.first_time) / NS
    if seconds <= MAX_CLAMP_S or settings.clamp:
        return
    begins = f"{capture.path}: begins at {format_time(capture.first_time)[:23]}Z"
    overlap = f"{seconds:,.1f} s before the last row of {product} {before.where}"
    if isinstance(before.source, Capture) and capture.first_time < before.source.first_time:
        raise CaptureError(f"{begins}, {overlap}: leave out --as-given, or give the files in order of time")
    raise CaptureError(f"{begins}, {overlap}: use another tape; {_CLAMP}")


def _ends_on(tape: Path, products: tuple[str, ...]) -> Iterator[tuple[str, _End]]:
    """Yield the end of each product that a tape holds."""
    if not store.exists(tape / MANIFEST):
        return
    opened = Tape.open(tape)
    for product in set(products) & set(opened.manifest.products):
        rows = opened.product(product)
        last = rows.last_segment()
        time = last.last_time if last else None
        for batch in rows.batches(first_seq=last.next_seq if last else 0):
            time = batch.column("recv_time").view(pa.int64())[-1].as_py()
        if time is not None:
            yield product, _End(tape, time, rows)


def _unfinished(tape: Path) -> tuple[str, ...]:
    return read_manifest(tape).unfinished if store.exists(tape / MANIFEST) else ()


def _texts_at(tape: ProductTape, time: int) -> Iterator[str]:
    """Yield the payloads of the rows with a recv_time."""
    before = tape.part_before(time)
    for rows in tape.batches(first_seq=before.first_seq if before else 0):
        times = rows.column("recv_time").view(pa.int64()).to_numpy()
        if times[0] > time:
            return
        for place in np.flatnonzero(times == time).tolist():
            yield rows.column("payload")[place].as_py()
