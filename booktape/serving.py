"""`Tape.serve`: check the arguments, make one call."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from booktape import arguments
from booktape.arguments import SpeedLike
from booktape.paths import PathLike, tape_path
from booktape.windows import window
from orderbook.time_input import TimeLike

if TYPE_CHECKING:
    pass


def serve(
    tape: PathLike,
    *,
    host: str = "127.0.0.1",
    port: int = 8765,
    speed: SpeedLike = 1,
    loop: bool = False,
    start: TimeLike | None = None,
    end: TimeLike | None = None,
    faults: str | Iterable[str] = (),
    on_listening: Callable[[str], None] = print,
) -> None:
    """Serve the tape as the exchange, a WebSocket server for any client of its feed, until Ctrl-C.

    Args:
        tape: the tape.
        host: address to listen on; any but this machine is open to the network, unencrypted.
        port: port to listen on; 0 for any free one.
        speed: 1 is the original timing, 10 ten times faster, `max` as fast as a client reads.
        loop: start again for a client that comes after the end.
        start: start here; what its connections sent before comes at once.
        end: end before this time.
        faults: `drop@2.5`, `stall@10` or `garbage@1`: what to do to a connection that many seconds after
            a subscribe, once each.
        on_listening: called with the address once clients can connect.

    Raises:
        OptionError: if an argument cannot be used.
        TapeError: if the tape cannot be read.
        ServeError: if there is nothing to serve, or the address is in use.
    """
    from recorder.tape.reader import Tape as StoredTape
    from replay.serving.faults import parse_fault
    from replay.serving.served_tape import ServedTape
    from replay.serving.server import serve_tape

    arguments.host_of(host, "host")
    arguments.flag(loop, "loop")
    arguments.function_of(on_listening, "on_listening")
    parsed = [parse_fault(text) for text in arguments.texts_of(faults, "faults", "drop@2.5")]
    factor = arguments.speed_of(speed)
    port = arguments.whole_number(port, "port", 0, 65535)
    stored = StoredTape.open(tape_path(tape))
    part = window(stored, start, end)
    served = ServedTape(stored, speed=factor, loops=loop, window=part, faults=parsed)
    serve_tape(served, host, port, on_listening)
