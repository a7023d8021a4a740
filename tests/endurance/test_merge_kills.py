"""kill -9 of a merge: the merged tape is complete or absent, and the next merge gets its name.

The merging process dies by itself at its n-th call that changes a file.
"""

import random
import signal
from pathlib import Path

import pytest

from replay.merging.api import merge
from tests.endurance.faults import CHANGING, dying_at, intercepted
from tests.endurance.forms import TIMEOUT_S, cases, report
from tests.support.fork import FORK
from tests.support.two_recorders import Line, Recorder, check_merged, record, true_stream
from tests.support.verified import assert_whole

pytestmark = pytest.mark.timeout(TIMEOUT_S)

STREAM = true_stream(random.Random(10), 120)


def write_merged(tapes: list[Path], output: Path, dies_at: int) -> None:
    """Merge tapes, and die at a call."""
    with intercepted(dying_at(dies_at), (*CHANGING, "rename")):
        merge(tapes, output, "plain")


def test_a_kill_at_every_call_leaves_all_or_nothing(tmp_path: Path) -> None:
    """For every n, a merge that dies at its n-th call has published a whole tape or none."""
    recorders = [Recorder("a", [Line(0, 60), Line(70, 119)]), Recorder("b", [Line(30, 90)])]
    tapes = [record(tmp_path, each, STREAM) for each in recorders]
    found = set()
    for number in range(1, 1_000, cases(1, 17)):
        output = tmp_path / f"at-{number}" / "merged"
        output.parent.mkdir()
        process = FORK.Process(target=write_merged, args=(tapes, output, number))
        process.start()
        process.join(60)
        assert process.exitcode in {0, -signal.SIGKILL}
        found.add((process.exitcode, output.exists()))
        if not output.exists():
            assert all(path.name.startswith("_merged.") for path in output.parent.iterdir())
            merge(tapes, output, "plain")
            assert not list(output.parent.glob("_merged.*/_unfinished"))
        (line,) = check_merged(output, STREAM)
        assert (line.first, line.last) == (0, 119)
        if process.exitcode == 0:
            assert_whole(output)
            break
    else:
        pytest.fail("the merge never came to its end")
    assert {(-signal.SIGKILL, False), (0, True)} <= found
    report("kill -9 of a merge at every call", calls=number, partial_tapes=0)
