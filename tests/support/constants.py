"""Paths, times and names that many tests share."""

from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
SAMPLE: Final = ROOT / "data" / "sample"
CAPTURES: Final = ROOT.parent / "shared" / "captures"
"""Directory of the real captures, which are not part of the repository."""
EXECUTION_SCENARIOS: Final = ROOT.parent / "shared" / "execution" / "scenarios"
"""Directory of the examples of simulated execution, which are not part of the repository."""

BTC: Final = "BTC-USD"
ETH: Final = "ETH-USD"
START: Final = 1_786_309_548_000_000_000  # 2026-08-09T21:05:48Z, in nanoseconds since the epoch
MS: Final = 10**6
SECOND: Final = 10**9
TIMEOUT_S: Final = 60
"""Seconds after which a process or a connection counts as hanging."""
