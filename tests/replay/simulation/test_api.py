"""A backtest through the front door: equal results however it is run, real orders, and clear refusals."""

import json
import shutil
import signal
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

import booktape as bt
from orderbook.engine import Step
from recorder.settings import EngineName
from replay.simulation.results import Backtest
from tests.endurance.forms import cases
from tests.support.commands import invoke, json_of
from tests.support.constants import BTC, CAPTURES, ETH, SAMPLE, SECOND
from tests.support.execution_captures import copies, real_orders
from tests.support.market_truth import true_market
from tests.support.oracle import Row
from tests.support.rows import read_rows, write_tape
from tests.support.tapes import import_frames, snapshot, update

END = "2026-01-01T00:00:06"
L3 = ("l3-2018-03-ETH", "l3-2018-03-LTC", "l3-2018-03-ETH-batch55-late250", "l3-2018-03-LTC-batch55-late250")


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a tape of a market with trades."""
    tape = tmp_path_factory.mktemp("market") / "tape"
    return write_tape(tape, true_market("level2_batch", 5, batches=200).rows)


def lanes(result: Backtest) -> dict[tuple[str, int, str], dict[str, Any]]:
    """Return the rows by product, setting and queue model."""
    return {(row.product, row.setting, row.queue): msgspec.structs.asdict(row) for row in result.rows}


def test_money_adds_up_and_bounds_hold(market: Path) -> None:
    """In every row net = realised + unrealised - fees, and the estimate lies between the bounds."""
    tape = bt.open(market)
    result = tape.backtest(
        sweep={"threshold": ("0.2bps", "0.8bps")},
        queue=("back", "share", "front"),
        fees="1/2",
        latency="10ms",
    )
    assert len(result.rows) == 6
    assert sum(row.fills for row in result.rows) > 50
    for row in result.rows:
        assert row.net is not None
        assert row.unrealised is not None
        assert row.net == pytest.approx(row.realised + row.unrealised - row.fees, abs=1e-9)
        assert row.fill_ratio_back is not None
        assert row.fill_ratio is not None
        assert row.fill_ratio_front is not None
        assert row.fill_ratio_back <= row.fill_ratio <= row.fill_ratio_front
        assert row.trades != "none"
    assert result.orders is not None
    assert result.fills is not None
    for name, column in (("fills", "value"), ("fees", "fee")):
        total = sum(result.fills.column(column).to_pylist())
        told = sum(row.turnover if name == "fills" else row.fees for row in result.rows)
        assert float(total) == pytest.approx(told)


def test_a_lane_is_the_same_alone_and_among_others(market: Path, tmp_path: Path) -> None:
    """Neither other settings, nor other queue models, nor an output change what happens to a lane."""
    tape = bt.open(market)
    options: dict[str, Any] = {"latency": "uniform:1ms:30ms", "seed": 7}
    many = tape.backtest(
        sweep={"threshold": ("0.2bps", "0.8bps"), "inside": (0, 1)},
        queue=("back", "share"),
        output=tmp_path / "run",
        keep=False,
        **options,
    )
    assert (many.orders, many.fills) == (None, None)
    together = lanes(many)
    for setting, values in enumerate(many.settings.settings):
        alone = tape.backtest(settings=values, queue="share", **options)
        (row,) = lanes(alone).values()
        assert row == together[BTC, setting, "share"] | {"setting": 0}
    stored = pq.read_table(tmp_path / "run" / "fills")
    assert stored.num_rows == sum(row.fills for row in many.rows)
    document = json.loads((tmp_path / "run" / "run.json").read_bytes())
    assert document["execution_digest"] == many.execution_digest
    assert document["digest"] == tape.replay(keep=False).digest


def test_a_window_starts_flat_with_the_book_as_it_stood(market: Path) -> None:
    """Trading begins at --from, on a book that the rows before it built."""
    result = bt.open(market).backtest(settings={"threshold": "0.2bps"}, start="+6s", latency="0")
    assert result.orders is not None
    first = result.orders.column("sent").combine_chunks().view(pa.int64()).to_pylist()[0]
    begins = bt.open(market).rows(BTC, start="+6s").column("recv_time")[0].value
    assert first >= begins
    assert result.rows[0].fills > 0


@pytest.mark.parametrize("capture", L3)
def test_real_orders_of_captures(capture: str, tmp_path: Path) -> None:
    """Of every real order: filled under `back` <= really filled <= filled under `front`."""
    path = CAPTURES / f"{capture}.jsonl.gz"
    if not path.exists():
        pytest.skip(f"{path} is not here")
    orders = real_orders(CAPTURES / f"{capture}.orders.json")[:: cases(1, 3)]
    pq.write_table(copies(orders), tmp_path / "orders.parquet")
    bt.import_([path], tmp_path / "tape")
    run = tmp_path / "run"
    words = [
        "--orders",
        str(tmp_path / "orders.parquet"),
        "--latency",
        "0",
        "--queue",
        "share",
        "--tick",
        "0.01",
    ]
    done = invoke("backtest", str(tmp_path / "tape"), *words, "-o", str(run))
    assert done.exit_code == 0, done.stderr
    names = ["setting", "filled_back", "filled", "filled_front"]
    found = pq.read_table(run / "orders").sort_by("setting").select(names).to_pylist()
    assert len(found) == len(orders)
    outside = [
        (order, row)
        for order, row in zip(orders, found, strict=True)
        if not row["filled_back"] <= type(row["filled"])(order["filled"]) <= row["filled_front"]
    ]
    assert outside == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--set", "thresh=1bps"], "its settings are threshold, size, inside, limit"),
        (["--set", "threshold"], "not name=value"),
        (
            ["--set", "size=0"],
            "BTC-USD, size=0: size: 0 is not above 0",
        ),
        (["--sweep", "threshold=1bps:2bps:0bps"], "LOW:HIGH:STEP"),
        (["--sweep", "threshold=1bps:2bps"], "LOW:HIGH:STEP"),
        (["--sweep", "threshold=1bps:2bsp:1bps"], "in one unit"),
        (["--sweep", "threshold=lbps:2bps:1bps"], "LOW:HIGH:STEP"),
        (["--set", "size=1", "--sweep", "size=1,2"], "set and swept"),
        (["--sweep", "size=1:9999:1", "--sweep", "limit=1:9999:1"], "99,980,001 combinations are more than"),
        ([each for n in range(5) for each in ("--sweep", f"a{n}=1:9999:1")], "sweep fewer values"),
        (["--sweep", "size=1:9999:1", "--sweep", "limit=1:9999:1", "--random", "20000"], "more than 10,000"),
        (["--random", "0"], "--random"),
        (["--latency", "-1"], "--latency"),
        (["--latency", "file:nowhere.txt"], "nowhere.txt"),
        (["--latency", "file:/dev/zero"], "not a regular file"),
        (["--latency", "100"], "write 100ms or 100s"),
        (["--latency", "uniform:20:80ms"], "write 20ms or 20s"),
        (["--report", "5"], "write 5ms or 5s"),
        (["--fees", "500%"], "--fees"),
        (["--fees", "50000/60"], "at most 1000 bps"),
        (["--queue", "middle"], "not one of back, share, front"),
        (["--tick", "0"], "--tick"),
        (["--tick", "BTC-USD=0.01,BTC-USD=0.02"], "each product once, as BTC-USD=0.01,ETH-USD=0.001"),
        (["--lot", "XYZ-USD=1"], "no product 'XYZ-USD' on this tape"),
        (["--markout", "1s,2"], "'2' has no unit: write 2ms or 2s"),
        (["--orders", "nowhere.parquet"], "nowhere.parquet"),
        (["--orders", "nowhere.parquet", "--strategy", "a:b"], "not with a strategy"),
        (["--strategy", "booktape.strategies:Nothing"], "no callable Nothing"),
        (["--sort", "profit"], "--sort"),
        (["-p", "DOGE-USD"], "DOGE-USD"),
        (["--sweep", "foo=1,2"], "Invalid value for '--sweep': booktape.strategies:QuoteWhenWide"),
        (["--set", "foo=1", "--sweep", "size=1,2"], "Invalid value for '--set'"),
        (["--html", "-"], "nothing is written to standard output: name a path, such as 'report.html'"),
        (["-o", "-"], "nothing is written to standard output: name a path, such as 'run'"),
    ],
)
def test_refusals(words: list[str], said: str) -> None:
    """What cannot be run is one line that says what to type, and exit 2 (1 for a product not there)."""
    done = invoke("backtest", str(SAMPLE), *words)
    assert done.exit_code == (1 if "DOGE-USD" in words else 2)
    assert done.stdout == ""
    assert said in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Divides", "default settings, BTC-USD, row 12: ZeroDivisionError"),
        ("Spreads", "it does not trade"),
        ("NoWakes", "it does not trade"),
        ("ClosesGenerator", "row 2: GeneratorExit"),
        ("BadWakes", "wakes: 'often' is not"),
        ("ReturnsOrders", "on_event returned a list, which nobody reads"),
        ("PostsAndTakes", "post_only and ioc exclude each other"),
    ],
)
def test_a_strategy_that_fails_is_named(name: str, said: str, tmp_path: Path) -> None:
    """The error names strategy, setting, product and row; no RUN is left."""
    strategy = f"tests.support.user_strategies:{name}"
    done = invoke("backtest", str(SAMPLE), "--strategy", strategy, "-o", str(tmp_path / "run"))
    assert done.exit_code == 1
    assert said in done.stderr
    assert strategy in done.stderr
    assert not (tmp_path / "run").exists()
    assert list(tmp_path.iterdir()) == []


def test_a_tape_without_trades_says_so(short_tape: Path) -> None:
    """Only crossing fills orders there, so the figures are called lower bounds."""
    done = invoke("backtest", str(short_tape), "-p", ETH, "--set", "threshold=1bps", "--json")
    (row,) = json.loads(done.stdout)["rows"]
    assert row["trades"] == "none"
    assert "no_trades" in row["caveats"]


def test_trades_that_cannot_be_read_are_told(tmp_path: Path) -> None:
    """Both engines count them, and a note says that they are missing; so does the report."""
    bad = json.dumps(
        {"type": "match", "product_id": BTC, "trade_id": 1, "price": "0", "size": "1", "side": "buy"}
    )
    frames = [(0, snapshot(BTC)), (SECOND, bad), (2 * SECOND, update(BTC, ("buy", "99.5", "1")))]
    tape = import_frames(tmp_path, frames)
    for engine in ("plain", "compiled"):
        done = invoke("backtest", tape, "--set", "threshold=0bps", "--engine", engine, "--json")
        (row,) = json.loads(done.stdout)["rows"]
        assert row["trades_malformed"] == 1
        assert "trades_malformed" in row["caveats"]
    shown = invoke("backtest", tape, "--set", "threshold=0bps", "--html", tmp_path / "report.html").stdout
    assert "Note: the trades of some frames could not be read, and are missing (BTC-USD)" in shown
    assert "The trades of some frames could not be read" in (tmp_path / "report.html").read_text()


def test_without_an_order_there_is_a_sentence() -> None:
    """No table of zeros is printed; JSON has every lane."""
    words = ("backtest", SAMPLE, "--sweep", "threshold=500bps,600bps", "--to", "+5s", "--by", "hour")
    shown = invoke(*words).stdout
    assert "No order was sent in 4 lanes" in shown
    assert not any(each in shown for each in ("Best net", "turnover", "luck"))
    assert len(json_of(*words)["rows"]) == 4


def test_a_signal_does_not_wait_for_many_lanes() -> None:
    """The plain engine takes few rows at once if there are hundreds of lanes, and stops between them."""
    rows = []

    def progress(_product: str, step: Step) -> None:
        rows.append(step.span.rows)
        signal.raise_signal(signal.SIGINT)

    with pytest.raises(bt.InterruptedRunError):
        bt.open(SAMPLE).backtest(
            sweep={"threshold": [f"{number}bps" for number in range(300)]},
            products=ETH,
            engine="plain",
            keep=False,
            progress=progress,
        )
    assert sum(rows) <= 100


def test_a_drawdown_begins_at_the_start(market: Path) -> None:
    """What is lost before the first mark of the grid counts: with cash and a position at the start, too."""
    engines: tuple[EngineName, ...] = ("plain", "compiled")
    several: tuple[dict[str, Any], ...] = ({}, {"cash": 1000, "base": "0.5"})
    for options in several:
        for engine in engines:
            result = bt.open(market).backtest(
                settings={"threshold": "0bps"}, fees="100/100", equity_every="10s", engine=engine, **options
            )
            (row,) = result.rows
            assert result.equity is not None
            assert row.net is not None
            grid = result.equity.filter(pc.field("why") == "grid")["equity"].drop_null()
            marks = [float(each) for each in grid.to_pylist()]
            start = float(result.equity["equity"].drop_null()[-1].as_py()) - row.net
            highest = [max([start, *marks[: place + 1]]) for place in range(len(marks))]
            falls = [high - mark for high, mark in zip(highest, marks, strict=True)]
            assert row.drawdown == pytest.approx(max(falls), abs=1e-9)
            assert falls[0] > 0


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("queue", [], "no queue model is named"),
        ("tick", {"XYZ-USD": 1}, "no product 'XYZ-USD' on this tape"),
        ("lot", {"XYZ-USD": 1}, "no product 'XYZ-USD' on this tape"),
        ("report", [], "is not a duration"),
        ("latency", None, "cannot be used: write '100ms'"),
        ("latency", float("nan"), "latency: nan is not a duration"),
        ("cash", 10**11, "up to 9,999,999,999"),
    ],
)
def test_arguments_that_would_do_nothing(option: str, value: object, said: str) -> None:
    """They are refused by their name, in place of a result without rows."""
    with pytest.raises(bt.OptionError, match=said) as found:
        bt.open("sample:").backtest(**{option: value})  # type: ignore[arg-type]  # wrong on purpose
    assert found.value.option == option


def test_columns_that_are_not_there() -> None:
    """In Python, too, they are refused by name."""
    result = bt.open("sample:").backtest(products=ETH, end="+5s")
    for ask in (result.sort, result.best):
        with pytest.raises(bt.OptionError, match="'profit' is not one of product, setting"):
            ask("profit")


def test_sorting_by_any_column() -> None:
    """Largest first, and no value last; settings by their number, so that 10bps follows 5bps."""
    result = bt.open("sample:").backtest(
        products=ETH, sweep={"threshold": ("10bps", "2bps", "5bps"), "inside": (0, 1)}, end="+30s"
    )
    for column in result.table().column_names:
        result.sort(column)
        values = [value for value in result.table().column(column).to_pylist() if value is not None]
        if column.startswith("setting_"):
            assert values == sorted(values, key=lambda text: int(text.removesuffix("bps")))
        else:
            assert values == sorted(values, reverse=column not in {"setting", "queue", "product"})
    best = result.best("net")
    assert best.best_of == 6
    assert str(best) == f"{ETH}, setting {best.setting}, share: the best net of 6 settings"
    assert best.net == max(row.net for row in result.rows if row.net is not None)


def test_a_random_choice_of_settings() -> None:
    """It is a part of the sweep, none twice, the same with the same seed, and its lanes are those there."""
    tape, sweep = bt.open("sample:"), {"threshold": ("0bps", "1bps", "2bps"), "inside": (0, 1, 2)}
    options: dict[str, Any] = {"products": ETH, "sweep": sweep, "end": "+20s"}
    whole = tape.backtest(**options)
    digests = {tuple(whole.values(row).items()): row.execution_digest for row in whole.rows}
    drawn = [tape.backtest(**options, random=4, seed=seed) for seed in (1, 1, 3)]
    for result in drawn:
        found = {tuple(result.values(row).items()): row.execution_digest for row in result.rows}
        assert len(found) == len(result.rows) == 4
        assert found.items() <= digests.items()
    same, again, other = (result.settings.settings for result in drawn)
    assert same == again != other
    assert tape.backtest(**options, random=100).settings.settings == whole.settings.settings
    many = {f"a{number}": range(1000) for number in range(5)}  # 10^15 of them are never listed
    assert len(bt.open("sample:").backtest(Anything, sweep=many, random=3, end="+1s").rows) == 6


class Anything:
    """A strategy that takes any settings and does nothing."""

    wakes = bt.Wakes()

    def __init__(self, _product: str, **_settings: int) -> None:
        pass

    def on_event(self, m: bt.MarketView) -> None:
        """Never called."""


def test_several_processes_give_the_same(tmp_path: Path) -> None:
    """To the bit: numbers, tables and files; a strategy that no process can import is refused."""
    tapes: list[str | Path] = ["sample:", shutil.copytree(SAMPLE, tmp_path / "copy")]
    options: dict[str, Any] = {"settings": {"threshold": "0bps"}, "by": "connection", "end": END}
    one = bt.backtest(tapes, output=tmp_path / "one", **options)
    two = bt.backtest(tapes, output=tmp_path / "two", processes=2, **options)
    # A product of a tape is a piece, with files of its own.
    assert len(list((tmp_path / "two").rglob("*.parquet"))) > len(list((tmp_path / "one").rglob("*.parquet")))
    assert two.rows == one.rows
    assert two.parts == one.parts
    assert (two.tapes, two.execution_digest) == (one.tapes, one.execution_digest)
    for stream in ("orders", "fills", "equity"):
        assert getattr(two, stream).equals(getattr(one, stream))
        files = [pq.read_table(tmp_path / run / stream) for run in ("one", "two")]
        assert files[0].equals(files[1])
    assert bt.diff(tmp_path / "one", tmp_path / "two").is_equal
    with pytest.raises(bt.OptionError, match="that another process can import") as found:
        bt.backtest(tapes, lambda product: None, processes=2)  # type: ignore[arg-type, return-value]  # noqa: ARG005
    assert found.value.option == "processes"


def test_a_latency_of_any_type() -> None:
    """A timedelta, seconds and a text mean the same."""
    digests = {
        bt.open("sample:").backtest(latency=latency, products="BTC-USD", end="+5s").execution_digest
        for latency in ("50ms", 0.05, timedelta(milliseconds=50))
    }
    assert len(digests) == 1


def test_steps_that_the_tape_does_not_have() -> None:
    """A tick or lot that divides no price or size of the tape is a caveat that names the one it shows."""
    result = bt.open("sample:").backtest(products=ETH, end="+9s", tick="0.03", lot="0.5")
    row = result.rows[0]
    assert {"tick", "lot"} <= set(row.caveats)
    assert (row.tick, row.shown_tick, row.shown_lot) == (0.03, 0.08, 1e-8)
    done = invoke("backtest", "sample:", "-p", ETH, "--to", "+9s", "--tick", "0.03")
    assert f"{ETH}: the tick of the first book is 0.08" in done.stdout
    fits = bt.open("sample:").backtest(products=ETH, end="+9s", tick="0.01", lot="0.00000001")
    assert not {"tick", "lot"} & set(fits.rows[0].caveats)


def test_net_says_what_it_is_marked_at() -> None:
    """After the disconnect at the end no book is known: equity is null, and net is of the last known mid."""
    result = bt.open("sample:").backtest(products=ETH, start="+70s", settings={"threshold": "1bps"})
    assert result.equity is not None
    equity = result.equity.select(["bid_price", "ask_price", "equity"]).to_pylist()
    assert (equity[-1]["bid_price"], equity[-1]["equity"]) == (None, None)
    known = next(each for each in reversed(equity) if each["equity"] is not None)
    (row,) = result.rows
    assert row.mark == (known["bid_price"] + known["ask_price"]) / 2
    assert row.net == pytest.approx(float(known["equity"]))
    assert row.position
    assert "mark" not in row.caveats  # the book was known until the last row


@pytest.mark.parametrize("engine", ["plain", "compiled"])
def test_a_mark_that_is_not_the_last_one_is_said(market: Path, tmp_path: Path, engine: EngineName) -> None:
    """A position that outlives the last book is valued at a mid of before: that limits its number."""
    rows = read_rows(market)
    last = rows[-1]
    minute = 60 * SECOND
    lost = [Row(last.seq + 1, last.recv_time + 1, last.connection, "disconnected", "{}")]
    lost += [Row(last.seq + 2, last.recv_time + minute, last.connection + 1, "connected", rows[0].payload)]
    said = []
    for number, ending in enumerate(([], lost[:1], lost)):
        tape = bt.open(write_tape(tmp_path / str(number), [*rows, *ending]))
        (row,) = tape.backtest(settings={"threshold": "0.2bps"}, engine=engine).rows
        assert row.position
        said.append("mark" in row.caveats)
    assert said == [False, False, True]


def test_refused_amends_are_counted() -> None:
    """They are requests of the strategy that did nothing."""
    result = bt.open("sample:").backtest(products=ETH, settings={"threshold": "1bps"})
    assert result.rows[0].refused["amend_post_only"] > 0


def test_an_empty_window_is_told_of_the_product_that_was_named() -> None:
    """Other products of the tape are not the question."""
    done = invoke("backtest", "sample:", "-p", BTC, "--from", "2030-01-01")
    assert BTC in done.stderr
    assert ETH not in done.stderr


def test_a_product_without_a_book_is_named() -> None:
    """There is no row of it, and a line says why."""
    done = invoke("backtest", "sample:", "-p", BTC, "--to", "+26ms")
    assert f"{BTC}: no book in this part of the tape, so nothing was run" in done.stdout
    assert "flatters" not in done.stdout


def test_the_end_of_a_tape_is_no_interruption() -> None:
    """A connection that ends with the tape ends its orders; no book follows that they would have met."""
    result = bt.open("sample:").backtest(products=ETH, start="+70s", settings={"threshold": "1bps"})
    assert result.orders is not None
    assert "interrupted" in result.orders.column("end").to_pylist()
    assert [(row.interrupted_size, "interruptions" in row.caveats) for row in result.rows] == [(0, False)]


def test_several_tapes_are_run_apart_and_added_up(market: Path, tmp_path: Path) -> None:
    """Each is as it is alone; the total adds up what adds up, and takes the largest of what does not."""
    other = write_tape(tmp_path / "other", true_market("level2", 8, batches=80).rows)
    options: dict[str, Any] = {"sweep": {"threshold": ("0.2bps", "0.8bps")}, "queue": ("back", "share")}
    options |= {"latency": "10ms", "fees": "-1/2", "by": "connection"}
    both = bt.backtest([market, other], **options)
    assert both.digest is None
    document = both.document()
    for place, tape in enumerate((market, other)):
        alone = bt.open(tape).backtest(**options)
        name = str(tape)
        found = [msgspec.structs.replace(row, tape=msgspec.UNSET) for row in both.rows if row.tape == name]
        assert found == alone.rows
        parts = [
            msgspec.structs.replace(part, tape=msgspec.UNSET) for part in both.parts if part.tape == name
        ]
        assert parts == alone.parts
        told = document["tapes"][place]  # type: ignore[index]
        assert told["execution_digest"] == alone.execution_digest
        assert told["digest"] == alone.digest
        assert both.fills is not None
        assert alone.fills is not None
        of_tape = both.fills.filter(pc.field("tape") == name).drop_columns("tape")
        assert of_tape.combine_chunks().equals(alone.fills.combine_chunks())
    assert len(both.totals) == 4
    for total in both.totals:
        each = [
            row
            for row in both.rows
            if isinstance(row.tape, str) and (row.setting, row.queue) == (total.setting, total.queue)
        ]
        for column in ("orders", "fills", "turnover", "fees", "realised", "net", "position", "observed_s"):
            assert getattr(total, column) == pytest.approx(
                sum(getattr(row, column) for row in each), abs=1e-9
            )
        assert total.drawdown == max(row.drawdown for row in each)
        assert total.sharpe_samples == sum(row.sharpe_samples for row in each)
        marked = [row.markouts["1s"].all for row in each]
        assert total.markouts["1s"].all.fills == sum(found.fills for found in marked)
        weighted = sum(found.fills * (found.mean_bps or 0) for found in marked)
        assert total.markouts["1s"].all.mean_bps == pytest.approx(weighted / sum(m.fills for m in marked))
    assert both.best().tape is None
    with pytest.raises(bt.OptionError, match="each once"):
        bt.backtest([market, market])
    with pytest.raises(bt.OptionError, match="counts from the start of one tape"):
        bt.backtest([market, other], start="+1s")


def test_steps_by_product_on_the_command_line() -> None:
    """Each product has its own tick and lot, as by a dict in Python; the others are as without the option."""
    rows = json_of(
        "backtest", "sample:", "--to", "+9s", "--tick", f"{ETH}=0.03, {BTC}=0.05", "--lot", f"{ETH}=0.5"
    )
    steps = {ETH: "0.03", BTC: "0.05"}
    expected = bt.open("sample:").backtest(end="+9s", tick=steps, lot={ETH: "0.5"}).document()
    assert rows["execution_digest"] == expected["execution_digest"]
    assert {row["product"]: row["tick"] for row in rows["rows"]} == {ETH: 0.03, BTC: 0.05}
