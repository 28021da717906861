"""Keep a large text from stdin or a pipe, which can be read only once, in a file for the rest of the process."""

import atexit
import itertools
import os
import secrets
import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import BinaryIO

from tui_gpt.storage import paths
from tui_gpt.storage.files import CHUNK, storage_errors
from tui_gpt.text import reading
from tui_gpt.text.large.cache import PreparedFolder


def spooled(head: bytes, stream: BinaryIO, name: str) -> Path:
    """Return a file with `head` and the rest of `stream`, which is removed when the process exits.

    Raises CorpusError, called `name`, where that is too large; StorageError, and OSError where it cannot be read.
    """
    folder = paths.prepared_dir() / f"stdin-{os.getpid()}-{secrets.token_hex(4)}"
    path = folder / "text"
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    atexit.register(PreparedFolder.of(path).remove)
    with storage_errors(f"write {path}"):
        folder.mkdir(parents=True)
        with path.open("xb") as file:
            file.writelines(_limited(head, stream, name))
    return path


def _limited(head: bytes, stream: BinaryIO, name: str) -> Iterator[bytes]:
    size = 0
    for piece in itertools.chain([head], iter(partial(stream.read, CHUNK), b"")):
        size += len(piece)
        if size > reading.SIZE_LIMIT:
            raise reading.too_large(name, reading.SIZE_LIMIT)
        yield piece
