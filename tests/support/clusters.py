"""Flows that write each product's digest to a file, and running them as a bytewax cluster on loopback."""

import json
import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import msgspec
import pyarrow as pa
from bytewax.dataflow import Dataflow

import booktape
import replay
from booktape.examples.episode_alert import EpisodeAlert
from orderbook.digest import RowDigest
from orderbook.tally import Tally
from orderbook.thresholds import DEFAULT_THRESHOLD
from recorder.tape.reader import Tape
from replay.dataflow.flows import replay_flow
from replay.dataflow.sources import TapeSource
from replay.running.settings import ReplaySettings
from tests.support.commands import clean_environment, free_ports
from tests.support.constants import ROOT, TIMEOUT_S


def build(tape: str, output: str) -> Dataflow:
    """Return a flow that writes each product's counts and process id to `output/PRODUCT.json`."""
    opened = Tape.open(Path(tape))
    streams = replay_flow(TapeSource(opened, opened.select(()), batch_rows=500), opened.feed)

    def write(product: str, tally: Tally) -> None:
        text = json.dumps({**msgspec.to_builtins(tally.document()), "process": os.getpid()})
        (Path(output) / f"{product}.json").write_text(text, encoding="utf-8")

    streams.into("write", streams.total("tally", lambda: Tally(DEFAULT_THRESHOLD)), write)
    return streams.flow


def build_strategy(tape: str, output: str) -> Dataflow:
    """Return a flow that writes the digest of each product's episodes to `output/PRODUCT.json`."""
    streams = replay.flow(tape, ReplaySettings(batch_rows=100))
    digests: dict[str, RowDigest] = {}

    def write(product: str, rows: pa.RecordBatch) -> None:
        digest = digests.setdefault(product, RowDigest(rows.schema))
        digest.update(rows)
        text = json.dumps({"digest": digest.hexdigest(), "rows": digest.rows, "process": os.getpid()})
        (Path(output) / f"{product}.json").write_text(text, encoding="utf-8")

    streams.into("write", streams.strategy(EpisodeAlert), write)
    return streams.flow


def build_balanced(tape: str, output: str) -> Dataflow:
    """Return a flow for four workers that writes both digests of each product to `output/PRODUCT.json`."""
    streams = booktape.open(tape).flow(workers=4)
    found: dict[str, dict[str, object]] = {}

    def write(product: str, name: str, value: object) -> None:
        each = found.setdefault(product, {"process": os.getpid()})
        each[name] = value
        (Path(output) / f"{product}.json").write_text(json.dumps(each), encoding="utf-8")

    digests: dict[str, RowDigest] = {}

    def digest(product: str, rows: pa.RecordBatch) -> None:
        rows_digest = digests.setdefault(product, RowDigest(rows.schema))
        rows_digest.update(rows)
        write(product, "strategy", rows_digest.hexdigest())

    streams.into(
        "tally",
        streams.total("total", lambda: Tally(DEFAULT_THRESHOLD)),
        lambda product, tally: write(product, "digest", tally.document().digest),
    )
    streams.into("rows", streams.strategy(EpisodeAlert), digest)
    return streams.flow


def run_cluster(build: str, tape: Path, output: Path, processes: int) -> None:
    """Replay a tape in a bytewax cluster; `build` is the name of the function here that returns the flow."""
    output.mkdir()
    addresses = ";".join(f"127.0.0.1:{port}" for port in free_ports(processes))
    flow = f"{__name__}:{build}({str(tape)!r}, {str(output)!r})"
    command = [sys.executable, "-m", "bytewax.run", flow, "-a", addresses, "-i"]
    with ExitStack() as stack:
        started = [
            stack.enter_context(
                subprocess.Popen(
                    [*command, str(index)],
                    cwd=ROOT,
                    env=clean_environment(),
                    stderr=subprocess.PIPE,
                    text=True,
                )
            )
            for index in range(processes)
        ]
        for process in started:
            stack.callback(process.kill)
        for process in started:
            _, stderr = process.communicate(timeout=TIMEOUT_S)
            assert process.returncode == 0, stderr
