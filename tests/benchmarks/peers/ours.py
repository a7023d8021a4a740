"""booktape itself: a replay with default settings from the tape on disk, through bytewax, digest computed."""

import sys
from pathlib import Path

from recorder.engines import ready_engine
from replay.replayed import ReplaySettings
from replay.running import run
from tests.benchmarks.peers.work import WIDE, Found, answer

SAMPLE = Path(__file__).resolve().parents[3] / "data" / "sample"


def main(tape: Path, engine: str) -> None:
    """Answer; the sample is replayed before, as the peers that compile have seen a few frames too."""
    running = ready_engine(engine)  # type: ignore[arg-type]  # a name
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
