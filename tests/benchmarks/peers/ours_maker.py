"""booktape with `QuoteWhenWide`: a backtest of the tape on disk, all settings in one pass."""

import sys
from pathlib import Path

import booktape as bt
from tests.benchmarks.peers.work import INSIDE, LATENCY_NS, LIMIT_SIZE, SIZE, Made, answer, thresholds
from tests.support.constants import SAMPLE


def main(tape: Path, settings: int) -> None:
    """Run the work; a backtest of the sample first, as peers that compile run a few frames first too."""
    rows = len(bt.open(tape).rows("BTC-USD"))

    def backtest(of: Path) -> Made:
        found = bt.open(of).backtest(
            settings={"size": SIZE, "limit": LIMIT_SIZE, "inside": INSIDE},
            sweep={"threshold": thresholds(settings)},
            fees="0/0",
            latency=f"{LATENCY_NS}ns",
            queue="back",
            tick="0.01",
            keep=False,
        )
        return Made(rows, sum(row.orders for row in found.rows), sum(row.fills for row in found.rows))

    backtest(SAMPLE)
    answer(lambda: backtest(tape))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
