"""Names of the tapes that are merged."""

from collections.abc import Sequence
from pathlib import Path

from recorder.tape.store.paths import RemotePath


def distinct_names(paths: Sequence[Path]) -> list[str]:
    """Return the last parts of each path, as few as tell all of them apart.

    >>> distinct_names([Path("/a/tape"), Path("/b/tape")])
    ['a/tape', 'b/tape']
    >>> distinct_names([Path("/x/first"), Path("/x/second")])
    ['first', 'second']
    """
    parts = [(path if isinstance(path, RemotePath) else path.absolute()).parts for path in paths]
    for number in range(1, max(map(len, parts))):
        names = ["/".join(each[-number:]) for each in parts]
        if len(set(names)) == len(names):
            return names
    return list(map(str, paths))
