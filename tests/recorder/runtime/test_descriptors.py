"""Open files: a job of many products gets as many as it may have, or is refused before it begins."""

import json
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import booktape as bt
from orderbook.errors import BooktapeError
from tests.support.commands import clean_environment
from tests.support.constants import START, TIMEOUT_S
from tests.support.fork import FORK
from tests.support.tapes import import_frames, snapshot, update

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


def read_into(tapes: list[Path], directory: Path, limit: int | None = None) -> None:
    """Write the RUNs of a replay and of a comparison of two tapes; with a limit of open files, if any."""
    if limit is not None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    opened = bt.open(tapes[0])
    opened.replay(output=directory / "run", depth=1, trades=True, threshold="1bps", engine="plain")
    bt.compare(tapes, "1bps", output=directory / "compared", engine="plain")
    if limit is not None:
        with pytest.raises(BooktapeError, match="8 products need 80 open files"):
            opened.replay(speed=1000, engine="plain")


def test_files_are_opened_as_needed(tmp_path: Path) -> None:
    """If not all products can be open at once, they are read in turn; a replay at a speed is refused."""
    products = PRODUCTS[:8]
    frames = [(n, snapshot(product)) for n, product in enumerate(products)]
    frames += [(100 + n, update(product, ("buy", "99.5", "1"))) for n, product in enumerate(products)]
    tape, outs = import_frames(tmp_path, frames), (tmp_path / "all", tmp_path / "some")
    tapes = [tape, Path(shutil.copytree(tape, tmp_path / "again"))]
    for out in outs:
        out.mkdir()
    read_into(tapes, outs[0])
    process = FORK.Process(target=read_into, args=(tapes, outs[1], 78))
    process.start()
    process.join(TIMEOUT_S)
    assert process.exitcode == 0
    files = [{path.relative_to(out) for path in out.rglob("*.parquet")} for out in outs]
    assert files[0] == files[1]
    assert len(files[0]) > 3 * len(products)
    assert all((outs[0] / each).read_bytes() == (outs[1] / each).read_bytes() for each in files[0])
    assert bt.diff(outs[0] / "run", outs[1] / "run").is_equal
