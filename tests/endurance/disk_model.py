"""A model of a disk that forgets what was not synced.

A trace has what a program did to its files. A power cut after any of its operations leaves:

- of a file, everything up to its last fsync; of each later write all, nothing, a first part or some sectors;
- of a directory, the names as of its last fsync; of each later creation, rename and removal all or nothing,
  independently of one another. Syncing a file does not sync its name.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from random import Random
from typing import Any, Final

from tests.endurance.faults import Call, intercepted

SECTOR: Final = 512
_NAMES: Final = ("open", "write", "fsync", "fdatasync", "ftruncate", "replace", "unlink", "mkdir")
OUTCOMES: Final = 5
"""Outcomes of an unsynced write: all, nothing, its first part, or all but the even or odd sectors."""


@dataclass(frozen=True, slots=True)
class Op:
    """One operation.

    Its kind is write, truncate or fsync (of `file`), create, remove, rename or dirsync (of `path`), or
    promise: `number` rows must survive from now on. The `file` of a directory is -1.
    """

    kind: str
    path: str = ""
    file: int = -1
    number: int = 0
    data: bytes = b""
    source: str = ""


@dataclass
class Trace:
    """The file operations of a program below a directory, in order."""

    root: Path
    ops: list[Op] = field(default_factory=list)
    _files: dict[int, int] = field(default_factory=dict)
    _content: dict[int, bytes] = field(default_factory=dict)
    _made: int = 0

    def promise(self, rows: int) -> None:
        """Declare how many rows must survive a power cut from now on."""
        self.ops.append(Op("promise", number=rows))

    def begin_with_files(self) -> None:
        """Begin with what is there, durable."""
        paths = sorted(self.root.rglob("*"))
        for path in paths:
            name = str(path.relative_to(self.root))
            self.ops.append(Op("create", name, -1 if path.is_dir() else self._fresh(path)))
            if not path.is_dir():
                self.ops.append(Op("fsync", name, self._reconcile(path)))
        directories = [self.root, *(path for path in paths if path.is_dir())]
        self.ops += [Op("dirsync", str(path.relative_to(self.root))) for path in directories]

    def _number(self, inode: int) -> int:
        if inode not in self._files:
            self._files[inode] = self._made
            self._made += 1
        return self._files[inode]

    def _reconcile(self, path: Path) -> int:
        """Record changes that no intercepted call made: writes by Arrow and through Python files."""
        file = self._number(path.stat().st_ino)
        data, known = path.read_bytes(), self._content.get(file, b"")
        if data != known:
            common = len(known) if data.startswith(known) else _common(data, known)
            if common < len(known):
                self.ops.append(Op("truncate", file=file, number=common))
            if data[common:]:
                self.ops.append(Op("write", file=file, number=common, data=data[common:]))
            self._content[file] = data
        return file

    def _relative(self, path: Any) -> str | None:
        with suppress(ValueError):
            return str(Path(path).relative_to(self.root))
        return None

    def hook(self, name: str, call: Call, arguments: tuple[Any, ...]) -> Any:
        """Make a call and record what it did."""
        first = arguments[0]
        is_fd = isinstance(first, int)
        path = Path(f"/proc/self/fd/{first}").readlink() if is_fd else Path(first)
        relative = self._relative(path)
        if relative is None:
            return call(*arguments)
        existed = path.exists()
        is_directory = path.is_dir()
        if name == "replace" and not is_directory:
            self._reconcile(path)
        result = call(*arguments)
        if name == "mkdir" or (name == "open" and not existed):
            file = -1 if name == "mkdir" else self._fresh(path)
            self.ops.append(Op("create", relative, file))
        elif name in {"fsync", "fdatasync"} and path.is_dir():
            self.ops.append(Op("dirsync", relative))
        elif name in {"fsync", "fdatasync"}:
            self.ops.append(Op("fsync", relative, self._reconcile(path)))
        elif name in {"write", "ftruncate"}:
            self._reconcile(path)
        elif name == "replace":
            target = Path(arguments[1])
            file = -1 if is_directory else self._number(target.stat().st_ino)
            self.ops.append(Op("rename", str(target.relative_to(self.root)), file, source=relative))
        elif name == "unlink":
            self.ops.append(Op("remove", relative))
        return result

    def _fresh(self, path: Path) -> int:
        """Return the number of a new file; the system may have given it the inode of a removed one."""
        self._files.pop(path.stat().st_ino, None)
        return self._number(path.stat().st_ino)

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Record the operations of this process while the block runs."""
        with intercepted(self.hook, _NAMES):
            yield


State = dict[str, bytes]
"""What a power cut leaves: contents of files by path below the root; the path of a directory ends in `/`."""


class Disk:
    """A disk on which a trace ran, with its state after a power cut at any operation."""

    def __init__(self, ops: Sequence[Op]) -> None:
        self._ops = ops
        self.length = len(ops)
        self._content = lru_cache(maxsize=100_000)(self._apply)
        self._snapshots = list(self._walk())

    def _walk(self) -> Iterator[tuple[int, dict[str, int], list[Op], dict[int, tuple[int, int]]]]:
        """Yield the state at every crash point.

        It consists of the promised rows, the durable names, the pending operations on names, and for each
        file the numbers of its durable operations and of all its operations.
        """
        promised = 0
        names: dict[str, int] = {}
        pending: list[Op] = []
        extents: dict[int, tuple[int, int]] = defaultdict(lambda: (0, 0))
        self._writes: dict[int, list[Op]] = defaultdict(list)
        yield promised, {}, [], {}
        for op in self._ops:
            if op.kind == "promise":
                promised = op.number
            elif op.kind in {"write", "truncate"}:
                self._writes[op.file].append(op)
                extents[op.file] = (extents[op.file][0], len(self._writes[op.file]))
            elif op.kind == "fsync":
                extents[op.file] = (len(self._writes[op.file]),) * 2
            elif op.kind == "dirsync":
                due = [each for each in pending if _parent(each.path) == op.path]
                pending = [each for each in pending if _parent(each.path) != op.path]
                _rename(names, due)
            else:
                pending = [*pending, op]
            yield promised, dict(names), pending, dict(extents)

    def state(self, cut: int, rng: Random) -> tuple[int, State]:
        """Return the rows promised at a cut, and a random one of its possible states."""
        promised, durable, pending, extents = self._snapshots[cut]
        names = dict(durable)
        chance = rng.random()
        _rename(names, [op for op in pending if rng.random() < chance])
        left: State = {}
        for path, file in names.items():
            if not _is_reachable(path, names):
                continue
            if file < 0:
                left[f"{path}/"] = b""
                continue
            synced, made = extents.get(file, (0, 0))
            outcomes = tuple(rng.randrange(OUTCOMES) for _ in range(made - synced))
            left[path] = self._content(file, synced, outcomes)
        return promised, left

    def _apply(self, file: int, synced: int, outcomes: tuple[int, ...]) -> bytes:
        """Return a file's content: `synced` operations are complete, each later one has an outcome."""
        content = bytearray()
        for number, op in enumerate(self._writes[file][: synced + len(outcomes)]):
            outcome = 0 if number < synced else outcomes[number - synced]
            if outcome == 1:
                continue
            if op.kind == "truncate":
                del content[op.number :]
                continue
            data = op.data[: len(op.data) * 2 // 3] if outcome == 2 else op.data
            content.extend(bytes(max(0, op.number + len(data) - len(content))))
            end = op.number + len(data)
            for sector in range(op.number // SECTOR, (end - 1) // SECTOR + 1 if data else 0):
                if outcome >= 3 and sector % 2 == outcome - 3:
                    continue  # this sector never reached the disk
                low, high = max(op.number, sector * SECTOR), min(end, (sector + 1) * SECTOR)
                content[low:high] = data[low - op.number : high - op.number]
        return bytes(content)


def without(ops: Sequence[Op], leave_out: Callable[[Op], bool]) -> list[Op]:
    """Return a trace without some operations, as of a program that lacks these syncs."""
    return [op for op in ops if not leave_out(op)]


def materialise(state: State, root: Path) -> None:
    """Write a state to a new directory."""
    root.mkdir(parents=True)
    for path, content in state.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        if path.endswith("/"):
            (root / path).mkdir(exist_ok=True)
        else:
            (root / path).write_bytes(content)


def _common(one: bytes, two: bytes) -> int:
    """Return the number of leading bytes that are equal."""
    differing = (n for n, (a, b) in enumerate(zip(one, two, strict=False)) if a != b)
    return next(differing, min(len(one), len(two)))


def _parent(path: str) -> str:
    return str(Path(path).parent)


def _is_reachable(path: str, names: dict[str, int]) -> bool:
    return all(str(parent) in names for parent in Path(path).parents if str(parent) != ".")


def _rename(names: dict[str, int], ops: Sequence[Op]) -> None:
    for op in ops:
        if op.kind == "remove":
            names.pop(op.path, None)
        else:
            names[op.path] = op.file
            if op.source:
                names.pop(op.source, None)
            if op.source and op.file < 0:  # what a directory holds moves with it
                for path in [path for path in names if path.startswith(f"{op.source}/")]:
                    names.setdefault(f"{op.path}{path.removeprefix(op.source)}", names.pop(path))
