"""A flow for `python -m bytewax.run`: replays a tape and writes each product's digest to a file."""

import json
import os
from pathlib import Path

import pyarrow as pa
from bytewax.dataflow import Dataflow

import replay
from examples.episode_alert import EpisodeAlert
from orderbook.row_digest import RowDigest
from orderbook.tally import Tally
from orderbook.threshold import DEFAULT_THRESHOLD
from recorder.tape.reader import Tape
from replay.flows import replay_flow
from replay.sources import TapeSource


def build(tape: str, output: str) -> Dataflow:
    """Return the flow.

    Args:
        tape: directory of the tape.
        output: directory of the results, one file a product: its counts and the process that had it.
    """
    opened = Tape.open(Path(tape))
    streams = replay_flow(TapeSource(opened, opened.select(()), batch_rows=500), opened.feed)

    def write(product: str, tally: Tally) -> None:
        text = json.dumps({**tally.document(), "process": os.getpid()})
        (Path(output) / f"{product}.json").write_text(text, encoding="utf-8")

    streams.into("write", streams.total("tally", lambda: Tally(DEFAULT_THRESHOLD)), write)
    return streams.flow


def build_strategy(tape: str, output: str) -> Dataflow:
    """Return a flow that writes the digest of each product's episodes.

    Args:
        tape: directory of the tape.
        output: directory of the results, one file a product.
    """
    streams = replay.flow(tape, batch_rows=100)
    digests: dict[str, RowDigest] = {}

    def write(product: str, rows: pa.RecordBatch) -> None:
        digest = digests.setdefault(product, RowDigest(rows.schema))
        digest.update(rows)
        text = json.dumps({"digest": digest.hexdigest(), "rows": digest.rows, "process": os.getpid()})
        (Path(output) / f"{product}.json").write_text(text, encoding="utf-8")

    streams.into("write", streams.strategy(EpisodeAlert), write)
    return streams.flow
