"""A prepared tape: equal results, whatever has become of the prepared files, and never of other rows."""

import shutil
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pytest
from msgspec.structs import replace

import booktape
from orderbook.compiled.loading import packed_version
from orderbook.engine import Engine
from orderbook.schema import PACKED, PACKED_SCHEMA
from recorder.runtime.loading import load_engine
from recorder.settings import SealPolicy
from recorder.tape.compaction import compact
from recorder.tape.format.layout import prepared_file, product_dir
from recorder.tape.format.prepared import write_prepared
from recorder.tape.reader import Tape
from replay.checking.prepare import Prepared, prepare
from replay.running.api import run
from replay.running.settings import ReplaySettings
from replay.running.window import Window
from tests.support.commands import invoke
from tests.support.constants import BTC, SAMPLE
from tests.support.rows import to_rows, write_tape


@pytest.fixture(scope="session")
def compiled_engine() -> Engine:
    """Return the compiled engine."""
    return load_engine("compiled")


@pytest.fixture(scope="session")
def prepared_sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the sample tape that is prepared. Do not change it."""
    tape = tmp_path_factory.mktemp("prepared") / "tape"
    shutil.copytree(SAMPLE, tape)
    prepare(tape)
    return tape


@pytest.fixture
def tape(prepared_sample: Path, tmp_path: Path) -> Path:
    """Return a prepared tape to be changed."""
    return Path(shutil.copytree(prepared_sample, tmp_path / "tape"))


def results(tape: Path, engine: Engine, **settings: Any) -> dict[str, Any]:
    """Return what a replay with trades and levels gives, tables included."""
    found = run(tape, ReplaySettings(trades=True, depth=3, **settings), engine=engine)
    document = found.document()
    tables = [found.summaries, found.anomalies, found.depth, found.trades]
    return {"digest": document["digest"], "products": document["products"], "tables": tables}


def files_of(tape: Path) -> list[Path]:
    """Return the prepared files."""
    return sorted(tape.glob("product=*/_columns/*"))


def rows_of(tape: Path, **options: Any) -> Iterator[pa.RecordBatch]:
    """Return the batches of a product as the compiled engine gets them."""
    return Tape.open(tape).product(BTC).batches(packed=packed_version(), **options)


def test_captures(capture_tape: Path, tmp_path: Path, compiled_engine: Engine) -> None:
    """Every real capture has equal replays, whole and of a window, and equal comparisons."""
    tape = Path(shutil.copytree(capture_tape, tmp_path / "tape"))
    prepare(tape)
    opened = Tape.open(tape)
    first = opened.first_time()
    assert first is not None
    for window in (Window(), Window(first + 7_000_000_000, first + 15_000_000_000)):
        assert results(tape, compiled_engine, window=window) == results(
            capture_tape, compiled_engine, window=window
        )
    pair = [
        booktape.open(each).compare([0.0001, 0.001], engine="compiled").document()
        for each in (tape, capture_tape)
    ]
    assert pair[0]["rows"] == pair[1]["rows"]
    product = opened.select(())[0]
    batches = [*opened.product(product).batches(packed=packed_version())]
    kinds = list(chain.from_iterable(rows.column("kind").to_pylist() for rows in batches))
    assert kinds.count(PACKED) > 0.9 * len(kinds)


def test_backtest(prepared_sample: Path) -> None:
    """A backtest of a strategy in Python, which sees the trades, has the same orders and fills."""
    pair = [
        booktape.open(each).backtest("booktape.strategies:QuoteWhenWide", engine="compiled").document()
        for each in (prepared_sample, SAMPLE)
    ]
    assert pair[0]["rows"] == pair[1]["rows"]


@pytest.mark.parametrize(("size", "first_seq"), [(8192, 0), (7, 0), (1000, 1234), (8192, 1200), (5, 3)])
def test_any_start_and_size(prepared_sample: Path, size: int, first_seq: int) -> None:
    """Reading from any row in batches of any size gives all rows, with the other columns as they are."""
    packed = list(rows_of(prepared_sample, size=size, first_seq=first_seq))
    raw = list(Tape.open(SAMPLE).product(BTC).batches(size, first_seq))
    assert all(each.schema == PACKED_SCHEMA and each.num_rows <= size for each in packed)
    tables = [
        pa.Table.from_batches(each).select(["seq", "recv_time", "connection"]) for each in (packed, raw)
    ]
    assert tables[0].equals(tables[1])


def test_damage(tape: Path, compiled_engine: Engine) -> None:
    """A flipped byte anywhere, or a file cut anywhere, changes no result, and is mended by the next call."""
    random = Random(1)
    expected = results(SAMPLE, compiled_engine)
    file = max(files_of(tape), key=lambda path: path.stat().st_size)
    whole = file.read_bytes()
    places = [0, 17, 40, 200, 300, 310, len(whole) - 1, *(random.randrange(len(whole)) for _ in range(4))]
    for place in places:
        flipped = bytes([whole[place] ^ 1 << random.randrange(8)])
        for damaged in (whole[:place] + flipped + whole[place + 1 :], whole[:place]):
            file.write_bytes(damaged)
            assert results(tape, compiled_engine) == expected, place
            made = prepare(tape)
            assert sum(each.made for each in made.values()) == 1, place
            assert file.read_bytes() == whole


def test_other_rows_are_not_read(tape: Path) -> None:
    """A file of another segment, or that another version has packed, is not read."""
    product = Tape.open(tape).product(BTC)
    entry = product.segments()[0]
    right = product.prepared_header(entry, packed_version())
    for other in (replace(right, version="0" * 64), replace(right, sha256="0" * 64)):
        write_prepared(product.directory, other, ())
        assert product.prepared(entry, 0, packed_version()) is None
    assert next(rows_of(tape)).schema != PACKED_SCHEMA
    assert prepare(tape)[BTC].made == 1


def test_interrupted(tape: Path, compiled_engine: Engine) -> None:
    """What an interrupted call leaves is not read, and the next one removes it."""
    file = files_of(tape)[0]
    aside = file.with_name(f"_{file.name}.tmp")
    aside.write_bytes(file.read_bytes()[:1000])
    file.unlink()
    assert results(tape, compiled_engine) == results(SAMPLE, compiled_engine)
    prepare(tape)
    assert (file.exists(), aside.exists()) == (True, False)


def test_tape_stays_whole(tape: Path) -> None:
    """Prepared files are no damage to `verify`, and a second call keeps them all."""
    assert booktape.open(tape).verify().damage == []
    assert all(each.made == 0 < each.kept for each in prepare(tape).values())


def test_compact(tmp_path: Path, compiled_engine: Engine) -> None:
    """A compaction removes what was prepared of the segments that it merges; the next call makes it anew."""
    rows = to_rows(Tape.open(SAMPLE).product(BTC).batches())
    tape = write_tape(tmp_path / "tape", rows, policy=SealPolicy(rows=700, seconds=1e6), batch_rows=700)
    expected = results(tape, compiled_engine)
    assert prepare(tape)[BTC].made == len(files_of(tape)) > 2
    assert results(tape, compiled_engine) == expected
    compact(tape, lambda *_: None)
    assert files_of(tape) == []
    assert prepare(tape)[BTC].made == 1
    assert results(tape, compiled_engine) == expected


def test_command(tape: Path) -> None:
    """The command tells what it did, and how large it is."""
    shutil.rmtree(prepared_file(product_dir(tape, BTC), 0).parent)
    lines = invoke("prepare", tape).stdout.splitlines()
    assert lines[0].startswith(f"{BTC}: ")
    assert "prepared, 0 kept; " in lines[0]
    assert isinstance(prepare(tape)[BTC], Prepared)
