"""Requests to the process that trains a run: small files in the run's folder `requests`, and an answer beside each.

A request is written atomically. The process claims it by removing its file, does what it asks for, and writes the
answer; the sender can withdraw it by removing the file first. So a request has an effect at most once, and none after
it was withdrawn. The folder may come from a stranger: only small regular files in a real folder are read, and no more
than a few at a time.
"""

import dataclasses
import json
import os
import re
import secrets
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Literal

from tui_gpt.errors import ConfigError, StorageError
from tui_gpt.events import SettingValue
from tui_gpt.records import read_record
from tui_gpt.storage.files import atomic_write
from tui_gpt.storage.folders import remove_tree
from tui_gpt.storage.plain_files import is_folder, read_json_object

FOLDER = "requests"
SIZE_LIMIT = 4096
"""Bytes of a request, and of an answer."""
MAX_REQUESTS = 32
"""Requests that are read at a time; and answers that are kept for senders that do not take them."""
_MAX_ENTRIES = 1024
"""Files in the folder that are looked at."""
_REQUEST_NAME = re.compile(r"[0-9a-f]{16}\.json")
_ANSWER_SUFFIX = ".answer.json"

Action = Literal["pause", "resume", "stop", "save", "change"]


@dataclass(frozen=True, kw_only=True)
class RunRequest:
    """What the process that trains a run is asked for."""

    action: Action
    changes: Mapping[str, SettingValue] = field(default_factory=dict)
    """New values of settings, for `change` only."""

    def __post_init__(self) -> None:
        if (self.action == "change") != bool(self.changes):
            raise ConfigError(f"a request to {self.action} has {len(self.changes)} changes")


@dataclass(frozen=True, kw_only=True)
class Answer:
    """The answer to a request."""

    problem: str
    """Why it was refused, in one sentence; empty when it was accepted."""


def _to_json(record: RunRequest | Answer) -> bytes:
    return (json.dumps(dataclasses.asdict(record)) + "\n").encode("ascii")


class SentRequest:
    """A request that was sent, until it is answered or withdrawn."""

    def __init__(self, run_folder: Path, request: RunRequest) -> None:
        """Send the request. Raises StorageError."""
        identifier = secrets.token_hex(8)
        folder = run_folder / FOLDER
        self._request = folder / f"{identifier}.json"
        self._answer = folder / (identifier + _ANSWER_SUFFIX)
        if os.path.lexists(folder) and not is_folder(folder):
            raise StorageError(f"could not write into {folder}: it is not a folder: move it away")
        atomic_write(self._request, _to_json(request))

    def answer(self) -> Answer | None:
        """Return the answer, and remove its file; None while there is none."""
        try:
            answer = read_record(Answer, read_json_object(self._answer, SIZE_LIMIT))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            answer = Answer(problem=f"its answer in {self._answer} cannot be read: {error}")
        with suppress(OSError):
            self._answer.unlink()
        return answer

    def withdraw(self) -> bool:
        """Withdraw the request; return False when it was claimed before."""
        try:
            self._request.unlink()
        except OSError:
            return False
        return True

    def discard(self) -> None:
        """Remove the request and its answer."""
        for path in (self._request, self._answer):
            with suppress(OSError):
                path.unlink()


class RequestFolder:
    """The requests to this process, which holds the run's lock. Raises OSError where the folder cannot be used."""

    def __init__(self, run_folder: Path) -> None:
        self._folder = run_folder / FOLDER
        self._answered: list[Path] = []

    def clear(self) -> None:
        """Remove everything in the folder, and the folder: it was left by an earlier process."""
        remove_tree(self._folder)

    def remove_if_empty(self) -> None:
        """Remove the folder, unless there is an answer in it that was not taken."""
        with suppress(OSError):
            self._folder.rmdir()

    def claim(self) -> Iterator[tuple[str, RunRequest | str]]:
        """Remove each waiting request, the oldest first, and yield its identifier with its content, or what is wrong.

        A request that is withdrawn meanwhile is skipped.
        """
        for path in self._waiting():
            content = _read_request(path)
            with suppress(OSError):
                path.unlink()
                yield path.stem, content

    def _waiting(self) -> list[Path]:
        try:
            with os.scandir(self._folder) as entries:
                if not is_folder(self._folder):
                    return []
                found = [
                    (entry.stat(follow_symlinks=False).st_mtime_ns, entry.name)
                    for entry in islice(entries, _MAX_ENTRIES)
                    if _REQUEST_NAME.fullmatch(entry.name) and entry.is_file(follow_symlinks=False)
                ]
        except OSError:
            return []
        return [self._folder / name for _, name in sorted(found)[:MAX_REQUESTS]]

    def answer(self, identifier: str, answer: Answer) -> None:
        """Write the answer to a request; remove the oldest of many that were not taken. Raises StorageError."""
        path = self._folder / (identifier + _ANSWER_SUFFIX)
        atomic_write(path, _to_json(answer))
        self._answered.append(path)
        while len(self._answered) > MAX_REQUESTS:
            with suppress(OSError):
                self._answered.pop(0).unlink()


def _read_request(path: Path) -> RunRequest | str:
    try:
        return read_record(RunRequest, read_json_object(path, SIZE_LIMIT))
    except (OSError, ValueError) as error:
        return f"it is not a request of this version: {error}"[: SIZE_LIMIT // 8]
