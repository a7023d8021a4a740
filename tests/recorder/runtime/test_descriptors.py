"""Open files: a job of many products gets as many as it may have, or is refused before it begins."""

import json
import subprocess
import sys
from pathlib import Path

from tests.support.commands import clean_environment
from tests.support.constants import START, TIMEOUT_S
from tests.support.tapes import snapshot

PRODUCTS = [f"P{number}-USD" for number in range(30)]


def limited(limit: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run `booktape` with a limit of open files, as `ulimit` sets it."""
    command = [sys.executable, "-m", "booktape", *map(str, arguments)]
    return subprocess.run(
        ["/bin/sh", "-c", f'ulimit {limit}; exec "$@"', "sh", *command],
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=TIMEOUT_S,
    )


def test_the_limit_is_raised_or_named(tmp_path: Path) -> None:
    """Thirty products under a soft limit of 80 files work; under a hard one nothing is begun."""
    capture, tape = tmp_path / "capture.jsonl", tmp_path / "tape"
    frames = ({"recv_ns": START, "frame": snapshot(product)} for product in PRODUCTS)
    capture.write_text("".join(json.dumps(frame) + "\n" for frame in frames))
    refused = limited("-n 80", "import", capture, "-o", tape)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr == (
        "Error: 30 products need 94 open files and sockets, this process may have 80: raise its limit "
        "(`ulimit -Hn`, `LimitNOFILE` of a service), or name 16 products at most\n"
    )
    assert not tape.exists()
    imported = limited("-Sn 80", "import", capture, "-o", tape)
    assert imported.returncode == 0, imported.stderr
    replayed = limited("-Sn 80", "replay", tape, "-o", tmp_path / "run")
    assert replayed.returncode == 0, replayed.stderr
    assert len(list((tmp_path / "run").glob("summaries/*/*.parquet"))) == len(PRODUCTS)
