"""Names of the tapes that are merged."""

from collections.abc import Sequence
from pathlib import Path

from recorder.tape.store.paths import RemotePath


def distinct_names(paths: Sequence[Path]) -> list[str]:
    """Return the last parts of each path, as few as tell all of them apart; of a URL all of it.

    >>> distinct_names([Path("/a/tape"), Path("/b/tape")])
    ['a/tape', 'b/tape']
    >>> distinct_names([Path("/x/first"), Path("/x/second")])
    ['first', 'second']
    >>> distinct_names([Path("/x/tape"), RemotePath("s3://bucket/tape")])
    ['tape', 's3://bucket/tape']
    """
    most = max(len(path.absolute().parts) for path in paths)
    for number in range(1, most):
        names = [
            str(path) if isinstance(path, RemotePath) else "/".join(path.absolute().parts[-number:])
            for path in paths
        ]
        if len(set(names)) == len(names):
            return names
    return list(map(str, paths))
