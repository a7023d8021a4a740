"""Recording over real sockets: what the server sends is on the tape, and every way to end seals it."""

import json
import signal
from collections.abc import Callable, Iterable
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pytest

from orderbook.feeds import Feed
from recorder.backoff import Backoff
from recorder.clock import ReceiveClock
from recorder.feeds import FeedError, endpoint
from recorder.flows import Show
from recorder.reader import ReaderSettings
from recorder.record import import_captures, record
from replay import running
from replay.synthetic.exchange import ExchangeSettings, SyntheticExchange
from replay.synthetic.market import MarketSettings
from replay.verifying import verify
from tests.oracle import Row
from tests.recorder.processes import (
    QUICK,
    end,
    free_port,
    record_here,
    running_booktape,
    summaries,
)
from tests.recorder.rows import BTC, SECOND, START, frames, journals, read_rows
from tests.replay.tapes import Json, booktape, json_of, snapshot, update, write_capture

ETH = "ETH-USD"
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
    """Insist on what holds for every recording that has ended: numbers, times, connections."""
    assert [row.seq for row in rows] == list(range(len(rows)))
    assert all(one.recv_time <= two.recv_time for one, two in pairwise(rows))
    for connection in range(rows[-1].connection + 1):
        kinds = [row.kind for row in rows if row.connection == connection]
        assert (kinds[0], kinds[-1]) == ("connected", "disconnected")
        assert set(kinds[1:-1]) <= {"frame"}
    assert [row.connection for row in rows] == sorted(row.connection for row in rows)


def assert_whole(tape: Path, document: Json) -> None:
    """Insist that a tape is sealed, sound, verified, and that its replay has the digest of a document."""
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
    """Frames of every kind and size come back byte for byte, over a connection that breaks in the middle."""
    odd = [
        "no JSON {",
        "",
        '{"type":"mystery","a":1}',
        " [1, 2]\n",
        "Größe \U0001f600",
        '{"type":"l2update"}',
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
    """A snapshot of over 5 MB and updates come back byte for byte, over a connection that breaks."""
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
def test_a_connection_opens_with_what_was_asked(tmp_path: Path, feed: Feed) -> None:
    """The connected row tells a unique id, the address, the product and the very messages that were sent."""
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


def test_a_close_frame_is_told(tmp_path: Path) -> None:
    """The code and the reason of the server's close frame are on the tape."""
    with SyntheticExchange(MARKETS[:1], quiet(frames=3)) as exchange:
        enough = summaries(4)

        def close_once(_product: str, batch: pa.RecordBatch) -> None:
            if enough(batch):
                exchange.close_all(1012, "service restart")

        reader = ReaderSettings(endpoint("exchange", exchange.url), QUICK, connections=1)
        record([BTC], tmp_path / "tape", reader, show=Show(None, close_once))
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
    """A jump of sequence_num is on the tape and ends the connection; a new one begins."""
    sent = [advanced_frames([100, 101, 105]), advanced_frames([7, 8])]
    settings = quiet(feed="advanced", frames_of=lambda index, _product: sent[min(index, 1)])
    with SyntheticExchange(MARKETS[:1], settings) as exchange:
        # The acknowledgements have numbers of their own: each is a gap here, so the gap wanted is the last.
        recorded = record(
            [BTC],
            tmp_path / "tape",
            ReaderSettings(endpoint("advanced", exchange.url), QUICK, connections=2, spacing=0.0),
        )
    rows = read_rows(tmp_path / "tape")
    assert [each["reason"] for each in ends(rows)] == ["gap", "gap"]
    assert texts(rows, 0) == exchange.sent[0][: len(texts(rows, 0))]
    assert recorded.tallies[BTC].anomalies["gap"] == 2
    assert_whole(tmp_path / "tape", recorded.document())


# Times


def test_times_never_go_back(tmp_path: Path) -> None:
    """Where the clock was set back behind the tape's last row, its times go on from there."""
    capture = write_capture(tmp_path / "a.jsonl", [(86_400 * SECOND, snapshot(BTC))])
    import_captures([capture], tmp_path / "tape", "jsonl")
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
    """A product that gets nothing after its snapshot holds up no row and no stamp of another one."""
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
    """A product whose server says nothing at all is recorded as such while another one streams."""
    sent = {BTC: [snapshot(BTC), *(update(BTC) for _ in range(400))], ETH: []}
    settings = quiet(frames_of=lambda _index, product: sent[product])
    with SyntheticExchange(MARKETS, settings) as exchange:
        reader = ReaderSettings(endpoint("exchange", exchange.url), QUICK, stale_after=0.5, connections=1)
        record([ETH, BTC], tmp_path / "tape", reader)
    assert texts(read_rows(tmp_path / "tape", BTC), 0)[1:] == sent[BTC]
    assert len(texts(read_rows(tmp_path / "tape", ETH), 0)) == 1
    for product in (BTC, ETH):
        assert [each["reason"] for each in ends(read_rows(tmp_path / "tape", product))] == ["stale"]


# Ways to end


@pytest.mark.parametrize("way", [signal.SIGINT, signal.SIGTERM, "--duration"])
def test_every_way_to_end_seals(tmp_path: Path, way: signal.Signals | str) -> None:
    """Ctrl-C, SIGTERM and --duration exit 0 with everything sealed, and the digest is that of a replay."""
    tape = tmp_path / "tape"
    with SyntheticExchange(MARKETS, quiet(rate=500.0)) as exchange:
        options = ["-o", tape, "--url", exchange.url, "--segment-rows", 40, "--json"]
        options += [way, "1s"] if isinstance(way, str) else []
        with running_booktape("record", BTC, ETH, *options) as process:
            exchange.wait_for_connections(2, timeout=30)
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


@pytest.mark.parametrize("duration", ["1ms", "50ms"])
def test_a_recording_may_end_before_it_began(tmp_path: Path, duration: str) -> None:
    """A recording that is stopped before its first connection ends with exit 0 like any other."""
    tape = tmp_path / "tape"
    with SyntheticExchange(MARKETS, quiet(rate=500.0)) as exchange:
        options = ["-o", tape, "--url", exchange.url, "--duration", duration]
        with running_booktape("record", BTC, ETH, *options) as process:
            process.communicate(timeout=10)
    assert process.returncode == 0
    assert not journals(tape)


def test_a_refused_subscription_is_told(tmp_path: Path) -> None:
    """An error frame in answer to the subscribe ends with exit 1 and its reason, in one line."""
    tape = tmp_path / "tape"
    with SyntheticExchange(MARKETS, quiet(frames=3)) as exchange:
        done = booktape("record", "DOGE-USD", "-o", tape, "--url", exchange.url)
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
    """Where one product is refused, what came of the other one is sealed and ends properly."""
    tape = tmp_path / "tape"
    with SyntheticExchange(MARKETS, quiet(rate=500.0)) as exchange:
        reader = ReaderSettings(endpoint("exchange", exchange.url), QUICK)
        with pytest.raises(FeedError, match="DOGE-USD"):
            record([BTC, "DOGE-USD"], tape, reader)
        said = exchange.sent
    assert not journals(tape)
    assert not verify(tape).damage
    assert_sound(read_rows(tape, "DOGE-USD"))
    rows = read_rows(tape, BTC)
    if rows:
        assert_sound(rows)
        assert texts(rows, 0) == said[0][: len(texts(rows, 0))]


def test_a_refused_connection_is_tried_again(tmp_path: Path) -> None:
    """Where nobody listens it is said so and tried again until somebody does; then it records."""
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
            exchange.wait_until(lambda: any(c.rounds > 20 for c in exchange.connections), timeout=30)
            end(process)
            said = exchange.sent
    rows = read_rows(tape)
    assert_sound(rows)
    assert rows[-1].connection == 0
    assert texts(rows, 0) == said[0][: len(texts(rows, 0))]
    assert waits[0] <= Backoff().first
    assert waits[1] <= 2 * Backoff().first


# Going on, and others


def test_recording_to_an_existing_tape_goes_on(tmp_path: Path) -> None:
    """A second recording goes on after the last row; its digest is that of a replay of the whole tape."""
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
    """A recording that received nothing tells the digest of the tape that it went on with."""
    capture = write_capture(tmp_path / "a.jsonl", [(0, snapshot(BTC)), (1, update(BTC))])
    before = import_captures([capture], tmp_path / "tape", "jsonl").document()
    url = f"ws://127.0.0.1:{free_port()}"
    reader = ReaderSettings(endpoint("exchange", url), QUICK)
    after = record([BTC], tmp_path / "tape", reader, duration=0.3).document()
    assert after["digest"] == before["digest"] == running.run(tmp_path / "tape", keep=False).digest


def test_two_recorders_do_not_share_a_tape(tmp_path: Path) -> None:
    """The second recorder of a tape exits 1 and says why, and the first one is none the worse."""
    tape = tmp_path / "tape"
    with SyntheticExchange(MARKETS, quiet(rate=500.0)) as exchange:
        options = ("-o", tape, "--url", exchange.url)
        with running_booktape("record", BTC, *options, "--json") as process:
            exchange.wait_until(lambda: any(c.rounds > 5 for c in exchange.connections), timeout=30)
            second = booktape("record", ETH, *options)
            stdout, _ = end(process)
        assert len(exchange.connections) == 1
    assert (second.returncode, second.stdout) == (1, "")
    (line,) = second.stderr.splitlines()
    assert line.startswith("Error: ")
    assert "another recorder is writing to this tape" in line
    assert_whole(tape, json.loads(stdout))


# What is shown


def with_spreads(*asks: str) -> list[str]:
    """Return a snapshot with a tight book at 100 and updates that each leave one ask above it."""
    made, held = [snapshot(BTC, [["100", "1"]], [["100.01", "1"]])], "100.01"
    for ask in asks:
        made.append(update(BTC, ("sell", held, "0"), ("sell", ask, "1")))
        held = ask
    return made


def test_threshold_prints_what_passes(tmp_path: Path) -> None:
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
    """An unencrypted feed of another machine, and what is no address, is wrong usage; nothing is made."""
    tape = ["-o", tmp_path / "tape"] if command == "record" else []
    with running_booktape(command, BTC, *tape, *options) as process:
        stdout, stderr = process.communicate(timeout=20)
    assert (process.returncode, stdout) == (2, "")
    assert options[0] in stderr
    assert not list(tmp_path.iterdir())


# A disk that takes no more


def test_a_full_disk_ends_with_what_was_recorded(tmp_path: Path) -> None:
    """Where the journal cannot grow the recorder exits 1 with one line, and all before it is readable."""
    tape = tmp_path / "tape"
    with SyntheticExchange(MARKETS[:1], quiet(rate=2000.0)) as exchange:
        options = ("-o", tape, "--url", exchange.url)
        with running_booktape("record", BTC, *options, file_size=300_000) as process:
            stdout, stderr = process.communicate(timeout=60)
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
    """Where not even the first snapshot fits, the tape has what came before it and can be gone on with."""
    tape = tmp_path / "tape"
    sent = [big_snapshot()]
    with SyntheticExchange(MARKETS[:1], quiet(frames_of=lambda _index, _product: sent)) as exchange:
        options = ("-o", tape, "--url", exchange.url)
        with running_booktape("record", BTC, *options, file_size=1_000_000) as process:
            _, stderr = process.communicate(timeout=60)
    assert process.returncode == 1
    assert len(stderr.splitlines()) == 1
    rows = read_rows(tape)
    assert len(rows) <= 2
    assert not verify(tape).damage
    capture = write_capture(tmp_path / "a.jsonl", [(0, snapshot(BTC))])
    recorded = import_captures([capture], tape, "jsonl")
    assert_whole(tape, {"products": [], "digest": recorded.document()["digest"]})
    assert len(read_rows(tape)) == len(rows) + len(frames(3))
