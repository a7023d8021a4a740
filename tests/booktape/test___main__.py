"""The console script, before the command line is loaded."""

import pytest

from tests.support.commands import python
from tests.support.tapes import Recording


@pytest.mark.parametrize("name", ["SIGHUP", "SIGTERM"])
@pytest.mark.parametrize("module", ["booktape.cli.main", "recorder.installed"])
def test_signal_while_modules_load(recording: Recording, name: str, module: str) -> None:
    """A signal that comes before the command has begun ends it with one line, too, and exit code 1."""
    code = (
        "import os, signal, sys\nfrom booktape.__main__ import main\n"
        "class Finder:\n    def find_spec(self, name, *_):\n"
        f"        if name == {module!r}:\n            os.kill(os.getpid(), signal.{name})\n"
        "sys.meta_path.insert(0, Finder())\n"
        f"sys.argv = ['booktape', 'verify', {str(recording.tape)!r}]\nmain()"
    )
    done = python(code)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "Error: interrupted\n")


@pytest.mark.parametrize("processes", ["1", "2"])
def test_a_signal_that_an_import_swallows(recording: Recording, processes: str) -> None:
    """A signal ends the command even if an import swallows the exception of its handler."""
    code = (
        "import os, signal, sys\nfrom contextlib import suppress\nfrom booktape.__main__ import main\n"
        "class Finder:\n    def find_spec(self, name, *_):\n"
        "        if name == 'replay.comparing.api':\n"
        "            with suppress(KeyboardInterrupt):\n                os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Finder())\n"
        f"sys.argv = ['booktape', 'compare', {str(recording.tape)!r}, '--processes', {processes!r}]\n"
        "if __name__ == '__main__':\n    main()"
    )
    done = python(code)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "Error: interrupted\n")
