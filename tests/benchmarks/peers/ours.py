"""booktape itself: a default replay of the tape on disk, through bytewax, with its digest."""

import sys
from pathlib import Path

from recorder.runtime.loading import load_engine
from replay.running.api import run
from replay.running.settings import ReplaySettings
from tests.benchmarks.peers.work import WIDE, Found, answer
from tests.support.constants import SAMPLE


def main(tape: Path, engine: str) -> None:
    """Run the work; replay the sample first, as peers that compile replay a few frames first too."""
    running = load_engine(engine)  # type: ignore[arg-type]  # a name
    run(SAMPLE, keep=False, engine=running)

    def work() -> Found:
        tallies = run(tape, ReplaySettings(threshold=WIDE), keep=False, engine=running).tallies
        return Found(
            sum(tally.summaries for tally in tallies.values()),
            sum(tally.signals for tally in tallies.values()),
        )

    answer(work)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
