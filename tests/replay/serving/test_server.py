"""The server over real sockets: what clients are answered, sent and not sent."""

import asyncio
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

from recorder.record import import_captures
from recorder.tape.writer import TapeWriter
from replay.serving.merging import Said
from replay.serving.script import Stretch
from replay.serving.server import TapeServer
from replay.serving.stage import ServeError, Stage
from replay.window import Window
from tests.recorder.rows import read_rows
from tests.replay.serving.served import (
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
from tests.replay.tapes import MS, START, Timed, import_frames, snapshot, update, write_capture

SAMPLE = Path(__file__).parents[3] / "data" / "sample"
BTC, ETH = "BTC-USD", "ETH-USD"
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
    """Return a snapshot and updates, so many milliseconds apart, after an acknowledgement."""
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
        import_captures([write_capture(directory / name, timed)], directory / "tape", "jsonl")
    return directory / "tape", frames


# What is sent


def test_a_shared_connection_comes_back_as_it_was(tmp_path: Path) -> None:
    """A client of all products gets each frame once, in order, those that are stored under several too."""
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


def test_heartbeats_are_for_those_who_asked(tmp_path: Path) -> None:
    """On the Exchange feed a heartbeat goes to the clients that subscribed to it, by product."""
    texts = [ACK, snapshot(BTC), heartbeat(BTC, 1), snapshot(ETH), heartbeat(ETH, 1)]
    tape = import_frames(tmp_path, enumerate(texts))
    asked = {"name": "heartbeat", "product_ids": [ETH]}
    with serving(tape) as url:
        assert session(url, BTC, channels=["level2"])[0] == [ACK, snapshot(BTC)]
        assert session(url, BTC, ETH, channels=["level2", asked])[0] == [*texts[:2], *texts[3:]]


def test_heartbeats_alone_of_an_advanced_tape(tmp_path: Path) -> None:
    """A client without a book is acknowledged and gets the heartbeats of one connection, with its end."""
    own = [advanced(0, BTC, kind="snapshot"), advanced(1), advanced(2, BTC), advanced(3), advanced(4, BTC)]
    for name, (product, frames) in {"b": (BTC, own), "e": (ETH, [advanced(7, ETH, kind="snapshot")])}.items():
        capture = write_capture(tmp_path / name, [(at * MS, text) for at, text in enumerate(frames)])
        import_captures([capture], tmp_path / product, "jsonl")
    ends = {}
    for product in (BTC, ETH):
        with serving(tmp_path / product) as url, client(url) as websocket:
            subscribe_advanced(websocket, channel="heartbeats")
            (ack, *ends[product]), end = until_closed(websocket)
            assert end == END
        acknowledged = json.loads(ack)
        assert acknowledged["events"] == [{"subscriptions": {"heartbeats": ["heartbeats"]}}]
        assert acknowledged.get("sequence_num") == {BTC: None, ETH: 6}[product]
    assert ends == {BTC: [own[1], own[3]], ETH: []}


def test_heartbeats_alone_of_an_exchange_tape(tmp_path: Path) -> None:
    """There they are those of the products asked for, and the answer to the subscribe is the only one."""
    texts = [ACK, snapshot(BTC), heartbeat(BTC, 1), snapshot(ETH), heartbeat(ETH, 1), heartbeat(BTC, 2)]
    tape = import_frames(tmp_path, enumerate(texts))
    with serving(tape) as url:
        (ack, *beats), end = session(url, BTC, channels=["heartbeat"])
    assert json.loads(ack)["channels"][0]["name"] == "heartbeat"
    assert (beats, end) == ([texts[2], texts[5]], END)


def test_a_book_after_heartbeats_begins_from_its_start(tmp_path: Path) -> None:
    """A client that listened to heartbeats and asks for the book then gets all of it."""
    frames = [advanced(0, BTC, kind="snapshot"), advanced(1), advanced(2, BTC), advanced(3)]
    timed = [(at * MS, text) for at, text in zip((0, 0, 1, 3_600_000), frames, strict=True)]
    with serving(import_frames(tmp_path, timed), speed=1.0) as url, client(url) as websocket:
        subscribe_advanced(websocket, channel="heartbeats")
        _, beat = (str(websocket.recv(timeout=WAIT_S)) for _ in range(2))
        subscribe_advanced(websocket, BTC)
        ack, *received = (str(websocket.recv(timeout=WAIT_S)) for _ in range(4))
    assert beat == frames[1]
    assert json.loads(ack)["events"][0]["subscriptions"]["level2"] == [BTC]
    assert received == frames[:3]


def test_a_subset_of_an_advanced_tape_keeps_its_numbers(tmp_path: Path) -> None:
    """Frames of other products are left out, those of none and of several are not, no number changes."""
    frames = [advanced(0, BTC, kind="snapshot"), advanced(1, ETH, kind="snapshot"), advanced(2)]
    frames += [advanced(3, BTC), advanced(4, BTC, ETH), advanced(5, ETH), advanced(6, BTC)]
    ack = json.dumps({"channel": "subscriptions", "sequence_num": 7, "events": []})
    tape = import_frames(tmp_path, enumerate([*frames, ack]))
    for products, numbers in (((ETH,), [1, 2, 4, 5, 7]), ((BTC, ETH), list(range(8)))):
        with serving(tape) as url, client(url) as websocket:
            subscribe_advanced(websocket, channel="heartbeats")
            subscribe_advanced(websocket, *products)
            received, end = until_closed(websocket)
        assert received == [[*frames, ack][number] for number in numbers]
        assert end == END


def test_connections_of_two_products_on_one_socket() -> None:
    """Products recorded on connections of their own are merged by time; their interruptions are one."""
    said = {product: frames_of(SAMPLE, product) for product in (BTC, ETH)}
    with serving(SAMPLE) as url:
        first, second = session(url, ETH, BTC), session(url, ETH, BTC)
    for number, (received, end) in enumerate((first, second)):
        for product in (BTC, ETH):
            mine = [text for text in received if json.loads(text).get("product_id") == product]
            assert mine == said[product][number][1:]
        acknowledged = [text for text in received if '"subscriptions"' in text]
        assert sorted(acknowledged) == sorted(said[product][number][0] for product in (BTC, ETH))
        assert end == (None, END)[number]


def test_a_product_that_was_not_interrupted_begins_with_its_snapshot(tmp_path: Path) -> None:
    """The socket ends with one product's connection; on the next the other comes from its snapshot again."""
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


def test_an_acknowledgement_is_made_up_where_there_is_none(tmp_path: Path) -> None:
    """A connection without one begins with one of ours: what the client asked for, its number free."""
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


def test_a_tape_that_turns_out_damaged_closes_with_1011(tmp_path: Path) -> None:
    """A client of a product whose file went bad is told so; other clients are served on."""
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


def test_a_tape_without_a_row_is_refused(tmp_path: Path) -> None:
    """It is not the window that is to blame where nothing was recorded."""
    TapeWriter.open(tmp_path / "tape", "exchange", [BTC], "a test").close()
    with pytest.raises(ServeError, match="the tape has no row"):
        Stage(tmp_path / "tape")


def test_a_window_without_a_row_is_refused() -> None:
    """There is nothing to serve after the end of a tape."""
    with pytest.raises(ServeError, match="no connection between"):
        Stage(SAMPLE, window=Window(start=START))


# Clients


def test_clients_have_clocks_and_progress_of_their_own(tmp_path: Path) -> None:
    """Clients at the same time each get the tape from its start; one that comes back goes on."""
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
    """What was not sent to its end is sent again as a whole."""
    timed = updates(BTC, 20, step_ms=1000)
    tape = import_frames(tmp_path, timed)
    with serving(tape, speed=5.0) as url:
        for _ in range(2):
            with client(url) as websocket:
                subscribe(websocket, BTC)
                assert [websocket.recv(timeout=WAIT_S) for _ in range(3)] == [text for _, text in timed[:3]]


class CountingStage(Stage):
    """Counts what is read of the tape for each client, in characters."""

    read: list[int]

    def frames(self, stretch: Stretch) -> Iterator[Said]:
        """Yield the frames, counting."""
        number = len(self.read)
        self.read.append(0)
        for said in super().frames(stretch):
            self.read[number] += len(said.text)
            yield said


def mute(url: str) -> socket.socket:
    """Subscribe without the compression that would make the tape small, and read the first words only."""
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
    """For one that reads nothing no more is read than sockets buffer, while another gets all."""
    size = 32 * 2**20
    texts = [snapshot(BTC), *[update(BTC, ("buy", "98", "1." + "0" * 50_000))] * (size // 50_000)]
    stage = CountingStage(import_frames(tmp_path, enumerate(texts)), speed=float("inf"))
    stage.read = []
    with serving(stage) as url, mute(url):
        received, end = session(url, BTC)
        read = list(stage.read)
    assert (received[1:], end) == (texts, END)
    assert read[0] < size / 2 < size < read[1]


def test_a_client_may_be_back_before_its_connection_is_gone(tmp_path: Path) -> None:
    """The next connection goes on also while the client has not closed the one that broke."""
    tape, frames = three_captures(tmp_path)
    with serving(tape) as url, mute(url) as broken:
        while broken.recv(65536):
            pass
        assert session(url, BTC)[0][1:] == frames["b1"]


def test_stopping_says_so_to_clients(tmp_path: Path) -> None:
    """A server that is stopped closes with 1001."""
    tape = import_frames(tmp_path, updates(BTC, 20, step_ms=10_000))
    with serving(tape, speed=1.0) as url:
        websocket = client(url)
        connection = websocket.__enter__()
        subscribe(connection, BTC)
        connection.recv(timeout=WAIT_S)
    with pytest.raises(ConnectionClosed) as closed:
        connection.recv(timeout=WAIT_S)
    websocket.__exit__(None, None, None)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1001
    assert "serving" not in [thread.name for thread in threading.enumerate()]


def test_a_port_that_is_taken() -> None:
    """It is one clear error that names host and port."""
    with serving(SAMPLE) as url:
        port = int(url.rpartition(":")[2])
        server = TapeServer(Stage(SAMPLE), port=port)
        with pytest.raises(ServeError, match=f"127.0.0.1:{port}"):
            asyncio.run(server.run(lambda _url: None))
