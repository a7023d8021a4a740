"""Hundreds of products in one recorder: `python tests/benchmarks/bench_products.py`. Linux only.

A server process sends each product's connection frames of its own at an even rate (30 products with
`--products 30`), and `booktape record` writes them all to one tape, in segments so short that all products
seal several times. Then it is told to stop. Printed are the processor time of a frame, the largest queue and
how long it took to stop; the exit code is 1 if a frame is missing, out of order, or twice.
"""

import argparse
import json
import math
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from orderbook.venues.exchange.server import ExchangeServer
from recorder.tape.reader import Tape
from tests.benchmarks.bench_record import cpu_s, gauge, metrics_of, process
from tests.benchmarks.feed_server import HOST, encode_frame, shake_hands, unmasked
from tests.benchmarks.measuring import describe_machine, print_line
from tests.support.commands import free_port

LEVELS: Final = 50
TICK_S: Final = 0.005
STOP_S: Final = 120.0


def product_of(number: int) -> str:
    """Return a product id."""
    return f"P{number:03d}-USD"


def update(product: str, number: int) -> str:
    """Return a product's frame of a number, which its price tells again."""
    level, size = f"{number % LEVELS + 1}.00", str(number + 1)
    return ExchangeServer().update(product, [("bid", level, size)], time.time_ns())


def serve(products: int, rate: float, seconds: float) -> None:
    """Send each of as many clients `rate` frames a second from its connection on; print when that is over."""
    frames = int(rate * seconds)
    clients: list[Client] = []
    with socket.create_server((HOST, 0), backlog=products) as server:
        _print({"port": server.getsockname()[1], "frames": frames})
        threading.Thread(target=_accept, args=(server, products, clients), daemon=True).start()
        while len(clients) < products or any(client.sent < frames for client in clients):
            now = time.monotonic()
            for client in clients:
                client.send_due(now, rate, frames)
            time.sleep(TICK_S)
        _print({"late": max(client.ended - client.began - seconds for client in clients)})
        sys.stdin.read()


@dataclass(slots=True)
class Client:
    """A connection: its product, when it began and had all its frames, how many it was sent of each kind."""

    product: str
    connection: socket.socket
    began: float
    ended: float = 0.0
    sent: int = 0
    heartbeats: int = 1

    def send_due(self, now: float, rate: float, frames: int) -> None:
        """Send what is due by now."""
        due = max(0, min(int((now - self.began) * rate), frames))  # it may have begun since `now`
        for number in range(self.sent, due):
            self.connection.sendall(encode_frame(update(self.product, number).encode()))
        if self.sent < due == frames:
            self.ended = time.monotonic()
        self.sent = due
        if now - self.began >= self.heartbeats:  # one a second; without them a quiet connection is ended
            (beat,) = ExchangeServer().heartbeats({self.product: 1}, 0, time.time_ns(), 0)
            self.connection.sendall(encode_frame(beat.encode()))
            self.heartbeats += 1
            with suppress(BlockingIOError):
                ping = self.connection.recv(4096, socket.MSG_DONTWAIT)
                self.connection.sendall(b"\x8a" + encode_frame(unmasked(ping))[1:])


def _accept(server: socket.socket, products: int, clients: list[Client]) -> None:
    while len(clients) < products:
        connection, _ = server.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        product = json.loads(shake_hands(connection))["product_ids"][0]
        channels = {"level2_batch": [product], "heartbeat": [product]}
        bids, asks = (
            [(f"{price + above}.00", "1") for price in range(1, LEVELS + 1)] for above in (0, LEVELS)
        )
        for text in (
            ExchangeServer().subscriptions(channels, 0),
            ExchangeServer().snapshot(product, bids, asks, time.time_ns()),
        ):
            connection.sendall(encode_frame(text.encode()))
        clients.append(Client(product, connection, time.monotonic()))


def _print(document: dict[str, float]) -> None:
    sys.stdout.write(f"{json.dumps(document)}\n")
    sys.stdout.flush()


def problem_of(tape: Path, products: int, frames: int) -> str:
    """Return what is wrong with the frames on a tape; an empty text if nothing is."""
    opened = Tape.open(tape)
    for product in map(product_of, range(products)):
        found = [
            json.loads(payload)["changes"][0][2]
            for batch in opened.product(product).batches()
            for payload in batch.column("payload").to_pylist()
            if payload.startswith('{"type":"l2update"')
        ]
        if found != [str(number + 1) for number in range(frames)]:
            return f"{product}: {len(found):,} of {frames:,} frames, or out of order"
    return ""


def main() -> int:
    """Record, stop, check; return 1 if a frame was lost."""
    asked = argparse.ArgumentParser(description=__doc__.partition(":")[0])
    asked.add_argument("--products", type=int, default=300)
    asked.add_argument("--rate", type=float, default=40, help="frames a second of each product")
    asked.add_argument("--seconds", type=float, default=300)
    asked.add_argument("--segment-time", default="60s")
    asked.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = asked.parse_args()
    products, rate, seconds = options.products, options.rate, options.seconds
    if options.serve:
        serve(products, rate, seconds)
        return 0
    print_line(f"{describe_machine()}; {products} products, {rate:g} frames/s each, {seconds:g} s")
    arguments = ("--serve", "--products", products, "--rate", rate, "--seconds", seconds)
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with tempfile.TemporaryDirectory() as home, process(__file__, *arguments, **pipes) as server:
        assert server.stdout is not None
        tape, port = Path(home) / "tape", free_port()
        serving = json.loads(server.stdout.readline())
        url, frames = f"ws://{HOST}:{serving['port']}", serving["frames"]
        names = map(product_of, range(products))
        given = ("-o", tape, "--url", url, "--metrics-port", port, "--no-trades")
        command = ("-m", "booktape", "record", *names, *given, "--segment-time", options.segment_time)
        log = Path(home) / "log"
        with (
            log.open("w", encoding="utf-8") as stderr,
            process(*command, stdout=subprocess.DEVNULL, stderr=stderr) as recorder,
        ):
            began = time.monotonic()
            queue = processed = 0.0
            while processed < products * (frames + 2) and time.monotonic() < began + 2 * seconds + products:
                time.sleep(1)
                metrics = metrics_of(port)
                processed = sum(gauge(line, "booktape_frames_total") for line in metrics.splitlines() if line)
                queue = max(queue, gauge(metrics, "booktape_queue_bytes"))
            used, took = cpu_s(recorder.pid), time.monotonic() - began
            said = server.stdout.readline()
            late = json.loads(said)["late"] if said else math.nan  # the recorder ended a connection
            stopping = time.monotonic()
            recorder.send_signal(signal.SIGTERM)
            recorder.wait(STOP_S)
            stopped = time.monotonic() - stopping
        said = log.read_text(encoding="utf-8")
        problem = problem_of(tape, products, frames)
    print_line(
        f"{used / frames / products * 1e6:.0f} us a frame, {used / took:.2f} cores; sent {late:.1f} s late"
    )
    print_line(
        f"queue at most {queue / 1e6:.2f} MB; stopped after {stopped:.1f} s, exit code {recorder.returncode}"
    )
    print_line(
        f"{said[:1000]}{problem}"
        if problem
        else f"all {frames * products:,} frames are on the tape, in order"
    )
    return int(bool(problem) or recorder.returncode != 0)


if __name__ == "__main__":
    sys.exit(main())
