"""A soak: half an hour and more against a server that drops every connection after a minute."""

import json
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from replay.checking.verify import verify
from replay.synthetic.exchange import SyntheticExchange
from replay.synthetic.settings import ExchangeSettings, MarketSettings
from tests.endurance.forms import IS_LONG, TIMEOUT_S, report
from tests.support.commands import clean_environment, end, running_booktape
from tests.support.constants import BTC
from tests.support.rows import journals, read_rows

pytestmark = pytest.mark.timeout(TIMEOUT_S)

Table = NDArray[np.float64]
SECONDS = int(os.environ.get("BOOKTAPE_SOAK_SECONDS", "1800"))
DROP_S = int(os.environ.get("BOOKTAPE_SOAK_DROP_SECONDS", "60"))
ENGINE = os.environ.get("BOOKTAPE_SOAK_ENGINE", "auto")
RATE = 1_000
SAMPLE_S = 2.0
WARM_UP = 0.25
GROWTH_BYTES_MINUTE = 2**20 / 60
CHOICES: dict[str, Callable[[Table], float]] = {"low": np.min, "median": np.median, "high": np.max}


def resident(pid: int) -> int:
    """Return a process's resident memory in bytes."""
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def by_minute(samples: Table, choose: Callable[[Table], float]) -> Table:
    """Return one resident size for each minute, as the seal in each minute is a short peak."""
    minutes = (samples[:, 0] // 60).astype(int)
    return np.array([choose(samples[minutes == minute, 1]) for minute in np.unique(minutes)])


def rise(levels: Table) -> float:
    """Return the median of the slopes between any two minutes (Theil and Sen), in bytes a minute."""
    if len(levels) < 2:
        return float("nan")
    first, second = np.triu_indices(len(levels), 1)
    return float(np.median((levels[second] - levels[first]) / (second - first)))


@pytest.mark.skipif(not IS_LONG, reason="a soak takes half an hour: BOOKTAPE_ENDURANCE=long runs it")
def test_a_recorder_can_be_left_alone(tmp_path: Path) -> None:
    """Memory and descriptors stay, every interruption is on the tape, and the frames are those sent."""
    tape = tmp_path / "tape"
    drops = (RATE * DROP_S,) * (SECONDS // DROP_S + 2)
    settings = ExchangeSettings(rate=RATE, heartbeats=False, drop_after=drops)
    samples: list[tuple[float, int, int]] = []
    never = threading.Event()
    with SyntheticExchange([MarketSettings(BTC, depth=100)], settings) as exchange:
        options = ("-o", tape, "--url", exchange.url, "--segment-time", "1m", "--json")
        environment = clean_environment() | {"BOOKTAPE_ENGINE": ENGINE}
        with running_booktape("record", BTC, *options, env=environment) as process:
            exchange.wait_for_connections(1, timeout=60)
            began = time.monotonic()
            while (now := time.monotonic() - began) < SECONDS:
                assert process.poll() is None
                descriptors = len(os.listdir(f"/proc/{process.pid}/fd"))  # noqa: PTH208  only their number
                samples.append((now, resident(process.pid), descriptors))
                never.wait(SAMPLE_S)
            stdout, _ = end(process, signal.SIGTERM)
        frames = exchange.sent
    rows = read_rows(tape)
    assert not journals(tape)
    lost = 0
    for number, sent in enumerate(frames):
        kept = [row.payload for row in rows if row.connection == number and row.kind == "frame"]
        assert kept == sent[: len(kept)]
        lost += len(sent) - len(kept) if number < len(frames) - 1 else 0
    kinds = [row.kind for row in rows if row.kind != "frame"]
    assert kinds == ["connected", "disconnected"] * len(frames)
    measured = np.array(samples)
    np.savetxt(
        tmp_path / "samples.csv",
        measured,
        header="seconds,resident_bytes,descriptors",
        fmt="%d",
        delimiter=",",
    )
    warm = measured[measured[:, 0] >= WARM_UP * SECONDS]
    growth = {name: rise(by_minute(warm, choose)) for name, choose in CHOICES.items()}
    slope = growth["median"]
    report(
        "soak",
        engine=ENGINE,
        seconds=SECONDS,
        connections=len(frames),
        frames=sum(map(len, frames)),
        lost=lost,
        rss_mib=f"{warm[:, 1].min() / 2**20:.1f} to {warm[:, 1].max() / 2**20:.1f}",
        mib_per_hour=", ".join(f"{name} {each * 60 / 2**20:+.2f}" for name, each in growth.items()),
        descriptors=f"{int(warm[:, 2].min())} to {int(warm[:, 2].max())}",
    )
    assert lost == 0
    assert json.loads(stdout)["products"][BTC]["connections"] == len(frames)
    assert not verify(tape).damage
    # There is one socket less between two connections, and never more than at the start.
    assert warm[:, 2].max() <= max(sample[2] for sample in samples[: max(3, len(samples) // 4)])
    if SECONDS >= 1_800:  # the slope over a shorter time is too inaccurate
        assert slope < GROWTH_BYTES_MINUTE
