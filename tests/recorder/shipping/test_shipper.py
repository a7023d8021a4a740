"""Shipping to a real server: cut off at every request, killed, two at once, beside a compaction.

Readers of the store must see a whole tape at any time, and shipping again must complete it, without a double.
"""

import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import obstore
import pytest

import booktape as bt
from recorder.shipping.lease import Lease
from recorder.shipping.shipper import Shipper
from recorder.tape.compaction import compact
from recorder.tape.store import objects
from recorder.tape.store.paths import RemotePath
from replay.synthetic.exchange import SyntheticExchange
from replay.synthetic.settings import ExchangeSettings, MarketSettings
from tests.endurance.forms import cases
from tests.support.commands import clean_environment, invoke, json_of, running_booktape
from tests.support.constants import BTC, ETH, SECOND, TIMEOUT_S
from tests.support.object_store import BUCKET, SECRET, Fault, FaultyProxy, ObjectStore, enter
from tests.support.tapes import catalog, flip_byte, import_frames, segment_paths, snapshot, update

DAY = 86_400 * SECOND
ENOUGH = 200
"""More requests than a shipping of these tapes takes."""


def tape_in(directory: Path, size: str = "2") -> Path:
    """Return a tape of two products: BTC with three segments on two days, ETH with one."""
    directory.mkdir()
    frames = [(0, snapshot(BTC)), (1, snapshot(ETH))]
    frames += [(n * SECOND, update(BTC, ("buy", "98", str(n)))) for n in range(2, 6)]
    frames += [(DAY // 4, update(BTC, ("sell", f"99.{size}", "1"))), (DAY // 4, update(BTC))]
    return import_frames(directory, frames, segment_rows=3)


@pytest.fixture
def local(tmp_path: Path) -> Path:
    """Return a tape to ship."""
    return tape_in(tmp_path / "local")


@pytest.fixture
def place(object_store: ObjectStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[RemotePath]:
    """Return a new place in the store, which this process finds by its environment."""
    enter(object_store.environment(), monkeypatch, retries=0)
    monkeypatch.setattr(objects, "_REPEATS", 1)
    yield RemotePath(f"s3://{BUCKET}/{tmp_path.name}")
    objects.client.cache_clear()


def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition of another thread that tells nobody."""
    waiting = threading.Event()
    for _ in range(100 * TIMEOUT_S):
        if condition():
            return
        waiting.wait(0.01)
    pytest.fail("waited in vain")


def check_reader(remote: RemotePath, local: Path) -> None:
    """Check what a reader finds in a store: no tape yet, or a whole one with the first rows of another."""
    try:
        found = bt.open(remote)
    except bt.NotATapeError:
        return
    verified = found.verify(engine="plain")  # it is ready at once
    assert verified.damage == []
    assert verified.passes(strict=False) or not found.products
    for product in found.products:
        whole, rows = bt.open(local).rows(product), found.rows(product)
        assert rows.equals(whole.slice(0, rows.num_rows))


def check_equal(remote: RemotePath, local: Path) -> None:
    """Check that a store has a whole tape, once."""
    check_reader(remote, local)
    assert invoke("diff", remote, local).exit_code == 0
    there, here = bt.open(remote).inspect().document(), bt.open(local).inspect().document()
    assert there["products"] == here["products"]


def files_of(local: Path) -> dict[str, bytes]:
    """Return the segments, lists and sidecars of a tape, by their names in it."""
    found = (path for path in local.glob("product=*/*/*") if path.parent.name != "_journal")
    return {str(path.relative_to(local)): path.read_bytes() for path in found}


def files_in(object_store: ObjectStore, remote: RemotePath) -> dict[str, bytes]:
    """Return the same of a tape in a store."""
    bucket, start = object_store.bucket(), f"{remote.key}/"
    names = (each["path"] for each in obstore.list(bucket, start).collect())
    return {
        name.removeprefix(start): bytes(obstore.get(bucket, name).bytes())
        for name in names
        if name.startswith(f"{start}product=")
    }


def test_a_shipping_that_is_cut_off_at_any_request(
    local: Path, place: RemotePath, object_store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After any request that changes the store, readers see a whole tape, and the next run completes it.

    The request is done, its answer is lost, and no further one arrives.
    """
    with FaultyProxy(object_store) as proxy:
        for allowed in range(1, ENOUGH, cases(1, 5)):
            remote = RemotePath(f"{place}-{allowed}")
            puts = iter(range(1, ENOUGH))
            is_cut = threading.Event()

            def fault(method: str, _path: str) -> Fault | None:
                if not is_cut.is_set() and method == "PUT" and next(puts) == allowed:  # noqa: B023  called now
                    is_cut.set()  # noqa: B023
                    return "lose"
                return "drop" if is_cut.is_set() else None  # noqa: B023

            proxy.fault = fault
            enter(object_store.environment(proxy.url), monkeypatch, retries=0)
            with suppress(bt.StoreError):
                Shipper(local, remote).ship()
            enter(object_store.environment(), monkeypatch, retries=0)
            check_reader(remote, local)
            Shipper(local, remote).ship()
            assert files_in(object_store, remote) == files_of(local)
            if not is_cut.is_set():
                check_equal(remote, local)
                return
    pytest.fail("shipping took more requests than expected")


@pytest.mark.parametrize("number", [4, 11, 17])
def test_a_shipper_that_is_killed(
    local: Path, place: RemotePath, object_store: ObjectStore, number: int
) -> None:
    """Kill -9 in the middle of a request, then again: one whole tape, at once and not after the lease."""
    with FaultyProxy(object_store) as proxy:
        killed = threading.Event()

        def fault(_method: str, _path: str) -> Fault | None:
            if len(proxy.requests) >= number and not killed.is_set():
                process.send_signal(signal.SIGKILL)
                killed.set()
                return "lose"
            return None

        proxy.fault = fault
        env = {**clean_environment(), **object_store.environment(proxy.url)}
        with running_booktape("ship", local, place, env=env) as process:
            assert process.wait(TIMEOUT_S) == -signal.SIGKILL
    check_reader(place, local)
    assert json_of("ship", local, place)["products"][BTC]["rows"] == bt.open(local).rows(BTC).num_rows
    check_equal(place, local)


def test_a_server_that_is_killed(
    local: Path, place: RemotePath, object_store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kill -9 of the store's server while it is shipped to: one line for all, and then one whole tape."""
    with FaultyProxy(object_store) as proxy:
        lists = iter(range(ENOUGH))

        def fault(method: str, path: str) -> Fault | None:
            if method == "PUT" and "_segments/" in path and next(lists) == 1:
                object_store.kill()
            return None

        proxy.fault = fault
        enter(object_store.environment(proxy.url), monkeypatch, retries=0)
        shipped = invoke("ship", local, place)
        enter(object_store.environment(), monkeypatch, retries=0)
        read = invoke("replay", place)
        object_store.start()
    for done in (shipped, read):
        assert (done.exit_code, done.stdout) == (1, "")
        (line,) = done.stderr.splitlines()
        assert f"{place}" in line
        assert "the store cannot be reached" in line
    check_reader(place, local)
    assert invoke("ship", local, place).exit_code == 0
    check_equal(place, local)
    assert files_in(object_store, place) == files_of(local)


@pytest.mark.parametrize("fault", ["expired", "page"])
@pytest.mark.parametrize("where", ["_lease.json", ".parquet", "_segments/"])
def test_a_store_that_answers_wrongly(
    local: Path,
    place: RemotePath,
    object_store: ObjectStore,
    monkeypatch: pytest.MonkeyPatch,
    where: str,
    fault: Fault,
) -> None:
    """An expired key, or a page of something else, ends shipping with one line without a secret."""
    with FaultyProxy(object_store) as proxy:
        proxy.fault = lambda _method, path: fault if where in path else None
        enter(object_store.environment(proxy.url), monkeypatch, retries=0)
        done = invoke("ship", local, place)
    enter(object_store.environment(), monkeypatch, retries=0)
    assert (done.exit_code, len(done.stderr.splitlines())) == (1, 1), done.output
    assert SECRET not in done.output + done.stderr
    check_reader(place, local)
    assert invoke("ship", local, place).exit_code == 0
    check_equal(place, local)


def test_many_products_at_once(
    place: RemotePath, object_store: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Products whose first segments arrive at the same moment do not take one another for someone else."""
    frames = [(0, snapshot(f"P{n}-USD")) for n in range(8)]
    local = import_frames(tmp_path, frames)
    with FaultyProxy(object_store, delay_s=0.02) as proxy:  # all have read the manifest before one writes it
        enter(object_store.environment(proxy.url), monkeypatch, retries=0)
        Shipper(local, place).ship()
    enter(object_store.environment(), monkeypatch, retries=0)
    check_equal(place, local)


def other_tape(local: Path, directory: Path) -> Path:
    """Return a tape that begins as another one, and ends with other rows."""
    directory.mkdir()
    tape = tape_in(directory / "other", "3")
    assert catalog(tape, BTC)[0]["digest"] == catalog(local, BTC)[0]["digest"]
    assert catalog(tape, BTC)[-1]["digest"] != catalog(local, BTC)[-1]["digest"]
    return tape


def test_two_shippers_at_once(local: Path, place: RemotePath, tmp_path: Path) -> None:
    """Of two tapes that are shipped to one place at once, one wins, and is whole."""
    tapes = [local, other_tape(local, tmp_path / "2"), shutil.copytree(local, tmp_path / "copied")]
    failures: list[Exception | None] = [None] * len(tapes)
    begin, won = threading.Barrier(len(tapes)), threading.Event()

    def ship(number: int) -> None:
        shipper = Shipper(tapes[number], place, lease_s=1.5)
        begin.wait(TIMEOUT_S)
        thread = threading.Thread(target=shipper.follow)
        thread.start()
        while thread.is_alive() and not won.wait(0.01):
            if (trouble := shipper.status.trouble) and "only one can" in trouble:
                failures[number] = bt.LockedTapeError(trouble)
            if sum(each is not None for each in failures) == len(tapes) - 1:
                won.set()
        shipper.stop()
        thread.join()

    threads = [threading.Thread(target=ship, args=(number,)) for number in range(len(tapes))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (winner,) = (number for number, failure in enumerate(failures) if failure is None)
    check_equal(place, tapes[winner])


def test_a_lease_of_a_dead_shipper_is_taken_over(local: Path, place: RemotePath, tmp_path: Path) -> None:
    """After the lease of a machine that is gone has ended, a copy of the tape goes on, another does not."""
    copied = shutil.copytree(local, tmp_path / "copied")
    other = other_tape(local, tmp_path / "2")
    Shipper(local, place).ship()
    gone = Lease(place, "another machine", "process 1 on another machine", seconds=0.2)
    gone.acquire(lambda _seconds: None)
    epoch = gone.epoch
    Shipper(copied, place, lease_s=0.2).ship()
    check_equal(place, local)
    with pytest.raises(bt.ShippingError, match="other rows of BTC-USD"):
        Shipper(other, place).ship()
    with pytest.raises(bt.LockedTapeError, match="only one can"):
        gone.renew()
    found = Lease(place, "a third", "")
    found.acquire(lambda _seconds: None)
    assert found.epoch > epoch + 1
    check_equal(place, local)


def test_one_process_ships_a_tape(local: Path, place: RemotePath) -> None:
    """A second shipper of a tape is refused with a line, wherever it ships to."""
    shipper = Shipper(local, place)
    thread = threading.Thread(target=shipper.follow)
    thread.start()
    try:
        until(lambda: bool(shipper.arrived()))
        done = invoke("ship", local, f"{place}-2")
    finally:
        shipper.stop()
        thread.join()
    assert done.exit_code == 1
    assert "another process ships this tape" in done.stderr


def test_what_is_not_shipped_is_told(
    local: Path, place: RemotePath, object_store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store that was never reached has nothing of what is sealed, and is said to have nothing."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    objects.client.cache_clear()
    shipper = Shipper(local, place)
    thread = threading.Thread(target=shipper.follow)
    thread.start()
    until(lambda: bool(shipper.status.trouble))
    status = shipper.status
    shipper.stop()
    thread.join()
    for found in (status, shipper.status):
        sealed = {product: len(catalog(local, product)) for product in (BTC, ETH)}
        assert {product: each.segments for product, each in found.unshipped.items()} == sealed
        assert "not shipped: " in found.line()
        assert "cannot be reached" in found.line()
    enter(object_store.environment(), monkeypatch, retries=0)
    Shipper(local, place).ship()
    check_equal(place, local)


def test_nothing_in_a_store_is_overwritten(local: Path, place: RemotePath, object_store: ObjectStore) -> None:
    """Another object under the name of a segment ends the shipping with a line, and stays."""
    name = f"{place.key}/product={BTC}/{catalog(local, BTC)[1]['file']}"
    obstore.put(object_store.bucket(), name, b"of someone else")
    done = invoke("ship", local, place)
    assert done.exit_code == 1
    assert f"{BUCKET}/{name}" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert bytes(obstore.get(object_store.bucket(), name).bytes()) == b"of someone else"
    check_reader(place, local)


def test_what_is_damaged_is_not_shipped(local: Path, place: RemotePath) -> None:
    """A segment that is not as it was sealed stays here, and those before it are whole in the store."""
    flip_byte(segment_paths(local)[2], 200)
    done = invoke("ship", local, place)
    assert done.exit_code == 1
    assert segment_paths(local)[2].name in done.stderr
    assert bt.open(place).verify().damage == []


@pytest.mark.parametrize("when", ["before", "cut off", "after"])
def test_a_compaction_between(
    local: Path, place: RemotePath, object_store: ObjectStore, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    """A tape that is compacted before, after, or between two halves of its shipping arrives whole."""
    if when == "cut off":
        with FaultyProxy(object_store) as proxy:
            proxy.fault = lambda method, path: 503 if method == "PUT" and "_segments" in path else None
            enter(object_store.environment(proxy.url), monkeypatch, retries=0)
            with pytest.raises(bt.StoreError):
                Shipper(local, place).ship()
        enter(object_store.environment(), monkeypatch, retries=0)
    if when == "after":
        Shipper(local, place).ship()
    before = len(catalog(local, BTC))
    compact(local)
    assert len(catalog(local, BTC)) == (before if when == "cut off" else 2)
    Shipper(local, place).ship()
    check_reader(place, local)
    assert invoke("diff", place, local).exit_code == 0
    compact(local)
    assert len(catalog(local, BTC)) == 2
    Shipper(local, place).ship()


def test_a_recording_goes_on_without_the_store(
    place: RemotePath, object_store: ObjectStore, tmp_path: Path
) -> None:
    """A store that answers 503, or not at all, delays the shipping and nothing else."""
    tape, market = tmp_path / "tape", MarketSettings(BTC, depth=20)
    settings = ExchangeSettings(rate=400.0, frames=600, keep_sent=False)
    refused, arrived, is_gone = (threading.Event() for _ in range(3))
    with SyntheticExchange([market], settings) as exchange, FaultyProxy(object_store) as proxy:

        def fault(_method: str, path: str) -> Fault | None:
            if len(proxy.requests) < 2:
                return 503
            refused.set()
            if "_segments/" in path:
                arrived.set()
            return "drop" if is_gone.is_set() else None

        proxy.fault = fault
        env = {**clean_environment(), **object_store.environment(proxy.url), "AWS_MAX_ATTEMPTS": "1"}
        options = ("--segment-rows", "50", "--log-every", "100ms", "--metrics-port", "0")
        command = ("record", BTC, "-o", tape, "--url", exchange.url, "--ship", place, *options)
        with running_booktape(*command, env=env) as process:
            assert refused.wait(TIMEOUT_S)
            assert arrived.wait(TIMEOUT_S)
            is_gone.set()
            exchange.wait_for_done(1, timeout=TIMEOUT_S)
            is_gone.clear()
            process.send_signal(signal.SIGTERM)
            _, said = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 0, said
    assert "not shipped" in said
    assert "503" in said
    assert SECRET not in said
    check_reader(place, tape)
    Shipper(tape, place).ship()
    check_equal(place, tape)
