"""The neighbours of the best setting are exactly those lanes that differ from it in one value, in order."""

import json

import pytest

import booktape as bt
from replay.simulation.neighbours import Nearest, Neighbours
from tests.support.commands import invoke
from tests.support.constants import ETH, SAMPLE

WORDS = (
    "backtest",
    str(SAMPLE),
    "-p",
    ETH,
    "--to",
    "+60s",
    "--fees",
    "coinbase:top",
    "--queue",
    "back,share",
)
SWEEP = ("--sweep", "threshold=2bps,10bps,0.5bps", "--sweep", "inside=0,1", "--latency", "1s,20ms")


def test_they_differ_in_one_value() -> None:
    """Found by brute force in the document's own rows; numbers in their order, others as they were named.

    The best is that at the largest latency.
    """
    document = json.loads(invoke(*WORDS, *SWEEP, "--json").stdout)
    settings = document["settings"]
    nets = {row["setting"]: row["net"] for row in document["rows"] if row["queue"] == "share"}
    slowest = [setting for setting in nets if settings[setting]["latency"] == "1s"]
    best = max(slowest, key=lambda setting: nets[setting])
    assert document["nearest"] == []
    assert [each["name"] for each in document["neighbours"]] == ["threshold", "inside", "latency"]
    order = {"threshold": ["0.5bps", "2bps", "10bps"], "inside": ["0", "1"], "latency": ["1s", "20ms"]}
    for found in document["neighbours"]:
        name = found["name"]
        assert (found["setting"], found["queue"], found["by"]) == (best, "share", "net")
        assert [each["at"] for each in found["points"]] == order[name]
        for each in found["points"]:
            differs = {key for key in settings[best] if settings[best][key] != settings[each["setting"]][key]}
            assert differs == ({name} if each["setting"] != best else set())
            assert each["value"] == nets[each["setting"]]


def test_what_is_printed() -> None:
    """Both neighbours, or that the best is at the edge; none for a lane without any."""
    shown = invoke(*WORDS, *SWEEP).stdout
    assert "Next to it in threshold: " in shown
    assert "By latency: " in shown
    alone = invoke(*WORDS, "--sweep", "threshold=0bps,1bps").stdout
    assert "is at the edge of what was tried" in alone
    assert "Next to it" not in invoke(*WORDS, "--set", "threshold=1bps").stdout


@pytest.mark.parametrize("drawn", [1, 4])
def test_a_part_of_a_sweep(drawn: int) -> None:
    """Settings that were not drawn are no neighbours."""
    result = bt.open(SAMPLE).backtest(
        sweep={"threshold": ("0bps", "1bps", "2bps"), "inside": (0, 1, 2)},
        random=drawn,
        products=ETH,
        end="+10s",
    )
    nearest: list[Nearest] = result.nearest()
    found: list[Neighbours] = result.neighbours()
    assert all(
        1 < len(each.points) <= 3 and each.points[each.place].setting == each.setting for each in found
    )
    assert bool(found) == (drawn > 1)
    assert (len(found) < 2) == bool(nearest) or drawn == 1


def test_the_nearest_settings() -> None:
    """By brute force: the largest difference in any setting, as a share of what was tried of it."""
    sweep = {"threshold": tuple(f"{number}bps" for number in range(8)), "inside": tuple(range(5))}
    result = bt.open(SAMPLE).backtest(sweep=sweep, random=12, seed=2, products=ETH, end="+10s")
    (found,) = result.nearest()
    assert found.setting == result.best().setting
    values = [
        (float(str(each["threshold"])[:-3]), float(each["inside"])) for each in result.settings.settings
    ]
    spans = [max(column) - min(column) for column in zip(*values, strict=True)]
    mine = values[found.setting]
    distances = {
        number: max(abs(a - b) / span for a, b, span in zip(each, mine, spans, strict=True))
        for number, each in enumerate(values)
        if number != found.setting
    }
    assert [each.distance for each in found.points] == pytest.approx(sorted(distances.values())[:8])
    for each in found.points:
        assert each.distance == pytest.approx(distances[each.setting])
        assert each.value == next(row.net for row in result.rows if row.setting == each.setting)
    shown = invoke(
        *("backtest", str(SAMPLE), "-p", ETH, "--to", "+10s", "--random", "12", "--seed", "2"),
        *("--sweep", "threshold=0bps:7bps:1bps", "--sweep", "inside=0:4:1"),
    ).stdout
    assert "settings nearest to it, within" in " ".join(shown.split())
