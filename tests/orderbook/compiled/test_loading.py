"""The machine code of the kernel: kept under a name that changes with it, and run without numba."""

import pytest

from orderbook.compiled.loading import PACKING, checked
from orderbook.execution.compiled import loading as exchange
from tests.support.commands import python
from tests.support.constants import ROOT, SAMPLE

RUN = """
import sys
sys.argv[0] = "booktape"
try:
    from booktape.cli.main import main
    main()
finally:
    print("numba" in sys.modules)
"""


@pytest.mark.parametrize(
    ("module", "sources"),
    [
        ("orderbook.compiled.packing", PACKING),
        ("orderbook.execution.compiled.kernel", exchange.SOURCES),
    ],
)
def test_all_sources_are_named(module: str, sources: tuple[str, ...]) -> None:
    """No module has compiled functions that an entry is made of, and could change without a new name."""
    program = (
        f"import sys, {module}\n"
        "root = sys.modules['orderbook'].__path__[0] + '/'\n"
        "for each in list(sys.modules.values()):\n"
        "    if any(type(value).__name__ == 'CPUDispatcher' and value.__module__ == each.__name__\n"
        "           for value in list(vars(each).values())):\n"
        "        print(each.__file__.removeprefix(root))\n"
    )
    found = python(program).stdout.split()
    assert len(found) > 10
    assert set(found) <= set(sources)
    assert all((ROOT / "orderbook" / path).is_file() for path in sources)


@pytest.mark.parametrize("command", ["replay", "compare", "verify"])
def test_kept_code_is_run_without_numba(command: str) -> None:
    """A command that runs compiled code does not wait for numba, which takes most of a second."""
    done = python(RUN, command, SAMPLE, "--engine", "compiled", "--json")
    assert done.stdout.splitlines()[-1] == "False"


def test_an_exception_of_compiled_code_is_raised() -> None:
    """What an entry returns if it fails is no reason to stop at a row."""
    with pytest.raises(SystemError):
        checked(-(2**62))
    assert checked(6) == 6
