"""The description of a tape by `inspect`."""

import json
import re
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from orderbook.connection_marks import Connected, encode_mark
from recorder.api import import_captures
from recorder.settings import CaptureForm, ImportSettings
from replay.synthetic.exchange import SyntheticExchange
from replay.synthetic.settings import ExchangeSettings, MarketSettings
from tests.support import tapes
from tests.support.commands import Json, invoke, json_of, record_process
from tests.support.constants import BTC, ETH, MS, START, TIMEOUT_S
from tests.support.oracle import Row
from tests.support.rows import write_tape
from tests.support.tapes import Recording


def nanoseconds(text: str) -> int:
    """Return an ISO time in nanoseconds since 1970."""
    assert text.endswith("Z")
    return int(np.datetime64(text[:-1], "ns").astype(int))


def files_under(directory: Path, pattern: str) -> int:
    """Return the bytes of files."""
    return sum(path.stat().st_size for path in directory.glob(pattern))


def assert_counts(tape: Path, document: Json) -> None:
    """Assert that rows, times, connections, segments and bytes are those of the files."""
    assert document["tape"] == str(tape)
    assert document["format"] == 2
    assert document["feed"] == tapes.feed_of(tape)
    assert document["products"].keys() == set(tapes.products_of(tape))
    for product, found in document["products"].items():
        rows = tapes.tape_rows(tape, product)
        assert found["rows"] == len(rows)
        assert nanoseconds(found["first_time"]) == rows[0].recv_time
        assert nanoseconds(found["last_time"]) == rows[-1].recv_time
        assert found["connections"] == len({row.connection for row in rows})
        assert found["segments"] == len(tapes.catalog(tape, product))
        directory = tape / f"product={product}"
        assert found["sealed_bytes"] == files_under(directory, "date=*/*.parquet")
        assert found["journal_bytes"] == files_under(directory, "_journal/*") == 0
        assert found["bytes"] == found["sealed_bytes"]
        assert found["journal_rows"] == found["torn_bytes"] == 0


def test_recording(recording: Recording) -> None:
    """Rows, times, connections, segments and bytes of a recording are those of its files."""
    document = json_of("inspect", recording.tape)
    assert_counts(recording.tape, document)
    assert all(found["segments"] > 2 for found in document["products"].values())


def test_capture(capture_tape: Path) -> None:
    """The description of an imported capture is that of its files."""
    document = json_of("inspect", capture_tape)
    assert_counts(capture_tape, document)
    assert all(found["interruptions"] == [] for found in document["products"].values())


def test_interruption_without_a_word(recording: Recording) -> None:
    """A lost connection is an interruption with code 1006, from its last row to the first of the next."""
    document = json_of("inspect", recording.tape)
    for product, found in document["products"].items():
        rows = tapes.tape_rows(recording.tape, product)
        opened = next(row for row in rows if row.connection == 1)
        (told,) = found["interruptions"]
        assert (told["connection"], told["code"], told["reason"]) == (1, 1006, "")
        assert nanoseconds(told["from"]) == rows[opened.seq - 1].recv_time
        assert nanoseconds(told["to"]) == opened.recv_time
        assert told["seconds"] == (opened.recv_time - rows[opened.seq - 1].recv_time) / 1e9


def record_with_closes(tape: Path, closes: list[tuple[int, str]]) -> None:
    """Record from an exchange that closes the connection, once for each code and reason."""
    settings = ExchangeSettings(rate=200.0, keep_sent=False)
    with SyntheticExchange([MarketSettings(BTC, depth=20)], settings) as exchange:

        def is_served(number: int) -> bool:
            return len(exchange.connections) > number and exchange.connections[number].rounds > 2

        def until() -> None:
            for number, close in enumerate(closes):
                exchange.wait_until(partial(is_served, number), timeout=TIMEOUT_S)
                exchange.close_all(*close)
            exchange.wait_until(partial(is_served, len(closes)), timeout=TIMEOUT_S)

        record_process(tape, [BTC], exchange.url, until)


HOSTILE = "[/red] \x1b[31mred \x1b]0;title\x07 [link=x]\n2nd"


@pytest.fixture(scope="module")
def closed_tape(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a tape whose exchange closed the connection with a polite and with a hostile reason."""
    tape = tmp_path_factory.mktemp("closed") / "tape"
    record_with_closes(tape, [(1012, "service restart"), (4000, HOSTILE)])
    return tape


def test_interruption_with_code_and_reason(closed_tape: Path) -> None:
    """The reason that the exchange gave for closing the connection is kept to the letter."""
    found = json_of("inspect", closed_tape)["products"][BTC]
    told = [(each["connection"], each["code"], each["reason"]) for each in found["interruptions"]]
    assert told == [(1, 1012, "service restart"), (2, 4000, HOSTILE)]
    assert found["connections"] == 3
    done = invoke("inspect", closed_tape)
    assert "(1012 service restart)" in done.stdout


def test_hostile_reason_on_screen(closed_tape: Path) -> None:
    """The exchange's reason is printed as text: not as markup and without control sequences."""
    done = invoke("inspect", closed_tape)
    assert done.exit_code == 0
    assert done.stderr == ""
    assert "[/red]" in done.stdout
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", done.stdout)


def test_disconnect_in_a_capture(tmp_path: Path) -> None:
    """A disconnect of a capture, and the end of a file, are interruptions with their reason."""
    lines = [f"2026-08-09T21:05:48.{n:03d}Z {tapes.update(BTC)}" for n in range(6)]
    (tmp_path / "first").write_text("\n".join([*lines[:2], "", *lines[2:4]]) + "\n", encoding="utf-8")
    (tmp_path / "second").write_text("\n".join(lines[4:]) + "\n", encoding="utf-8")
    tape = tmp_path / "tape"
    import_captures([tmp_path / "first", tmp_path / "second"], tape, ImportSettings(CaptureForm("tardis")))
    found = json_of("inspect", tape)["products"][BTC]
    told = [(each["connection"], each["code"], each["reason"]) for each in found["interruptions"]]
    assert told == [(1, 1005, "a disconnect in the capture"), (2, 1005, "the end of the capture")]
    assert [each["seconds"] for each in found["interruptions"]] == [0.001, 0.001]
    assert_counts(tape, json_of("inspect", tape))


def test_screen(recording: Recording) -> None:
    """The printed text has the tape, its products, and a line for every interruption."""
    done = invoke("inspect", recording.tape)
    assert done.exit_code == 0
    assert str(recording.tape) in done.stdout
    for product in (BTC, ETH):
        rows = len(tapes.tape_rows(recording.tape, product))
        assert re.search(rf"^{product} .* {rows:,} ", done.stdout, re.MULTILINE)
        assert re.search(rf"^{product}: interrupted .* \(1006 ", done.stdout, re.MULTILINE)


def test_trades(tmp_path: Path) -> None:
    """How many connections left trades out, and on request how many trades there are, and gaps."""

    def subscribed(*channels: str) -> str:
        messages = [json.dumps({"type": "subscribe", "channels": [channel]}) for channel in channels]
        return encode_mark(Connected("one", "ws://127.0.0.1", [BTC], messages))

    def trade(number: int) -> str:
        about = {"type": "match", "trade_id": number, "product_id": BTC, "side": "buy"}
        return json.dumps({**about, "size": "1", "price": "100", "time": "2026-01-01T00:00:00Z"})

    payloads = [("connected", subscribed("level2_batch")), ("frame", tapes.snapshot(BTC))]
    payloads += [("connected", subscribed("level2_batch", "matches")), ("frame", tapes.snapshot(BTC))]
    payloads += [("frame", trade(number)) for number in (7, 8, 10)]
    rows = [Row(seq, START + seq, seq // 2 if seq < 4 else 1, *each) for seq, each in enumerate(payloads)]
    tape = write_tape(tmp_path / "recorded", rows)
    plain, read = (json_of("inspect", tape, *options)["products"][BTC] for options in ((), ("--trades",)))
    assert (plain["without_trades"], plain["trades"], plain["strategies"]) == (1, None, [])
    assert read == plain | {"trades": {"trades": 3, "gaps": 1, "malformed": 0, "repeated": 0}}
    printed = invoke("inspect", tape, "--trades").stdout.splitlines()
    assert f"{BTC}: 1 of 2 connections without trades: they were not subscribed to" in printed
    assert f"{BTC}: 3 trades, some missing at 1 place" in printed
    imported = tapes.import_frames(tmp_path, [(MS, tapes.snapshot(BTC))])
    assert json_of("inspect", imported)["products"][BTC]["without_trades"] is None


def test_product_without_rows(tmp_path: Path) -> None:
    """A product without a row is listed with zeros."""
    tape = tapes.import_frames(tmp_path, [(MS, tapes.snapshot(BTC))])
    manifest = json.loads((tape / "_tape.json").read_bytes())
    manifest["products"].append(ETH)
    (tape / "_tape.json").write_text(json.dumps(manifest), encoding="utf-8")
    (tape / f"product={ETH}").mkdir()
    found = json_of("inspect", tape)["products"]
    assert found[ETH]["rows"] == found[ETH]["segments"] == found[ETH]["connections"] == 0
    assert found[ETH]["first_time"] is None
    assert nanoseconds(found[BTC]["first_time"]) == START + MS
    for command in ("inspect", "replay", "compare"):
        done = invoke(command, tape)
        assert done.exit_code == 0, done.stderr


@pytest.mark.parametrize("command", ["inspect", "replay", "compare"])
def test_missing_segment(recording: Recording, tmp_path: Path, command: str) -> None:
    """A missing sealed file is one line that names it, and exit code 1."""
    tape = tapes.copy_of(recording.tape, tmp_path)
    path = tapes.segment_paths(tape, ETH)[1]
    path.unlink()
    done = invoke(command, tape)
    assert done.exit_code == 1
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert str(path) in done.stderr
