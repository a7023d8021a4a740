"""The page of `booktape view` on a day of BTC-USD: `python tests/benchmarks/bench_view.py`.

A synthetic day of 20 updates a second with trades, in segments of 15 minutes, its book 10,000 levels a side.
Each run starts a server and a browser (Chromium without a screen or a graphics processor) and measures, in
the page: the time from navigation to the first picture with its book; seeks by clicks in the strip, to places
that were not shown before and then to the same ones again; and the frames per second while the mouse scrubs.
The processor time of the server for a new place is measured by itself.

The exit code is 1 if a median misses its bound: 3 s to the first picture, 0.5 s for a seek, 30 frames/s.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from recorder.tape.reader import Tape
from replay.viewing.library import Library, Moment, Span
from tests.benchmarks.measuring import ENVIRONMENT, describe_machine, parser, print_line, spread
from tests.benchmarks.tapes import traded_tape
from tests.support.browser import browser, chromium

SPACING_NS = 50_000_000
TILE_NS = 30 * 10**9  # half of the minute that the page shows at first
PLACES = (0.11, 0.53, 0.87, 0.333, 0.71, 0.99)
MAX_FIRST_S, MAX_SEEK_S, MIN_FRAMES = 3.0, 0.5, 30.0

SHOWN = "document.documentElement.dataset.ready && document.documentElement.dataset.seq !== undefined"

SEEK = """
(async () => {
  const strip = document.getElementById("overview");
  const box = strip.getBoundingClientRect();
  strip.setPointerCapture = () => {};
  const found = [];
  for (const part of %s) {
    const begin = performance.now();
    delete document.documentElement.dataset.ready;
    delete document.documentElement.dataset.seq;
    const clientX = box.left + (box.width - 76) * part;
    strip.dispatchEvent(new PointerEvent("pointerdown", { clientX, clientY: box.top + 5 }));
    await new Promise((done) => {
      const look = () => (%s ? done() : requestAnimationFrame(look));
      requestAnimationFrame(look);
    });
    found.push((performance.now() - begin) / 1000);
    await new Promise((done) => setTimeout(done, 500));
  }
  return found;
})()
"""

SCRUB = """
(async () => {
  const chart = document.getElementById("chart");
  const box = chart.getBoundingClientRect();
  chart.setPointerCapture = () => {};
  chart.hasPointerCapture = () => true;
  const move = (kind, part) => chart.dispatchEvent(
    new PointerEvent(kind, { clientX: box.left + (box.width - 80) * part, clientY: box.top + 50 }));
  move("pointerdown", 0.5);
  const begin = performance.now();
  let frames = 0;
  await new Promise((done) => {
    const frame = () => {
      frames += 1;
      const elapsed = performance.now() - begin;
      move("pointermove", 0.5 + 0.49 * Math.sin(elapsed / 700));
      if (elapsed < 5000) requestAnimationFrame(frame); else done();
    };
    requestAnimationFrame(frame);
  });
  return (frames * 1000) / (performance.now() - begin);
})()
"""


def measure(tape: Path) -> tuple[float, list[float], list[float], float]:
    """Return seconds to the first picture, seconds of new and of repeated seeks, and frames per second."""
    command = [sys.executable, "-m", "booktape", "view", str(tape), "--port", "0"]
    program = chromium()
    assert program is not None, "no Chromium is here"
    with (
        subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True) as process,
        tempfile.TemporaryDirectory() as directory,
        browser(program, Path(directory)) as page,
    ):
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        begin = time.perf_counter()
        page.visit(url, width=1400)
        page.until(SHOWN)
        first = time.perf_counter() - begin
        new, again = (page.value(SEEK % (json.dumps(PLACES), SHOWN)) for _ in range(2))
        frames = page.value(SCRUB)
        process.terminate()
    return first, new, again, frames


def server_costs(tape: Path) -> list[float]:
    """Return the server's processor time for the screen at each place: no other work slows it."""
    library = Library([Tape.open(tape)], None, 0.001)
    library.warm_up()
    last_time, found = library.source(0).now()["last_time"], []
    library.pictures(Span(0, 0, TILE_NS), 1)
    for part in PLACES:
        start = int(last_time * part) // TILE_NS * TILE_NS
        begin = time.process_time()
        library.pictures(Span(0, start, start + TILE_NS), 3, Moment(start + TILE_NS))
        found.append(time.process_time() - begin)
    return found


def main() -> int:
    """Measure; return the exit code."""
    options = parser(__doc__ or "", runs=3, frames=1_728_000).parse_args()
    tape = traded_tape(options.frames, 4 * options.depth, SPACING_NS)
    print_line(describe_machine())
    print_line(f"seek to a new place, s of the server's processor: {spread(server_costs(tape))}")
    runs = [measure(tape) for _ in range(options.runs)]
    first = [each[0] for each in runs]
    new = [value for each in runs for value in each[1]]
    again = [value for each in runs for value in each[2]]
    frames = [each[3] for each in runs]
    print_line(f"first picture, s: {spread(first)}")
    print_line(f"seek to a new place, s: {spread(new)}")
    print_line(f"seek to a place that was shown, s: {spread(again)}")
    print_line(f"scrubbing, frames/s: {spread(frames, ',.1f')}")
    fast = statistics.median(first) < MAX_FIRST_S and statistics.median(new) < MAX_SEEK_S
    return 0 if fast and statistics.median(frames) >= MIN_FRAMES else 1


if __name__ == "__main__":
    sys.exit(main())
