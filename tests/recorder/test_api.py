"""Recording over real sockets: what the server sends is on the tape, and every way to end seals it."""

import json
import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pytest

import booktape as bt
from orderbook.venues.registry import venue
from recorder.api import import_captures, record
from recorder.dataflow.flows import SummaryOutput
from recorder.live.book_liveness import ProductPast
from recorder.live.clock import ReceiveClock
from recorder.live.connection_check import ConnectionCheck
from recorder.live.endpoint import FeedError
from recorder.settings import Backoff, ConnectionSettings, ImportSettings, RecordSettings
from replay.checking.verify import verify
from replay.running import api as running
from replay.synthetic.exchange import SyntheticExchange
from replay.synthetic.settings import ExchangeSettings, MarketSettings
from tests.support.commands import (
    Json,
    booktape,
    clean_environment,
    end,
    free_port,
    invoke,
    json_of,
    refusing_port,
    running_booktape,
)
from tests.support.constants import BTC, ETH, SECOND, START, TIMEOUT_S
from tests.support.oracle import Row
from tests.support.recordings import QUICK, record_here, summaries
from tests.support.rows import frames, journals, read_rows
from tests.support.tapes import snapshot, update, write_capture

MARKETS = [MarketSettings(BTC, depth=40), MarketSettings(ETH, mid="1900.00", tick="0.05", depth=40)]


def quiet(**settings: object) -> ExchangeSettings:
    """Return settings of an exchange that sends no heartbeats, so that what it sends is known."""
    return ExchangeSettings(heartbeats=False, **settings)  # type: ignore[arg-type]


def texts(rows: Iterable[Row], connection: int) -> list[str]:
    """Return the frames of a connection."""
    return [row.payload for row in rows if row.kind == "frame" and row.connection == connection]


def ends(rows: Iterable[Row]) -> list[Json]:
    """Return the payloads of the rows that end connections."""
    return [json.loads(row.payload) for row in rows if row.kind == "disconnected"]


def assert_sound(rows: list[Row]) -> None:
    """Check what holds for every recording that has ended: numbers, times, connections."""
    assert [row.seq for row in rows] == list(range(len(rows)))
    assert all(one.recv_time <= two.recv_time for one, two in pairwise(rows))
    for connection in range(rows[-1].connection + 1):
        kinds = [row.kind for row in rows if row.connection == connection]
        if kinds[-2] == "disconnected":
            kinds.pop()  # it was stopped in an outage
        assert (kinds[0], kinds[-1]) == ("connected", "disconnected")
        assert set(kinds[1:-1]) <= {"frame"}
    assert [row.connection for row in rows] == sorted(row.connection for row in rows)


def assert_whole(tape: Path, document: Json) -> None:
    """Check that a tape is sealed, sound, verified, and that its replay has the digest of a document."""
    assert not journals(tape)
    for product in document["products"]:
        assert_sound(read_rows(tape, product))
    assert not verify(tape).damage
    assert running.run(tape, keep=False).digest == document["digest"]


# Frames as they were sent


def big_snapshot() -> str:
    """Return a snapshot of more than 5 MB."""
    zeros = "0" * 80
    levels = [[f"{price}.{zeros}", "0.123456789012345678"] for price in range(100_000, 150_000)]
    text = snapshot(BTC, [["99999.5", "1"]], levels)
    assert len(text) > 5_000_000
    return text


def test_frames_of_the_exchange_feed_come_back(tmp_path: Path) -> None:
    """Frames of every kind and size are recorded byte for byte, over a connection that breaks."""
    odd = [
        "no JSON {",
        "",
        '{"type":"mystery","a":1}',
        " [1, 2]\n",
        "Größe \U0001f600",
        '{"type":"heartbeat"}',
    ]
    sent = [
        [big_snapshot(), *odd, *(update(BTC, ("buy", "98", str(n))) for n in range(5))],
        [snapshot(BTC, [["1", "1"]], [["2", "1"]]), *odd, update(BTC, ("buy", "1.5", "1"))],
    ]
    settings = quiet(frames_of=lambda index, _product: sent[index], drop_after=(len(sent[0]),))
    with SyntheticExchange(MARKETS[:1], settings) as exchange:
        recorded = record_here(exchange.url, tmp_path / "tape", {BTC: summaries(2, connection=1)})
        said = exchange.sent
    rows = read_rows(tmp_path / "tape")
    received = texts(rows, 0)
    assert received == said[0][: len(received)]
    assert sent[0][0] in received
    assert texts(rows, 1) == said[1]
    assert ends(rows) == [{"code": 1006, "reason": ""}, {"code": 1000, "reason": "stopped"}]
    assert_whole(tmp_path / "tape", recorded.document())
    prices = running.run(tmp_path / "tape").summaries[BTC].select(["bid_price", "ask_price"]).to_pylist()
    assert prices[-1] == {"bid_price": 1.5, "ask_price": 2.0}


def test_frames_of_the_advanced_feed_come_back(tmp_path: Path) -> None:
    """A snapshot of over 5 MB and updates are recorded byte for byte, over a connection that breaks."""
    market = MarketSettings(BTC, depth=23_000, tick="0.01", mid="65000.00")
    settings = quiet(feed="advanced", frames=20, drop_after=(10,))
    with SyntheticExchange([market], settings) as exchange:
        recorded = record_here(
            exchange.url, tmp_path / "tape", {BTC: summaries(21, connection=1)}, feed="advanced"
        )
        said = exchange.sent
    rows = read_rows(tmp_path / "tape")
    received = texts(rows, 0)
    assert received == said[0][: len(received)]
    assert max(map(len, received)) > 5_000_000
    assert texts(rows, 1) == said[1]
    assert [each["code"] for each in ends(rows)] == [1006, 1000]
    assert_whole(tmp_path / "tape", recorded.document())
    assert recorded.tallies[BTC].anomalies == dict.fromkeys(recorded.tallies[BTC].anomalies, 0)


@pytest.mark.parametrize("feed", ["exchange", "advanced"])
def test_a_connection_opens_with_its_subscription(tmp_path: Path, feed: str) -> None:
    """The `connected` row has a unique id, the address, the product and the messages that were sent."""
    messages = {"exchange": 1, "advanced": 2}[feed]
    with SyntheticExchange(MARKETS[:1], quiet(feed=feed, frames=3)) as exchange:
        first, second = summaries(1), summaries(4, connection=1)

        def drop_the_first(batch: pa.RecordBatch) -> bool:
            if first(batch) and len(exchange.connections) == 1:
                exchange.wait_until(lambda: len(exchange.connections[0].received) == messages)
                exchange.drop()
            return second(batch)

        record_here(exchange.url, tmp_path / "tape", {BTC: drop_the_first}, feed=feed)
        exchange.wait_until(lambda: len({len(each.received) for each in exchange.connections}) == 1)
        asked = [connection.received for connection in exchange.connections]
        url = exchange.url
    opened = [json.loads(row.payload) for row in read_rows(tmp_path / "tape") if row.kind == "connected"]
    assert [each["subscribe"] for each in opened] == asked
    assert [(each["url"], each["products"]) for each in opened] == [(url, [BTC])] * 2
    assert opened[0]["id"] != opened[1]["id"]


def test_a_close_frame_is_recorded(tmp_path: Path) -> None:
    """Code and reason of the server's close frame are on the tape."""
    with SyntheticExchange(MARKETS[:1], quiet(frames=3)) as exchange:
        enough = summaries(4)

        def close_once(_product: str, batch: pa.RecordBatch) -> None:
            if enough(batch):
                exchange.close_all(1012, "service restart")

        reader = ConnectionSettings("exchange", exchange.url, trades=False, backoff=QUICK, connections=1)
        record([BTC], tmp_path / "tape", RecordSettings(reader), output=SummaryOutput(None, close_once))
    rows = read_rows(tmp_path / "tape")
    assert ends(rows) == [{"code": 1012, "reason": "service restart"}]


def advanced_frames(numbers: Iterable[int]) -> list[str]:
    """Return an Advanced snapshot and updates with the given sequence numbers."""
    kinds = ["snapshot"]
    made = []
    for number in numbers:
        levels = [{"side": "bid", "price_level": "1", "new_quantity": str(number + 1)}]
        event = {"type": (kinds or ["update"]).pop(), "product_id": BTC, "updates": levels}
        made.append(json.dumps({"channel": "l2_data", "sequence_num": number, "events": [event]}))
    return made


def test_a_gap_ends_the_connection(tmp_path: Path) -> None:
    """A gap in sequence_num is on the tape and ends the connection; a new one begins."""
    sent = [advanced_frames([100, 101, 105]), advanced_frames([7, 8])]
    settings = quiet(feed="advanced", frames_of=lambda index, _product: sent[min(index, 1)])
    with SyntheticExchange(MARKETS[:1], settings) as exchange:
        # The acknowledgements have numbers of their own: each is a gap here, so the gap wanted is the last.
        recorded = record(
            [BTC],
            tmp_path / "tape",
            RecordSettings(
                ConnectionSettings(
                    "advanced", exchange.url, trades=False, backoff=QUICK, connections=2, spacing=0.0
                )
            ),
        )
    rows = read_rows(tmp_path / "tape")
    assert [each["reason"] for each in ends(rows)] == ["gap", "gap"]
    assert texts(rows, 0) == exchange.sent[0][: len(texts(rows, 0))]
    assert recorded.tallies[BTC].anomalies["gap"] == 2
    assert_whole(tmp_path / "tape", recorded.document())


# Trades


@pytest.mark.parametrize("feed", ["exchange", "advanced"])
def test_trades_come_with_the_book(feed: str, tmp_path: Path) -> None:
    """Trades are recorded on the connection of the book, none is missing, and the book is as without them."""
    markets = [MarketSettings(BTC, depth=40, trade_every=2)]
    for name, trades in (("with", True), ("without", False)):
        with SyntheticExchange(markets, quiet(frames=200, feed=feed)) as exchange:
            until = {BTC: summaries(201)}
            record_here(exchange.url, tmp_path / name, until, feed=feed, trades=trades)
    found = bt.open(tmp_path / "with").replay(trades=True)
    counts = found.tallies[BTC].trades
    assert counts is not None
    assert counts.trades > 30
    assert (counts.gaps, counts.malformed) == (0, 0)
    numbers = found.trades[BTC].column("trade_id").to_pylist()
    # Updates begin before the second message is read: the first trade told is the last one before it.
    assert numbers == list(range(numbers[0], numbers[0] + counts.trades))
    assert bt.open(tmp_path / "without").trades(BTC).num_rows == 0
    prices = ["bid_price", "bid_size", "ask_price", "ask_size"]
    books = [bt.open(tmp_path / name).summaries(BTC).select(prices) for name in ("with", "without")]
    assert books[0] == books[1]


def test_trades_that_are_not_acknowledged_end_nothing() -> None:
    """The recorder tells once, five seconds after the snapshot; the connection goes on."""
    check = ConnectionCheck(venue("exchange"), BTC, ProductPast(), 10.0, 0.0, trades=True)
    assert (
        check.check('{"type":"subscriptions","channels":[{"name":"level2_50","product_ids":[]}]}', 0.1)
        is None
    )
    assert not check.lacks_trades(20.0)  # no book yet
    assert check.check(snapshot(BTC), 1.0) is None
    assert [check.lacks_trades(second) for second in (1.0, 5.9, 6.1, 7.0)] == [False, False, True, False]
    told = ConnectionCheck(venue("exchange"), BTC, ProductPast(), 10.0, 0.0, trades=True)
    for text in ('{"type":"subscriptions","channels":[{"name":"matches","product_ids":[]}]}', snapshot(BTC)):
        assert told.check(text, 0.5) is None
    assert not any(told.lacks_trades(second) for second in (1.0, 7.0, 60.0))


# Times


def test_times_never_go_back(tmp_path: Path) -> None:
    """If the clock was set back before the tape's last row, times continue from that row."""
    capture = write_capture(tmp_path / "a.jsonl", [(86_400 * SECOND, snapshot(BTC))])
    import_captures([capture], tmp_path / "tape")
    last = read_rows(tmp_path / "tape")[-1].recv_time
    asked = []

    def clock_for(product: str, last: int) -> Callable[[], int]:
        asked.append((product, last))
        return ReceiveClock(last, wall=lambda: START)

    with SyntheticExchange(MARKETS[:1], quiet(frames=5, drop_after=(3,))) as exchange:
        record_here(exchange.url, tmp_path / "tape", {BTC: summaries(6, connection=2)}, clock_for=clock_for)
    rows = read_rows(tmp_path / "tape")
    assert_sound(rows)
    first_ended = next(row for row in rows if row.connection == 1 and row.kind == "disconnected")
    assert asked == [(BTC, last), (BTC, first_ended.recv_time)]
    assert last <= rows[3].recv_time < last + 60 * SECOND


def test_the_injected_clock_stamps_every_row(tmp_path: Path) -> None:
    """Rows carry the times of the connection's clock, one reading a row."""
    ticks = iter(range(START, START + 1000))
    with SyntheticExchange(MARKETS[:1], quiet(frames=5)) as exchange:
        record_here(
            exchange.url,
            tmp_path / "tape",
            {BTC: summaries(6)},
            clock_for=lambda _product, _last: lambda: next(ticks),
        )
    times = [row.recv_time for row in read_rows(tmp_path / "tape")]
    assert times == list(range(START, START + len(times)))


def test_a_quiet_product_delays_no_other(tmp_path: Path) -> None:
    """A product without frames after its snapshot delays no row and no stamp of another one."""
    sent = {
        BTC: [snapshot(BTC), *(update(BTC, ("buy", "98", str(n))) for n in range(400))],
        ETH: [snapshot(ETH)],
    }
    settings = quiet(frames_of=lambda _index, product: sent[product])
    with SyntheticExchange(MARKETS, settings) as exchange:
        record_here(exchange.url, tmp_path / "tape", {BTC: summaries(401), ETH: summaries(1)})
    rows = {product: read_rows(tmp_path / "tape", product) for product in sent}
    for product, recorded in rows.items():
        assert texts(recorded, 0)[1:] == sent[product]
        assert_sound(recorded)
    assert rows[BTC][-2].recv_time <= rows[ETH][-1].recv_time
    assert {recorded[-1].kind for recorded in rows.values()} == {"disconnected"}


def test_a_product_without_a_connection_delays_no_other(tmp_path: Path) -> None:
    """A product whose server stays silent is recorded as such while another one streams."""
    sent = {BTC: [snapshot(BTC), *(update(BTC) for _ in range(400))], ETH: []}
    settings = quiet(frames_of=lambda _index, product: sent[product])
    with SyntheticExchange(MARKETS, settings) as exchange:
        record_here(exchange.url, tmp_path / "tape", {BTC: summaries(401)}, beside=[ETH])
    assert texts(read_rows(tmp_path / "tape", BTC), 0)[1:] == sent[BTC]
    assert len(texts(read_rows(tmp_path / "tape", ETH), 0)) == 1
    reasons = [each["reason"] for product in sent for each in ends(read_rows(tmp_path / "tape", product))]
    assert reasons == ["stopped", "stopped"]


def test_a_recorder_that_stood_still_has_observed_nothing(tmp_path: Path) -> None:
    """What waited in the socket while the process was stopped bridges no gap: it is an interruption."""
    tape, stale_s, still_s = tmp_path / "tape", 1, 3
    with SyntheticExchange(MARKETS[:1], quiet(rate=20.0)) as exchange:
        options = ("-o", tape, "--url", exchange.url, "--stale-after", f"{stale_s}s")
        with running_booktape("record", BTC, *options) as process:
            exchange.wait_until(lambda: any(each.rounds >= 20 for each in exchange.connections), TIMEOUT_S)
            process.send_signal(signal.SIGSTOP)
            time.sleep(still_s)  # how long it stands still is the case
            process.send_signal(signal.SIGCONT)
            exchange.wait_until(
                lambda: sum(each.rounds >= 20 for each in exchange.connections) >= 2, TIMEOUT_S
            )
            end(process)
    rows = read_rows(tape)
    assert ends(rows)[0] == {"code": 4000, "reason": "stale"}
    frames_ = [(one, two) for one, two in pairwise(rows) if one.kind == two.kind == "frame"]
    gaps = [two.recv_time - one.recv_time for one, two in frames_ if one.connection == two.connection]
    assert max(gaps) < still_s * SECOND


# Ways to end


@pytest.mark.parametrize("way", [signal.SIGTERM, "--duration"])
def test_every_way_to_end_seals(tmp_path: Path, way: signal.Signals | str) -> None:
    """SIGTERM and --duration exit 0 with everything sealed, and the digest is that of a replay.

    `tests/endurance/test_signals.py` has the other signals.
    """
    tape = tmp_path / "tape"
    with SyntheticExchange(MARKETS, quiet(rate=500.0)) as exchange:
        options = ["-o", tape, "--url", exchange.url, "--segment-rows", 40, "--json"]
        options += [way, "1s"] if isinstance(way, str) else []
        with running_booktape("record", BTC, ETH, *options) as process:
            exchange.wait_for_connections(2, TIMEOUT_S)
            if isinstance(way, str):
                stdout, stderr = end(process, None)
            else:
                exchange.wait_until(lambda: all(each.rounds >= 100 for each in exchange.connections))
                stdout, stderr = end(process, way)
        said = exchange.sent
    document = json.loads(stdout)
    assert stderr == ""
    assert_whole(tape, document)
    assert json_of("replay", tape)["digest"] == document["digest"]
    for product in (BTC, ETH):
        received = texts(read_rows(tape, product), 0)
        assert len(received) > 2
        assert any(received == frames_[: len(received)] for frames_ in said)
        assert document["products"][product]["frames"] == len(received)
        assert ends(read_rows(tape, product)) == [{"code": 1000, "reason": "stopped"}]


@pytest.mark.parametrize(("command", "by"), [("record", signal.SIGTERM), ("live", signal.SIGINT)])
def test_a_signal_while_the_engine_compiles(tmp_path: Path, command: str, by: signal.Signals) -> None:
    """A signal does not wait for the engine to be compiled, which takes a minute; nothing is written."""
    pytest.importorskip("numba")
    nowhere = {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache"), "NUMBA_CACHE_DIR": ""}
    environment = clean_environment() | nowhere
    options = ["--url", "ws://127.0.0.1:1", "--engine", "compiled"]
    options += ["-o", str(tmp_path / "tape")] if command == "record" else []
    with running_booktape(command, BTC, *options, env=environment, as_user=True) as process:
        assert process.stderr is not None
        while "Compiling the fast engine" not in (line := process.stderr.readline()):
            assert "waiting for" in line
        assert end(process, by, code=1) == ("", "Error: interrupted\n")
    assert not (tmp_path / "tape").exists()


@pytest.mark.parametrize("command", ["record", "live"])
def test_a_signal_that_repeats_changes_nothing(tmp_path: Path, command: str) -> None:
    """Signals that go on until the process is gone change neither the exit code nor what is kept."""
    tape = tmp_path / "tape"
    output = ("-o", tape, "--json") if command == "record" else ("--threshold", "50%")
    with SyntheticExchange(MARKETS[:1], quiet(rate=500.0)) as exchange:
        with running_booktape(command, BTC, *output, "--url", exchange.url) as process:
            exchange.wait_until(lambda: any(each.rounds >= 100 for each in exchange.connections), TIMEOUT_S)
            while process.poll() is None:
                process.send_signal(random.choice((signal.SIGINT, signal.SIGTERM)))
                with suppress(subprocess.TimeoutExpired):
                    process.wait(0.005)
            stdout, stderr = process.communicate(timeout=TIMEOUT_S)
        assert process.returncode == 0, stderr
    if command == "record":
        assert_whole(tape, json.loads(stdout))


@pytest.mark.parametrize("duration", ["1ms", "50ms"])
def test_a_recording_may_end_before_it_began(tmp_path: Path, duration: str) -> None:
    """A recording that is stopped at once exits with 1 and names the products that have no book."""
    tape = tmp_path / "tape"
    with SyntheticExchange(MARKETS, quiet(rate=500.0)) as exchange:
        options = ["-o", tape, "--url", exchange.url, "--duration", duration]
        with running_booktape("record", BTC, ETH, *options) as process:
            _, stderr = process.communicate(timeout=TIMEOUT_S)
    received = {product: "".join(texts(read_rows(tape, product), 0)) for product in (BTC, ETH)}
    missing = [product for product, texts_ in received.items() if '"snapshot"' not in texts_]
    assert process.returncode == bool(missing)
    assert all(f"{product}: no " in stderr.splitlines()[-1] for product in missing)
    assert not journals(tape)


def test_a_recording_that_never_connected_says_why(tmp_path: Path) -> None:
    """At the end of --duration without a frame, the exit code is 1 and the line names what was in the way."""
    with refusing_port() as port:
        url = f"ws://127.0.0.1:{port}"
        for command in (["record", BTC, "-o", tmp_path / "tape"], ["live", BTC]):
            done = booktape(*command, "--url", url, "--duration", "500ms")
            assert (done.returncode, done.stdout) == (1, "")
            *_, line = done.stderr.splitlines()
            assert line.startswith(f"Error: {BTC}: no frame was received (no connection to {url}")
    verified = invoke("verify", tmp_path / "tape")
    assert verified.exit_code == 0
    assert f"{BTC}: no snapshot of its book" in verified.stdout
    assert "whole" not in verified.stdout


def test_a_refused_subscription_is_an_error(tmp_path: Path) -> None:
    """If an error frame answers the subscription, the command exits with 1 and the reason in one line."""
    tape = tmp_path / "tape"
    with SyntheticExchange(MARKETS, quiet(frames=3)) as exchange:
        done = booktape("record", "DOGE-USD", "-o", tape, "--url", exchange.url, "--no-trades")
        said = exchange.sent
    assert done.returncode == 1
    assert done.stdout == ""
    *_, line = done.stderr.splitlines()
    assert "Traceback" not in done.stderr
    assert line.startswith("Error: DOGE-USD: ")
    assert "DOGE-USD is not a valid product" in line
    rows = read_rows(tape, "DOGE-USD")
    assert texts(rows, 0) == said[0]
    assert_sound(rows)
    assert not journals(tape)
    assert not verify(tape).damage


def test_a_refused_product_does_not_harm_another(tmp_path: Path) -> None:
    """If one product is refused, the other is recorded to the end; the exit code and the result say so."""
    tape = tmp_path / "tape"
    with SyntheticExchange(MARKETS, quiet(rate=500.0)) as exchange:
        options = ("-o", tape, "--url", exchange.url, "--json")
        with running_booktape("record", "DOGE-USD", BTC, *options) as process:
            exchange.wait_until(lambda: any(each.rounds >= 100 for each in exchange.connections), TIMEOUT_S)
            stdout, stderr = end(process, signal.SIGTERM, code=1)
        said = exchange.sent
    *_, line = stderr.splitlines()
    assert line.startswith("Error: DOGE-USD: the exchange refused the subscription")
    assert BTC not in line
    document = json.loads(stdout)
    assert list(document["failures"]) == ["DOGE-USD"]
    assert_whole(tape, document)
    assert texts(read_rows(tape), 0) == said[1][: len(texts(read_rows(tape), 0))]
    refused, stopped = ends(read_rows(tape, "DOGE-USD"))
    assert (refused, stopped["reason"]) == ({"code": 4000, "reason": "refused"}, "stopped")


def test_a_refused_connection_is_tried_again(tmp_path: Path) -> None:
    """If the connection is refused, that is logged and retried until a server listens; then it records."""
    port = free_port()
    tape = tmp_path / "tape"
    with running_booktape("record", BTC, "-o", tape, "--url", f"ws://127.0.0.1:{port}") as process:
        assert process.stderr is not None
        waits: list[float] = []
        while len(waits) < 2:
            line = process.stderr.readline()
            assert f"no connection to ws://127.0.0.1:{port}" in line
            waits.append(float(line.rpartition("again in ")[2].split()[0]))
        with SyntheticExchange(MARKETS, quiet(port=port, rate=500.0)) as exchange:
            exchange.wait_until(lambda: any(c.rounds > 20 for c in exchange.connections), TIMEOUT_S)
            end(process)
            said = exchange.sent
    rows = read_rows(tape)
    assert_sound(rows)
    assert rows[-1].connection == 0
    assert texts(rows, 0) == said[0][: len(texts(rows, 0))]
    assert waits[0] <= Backoff().first
    assert waits[1] <= 2 * Backoff().first


# Going on, and others


def test_recording_continues_an_existing_tape(tmp_path: Path) -> None:
    """A second recording continues after the last row; its digest is that of a replay of the whole tape."""
    tape = tmp_path / "tape"
    documents = []
    for start in range(3):
        with SyntheticExchange(MARKETS, quiet(frames=30)) as exchange:
            recorded = record_here(exchange.url, tape, {BTC: summaries(31, start), ETH: summaries(31, start)})
            said = exchange.sent
        documents.append(recorded.document())
        rows = read_rows(tape)
        assert_sound(rows)
        assert rows[-1].connection == start
        assert texts(rows, start) in said
        assert_whole(tape, documents[-1])
    assert len({document["digest"] for document in documents}) == 3


def test_a_recording_of_nothing_keeps_the_digest(tmp_path: Path) -> None:
    """A recording that received nothing says so and leaves the tape that it continued as it was."""
    capture = write_capture(tmp_path / "a.jsonl", [(0, snapshot(BTC)), (1, update(BTC))])
    before = import_captures([capture], tmp_path / "tape").document()
    with refusing_port() as port:
        reader = ConnectionSettings("exchange", f"ws://127.0.0.1:{port}", backoff=QUICK)
        with pytest.raises(FeedError, match=f"{BTC}: no frame was received"):
            record([BTC], tmp_path / "tape", RecordSettings(reader, duration=0.3, append=True))
    assert before["digest"] == running.run(tmp_path / "tape", keep=False).digest


def test_two_recorders_do_not_share_a_tape(tmp_path: Path) -> None:
    """The second recorder of a tape exits with 1 and one line; the first one is not affected."""
    tape = tmp_path / "tape"
    with SyntheticExchange(MARKETS, quiet(rate=500.0)) as exchange:
        options = ("-o", tape, "--url", exchange.url)
        with running_booktape("record", BTC, *options, "--json") as process:
            exchange.wait_until(lambda: any(c.rounds > 5 for c in exchange.connections), TIMEOUT_S)
            second = booktape("record", ETH, *options)
            stdout, _ = end(process)
        assert len(exchange.connections) == 1
    assert (second.returncode, second.stdout) == (1, "")
    (line,) = second.stderr.splitlines()
    assert line.startswith("Error: ")
    assert "another recorder is writing to this tape" in line
    assert_whole(tape, json.loads(stdout))


# Printed summaries


def with_spreads(*asks: str) -> list[str]:
    """Return a snapshot with a tight book at 100 and updates that each leave one ask above it."""
    made, held = [snapshot(BTC, [["100", "1"]], [["100.01", "1"]])], "100.01"
    for ask in asks:
        made.append(update(BTC, ("sell", held, "0"), ("sell", ask, "1")))
        held = ask
    return made


def test_threshold_prints_signals(tmp_path: Path) -> None:
    """With --threshold the summaries that pass are printed as they happen, and no others."""
    sent = with_spreads("101", "100.02", "102", "100.5", "103")
    settings = quiet(frames_of=lambda _index, _product: sent)
    with SyntheticExchange(MARKETS[:1], settings) as exchange:
        options = ["-o", tmp_path / "tape", "--url", exchange.url, "--threshold", "0.6%"]
        with running_booktape("record", BTC, *options) as process:
            assert process.stdout is not None
            lines = [process.stdout.readline() for _ in range(3)]
            rest, _ = end(process)
    for line, ask in zip(lines, ("101.00", "102.00", "103.00"), strict=True):
        assert BTC in line
        assert f"{ask} x" in line
    assert "ask" not in rest
    assert "\x1b" not in "".join([*lines, rest])


def test_live_prints_and_keeps_nothing(tmp_path: Path) -> None:
    """`live --all` prints a line a summary, `live` those that pass; neither leaves a file."""
    sent = with_spreads("101", "100.02", "102")
    settings = quiet(frames_of=lambda _index, _product: sent)
    with SyntheticExchange(MARKETS[:1], settings) as exchange:
        for options, asks in (
            (["--all"], ["100.01", "101.00", "100.02", "102.00"]),
            (["--threshold", "50bps"], ["101.00", "102.00"]),
        ):
            command = ("live", BTC, "--url", exchange.url, *options)
            with running_booktape(*command, cwd=tmp_path) as process:
                assert process.stdout is not None
                lines = [process.stdout.readline() for _ in asks]
                rest, _ = end(process, signal.SIGINT)
            assert [ask in line for ask, line in zip(asks, lines, strict=True)] == [True] * len(asks)
            assert rest == ""
    assert not list(tmp_path.iterdir())


WRONG: list[list[str]] = [
    ["--url", "ws://example.com"],
    ["--url", "ws://127.0.0.1.example.com"],
    ["--url", "http://127.0.0.1"],
    ["--url", "ws://"],
    ["--url", "ws://127.0.0.1:99999"],
    ["--url", "ws://127.0.0.1:port"],
    ["--feed", "else"],
    ["--duration", "0"],
    ["--duration", "soon"],
]


@pytest.mark.parametrize(
    ("command", "options"),
    [*(("record", options) for options in WRONG), ("live", WRONG[0])],
    ids=lambda value: value if isinstance(value, str) else " ".join(value),
)
def test_wrong_usage_ends_with_2(tmp_path: Path, command: str, options: list[str]) -> None:
    """An unencrypted feed of another machine and an invalid address are wrong usage; nothing is created."""
    tape = ["-o", tmp_path / "tape"] if command == "record" else []
    done = invoke(command, BTC, *tape, *options)
    assert (done.exit_code, done.stdout) == (2, "")
    assert options[0] in done.stderr
    assert not list(tmp_path.iterdir())


# A disk that takes no more


def test_a_full_disk_ends_with_what_was_recorded(tmp_path: Path) -> None:
    """If the journal cannot grow, the recorder exits with 1 and one line; all rows before are readable."""
    tape = tmp_path / "tape"
    with SyntheticExchange(MARKETS[:1], quiet(rate=2000.0)) as exchange:
        options = ("-o", tape, "--url", exchange.url)
        with running_booktape("record", BTC, *options, file_size=300_000) as process:
            stdout, stderr = process.communicate(timeout=TIMEOUT_S)
        said = exchange.sent
    assert (process.returncode, stdout) == (1, "")
    (line,) = stderr.splitlines()
    assert line.startswith("Error: ")
    assert "File too large" in line
    rows = read_rows(tape)
    assert [row.seq for row in rows] == list(range(len(rows)))
    assert len(rows) > 100
    received = texts(rows, 0)
    assert received == said[0][: len(received)]
    assert not verify(tape).damage


def test_a_disk_that_is_full_at_once_leaves_a_tape(tmp_path: Path) -> None:
    """If not even the first snapshot fits, the tape has the rows before it and can be continued."""
    tape = tmp_path / "tape"
    sent = [big_snapshot()]
    with SyntheticExchange(MARKETS[:1], quiet(frames_of=lambda _index, _product: sent)) as exchange:
        options = ("-o", tape, "--url", exchange.url)
        with running_booktape("record", BTC, *options, file_size=1_000_000) as process:
            _, stderr = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 1
    assert len(stderr.splitlines()) == 1
    rows = read_rows(tape)
    assert len(rows) <= 3  # it opens, and both subscriptions may be acknowledged before
    assert not verify(tape).damage
    capture = write_capture(tmp_path / "a.jsonl", [(0, snapshot(BTC))])
    recorded = import_captures([capture], tape, ImportSettings(clamp=True))
    assert_whole(tape, {"products": [], "digest": recorded.document()["digest"]})
    assert len(read_rows(tape)) == len(rows) + len(frames(3))
