"""The page of a report: one file, every text escaped, no request allowed, and never written over another."""

import re
from html import unescape
from pathlib import Path

import pytest

from orderbook import display
from replay.report.render import in_utf8, write_page
from tests.support.commands import booktape_process, invoke, json_of
from tests.support.constants import ROOT, SAMPLE

MAX_BYTES = 6_000_000


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the report of a comparison; do not change it."""
    path = tmp_path_factory.mktemp("report") / "report.html"
    done = invoke("compare", SAMPLE, "--sweep", "1bps", "20bps", "1bps", "--html", path)
    assert (done.exit_code, done.stderr) == (0, f"Report in {path} ({display.size(path.stat().st_size)})\n")
    return path


def test_refuses(tmp_path: Path, report: Path) -> None:
    """An existing file is not changed; a file that cannot be written is one line of error before the pass."""
    before = report.read_bytes()
    missing = tmp_path / "nowhere" / "report.html"
    for arguments in (("compare", SAMPLE, "--html", report), ("replay", SAMPLE, "--html", report)):
        done = invoke(*arguments)
        assert (done.exit_code, done.stdout) == (1, "")
        assert done.stderr == f"Error: {report}: exists already; nothing is overwritten\n"
    done = invoke("compare", SAMPLE, "--html", missing)
    assert done.exit_code == 1
    assert done.stderr.count("\n") == 1
    assert report.read_bytes() == before
    assert [path.name for path in report.parent.iterdir()] == [report.name]


def test_without_plotly(tmp_path: Path) -> None:
    """Without plotly one line says how to install it; nothing is read or written."""
    (tmp_path / "plotly.py").write_text("raise ModuleNotFoundError('plotly')\n", encoding="utf-8")
    path = tmp_path / "report.html"
    environment = {"PYTHONPATH": f"{tmp_path}:{ROOT}", "PATH": "/usr/bin:/bin"}
    done = booktape_process("compare", SAMPLE, "--html", path, env=environment)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "Error: --html needs plotly, which is not installed: pip install plotly\n"
    assert not path.exists()


def test_hostile_names(tmp_path: Path) -> None:
    """A path with markup in it is text in the report."""
    tape = tmp_path / "<img src=x onerror=alert(1)>&"
    tape.symlink_to(SAMPLE)
    path = tmp_path / "report.html"
    assert invoke("compare", tape, "--html", path).exit_code == 0
    text = path.read_text(encoding="utf-8")
    assert "<img" not in re.sub(r"<script>.*?</script>", "", text, flags=re.DOTALL)
    assert "&lt;img src=x onerror=alert(1)&gt;&amp;" in text


def test_what_it_holds(report: Path) -> None:
    """One file under 6 MB with the numbers of `--json` and its origin, and no address of anything else."""
    text = report.read_text(encoding="utf-8")
    assert report.stat().st_size < MAX_BYTES
    document = json_of("compare", SAMPLE, "--sweep", "1bps", "20bps", "1bps")
    assert document["digest"] in text
    for row in document["rows"]:
        assert f">{row['signals']:,}</td>" in text
    ours = re.sub(r"<script>.*?</script>", "", text, flags=re.DOTALL)
    assert not re.search(r"(?:src|href)=[\"'](?!#)", ours)
    assert "default-src 'none'" in unescape(ours)


def test_a_name_that_is_not_utf_8(tmp_path: Path) -> None:
    """The page shows its bytes as the terminal does."""
    write_page(tmp_path / "report\udcff.html", in_utf8("tape\udcff é"))
    assert (tmp_path / "report\udcff.html").read_text(encoding="utf-8") == "tape\\udcff é"
