"""Check what a power loss leaves: each state is written into a folder, and a loader is called on it."""

import os
import random
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

from tests.storage.disk.model import Content, Tree, power_losses
from tests.storage.disk.recording import Trace, recorded
from tui_gpt import records
from tui_gpt.config import RunConfig


def nothing(root: Path) -> None:
    """Start with an empty disk."""


@dataclass(frozen=True)
class Scenario:
    """Something that the program does to the disk, and what must be found there after a power loss."""

    name: str
    work: Callable[[Path], Iterator[None]]
    """Does it below a folder; each yield is a promise that all until then will survive."""
    check: Callable[[Path, int], None]
    """Raises an exception unless the folder holds what that many promises have assured, and nothing broken."""
    start: Callable[[Path], None] = nothing
    """Fills the folder before."""
    alters: bool = False
    """Whether the check writes into the folder."""


State = frozenset[tuple[str, Content]]
"""The items of a tree."""


@dataclass
class Figures:
    """What surveys have found."""

    looks: int = 0
    """States that were checked; one counts again where more had been promised before it."""
    states: dict[State, None] = field(default_factory=dict)
    """The distinct ones, in the order in which they were found."""

    def add(self, other: "Figures") -> None:
        """Add the figures of another survey."""
        self.looks += other.looks
        self.states |= other.states


class PowerLossError(AssertionError):
    """A state is not what it should be."""


def trace_of(scenario: Scenario, folder: Path, skipped: str | None = None) -> Trace:
    """Do the work of a scenario and return its trace. Renames of the site `skipped` are not made."""
    root = folder / "disk"
    remove(root)
    root.mkdir()
    scenario.start(root)
    rng = random.Random(scenario.name)
    with (
        patch.object(secrets, "token_hex", lambda size: rng.randbytes(size).hex()),
        recorded(root, skipped) as trace,
    ):
        for _ in scenario.work(root):
            trace.mark()
    return trace


def survey(scenario: Scenario, trace: Trace, folder: Path, limit: int, ignored: str | None = None) -> Figures:
    """Check every state that a power loss may leave. Raises PowerLossError at the first that is broken."""
    with patch.object(records, "read_record", _Remembering(records.read_record)):
        return _survey(scenario, trace, _Place(folder / "state"), limit, ignored)


def _survey(scenario: Scenario, trace: Trace, place: "_Place", limit: int, ignored: str | None) -> Figures:
    seen: dict[tuple[int, State], None] = {}
    for marks, tree in power_losses(trace.start, trace.operations, limit=limit, ignored=ignored):
        state = frozenset(tree.items())
        if (marks, state) in seen:
            continue
        seen[marks, state] = None
        place.lay(tree)
        try:
            scenario.check(place.root, marks)
        except Exception as error:
            raise PowerLossError(f"{scenario.name}, after {marks} promises, {_described(tree)}: {error!r}") from error
        if scenario.alters:
            place.forget()
    return Figures(len(seen), {state: None for _, state in seen})


def survey_again(
    states: Sequence[State], continuation: Callable[[Callable[[Path], None]], Scenario], folder: Path, limit: int
) -> Figures:
    """Let the program continue from states that a power loss has left, and simulate another power loss."""
    figures = Figures()
    for state in states:
        scenario = continuation(partial(_laid, dict(state)))
        figures.add(survey(scenario, trace_of(scenario, folder), folder, limit))
    return figures


def _laid(tree: Tree, root: Path) -> None:
    _Place(root).lay(tree)


def _described(tree: Tree) -> str:
    return ", ".join(
        f"{path}{'/' if content is None else f' ({len(content)})'}" for path, content in sorted(tree.items())
    )


class _Remembering:
    """Reads each run's settings once: they are nearly always the same, and reading them takes a third of the time."""

    def __init__(self, read: Callable[..., Any]) -> None:
        self._read = read
        self._known: dict[str, RunConfig] = {}

    def __call__(self, kind: type[Any], record: Mapping[str, Any], **options: Any) -> Any:
        """Read a record as `read_record` does."""
        if kind is not RunConfig:
            return self._read(kind, record, **options)
        key = repr(record)
        if key not in self._known:
            self._known[key] = self._read(kind, record, **options)
        return self._known[key]


class _Place:
    """A folder in which one tree replaces another; only differences are written."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.forget()

    def forget(self) -> None:
        """Start with an empty folder."""
        remove(self.root)
        self.root.mkdir()
        self._tree: Tree = {}

    def lay(self, tree: Tree) -> None:
        """Write a tree."""
        gone = [path for path in self._tree if path not in tree or (tree[path] is None) != (self._tree[path] is None)]
        for path in sorted(gone, key=len, reverse=True):
            (os.rmdir if self._tree.pop(path) is None else os.unlink)(f"{self.root}/{path}")
        for path in sorted(tree, key=len):
            content = tree[path]
            if path in self._tree and self._tree[path] == content:
                continue
            if content is None:
                os.mkdir(f"{self.root}/{path}")  # noqa: PTH102  (done ten thousand times)
            elif isinstance(content, str):
                (self.root / path).symlink_to(content)
            else:
                (self.root / path).write_bytes(content)
        self._tree = tree.copy()


def remove(folder: Path) -> None:
    """Remove a folder, if it is there."""
    shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def workplace() -> Iterator[Path]:
    """Create a folder in memory, where the system supports that."""
    memory = Path("/dev/shm")
    place = memory if memory.is_dir() and os.access(memory, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="tui-gpt-power-", dir=place) as folder:
        yield Path(folder).resolve()
