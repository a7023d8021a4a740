"""Tapes and RUNs in an object store: the same results as from files, and one line for whatever fails."""

import json
import logging
import shutil
from collections import Counter
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import obstore
import pytest

import booktape as bt
from orderbook.times import format_time
from recorder.tape.reader import Tape
from recorder.tape.store import fetching, objects
from recorder.tape.store import files as store
from recorder.tape.store.paths import path_of
from replay.comparing.api import compare
from replay.comparing.settings import CompareSettings
from replay.pieces.cutting import cut_for_workers
from replay.running.window import WHOLE
from tests.support.commands import booktape_process, invoke, json_of, python
from tests.support.constants import BTC, ETH, SAMPLE
from tests.support.object_store import BUCKET, KEY, SECRET, Fault, FaultyProxy, ObjectStore, enter
from tests.support.pieces import ShuffledWorkers
from tests.support.tapes import Recording, catalog, import_frames, snapshot

NAME = "recorded"


@pytest.fixture(scope="module")
def uploaded(object_store: ObjectStore, recording: Recording) -> str:
    """Return the URL of the recorded tape in the store."""
    return object_store.put_tree(recording.tape, NAME)


@pytest.fixture
def remote(object_store: ObjectStore, uploaded: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Return the URL of the recorded tape, which clients find by the environment."""
    enter(object_store.environment(), monkeypatch)
    yield uploaded
    objects.client.cache_clear()


def documents(tape: str | Path) -> Any:
    """Return what the commands that read a tape say of it, to be compared."""
    rows = bt.open(tape).rows(BTC)
    last = max(
        time.value
        for time, kind in zip(rows["recv_time"], rows["kind"], strict=True)
        if kind.as_py() == "frame"
    )
    found = {
        "inspect": json_of("inspect", tape, "--trades"),
        "verify": json_of("verify", tape),
        "replay": json_of("replay", tape),
        "from": json_of("replay", tape, "--from", "+1s"),
        "book": json_of("book", tape, "-p", BTC, "--at", format_time(last)),  # no interruption
        "compare": json_of("compare", tape, "--threshold", "1bps:5bps:1bps"),
        "backtest": json_of("backtest", tape),
    }
    return comparable(found, tape)


def comparable(found: Any, tape: object) -> Any:
    """Return documents without the path of the tape and times of the machine."""

    def without_times(value: Any) -> Any:
        if isinstance(value, dict):
            return {
                key: without_times(each)
                for key, each in value.items()
                if "elapsed" not in key and not key.endswith("per_s") and key != "command"
            }
        return [without_times(each) for each in value] if isinstance(value, list) else value

    return without_times(json.loads(json.dumps(found).replace(str(tape), "TAPE")))


def test_the_results_are_those_of_the_files(remote: str, recording: Recording) -> None:
    """Each command that reads a tape says the same of it in a store."""
    expected = documents(recording.tape)
    assert documents(remote) == expected


def test_verify_in_pieces(remote: str, recording: Recording) -> None:
    """Processes that share the check of a tape in a store find what one finds in its files."""
    shared = json_of("verify", remote, "--processes", "2")
    alone = json_of("verify", recording.tape)
    assert comparable(shared, remote) == comparable(alone, recording.tape)


def test_large_objects_are_read_in_blocks(
    remote: str, recording: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A segment that is larger than a block gives the same rows, from its beginning and from a time."""
    monkeypatch.setattr(fetching, "BLOCK_BYTES", 5_000)
    for start in (None, "+1s"):
        assert bt.open(remote).rows(BTC, start=start).equals(bt.open(recording.tape).rows(BTC, start=start))


def test_what_is_ahead_stays_within_its_bytes(remote: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Objects ahead take no more bytes than the bound, and readers that stop early give them back."""
    budget = fetching._Budget(100_000)  # noqa: SLF001  the bound itself
    least = [100_000]
    take = budget.take

    def noting(size: int) -> bool:
        taken = take(size)
        least.append(budget._left)  # noqa: SLF001
        return taken

    monkeypatch.setattr(budget, "take", noting)
    monkeypatch.setattr(fetching, "_BUDGET", budget)
    for product in (BTC, ETH):
        batches = Tape.open(path_of(remote)).product(product).batches()
        next(batches)
        assert isinstance(batches, Generator)
        batches.close()
    assert budget._left == 100_000  # noqa: SLF001
    assert 0 <= min(least) < 100_000


def test_pieces_ask_for_each_segment_once(
    object_store: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A piece fetches nothing behind its end, and nobody reads again what the pieces have read."""
    tape = import_frames(tmp_path, [(n, snapshot(BTC)) for n in range(12)], segment_rows=1)
    url = object_store.put_tree(tape, tmp_path.name)
    with FaultyProxy(object_store) as proxy:
        enter(object_store.environment(proxy.url), monkeypatch)
        opened = Tape.open(path_of(url))
        assert len(cut_for_workers([(opened, [BTC])], WHOLE, 2)[0].pieces) > 4
        compare([opened], CompareSettings((0.001,), (BTC,)), workers=ShuffledWorkers(1, 2))
        asked = Counter(path for method, path in proxy.requests if method == "GET" and ".parquet" in path)
    objects.client.cache_clear()
    assert set(asked.values()) == {1}
    assert len(asked) == len(catalog(tape, BTC))


def test_missing_sidecars_are_not_asked_for_one_by_one(
    object_store: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without sidecars, reading from a time asks for one, lists which there are, and begins at row 0."""
    tape = import_frames(tmp_path, [(n, snapshot(BTC)) for n in range(9)], segment_rows=1)
    assert all(entry["book_sha256"] for entry in catalog(tape, BTC)[:9])
    shutil.rmtree(tape / f"product={BTC}/_index")
    url = object_store.put_tree(tape, tmp_path.name)
    with FaultyProxy(object_store) as proxy:
        enter(object_store.environment(proxy.url), monkeypatch)
        start = Tape.open(path_of(url)).product(BTC).start_before(2**62)
        asked = [path for _, path in proxy.requests if "_index" in path]
    objects.client.cache_clear()
    assert (start.seq, start.saved, len(asked)) == (0, None, 2)


def test_a_run_is_compared_from_the_store(
    remote: str, object_store: ObjectStore, recording: Recording, tmp_path: Path
) -> None:
    """`diff` compares RUNs and tapes in a store with those on disk."""
    bt.open(remote).replay(output=tmp_path / "run")
    run = object_store.put_tree(tmp_path / "run", "run")
    assert invoke("diff", run, tmp_path / "run").exit_code == 0
    assert invoke("diff", remote, recording.tape).exit_code == 0


def test_a_file_url_is_a_path(tmp_path: Path) -> None:
    """`file://` names a directory of this machine, escapes included."""
    tape = shutil.copytree(SAMPLE, tmp_path / "a tape")
    assert invoke("inspect", f"file://{tmp_path}/a%20tape").exit_code == 0
    assert bt.open(f"file://{tape}").path == tape


@pytest.mark.parametrize("faults", [[503], [500, 500], ["drop"], ["cut"], [503, "cut", "drop"]])
def test_a_store_that_fails_for_a_while(
    remote: str,
    object_store: ObjectStore,
    recording: Recording,
    monkeypatch: pytest.MonkeyPatch,
    faults: list[Fault],
) -> None:
    """Whatever fails for a while is asked for again, and the rows are the same."""
    left = {path: list(faults) for path in ("_tape.json", ".parquet", "list-type")}

    def fault(_method: str, path: str) -> Fault | None:
        found = next((each for name, each in left.items() if name in path), [])
        return found.pop(0) if found else None

    with FaultyProxy(object_store) as proxy:
        proxy.fault = fault
        enter(object_store.environment(proxy.url), monkeypatch)
        assert bt.open(remote).rows(ETH).equals(bt.open(recording.tape).rows(ETH))
    assert not any(left.values())


@pytest.mark.parametrize("status", [500, 503, 403, 400])
def test_a_store_that_goes_on_failing(
    remote: str, object_store: ObjectStore, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    """A store that fails while a tape is read ends the command with one line that says how."""
    with FaultyProxy(object_store) as proxy:
        proxy.fault = lambda _method, path: status if path.endswith(".parquet") else None
        enter(object_store.environment(proxy.url), monkeypatch)
        done = invoke("replay", remote)
    assert done.exit_code == 1
    assert len(done.stderr.splitlines()) == 1
    assert f"{remote}/product=" in done.stderr
    assert str(status) in done.stderr


@pytest.mark.parametrize("where", ["_tape.json", "_segments/", "list-type", ".parquet"])
@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("expired", "the store refuses access (400 ExpiredToken): check the credentials in the environment"),
        ("page", ""),
        ("stall", "the store does not answer in time"),
    ],
)
def test_a_store_that_answers_wrongly(
    remote: str,
    object_store: ObjectStore,
    monkeypatch: pytest.MonkeyPatch,
    where: str,
    fault: Fault,
    told: str,
) -> None:
    """An expired key, a page of something else, or no answer is one line, without what was answered."""
    with FaultyProxy(object_store) as proxy:
        proxy.fault = lambda _method, path: fault if where in path else None
        enter({**object_store.environment(proxy.url), "AWS_TIMEOUT": "300ms"}, monkeypatch, retries=0)
        done = invoke("replay", remote)
    assert (done.exit_code, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"Error: {remote}")
    assert line.endswith(told)
    assert SECRET not in line


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"AWS_SECRET_ACCESS_KEY": f"{SECRET}x"}, "403 SignatureDoesNotMatch"),
        ({"AWS_ACCESS_KEY_ID": f"{KEY}X"}, "403 InvalidAccessKeyId"),
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}, "cannot be reached"),
        ({"AWS_ALLOW_HTTP": "false"}, "AWS_ALLOW_HTTP=true"),
        ({"AWS_ALLOW_HTTP": SECRET}, "settings of the store in the environment"),
    ],
)
def test_no_secret_is_told(
    remote: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    changes: dict[str, str],
    told: str,
) -> None:
    """A store that refuses is one line on stderr, and no output, error or log has the secret."""
    enter(changes, monkeypatch)
    with caplog.at_level(logging.DEBUG):
        done = invoke("inspect", remote)
        with pytest.raises(bt.StoreError) as raised:
            bt.open(remote)
    assert done.exit_code == 1
    assert told in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert raised.value.__cause__ is None
    for text in (done.output, done.stderr, repr(raised.value), caplog.text):
        assert SECRET not in text


def test_what_is_not_there(remote: str) -> None:
    """A tape, a product's files and a bucket that are missing are told apart."""
    with pytest.raises(bt.NotATapeError, match="no such tape"):
        bt.open(f"{remote}-2")
    with pytest.raises(bt.NotATapeError, match=f"a part of the tape .*{BTC}"):
        bt.open(f"{remote}/product={BTC}")
    with pytest.raises(bt.StoreError, match="no such bucket"):
        bt.open("s3://no-bucket-of-ours/tape")


def test_a_missing_segment_is_damage(
    remote: str, object_store: ObjectStore, recording: Recording, tmp_path: Path
) -> None:
    """A listed segment that the store does not have is named, and so is one with a bad byte."""
    tape = shutil.copytree(recording.tape, tmp_path / "tape")
    first, second = sorted((tape / f"product={BTC}").glob("date=*/*.parquet"))[:2]
    first.unlink()
    content = bytearray(second.read_bytes())
    content[len(content) // 2] ^= 1
    second.write_bytes(content)
    url = object_store.put_tree(tape, "damaged")
    with pytest.raises(bt.DamagedTapeError, match=f"{first.name}: a sealed segment is missing"):
        bt.open(url).replay()
    damage = bt.open(url).verify().damage
    assert any(second.name in line for line in damage)
    assert all(line.startswith(url) for line in damage)
    assert remote != url


def test_files_behind_the_list_are_on_their_way(
    remote: str, object_store: ObjectStore, recording: Recording
) -> None:
    """Segments, and products, that nothing lists yet are being shipped: they are no damage."""
    bucket = object_store.bucket()
    url = object_store.put_tree(recording.tape, "growing")
    rows = bt.open(url).rows(BTC).num_rows
    day = next((recording.tape / f"product={BTC}").glob("date=*")).name
    obstore.put(bucket, f"growing/product={BTC}/{day}/{rows:020d}.parquet", b"shipped, and not listed yet")
    obstore.put(bucket, f"growing/product=SOL-USD/{day}/{0:020d}.parquet", b"shipped, and not listed yet")
    assert bt.open(url).rows(BTC).num_rows == rows
    assert bt.open(url).inspect().verdict == bt.open(remote).inspect().verdict


def test_nothing_is_written_in_a_store(remote: str, tmp_path: Path) -> None:
    """What would write to a tape in a store is refused with a line that says how it gets there."""
    frames = tmp_path / "frames.jsonl"
    for command in (
        ["record", BTC, "-o", remote],
        ["import", frames, "-o", remote],
        ["compact", remote],
        ["index", remote],
        ["replay", remote, "-o", f"s3://{BUCKET}/run"],
    ):
        done = invoke(*command)
        assert done.exit_code == 2
        assert "booktape ship" in done.stderr
    with pytest.raises(bt.StoreError, match="--ship"):
        store.acquire_lock(path_of(f"{remote}/_lock"), wait=False)
    assert invoke("replay", remote, "--follow").exit_code == 1


@pytest.mark.parametrize(
    ("url", "told"),
    [
        (f"s3://{KEY}:{SECRET}@{BUCKET}/tape", "leave them out of the URL"),
        (f"https://{BUCKET}.example/tape?key={SECRET}", "begins with s3://"),
        (f"s3://{BUCKET}/tape?versionId={SECRET}", "write s3://bucket/tape"),
        ("s3:///tape", "write s3://bucket/tape"),
        ("file://tape", "write file:///absolute/path"),
    ],
)
def test_urls_that_name_no_place(url: str, told: str) -> None:
    """A URL that cannot be used says what to write, and never quotes what may be a password."""
    done = invoke("inspect", url)
    assert done.exit_code == 2
    assert told in done.stderr
    assert SECRET not in done.output + done.stderr


def test_without_obstore() -> None:
    """A store without obstore is one line that says what to install."""
    program = "import sys; sys.modules['obstore'] = None; sys.argv[1:] = ['inspect', 's3://bucket/tape']\n"
    program += "from booktape.__main__ import main; main()"
    done = python(program)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "Error: s3://bucket: stores need obstore, pip install 'booktape[s3]'\n"


def test_a_real_process(remote: str) -> None:
    """A process of its own reads a store by its environment, in several processes too."""
    done = booktape_process("replay", remote, "--processes", "2", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["digest"] == bt.open(remote).replay().digest
