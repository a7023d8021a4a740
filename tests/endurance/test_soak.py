"""A soak: half an hour and more against a server that drops every connection after a minute."""

import json
import os
import signal
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from replay.synthetic.exchange import ExchangeSettings, SyntheticExchange
from replay.synthetic.market import MarketSettings
from replay.verifying import verify
from tests.endurance.forms import IS_LONG, TIMEOUT_S, tell
from tests.recorder.processes import end, running_booktape
from tests.recorder.rows import BTC, journals, read_rows

pytestmark = pytest.mark.timeout(TIMEOUT_S)

SECONDS = int(os.environ.get("BOOKTAPE_SOAK_SECONDS", "1800"))
DROP_S = int(os.environ.get("BOOKTAPE_SOAK_DROP_SECONDS", "60"))
RATE = 1_000
LOOK_S = 2.0
WARM_UP = 0.25
SLOPE_BYTES_S = 2**20 / 3600


def resident(pid: int) -> int:
    """Return a process's resident memory in bytes."""
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(not IS_LONG, reason="a soak takes half an hour: BOOKTAPE_ENDURANCE=long runs it")
def test_a_recorder_can_be_left_alone(tmp_path: Path) -> None:
    """Memory and descriptors stay, every interruption is on the tape, and the frames are those sent."""
    tape = tmp_path / "tape"
    drops = (RATE * DROP_S,) * (SECONDS // DROP_S + 2)
    settings = ExchangeSettings(rate=RATE, heartbeats=False, drop_after=drops)
    looks: list[tuple[float, int, int]] = []
    never = threading.Event()
    with SyntheticExchange([MarketSettings(BTC, depth=100)], settings) as exchange:
        options = ("-o", tape, "--url", exchange.url, "--segment-time", "1m", "--json")
        with running_booktape("record", BTC, *options) as process:
            exchange.wait_for_connections(1, timeout=60)
            began = time.monotonic()
            while (now := time.monotonic() - began) < SECONDS:
                assert process.poll() is None
                descriptors = len(os.listdir(f"/proc/{process.pid}/fd"))  # noqa: PTH208  only their number
                looks.append((now, resident(process.pid), descriptors))
                never.wait(LOOK_S)
            stdout, _ = end(process, signal.SIGTERM)
        said = exchange.sent
    rows = read_rows(tape)
    assert not journals(tape)
    lost = 0
    for number, sent in enumerate(said):
        kept = [row.payload for row in rows if row.connection == number and row.kind == "frame"]
        assert kept == sent[: len(kept)]
        lost += len(sent) - len(kept) if number < len(said) - 1 else 0
    kinds = [row.kind for row in rows if row.kind != "frame"]
    assert kinds == ["connected", "disconnected"] * len(said)
    warm = [look for look in looks if look[0] >= WARM_UP * SECONDS]
    times, sizes, descriptors_seen = (np.array(column, dtype=float) for column in zip(*warm, strict=True))
    slope = float(np.polyfit(times, sizes, 1)[0])
    tell(
        "soak",
        seconds=SECONDS,
        connections=len(said),
        frames=sum(map(len, said)),
        lost=lost,
        rss_mib=f"{sizes[0] / 2**20:.1f} to {sizes[-1] / 2**20:.1f}",
        slope=f"{slope * 3600 / 2**20:.2f} MiB/h",
        descriptors=f"{int(descriptors_seen.min())} to {int(descriptors_seen.max())}",
    )
    assert lost == 0
    assert json.loads(stdout)["products"][BTC]["connections"] == len(said)
    assert not verify(tape).damage
    # Between two connections there is a socket less; more than at the start there never are.
    assert descriptors_seen.max() <= max(look[2] for look in looks[: max(3, len(looks) // 4)])
    if SECONDS >= 1_800:  # a slope of less time says nothing
        assert slope < SLOPE_BYTES_S
