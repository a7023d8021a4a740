"""A served client over real sockets: the answers, frames and close that it gets."""

import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from recorder.api import import_captures
from replay.checking.inspect import inspect
from replay.running.window import Window
from replay.serving.merging import ServedFrame
from replay.serving.playlist import ConnectionReplay
from replay.serving.served_tape import ServedTape
from tests.support.constants import BTC, ETH, MS, SAMPLE, START
from tests.support.rows import read_rows
from tests.support.tape_server import (
    WAIT_S,
    client,
    frames_of,
    record_served,
    serving,
    session,
    subscribe,
    subscribe_advanced,
    until_closed,
)
from tests.support.tapes import Timed, import_frames, products_of, snapshot, update, write_capture

END = (1000, "the end of the tape")
ACK = json.dumps({"type": "subscriptions", "channels": [{"name": "level2", "product_ids": [BTC, ETH]}]})


def heartbeat(product: str, sequence: int) -> str:
    """Return a heartbeat of the Exchange feed."""
    return json.dumps({"type": "heartbeat", "product_id": product, "sequence": sequence})


def advanced(number: int, *products: str, kind: str = "update") -> str:
    """Return a numbered frame of the Advanced feed; one of no product is a heartbeat."""
    levels = [{"side": "bid", "price_level": "1", "new_quantity": str(number + 1)}]
    events: list[dict[str, Any]] = [
        {"type": kind, "product_id": product, "updates": levels} for product in products
    ]
    channel = "l2_data" if products else "heartbeats"
    return json.dumps({"channel": channel, "sequence_num": number, "events": events})


def updates(product: str, number: int, step_ms: int) -> list[Timed]:
    """Return a snapshot and updates, `step_ms` milliseconds apart."""
    texts = [ACK, snapshot(product), *(update(product, ("buy", "98", str(n + 1))) for n in range(number))]
    return [(index * step_ms * MS, text) for index, text in enumerate(texts)]


def three_captures(directory: Path) -> tuple[Path, dict[str, list[str]]]:
    """Return a tape on which BTC had two connections while ETH had one, and the frames of each connection."""
    times = {"b0": (BTC, range(0, 100, 10)), "b1": (BTC, range(200, 300, 10)), "e0": (ETH, range(5, 405, 10))}
    frames = {
        name: [snapshot(product), *(update(product, ("buy", "97", str(at + 1))) for at in list(each)[1:])]
        for name, (product, each) in times.items()
    }
    for name, (_, each) in times.items():
        timed = [(at * MS, text) for at, text in zip(each, frames[name], strict=True)]
        import_captures([write_capture(directory / name, timed)], directory / "tape")
    return directory / "tape", frames


# What is sent


def test_a_shared_connection_is_served_as_recorded(tmp_path: Path) -> None:
    """A client of all products gets each frame once, in order, also those stored under several products."""
    texts = [
        ACK,
        snapshot(BTC),
        snapshot(ETH),
        update(BTC),
        heartbeat(BTC, 1),
        update(ETH),
        '{"type":"status"}',
    ]
    tape = import_frames(tmp_path, enumerate(texts))
    with serving(tape) as url:
        assert session(url, BTC, ETH, channels=["level2_batch", "heartbeat"]) == (texts, END)


def test_heartbeats_are_for_subscribers(tmp_path: Path) -> None:
    """On the Exchange feed a heartbeat goes to the clients that subscribed to it, by product."""
    texts = [ACK, snapshot(BTC), heartbeat(BTC, 1), snapshot(ETH), heartbeat(ETH, 1)]
    tape = import_frames(tmp_path, enumerate(texts))
    asked = {"name": "heartbeat", "product_ids": [ETH]}
    with serving(tape) as url:
        assert session(url, BTC, channels=["level2"])[0] == [ACK, snapshot(BTC)]
        assert session(url, BTC, ETH, channels=["level2", asked])[0] == [*texts[:2], *texts[3:]]


def test_heartbeats_alone_of_an_advanced_tape(tmp_path: Path) -> None:
    """A client without a book gets an acknowledgement, the heartbeats of one connection, and its end."""
    own = [advanced(0, BTC, kind="snapshot"), advanced(1), advanced(2, BTC), advanced(3), advanced(4, BTC)]
    for name, (product, frames) in {"b": (BTC, own), "e": (ETH, [advanced(7, ETH, kind="snapshot")])}.items():
        capture = write_capture(tmp_path / name, [(at * MS, text) for at, text in enumerate(frames)])
        import_captures([capture], tmp_path / product)
    ends = {}
    for product in (BTC, ETH):
        with serving(tmp_path / product) as url, client(url) as websocket:
            subscribe_advanced(websocket, channel="heartbeats")
            (ack, *ends[product]), end = until_closed(websocket)
            assert end == END
        acknowledged = json.loads(ack)
        assert acknowledged["events"] == [{"subscriptions": {"heartbeats": ["heartbeats"]}}]
        assert acknowledged.get("sequence_num") == {BTC: None, ETH: 6}[product]
    assert ends == {BTC: [own[1], advanced(2)], ETH: []}


def test_heartbeats_alone_of_an_exchange_tape(tmp_path: Path) -> None:
    """They are those of the subscribed products, and the subscribe message is acknowledged once."""
    texts = [ACK, snapshot(BTC), heartbeat(BTC, 1), snapshot(ETH), heartbeat(ETH, 1), heartbeat(BTC, 2)]
    tape = import_frames(tmp_path, enumerate(texts))
    with serving(tape) as url:
        (ack, *beats), end = session(url, BTC, channels=["heartbeat"])
    assert json.loads(ack)["channels"][0]["name"] == "heartbeat"
    assert (beats, end) == ([texts[2], texts[5]], END)


def test_a_book_after_heartbeats_begins_from_its_start(tmp_path: Path) -> None:
    """A client that subscribes to the book after heartbeats gets all of the book."""
    frames = [advanced(0, BTC, kind="snapshot"), advanced(1), advanced(2, BTC), advanced(3)]
    timed = [(at * MS, text) for at, text in zip((0, 0, 1, 3_600_000), frames, strict=True)]
    with serving(import_frames(tmp_path, timed), speed=1.0) as url, client(url) as websocket:
        subscribe_advanced(websocket, channel="heartbeats")
        _, beat = (str(websocket.recv(timeout=WAIT_S)) for _ in range(2))
        subscribe_advanced(websocket, BTC)
        ack, *received = (str(websocket.recv(timeout=WAIT_S)) for _ in range(4))
    assert beat == frames[1]
    assert json.loads(ack)["events"][0]["subscriptions"]["level2"] == [BTC]
    assert json.loads(ack)["sequence_num"] == 2
    expected = [{**json.loads(text), "sequence_num": 3 + place} for place, text in enumerate(frames[:3])]
    assert list(map(json.loads, received)) == expected


def test_a_subset_of_an_advanced_tape_is_numbered_anew(tmp_path: Path) -> None:
    """Frames of other products are left out, those of no product or of several are not; none looks lost."""
    frames = [advanced(0, BTC, kind="snapshot"), advanced(1, ETH, kind="snapshot"), advanced(2)]
    frames += [advanced(3, BTC), advanced(4, BTC, ETH), advanced(5, ETH), advanced(6, BTC)]
    ack = json.dumps({"channel": "subscriptions", "sequence_num": 7, "events": []})
    tape = import_frames(tmp_path, enumerate([*frames, ack]))
    for products, numbers in (((ETH,), [1, 2, 4, 5, 7]), ((BTC, ETH), list(range(8)))):
        with serving(tape) as url, client(url) as websocket:
            subscribe_advanced(websocket, channel="heartbeats")
            subscribe_advanced(websocket, *products)
            received, end = until_closed(websocket)
        sent = [json.loads([*frames, ack][number]) for number in numbers]
        renumbered = [{**frame, "sequence_num": numbers[0] + place} for place, frame in enumerate(sent)]
        assert received == list(map(json.dumps, renumbered))
        assert end == END


def test_our_recorder_sees_no_gap_in_a_subset(tmp_path: Path) -> None:
    """It opens a socket for each product of a connection that they shared, and gets all of its frames."""
    shared = [advanced(0, BTC, kind="snapshot"), advanced(1, ETH, kind="snapshot")]
    shared += [advanced(number, (BTC, ETH)[number % 3 == 0]) for number in range(2, 40)]
    with serving(import_frames(tmp_path, enumerate(shared))) as url:
        recorded = record_served(url, tmp_path / "served", [BTC, ETH], "advanced", connections=1)
    for product in (BTC, ETH):
        assert recorded.tallies[product].summaries == sum(product in text for text in shared)
        assert recorded.tallies[product].anomalies["gap"] == 0
    verdicts = inspect(tmp_path / "served").products
    assert {each.verdict for found in verdicts.values() for each in found.verdicts} == {"verified"}


def test_connections_of_two_products_on_one_socket() -> None:
    """Products recorded on separate connections are merged by time; their interruptions become one."""
    said = {product: frames_of(SAMPLE, product) for product in (BTC, ETH)}
    with serving(SAMPLE) as url:
        channels = ("level2_batch", "matches")
        first, second = (session(url, ETH, BTC, channels=channels) for _ in range(2))
    for number, (received, end) in enumerate((first, second)):
        for product in (BTC, ETH):
            mine = [text for text in received if json.loads(text).get("product_id") == product]
            assert mine == [text for text in said[product][number] if '"subscriptions"' not in text]
        acknowledged = [text for text in received if '"subscriptions"' in text]
        both = (*said[BTC][number], *said[ETH][number])
        assert sorted(acknowledged) == sorted(text for text in both if '"subscriptions"' in text)
        assert end == (None, END)[number]


def test_trades_go_to_those_who_asked() -> None:
    """A book comes without trades, trades come without a book, both together are all frames."""
    said = frames_of(SAMPLE, BTC)[0]
    trades = [text for text in said if '"match"' in text or '"last_match"' in text]
    assert trades
    with serving(SAMPLE) as url:
        (book, _), (alone, _) = session(url, BTC), session(url, BTC, channels=("matches",))
    assert [text for text in said if text not in trades] == book
    assert alone[1:] == trades
    assert '"matches"' in alone[0]


def test_numbers_close_up_over_trades(import_capture: Callable[[str], Path]) -> None:
    """Without the trades, the numbers of a socket count what it gets, and nothing else has changed."""
    tape = import_capture("advanced-2026-08-btc-eth")
    with serving(tape) as url, client(url) as websocket:
        subscribe_advanced(websocket, *products_of(tape))
        received = [json.loads(text) for text in until_closed(websocket)[0]]
    assert {each["channel"] for each in received}.isdisjoint({"market_trades"})
    assert [each["sequence_num"] for each in received] == list(range(len(received)))


def test_trades_that_the_tape_lacks_are_refused(tmp_path: Path) -> None:
    """A subscription to trades alone is answered by an error; one beside a book is not."""
    tape, _ = three_captures(tmp_path)
    with serving(tape) as url, client(url) as websocket:
        subscribe(websocket, BTC, channels=("matches",))
        error = json.loads(websocket.recv(timeout=WAIT_S))
        assert (error["type"], error["reason"]) == ("error", "the tape has no matches")
        subscribe(websocket, BTC)
        subscribe(websocket, BTC, channels=("matches",))
        assert all('"error"' not in text for text in until_closed(websocket)[0])


def test_a_product_that_was_not_interrupted_begins_with_its_snapshot(tmp_path: Path) -> None:
    """The socket ends with one product's connection; on the next one the other begins with its snapshot."""
    tape, frames = three_captures(tmp_path)
    with serving(tape) as url:
        (_, *first), end = session(url, BTC, ETH)
        assert end is None
        (_, *second), end = session(url, BTC, ETH)
    assert end == END
    assert [text for text in first if BTC in text] == frames["b0"]
    assert [text for text in first if ETH in text] == frames["e0"][: len(first) - len(frames["b0"])]
    assert 0 < len(first) - len(frames["b0"]) < len(frames["e0"])
    assert [text for text in second if BTC in text] == frames["b1"]
    assert [text for text in second if ETH in text] == frames["e0"]


def test_more_products_in_another_message(tmp_path: Path) -> None:
    """A client that subscribes product by product on one socket gets all of them before the end."""
    texts = {product: [snapshot(product), *[update(product)] * 50] for product in (BTC, ETH)}
    frames = [(at, text) for product in texts for at, text in enumerate(texts[product])]
    tape = import_frames(tmp_path, sorted(frames, key=lambda frame: frame[0]))
    with serving(tape) as url, client(url) as websocket:
        subscribe(websocket, BTC)
        subscribe(websocket, ETH)
        received, end = until_closed(websocket)
    for product, expected in texts.items():
        assert [text for text in received if json.loads(text).get("product_id") == product] == expected
    assert end == END


def test_a_missing_acknowledgement_is_generated(tmp_path: Path) -> None:
    """A connection without one begins with a generated one that lists the subscription, in a free number."""
    tape = import_frames(tmp_path, enumerate([snapshot(BTC), update(BTC)]))
    with serving(tape) as url:
        (ack, *rest), _ = session(url, BTC)
    channels = [{"name": "level2_50", "product_ids": [BTC], "account_ids": None}]
    assert json.loads(ack) == {"type": "subscriptions", "channels": channels}
    assert rest == [snapshot(BTC), update(BTC)]

    directory = tmp_path / "advanced"
    directory.mkdir()
    frames = [advanced(5, BTC, kind="snapshot"), advanced(6, BTC)]
    with serving(import_frames(directory, enumerate(frames))) as url, client(url) as websocket:
        subscribe_advanced(websocket, BTC)
        (ack, *rest), _ = until_closed(websocket)
    assert (json.loads(ack)["channel"], json.loads(ack)["sequence_num"]) == ("subscriptions", 4)
    assert rest == frames


# Errors


REFUSED = {
    "{": "Malformed JSON",
    '{"type":"subscribe","product_ids":["DOGE-USD"],"channels":["level2"]}': "DOGE-USD is not a valid",
    '{"type":"subscribe","product_ids":["BTC-USD"],"channels":["ticker"]}': "ticker is not a valid channel",
    '{"type":"subscribe","product_ids":["BTC-USD"],"channels":["full"]}': "require authentication",
    '{"type":"subscribe","channels":["level2"]}': "specify at least one product ID",
}


def test_a_refusal_has_the_form_of_the_exchange(tmp_path: Path) -> None:
    """What cannot be served is answered by an error frame; the connection stays usable."""
    texts = [ACK, snapshot(BTC)]
    with serving(import_frames(tmp_path, enumerate(texts))) as url, client(url) as websocket:
        for message, reason in REFUSED.items():
            websocket.send(message)
            error = json.loads(websocket.recv(timeout=WAIT_S))
            assert (error["type"], set(error)) == ("error", {"type", "message", "reason"})
            assert reason in f"{error['message']} {error['reason']}"
        subscribe(websocket, BTC)
        assert until_closed(websocket) == (texts, END)


def test_a_refusal_of_the_advanced_feed(tmp_path: Path) -> None:
    """There an error is a type and one sentence."""
    tape = import_frames(tmp_path, enumerate([advanced(0, BTC, kind="snapshot")]))
    with serving(tape) as url, client(url) as websocket:
        subscribe_advanced(websocket, ETH)
        error = json.loads(websocket.recv(timeout=WAIT_S))
    assert error == {"type": "error", "message": "Failed to subscribe: ETH-USD is not a valid product"}


def test_a_damaged_tape_closes_with_1011(tmp_path: Path) -> None:
    """A client of a product whose file is damaged gets close 1011; other clients are still served."""
    texts = [snapshot(BTC), snapshot(ETH)]
    tape = import_frames(tmp_path, enumerate(texts))
    with serving(tape) as url:
        (damaged,) = tape.glob(f"product={BTC}/date=*/*.parquet")
        damaged.write_bytes(damaged.read_bytes()[:-100])
        assert session(url, BTC)[1] == (1011, "the tape cannot be read")
        assert session(url, ETH)[1] == END


# Time


def test_nothing_is_sent_before_it_is_due(tmp_path: Path) -> None:
    """At speed 1 the frames of a client arrive no earlier than they were recorded after its subscribe."""
    tape = import_frames(tmp_path, updates(BTC, 20, step_ms=20))
    with serving(tape, speed=1.0) as url:
        record_served(url, tmp_path / "served", [BTC], "exchange", connections=1)
    rows = read_rows(tmp_path / "served", BTC)
    assert all(row.recv_time - rows[0].recv_time >= (row.seq - 1) * 20 * MS for row in rows[1:23])


def test_a_window_begins_with_the_book(tmp_path: Path) -> None:
    """With --from what its connection sent before comes at once, the rest waits; --to ends it."""
    timed = updates(BTC, 20, step_ms=1000)
    texts = [text for _, text in timed]
    tape = import_frames(tmp_path, timed)
    window = Window(START + 9_500 * MS, START + 15_000 * MS)
    with serving(tape, speed=1e-6, window=window) as url, client(url) as websocket:
        subscribe(websocket, BTC)
        assert [websocket.recv(timeout=WAIT_S) for _ in range(10)] == texts[:10]
        with pytest.raises(TimeoutError):
            websocket.recv(timeout=0.2)
    with serving(tape, window=window) as url:
        assert session(url, BTC) == (texts[:15], END)


# Clients


def test_clients_have_clocks_and_progress_of_their_own(tmp_path: Path) -> None:
    """Concurrent clients each get the tape from its start; one that comes back continues."""
    tape, frames = three_captures(tmp_path)
    with serving(tape) as url, client(url) as one, client(url) as two:
        for websocket in (one, two):
            subscribe(websocket, BTC)
        assert until_closed(one)[0][1:] == until_closed(two)[0][1:] == frames["b0"]
        assert session(url, BTC)[0][1:] == session(url, BTC)[0][1:] == frames["b1"]
        assert session(url, ETH)[0][1:] == frames["e0"]
        received, (code, reason) = session(url, BTC)
    assert (received, code) == ([], 1000)
    assert "--loop" in reason


def test_a_client_that_left_finds_its_connection_from_the_start(tmp_path: Path) -> None:
    """A connection replay that was not sent completely is sent again from its start."""
    timed = updates(BTC, 20, step_ms=1000)
    tape = import_frames(tmp_path, timed)
    with serving(tape, speed=5.0) as url:
        for _ in range(2):
            with client(url) as websocket:
                subscribe(websocket, BTC)
                assert [websocket.recv(timeout=WAIT_S) for _ in range(3)] == [text for _, text in timed[:3]]


class CountingTape(ServedTape):
    """Counts what is read of the tape for each client, in characters."""

    read: list[int]

    def frames(self, replay: ConnectionReplay) -> Iterator[ServedFrame]:
        """Yield the frames, counting."""
        number = len(self.read)
        self.read.append(0)
        for frame in super().frames(replay):
            self.read[number] += len(frame.text)
            yield frame


def connect_without_reading(url: str) -> socket.socket:
    """Subscribe without compression, which would make the tape small, and read only the first bytes."""
    host, port = url.removeprefix("ws://").split(":")
    raw = socket.create_connection((host, int(port)), timeout=WAIT_S)
    raw.sendall(
        b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    message = json.dumps({"type": "subscribe", "product_ids": [BTC], "channels": ["level2"]})
    # A client's frame is masked; the mask of zeros leaves the payload as it is.
    raw.sendall(bytes([0x81, 0x80 | len(message)]) + bytes(4) + message.encode())
    received = b""
    while b"snapshot" not in received:
        received += raw.recv(4096)
    return raw


def test_a_client_that_does_not_read_costs_little(tmp_path: Path) -> None:
    """For a client that reads nothing, no more of the tape is read than sockets buffer; others get all."""
    size = 32 * 2**20
    texts = [snapshot(BTC), *[update(BTC, ("buy", "98", "1." + "0" * 50_000))] * (size // 50_000)]
    tape = CountingTape(import_frames(tmp_path, enumerate(texts)), speed=float("inf"))
    tape.read = []
    with serving(tape) as url, connect_without_reading(url):
        received, end = session(url, BTC)
        read = list(tape.read)
    assert (received[1:], end) == (texts, END)
    assert read[0] < size / 2 < size < read[1]


def test_a_client_may_be_back_before_its_connection_is_gone(tmp_path: Path) -> None:
    """The next connection continues even if the client has not closed the broken one."""
    tape, frames = three_captures(tmp_path)
    with serving(tape) as url, connect_without_reading(url) as broken:
        while broken.recv(65536):
            pass
        assert session(url, BTC)[0][1:] == frames["b1"]
