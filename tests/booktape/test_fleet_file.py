"""The file of a fleet: what is wrong with it is one line that names the table and the key."""

from pathlib import Path

import pytest

import booktape as bt
from tests.support.commands import booktape

GOOD = '[recorder.btc]\nproducts = ["BTC-USD"]\n'


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", ("no recorder", "[recorder.btc]")),
        ("[recorder", ("not TOML", "']'")),
        ("recorder = 3", ("[recorder]", "table")),
        ("[recorders.btc]", ("'recorders'", "recorder?")),
        ("[recorder.btc]", ("[recorder.btc] products", "BTC-USD")),
        ("[recorder.BTC_1]\n", ("[recorder.BTC_1]", "small letters")),
        ('[recorder.btc]\nproducts = ["B C"]', ("[recorder.btc] products", "'B C'")),
        ("[recorder.btc]\nproducts = [1]", ("[recorder.btc] products", "1")),
        (GOOD + 'product = "x"', ("[recorder.btc]", "'product'", "products?")),
        (GOOD + 'strategy = "a:b"', ("[recorder.btc]", "'strategy'")),
        (GOOD + 'hosts = "rec a"', ("[recorder.btc] hosts", "'rec a'")),
        (GOOD + 'hosts = ["a", "a"]', ("[recorder.btc] hosts", "once")),
        (GOOD + 'tape = "tape"', ("[recorder.btc] tape", "absolute")),
        (GOOD + 'tape = "/tapes/{product}"', ("[recorder.btc] tape", "{product}", "{recorder}")),
        (GOOD + 'tape = "/a\\nb"', ("[recorder.btc] tape", "control")),
        (GOOD + 'feed = "kraken"', ("[recorder.btc] feed", "kraken", "advanced")),
        (GOOD + 'stale-after = "soon"', ("[recorder.btc] stale-after", "soon")),
        (GOOD + "trades = 1", ("[recorder.btc] trades", "1")),
        (GOOD + "metrics-port = 70000", ("[recorder.btc] metrics-port", "70000")),
        (GOOD + 'ship = "bucket"', ("[recorder.btc] ship", "s3://")),
        (GOOD + 'keep = "2d"', ("[recorder.btc] keep", "only what is shipped")),
        (GOOD + 'ship = "s3://bucket/x"\nkeep = "soon"', ("[recorder.btc] keep", "soon")),
        (
            GOOD + 'hosts = ["a", "b"]\nship = "s3://bucket/{recorder}"',
            ("[recorder.btc]", "s3://bucket/btc", "{host}"),
        ),
        (GOOD + "metrics-host = 1", ("[recorder.btc] metrics-host", "1")),
        (GOOD + '[all]\nurl = "http://x"', ("[recorder.btc] url", "http://x")),
        (GOOD + '[recorder.eth]\nproducts = ["BTC-USD"]', ("[recorder.btc] and [recorder.eth]", "BTC-USD")),
        (
            GOOD + '[recorder.eth]\nproducts = ["ETH-USD"]\n[all]\ntape = "/tape"',
            ("[recorder.btc] and [recorder.eth]", "/tape", "{recorder}"),
        ),
        (
            '[all]\ntape = "/t/b"\n' + GOOD + 'tape = "/t"\n[recorder.b]\nproducts = ["B-USD"]',
            ("[recorder.btc] and [recorder.b]", "/t"),
        ),
        (
            GOOD + 'metrics-port = 9401\n[recorder.eth]\nproducts = ["ETH-USD"]\nmetrics-port = 9401',
            ("[recorder.btc] and [recorder.eth]", "9401"),
        ),
    ],
)
def test_what_is_wrong_is_one_line(tmp_path: Path, text: str, parts: tuple[str, ...]) -> None:
    """Each fault names where it is and what to write; nothing is planned."""
    (tmp_path / "fleet.toml").write_text(text, encoding="utf-8")
    with pytest.raises(bt.FleetError) as caught:
        bt.fleet(tmp_path / "fleet.toml")
    line = str(caught.value)
    assert line.startswith(str(tmp_path / "fleet.toml"))
    assert "\n" not in line
    assert all(part in line for part in parts), line


def test_errors_of_the_command(tmp_path: Path) -> None:
    """A file that is not there, an unknown host and a directory that exists end with one line each."""
    file = tmp_path / "fleet.toml"
    missing = booktape("fleet", file)
    file.write_text(GOOD, encoding="utf-8")
    other = booktape("fleet", file, "--host", "elsewhere")
    existing = booktape("fleet", file, "-o", tmp_path)
    file.write_text(GOOD + 'hosts = ["a", "b"]', encoding="utf-8")
    several = booktape("fleet", file, "--run")
    for done, part in (
        (missing, "No such file"),
        (other, "no host 'elsewhere', only localhost"),
        (existing, f"{tmp_path} exists"),
        (several, "name this one of a, b"),
    ):
        assert (done.returncode, done.stdout) == (1, "")
        assert part in done.stderr
        assert len(done.stderr.splitlines()) == 1


def test_a_plan(tmp_path: Path) -> None:
    """A pair of hosts is two processes; options of all hold where a recorder has none; ports count up."""
    (tmp_path / "fleet.toml").write_text(
        '[all]\nfeed = "advanced"\nhosts = ["a", "b"]\nmetrics-port = 9400\ntrades = false\n'
        'ship = "s3://desk/{host}/{recorder}"\nkeep = "2d"\n'
        '[recorder.majors]\nproducts = ["BTC-USD", "ETH-USD"]\n'
        '[recorder.sol]\nproducts = ["SOL-USD"]\nhosts = "a"\nfeed = "exchange"\n'
        'tape = "/x/{host}/{recorder}"\n',
        encoding="utf-8-sig",  # as an editor of Windows may write it
    )
    plan = bt.fleet(tmp_path / "fleet.toml")
    found = [(each.host, each.name, str(each.tape), each.metrics_port) for each in plan.recorders]
    assert found == [
        ("a", "majors", "/var/lib/booktape/majors", 9400),
        ("b", "majors", "/var/lib/booktape/majors", 9400),
        ("a", "sol", "/x/a/sol", 9401),
    ]
    assert plan.once == ("SOL-USD",)
    assert plan.standby(plan.recorders[0]) == ("b",)
    words = ["record", "SOL-USD", "-o", "/x/a/sol", "--log-json", "--no-trades", "--keep", "2d"]
    words += ["--ship", "s3://desk/a/sol", "--metrics-port", "9401"]
    assert list(plan.recorders[2].arguments()) == words  # `exchange` is what `record` takes without an option
    assert bt.fleet(tmp_path / "fleet.toml", host="b").recorders == (plan.recorders[1],)
    shown = booktape("fleet", tmp_path / "fleet.toml").stdout
    assert "3 recorders on 2 hosts, 3 products" in shown
    assert "Recorded once, so an interruption is a hole: SOL-USD" in shown
