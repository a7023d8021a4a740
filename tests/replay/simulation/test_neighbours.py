"""The neighbours of the best setting are exactly those lanes that differ from it in one value, in order."""

import json

import pytest

import booktape as bt
from replay.simulation.neighbours import Neighbours
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
    """Found by brute force in the document's own rows; numbers in their order, others as they were named."""
    document = json.loads(invoke(*WORDS, *SWEEP, "--json").stdout)
    settings = document["settings"]
    nets = {row["setting"]: row["net"] for row in document["rows"] if row["queue"] == "share"}
    best = max(nets, key=lambda setting: nets[setting])
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
    found: list[Neighbours] = result.neighbours()
    assert all(
        1 < len(each.points) <= 3 and each.points[each.place].setting == each.setting for each in found
    )
    assert bool(found) == (drawn > 1)
