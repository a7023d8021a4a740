"""Merging the tapes of simulated recorders, whose true stream is known; of real captures; and of a server."""

import gzip
import json
import random
import shutil
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import booktape as bt
from orderbook.book import Levels
from orderbook.connection_marks import (
    Connected,
    Disconnected,
    encode_mark,
    read_connected,
    read_disconnected,
)
from orderbook.engine import PlainEngine
from orderbook.venues.base import TextChange
from orderbook.venues.registry import venue
from recorder.tape.reader import Tape
from recorder.tape.row_batches import RowTuple
from replay.merging.api import merge
from tests.endurance.forms import cases
from tests.support.commands import invoke, json_of
from tests.support.constants import BTC, CAPTURES, MS, SECOND, START
from tests.support.oracle import Row
from tests.support.tapes import import_frames, snapshot, tape_rows, tuples_of, update
from tests.support.two_recorders import (
    Line,
    Recorder,
    TrueFrame,
    check_merged,
    covered,
    random_lines,
    record,
    true_stream,
    write_tape,
)
from tests.support.verified import assert_whole

FRAMES = 300


def recorders(rng: random.Random, number: int, jitter: int) -> list[Recorder]:
    """Return recorders with random interruptions and clocks."""
    offsets = (0, 30 * MS, -30 * MS, 3 * SECOND, -7200 * SECOND)
    return [
        Recorder(
            name,
            random_lines(rng, FRAMES, rng.choice((60, 150, 250)), rng.choice((5, 30))),
            rng.choice(offsets),
            jitter,
        )
        for name in "abc"[:number]
    ]


@settings(max_examples=cases(30, 4))
@given(seed=st.integers(0, 2**32), number=st.integers(2, 3), jitter=st.sampled_from((1, 5, 60)))
@example(seed=578, number=3, jitter=60)  # a state of two moments, each of which one connection has
def test_any_recorders(tmp_path_factory: pytest.TempPathFactory, seed: int, number: int, jitter: int) -> None:
    """The book is the true one after each frame, and no frame of a connection is missing or comes twice."""
    rng = random.Random(seed)
    directory = tmp_path_factory.mktemp("merged")
    stream = true_stream(rng, FRAMES, prices=rng.choice((4, 12, 40)))
    each = recorders(rng, number, jitter * MS)
    made = merge([record(directory, one, stream) for one in each], directory / "merged", "plain")
    lines = check_merged(directory / "merged", stream)
    assert len(lines) == made.products[BTC].connections
    assert made.products[BTC].seams == sum(
        len(read_connected(row.payload).origins or []) - 1
        for row in tape_rows(directory / "merged", BTC)
        if row.kind == "connected"
    )
    # What any recorder has is there, but within the jitter of where a connection begins or ends, or in the
    # second for which a connection that cannot be proven is not begun.
    edges = [place for one in each for line in one.lines for place in (line.first, line.last)]
    times = [stream[place].time for place in edges]
    lost = covered(line for one in each for line in one.lines) - covered(lines)
    assert all(
        min(abs(stream[n].time - time) for time in times) <= max(4 * jitter * MS, SECOND) for n in lost
    )
    shutil.rmtree(directory)


def test_holes_of_one_are_filled_by_the_other(tmp_path: Path) -> None:
    """Two recorders that are never down together make one connection, whose tape is whole."""
    stream = true_stream(random.Random(1), 900)
    a = Recorder("a", [Line(0, 250), Line(300, 600, end=False), Line(640, 899)], offset=2 * MS)
    b = Recorder("b", [Line(100, 450), Line(480, 899)], offset=-3 * MS)
    tapes = [record(tmp_path, each, stream) for each in (a, b)]
    document = json_of("merge", *tapes, "-o", tmp_path / "merged")
    (line,) = check_merged(tmp_path / "merged", stream)
    assert (line.first, line.last) == (0, 899)
    found = document["products"][BTC]
    assert (found["connections"], found["interruptions"], found["unproven"]) == (1, 0, 0)
    assert found["seams"] >= 3
    assert sum(each["rows"] for each in found["origins"]) == found["rows"]
    assert_whole(tmp_path / "merged")
    shown = json_of("inspect", tmp_path / "merged")["products"][BTC]
    assert shown["origins"] == found["origins"]
    assert {each["tape"] for each in shown["origins"]} == {"a", "b"}
    assert f"{BTC}: a gave" in invoke("inspect", tmp_path / "merged").stdout


def test_where_all_are_down_is_an_interruption(tmp_path: Path) -> None:
    """A hole that no recorder fills stays one, with the reason of the connection that ended last."""
    stream = true_stream(random.Random(2), 600)
    a = Recorder("a", [Line(0, 200), Line(400, 599)])
    b = Recorder("b", [Line(100, 300), Line(450, 580)])
    merge([record(tmp_path, each, stream) for each in (a, b)], tmp_path / "merged", "plain")
    lines = check_merged(tmp_path / "merged", stream)
    assert [(line.first, line.last) for line in lines] == [(0, 300), (400, 599)]
    (hole,) = json_of("inspect", tmp_path / "merged")["products"][BTC]["interruptions"]
    assert (hole["code"], hole["reason"]) == (1006, "cut")


def test_a_book_that_is_not_the_same(tmp_path: Path) -> None:
    """A recorder whose book is another one is followed from its own snapshot: no book is mixed of two."""
    stream = true_stream(random.Random(3), 600)
    wrong = [
        TrueFrame(each.time, each.text, {**each.book, ("buy", "1"): "7"}, each.trade_id) for each in stream
    ]
    first = record(tmp_path, Recorder("a", [Line(0, 400)]), stream)
    second = record(tmp_path, Recorder("b", [Line(200, 599)]), wrong)
    found = merge([first, second], tmp_path / "merged", "plain").products[BTC]
    assert (found.connections, found.seams, found.unproven) == (2, 0, 1)
    connected = [row for row in tape_rows(tmp_path / "merged", BTC) if row.kind == "connected"]
    assert [read_connected(row.payload).id for row in connected] == ["a-0", "b-0"]
    reasons = json_of("inspect", tmp_path / "merged")["products"][BTC]["interruptions"]
    assert "not proven" in reasons[0]["reason"]
    assert sum(each.rows for each in found.origins) == found.tally.rows - 1
    assert f"{BTC}: 1 row of no recorder" in invoke("inspect", tmp_path / "merged").stdout
    assert reasons[0]["seconds"] < 0.2
    payloads = [row.payload for row in tape_rows(tmp_path / "merged", BTC) if row.kind == "frame"]
    own = [row.payload for row in tape_rows(second, BTC) if row.kind == "frame"]
    assert payloads[-len(own) :] == own


def numbered_rows(name: str, stream: list[TrueFrame], first: int, last: int, lost: int) -> list[RowTuple]:
    """Return the rows of a connection of the numbered feed; the message `lost` did not arrive."""
    server = venue("advanced").server(0)
    bids, asks = (
        [(price, size) for (side, price), size in stream[first].book.items() if side == kind]
        for kind in ("buy", "sell")
    )
    time = START + stream[first].time
    rows: list[RowTuple] = [
        (time, 0, "connected", encode_mark(Connected(name, "wss://x", [BTC]))),
        (time, 0, "frame", server.snapshot(BTC, bids, asks, time)),
    ]
    for place in range(first + 1, last + 1):
        time = START + stream[place].time
        changes: list[TextChange] = [
            ("bid" if side == "buy" else "ask", price, size)
            for side, price, size in stream[place].text.get("changes", ())
        ]
        frame = server.update(BTC, changes, time)
        if place != lost:
            rows.append((time + MS, 0, "frame", frame))
    return [*rows, (time + MS, 0, "disconnected", encode_mark(Disconnected(1006, "cut")))]


def test_missing_messages_end_a_connection(tmp_path: Path) -> None:
    """Where numbers show that a message is missing, another recorder goes on, and no gap is on the tape."""
    stream = true_stream(random.Random(11), 300)
    a = write_tape(tmp_path / "a", BTC, numbered_rows("a", stream, 0, 250, 200), feed="advanced")
    b = write_tape(tmp_path / "b", BTC, numbered_rows("b", stream, 100, 299, 150), feed="advanced")
    made = merge([a, b], tmp_path / "merged", "plain").products[BTC]
    assert (made.connections, made.seams, made.unproven) == (1, 1, 0)
    rows = tape_rows(tmp_path / "merged", BTC)
    origins = read_connected(rows[0].payload).origins
    assert origins
    assert [each.tape for each in origins] == ["a", "b"]
    assert read_disconnected(rows[-1].payload).gaps == 0
    assert_whole(tmp_path / "merged")
    (found,) = json_of("inspect", tmp_path / "merged")["products"][BTC]["verdicts"]
    assert (found["verdict"], found["reason"]) == ("verified", "sequence numbers are contiguous")
    assert tuples_of(bt.open(tmp_path / "merged").book(BTC, at=rows[-3].recv_time).table()) == tuples_of(
        bt.open(b).book(BTC, at=tape_rows(b, BTC)[-3].recv_time).table()
    )


def test_a_gap_that_nobody_fills_stays(tmp_path: Path) -> None:
    """Where no other recorder was up, the connection is followed behind its gap, which is told."""
    stream = true_stream(random.Random(12), 300)
    a = write_tape(tmp_path / "a", BTC, numbered_rows("a", stream, 0, 250, 50), feed="advanced")
    b = write_tape(tmp_path / "b", BTC, numbered_rows("b", stream, 200, 299, -1), feed="advanced")
    made = merge([a, b], tmp_path / "merged", "plain").products[BTC]
    (found,) = json_of("inspect", tmp_path / "merged")["products"][BTC]["verdicts"][:1]
    assert (found["verdict"], found["reason"]) == ("broken", "1 gap")
    assert made.tally.rows >= 298


def test_order_of_the_tapes_does_not_matter(tmp_path: Path) -> None:
    """The same tapes in another order, and merged again, give the same files to the last byte."""
    stream = true_stream(random.Random(4), 400)
    rng = random.Random(5)
    each = [Recorder(name, random_lines(rng, 400, 100, 10)) for name in "abc"]
    tapes = [record(tmp_path, one, stream) for one in each]
    merge(tapes, tmp_path / "first", "plain")
    merge(tapes[::-1], tmp_path / "second", "plain")
    assert files_of(tmp_path / "first") == files_of(tmp_path / "second")


def files_of(tape: Path) -> dict[str, bytes]:
    """Return the content of all files of a tape, locks left out."""
    paths = [path for path in tape.rglob("*") if path.is_file() and "lock" not in path.name]
    return {str(path.relative_to(tape)): path.read_bytes() for path in paths}


def test_wrong_clock(tmp_path: Path) -> None:
    """A clock that is 3 s ahead is shifted onto that of the exchange, and the tape says so."""
    stream = true_stream(random.Random(6), 400)
    right = record(tmp_path, Recorder("right", [Line(0, 200)]), stream)
    wrong = record(tmp_path, Recorder("wrong", [Line(100, 399)], offset=3 * SECOND), stream)
    found = merge([right, wrong], tmp_path / "merged", "plain").products[BTC]
    assert (found.connections, found.seams) == (1, 1)
    by_tape = {each.tape: each for each in found.origins}
    assert by_tape["right"].shift_s == 0
    assert by_tape["wrong"].shift_s == pytest.approx(-3, abs=0.02)
    for row in tape_rows(tmp_path / "merged", BTC):
        if row.kind == "frame" and row.seq > 0:
            true = stream[json.loads(row.payload)["n"]].time
            assert abs(row.recv_time - true - first_time(right) + stream[0].time) < 50 * MS


def first_time(tape: Path) -> int:
    """Return recv_time of the first row."""
    return tape_rows(tape, BTC)[0].recv_time


def test_products_of_any_tape(tmp_path: Path) -> None:
    """A product that one tape has alone is copied; its frames, times and digest of frames are the same."""
    stream = true_stream(random.Random(7), 200)
    first = record(tmp_path, Recorder("a", [Line(0, 199)]), stream)
    (tmp_path / "other").mkdir()
    frames = [(n * MS, update("ETH-USD", ("buy", f"98.{n}", "1"))) for n in range(1, 50)]
    second = import_frames(tmp_path / "other", [(0, snapshot("ETH-USD")), *frames])
    merge([first, second], tmp_path / "merged", "plain")
    for tape, product in ((first, BTC), (second, "ETH-USD")):
        before, after = tape_rows(tape, product), tape_rows(tmp_path / "merged", product)
        assert [row[1:4] for row in after] == [row[1:4] for row in before]
        assert [row.payload for row in after if row.kind == "frame"] == [
            row.payload for row in before if row.kind == "frame"
        ]
    assert_whole(tmp_path / "merged")


def test_refusals(tmp_path: Path) -> None:
    """What cannot be merged is refused by one line, and nothing is left."""
    stream = true_stream(random.Random(8), 50)
    first = record(tmp_path, Recorder("a", [Line(0, 49)]), stream)
    second = record(tmp_path, Recorder("b", [Line(0, 49)]), stream)
    (tmp_path / "there").mkdir()
    before = sorted(tmp_path.iterdir())
    for arguments, words, code in (
        ((first, "-o", tmp_path / "m"), "one tape: name two", 2),
        ((first, first, "-o", tmp_path / "m"), "each once", 2),
        ((first, tmp_path / "nowhere", "-o", tmp_path / "m"), "nowhere", 1),
        ((first, second, "-o", tmp_path / "there"), "exists already", 1),
        ((first, second, "-o", tmp_path / "no" / "m"), "no directory", 1),
        ((first, second, "-o", first / "m"), "inside the tape", 2),
        ((first, bt.sample(), "-o", tmp_path / "m"), "synthetic", 1),
    ):
        done = invoke("merge", *arguments)
        assert (done.exit_code, done.stdout) == (code, ""), done.output
        assert words in done.stderr
    assert sorted(tmp_path.iterdir()) == before


def test_a_merged_tape_is_not_recorded_to(tmp_path: Path) -> None:
    """A recorder does not continue a merged tape unless it is told to."""
    stream = true_stream(random.Random(9), 50)
    tapes = [record(tmp_path, Recorder(name, [Line(0, 49)]), stream) for name in "ab"]
    merge(tapes, tmp_path / "merged", "plain")
    done = invoke("record", BTC, "-o", tmp_path / "merged", "--duration", "1s")
    assert done.exit_code == 1
    assert "a merged tape" in done.stderr


# Real captures


def cut_tape(path: Path, whole: Path, product: str, parts: list[tuple[int, int]], delay: int) -> Path:
    """Write the tape of a recorder that saw parts of a tape; each begins with a snapshot of the book then."""
    opened = Tape.open(whole)
    rows = tape_rows(whole, product)
    lines: list[RowTuple] = []
    for number, (first, last) in enumerate(parts):
        mark = Connected(f"{path.name}-{number}", "wss://x", [product, "X-USD"])
        time = rows[first].recv_time + delay
        lines.append((time, number, "connected", encode_mark(mark)))
        if first > 1:
            lines.append((time, number, "frame", snapshot_at(opened, product, rows, first)))
            told = [row.payload for row in rows[:first] if '"match"' in row.payload]
            last_match = [payload.replace('"match"', '"last_match"') for payload in told[-1:]]
            lines += [(time, number, "frame", payload) for payload in last_match]
        kept = rows[first : last + 1]
        lines += [
            (row.recv_time + delay, number, "frame", row.payload) for row in kept if row.kind == "frame"
        ]
        lines.append((kept[-1].recv_time + delay, number, "disconnected", encode_mark(Disconnected(1006))))
    return write_tape(path, product, lines, feed=opened.feed)


def snapshot_at(tape: Tape, product: str, rows: list[Row], seq: int) -> str:
    """Return a snapshot of the book before a row, numbered as the message before."""
    engine = PlainEngine()
    state = engine.start(product, tape.feed)
    for batch in tape.product(product).batches():
        state, _ = engine.step(state, batch.slice(0, max(0, seq - batch.column("seq")[0].as_py())))
    levels = engine.levels(state)
    assert levels is not None
    number = venue(tape.feed).sequence_num(rows[seq].payload)
    server = venue(tape.feed).server(None if number is None else number - 1)
    bids, asks = texts_of(levels)
    return server.snapshot(product, bids, asks, rows[seq].recv_time)


def texts_of(levels: Levels) -> list[list[tuple[str, str]]]:
    """Return the sides of a book as texts."""
    return [
        [(f"{price // 10**8}.{price % 10**8:08d}", f"0{size}") for price, size in side] for side in levels
    ]


@pytest.mark.skipif(not CAPTURES.exists(), reason="the real captures are not here")
@pytest.mark.parametrize(
    ("capture", "product", "frames"),
    [("exchange-2021-04-ten-products", "SKL-USD", 300), ("advanced-2026-08-btc-eth", "ETH-USD", 160)],
)
def test_capture_in_two_parts(tmp_path: Path, capture: str, product: str, frames: int) -> None:
    """A real capture, cut into two recordings with holes, is one again: each frame, and each best price."""
    source = tmp_path / "capture.jsonl"
    with gzip.open(CAPTURES / f"{capture}.jsonl.gz", "rt", encoding="utf-8") as packed:
        lines = [line for line in packed if product in line]
    source.write_text("".join(lines[:frames]), encoding="utf-8")
    bt.import_(source, tmp_path / "whole", engine="plain")
    whole = bt.open(tmp_path / "whole")
    rows = tape_rows(tmp_path / "whole", product)
    end = len(rows) - 2
    a, b, c, d = (end * n // 10 for n in (3, 5, 6, 8))
    first = cut_tape(tmp_path / "first", tmp_path / "whole", product, [(1, b), (c, end)], 0)
    second = cut_tape(tmp_path / "second", tmp_path / "whole", product, [(a, d), (d + 9, end - 5)], 8 * MS)
    made = bt.merge([first, second], tmp_path / "merged").products[product]
    assert (made.connections, made.unproven) == (1, 0)
    texts = [row.payload for row in tape_rows(tmp_path / "merged", product) if row.kind == "frame"]
    assert texts == [row.payload for row in rows[1 : end + 1]]
    columns = ["exchange_time", "bid_price", "bid_size", "ask_price", "ask_size"]
    merged = bt.open(tmp_path / "merged").summaries(product).select(columns)
    assert tuples_of(merged) == tuples_of(whole.summaries(product).select(columns))
    assert_whole(tmp_path / "merged")
