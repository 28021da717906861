"""Compute what a power loss may leave of a trace; see the package's docstring for the model of the disk.

Files and folders are numbers ("inodes"), and names are entries `(folder, name) -> inode`, as in a real file system: a
file's content and its name become durable independently, and a renamed file keeps its inode.
"""

import itertools
import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

ROOT = 0
PIECES = 3
"""Blocks into which unsynced content is cut."""

Content = bytes | str | None
"""What is in a file, where a symbolic link leads, or None for a folder."""
Tree = dict[str, Content]
"""The content of each relative path."""
Entries = dict[tuple[int, str], int]
Contents = dict[int, Content]


@dataclass(frozen=True)
class Link:
    """A file or a folder was created."""

    folder: int
    name: str
    inode: int
    is_folder: bool


@dataclass(frozen=True)
class Unlink:
    """A file or an empty folder was removed."""

    folder: int
    name: str


@dataclass(frozen=True)
class Rename:
    """A file or folder was renamed, replacing a file of the new name."""

    source: int
    folder: int
    name: str
    inode: int


@dataclass(frozen=True)
class Write:
    """Bytes were written to a file."""

    inode: int
    offset: int
    data: bytes


@dataclass(frozen=True)
class Truncate:
    """A file was truncated or extended to a size."""

    inode: int
    size: int


@dataclass(frozen=True)
class Sync:
    """A file or a folder was forced to the disk by the line of the program that `site` names."""

    inode: int
    site: str


@dataclass(frozen=True)
class Mark:
    """The program has promised that everything up to here is durable."""


EntryChange = Link | Unlink | Rename
DataChange = Write | Truncate
Change = EntryChange | DataChange
Operation = Change | Sync | Mark


@dataclass(frozen=True)
class Image:
    """A whole file system."""

    entries: Entries
    contents: Contents

    def paths(self) -> dict[str, int]:
        """Return the relative path of everything that can be reached from the root."""
        children: dict[int, list[tuple[str, int]]] = {}
        for (folder, name), inode in self.entries.items():
            children.setdefault(folder, []).append((name, inode))
        found: dict[str, int] = {}
        waiting = [("", ROOT)]
        while waiting:
            path, folder = waiting.pop()
            for name, inode in children.get(folder, ()):
                found[path + name] = inode
                waiting.append((f"{path}{name}/", inode))
        return found

    def tree(self) -> Tree:
        """Return those paths with their contents."""
        return {path: self.contents[inode] for path, inode in self.paths().items()}

    def reachable(self, extra: Sequence[EntryChange] = ()) -> set[int]:
        """Return the inodes that have a name below the root, or would have one after some of the `extra` changes."""
        children: dict[int, list[int]] = {}
        for (folder, _), inode in self.entries.items():
            children.setdefault(folder, []).append(inode)
        for change in extra:
            if not isinstance(change, Unlink):
                children.setdefault(change.folder, []).append(change.inode)
        found, waiting = {ROOT}, [ROOT]
        while waiting:
            for inode in children.get(waiting.pop(), ()):
                if inode not in found:
                    found.add(inode)
                    waiting.append(inode)
        return found


def applied(change: EntryChange, entries: Entries) -> None:
    """Apply a change of names, if the changes that it depends on are not lost."""
    match change:
        case Link():
            entries[change.folder, change.name] = change.inode
        case Unlink():
            entries.pop((change.folder, change.name), None)
        case Rename():
            for key in [key for key, inode in entries.items() if inode == change.inode and key[0] == change.source]:
                del entries[key]
            entries[change.folder, change.name] = change.inode


def written(change: DataChange, content: bytes) -> bytes:
    """Return the content of a file after a change."""
    if isinstance(change, Truncate):
        return content[: change.size].ljust(change.size, b"\0")
    end = change.offset + len(change.data)
    return content[: change.offset].ljust(change.offset, b"\0") + change.data + content[end:]


def power_losses(
    start: Image, trace: Sequence[Operation], *, limit: int, seed: int = 0, ignored: str | None = None
) -> Iterator[tuple[int, Tree]]:
    """Yield each state that a power loss may leave, with the number of marks before it; some are repeated.

    About `limit` states are yielded per moment, at most. Syncs of the site `ignored` have no effect.
    """
    disk = _Disk(start)
    rng = random.Random(seed)
    marks = 0
    for operation in trace:
        if isinstance(operation, Mark):
            yield from ((marks, tree) for tree in disk.states(limit, rng))
            marks += 1
        elif isinstance(operation, Sync):
            if operation.site != ignored:
                yield from ((marks, tree) for tree in disk.states(limit, rng))
                disk.sync(operation.inode)
        else:
            disk.pending.append(operation)
    yield from ((marks, tree) for tree in disk.states(limit, rng))


class _Disk:
    """What is durable, and the changes that are not durable yet."""

    def __init__(self, start: Image) -> None:
        self.durable = Image(dict(start.entries), dict(start.contents))
        self.pending: list[Change] = []

    def sync(self, inode: int) -> None:
        """Make the content of a file, or the entries of a folder, durable."""
        waiting: list[Change] = []
        for change in self.pending:
            if isinstance(change, Write | Truncate):
                if change.inode == inode:
                    self.durable.contents[inode] = written(change, self._content(inode))
                else:
                    waiting.append(change)
            elif change.folder == inode:
                self._exist([change])
                applied(change, self.durable.entries)
            else:
                waiting.append(change)
        self.pending = waiting
        self._forget_the_unreachable()

    def _content(self, inode: int) -> bytes:
        content = self.durable.contents.get(inode)
        return content if isinstance(content, bytes) else b""

    def _exist(self, changes: Sequence[EntryChange]) -> None:
        for change in changes:
            if isinstance(change, Link):
                self.durable.contents.setdefault(change.inode, None if change.is_folder else b"")

    def _forget_the_unreachable(self) -> None:
        """Drop the changes of files that have no name and cannot get one."""
        names = [change for change in self.pending if not isinstance(change, Write | Truncate)]
        found = self.durable.reachable(names)
        self.pending = [
            change
            for change in self.pending
            if (change.inode if isinstance(change, Write | Truncate) else change.folder) in found
        ]

    def states(self, limit: int, rng: random.Random) -> Iterator[Tree]:
        """Yield the trees that a power loss at this moment may leave."""
        names = [change for change in self.pending if not isinstance(change, Write | Truncate)]
        self._exist(names)
        outlines: dict[frozenset[tuple[str, int]], Image] = {}
        for chosen in _subsets(len(names), limit, rng):
            entries = dict(self.durable.entries)
            for change, is_there in zip(names, chosen, strict=True):
                if is_there:
                    applied(change, entries)
            image = Image(entries, self.durable.contents)
            outlines.setdefault(frozenset(image.paths().items()), image)
        variants = self._data_variants()
        share = max(4, limit // len(outlines))
        for image in outlines.values():
            alive = [inode for inode in image.reachable() if inode in variants]
            for contents in _choices([variants[inode] for inode in alive], share, rng):
                merged = {**self.durable.contents, **dict(zip(alive, contents, strict=True))}
                yield Image(image.entries, merged).tree()

    def _data_variants(self) -> dict[int, list[bytes]]:
        """Return the possible contents of each file with unsynced changes, from the oldest to the newest."""
        found: dict[int, list[bytes]] = {}
        for change in _joined([change for change in self.pending if isinstance(change, Write | Truncate)]):
            before = found.get(change.inode) or [self._content(change.inode)]
            after = [content for one in before for content in _torn(change, one)]
            found[change.inode] = list(dict.fromkeys([*before, *after]))
        return found


def _joined(changes: Sequence[DataChange]) -> list[DataChange]:
    """Merge consecutive writes to the same file."""
    joined: list[DataChange] = []
    newest: dict[int, int] = {}
    for change in changes:
        place = newest.get(change.inode)
        last = None if place is None else joined[place]
        if isinstance(change, Write) and isinstance(last, Write) and last.offset + len(last.data) == change.offset:
            assert place is not None
            joined[place] = Write(change.inode, last.offset, last.data + change.data)
        else:
            newest[change.inode] = len(joined)
            joined.append(change)
    return joined


def _torn(change: DataChange, content: bytes) -> Iterator[bytes]:
    """Return the possible contents of a file during a change, the complete one last."""
    if isinstance(change, Truncate):
        yield written(change, content)
        return
    size = max(1, math.ceil(len(change.data) / PIECES))
    pieces = [
        Write(change.inode, change.offset + at, change.data[at : at + size]) for at in range(0, len(change.data), size)
    ]
    torn = content
    for piece in pieces[:-1]:
        torn = written(piece, torn)
        yield torn
    grown = content.ljust(change.offset + len(change.data), b"\0")
    for chosen in itertools.product((False, True), repeat=len(pieces)):
        holed = grown
        for piece, is_there in zip(pieces, chosen, strict=True):
            if is_there:
                holed = written(piece, holed)
        yield holed


def _subsets(count: int, limit: int, rng: random.Random) -> Iterator[tuple[bool, ...]]:
    """Return all subsets if there are at most `limit`, else prefixes, all but one, single ones and a sample."""
    if 2**count <= limit:
        yield from itertools.product((False, True), repeat=count)
        return
    for size in range(count + 1):
        yield tuple(place < size for place in range(count))
    for one in range(count):
        yield tuple(place != one for place in range(count))
        yield tuple(place == one for place in range(count))
    for _ in range(max(0, limit - 3 * count - 1)):
        yield tuple(rng.random() < 0.5 for _ in range(count))


def _choices(variants: Sequence[Sequence[bytes]], limit: int, rng: random.Random) -> Iterator[tuple[bytes, ...]]:
    """Return all combinations if there are at most `limit`, else those with one torn file and a sample."""
    if math.prod(map(len, variants)) <= limit:
        yield from itertools.product(*variants)
        return
    for extreme in (0, -1):
        yield tuple(one[extreme] for one in variants)
        for place, contents in enumerate(variants):
            for content in contents:
                yield tuple(content if at == place else one[extreme] for at, one in enumerate(variants))
    for _ in range(limit):
        yield tuple(rng.choice(one) for one in variants)
