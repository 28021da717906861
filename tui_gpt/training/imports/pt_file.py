"""Read a `.pt` file of PyTorch without running code from it.

Such a file is a pickle, which can run any code. This is the only place that reads one, and only when the user asks for
it. The pickle is first disassembled without being run, and refused if it names anything but tensors; then it is read
with `weights_only`, without a fallback. The result is tensors and plain values, or an error of one line.
"""

import io
import pickletools
import re
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tui_gpt.errors import NotFoundError
from tui_gpt.storage.manifest import TENSORS_LIMIT
from tui_gpt.storage.plain_files import read_plain_file
from tui_gpt.training.imports.models import refused

_PICKLE_LIMIT = 16 << 20
"""Bytes of the pickle, which describes the tensors; the lecture's model needs 20 thousand."""
_TENSOR_PARTS = re.compile(
    r"collections OrderedDict|torch\._utils _rebuild_(tensor_v2|parameter)|torch (Float|Double|Half|BFloat16)Storage"
)


@dataclass(frozen=True)
class PtFile:
    """A dictionary of tensors, plain values and further dictionaries, as read from a file of `torch.save`."""

    path: Path
    content: Mapping[Any, object]
    size: int
    """Bytes of the file."""

    def tensors(self, state_dict: Mapping[Any, object]) -> dict[str, Tensor]:
        """Return the tensors of a state dict in the file, in single precision.

        Raises IncompatibleError where it holds anything else, or weights that are not finite or larger than the file.
        """
        tensors: dict[str, Tensor] = {}
        for name, tensor in state_dict.items():
            if not isinstance(name, str) or not isinstance(tensor, Tensor) or not tensor.is_floating_point():
                raise refused(self.path, f"holds {str(name)[:60]!r}, which is no tensor of weights")
            tensors[name] = tensor
        if sum(tensor.numel() * tensor.itemsize for tensor in tensors.values()) > self.size:
            raise refused(self.path, "claims more weights than it holds")
        tensors = {name: tensor.detach().float().contiguous() for name, tensor in tensors.items()}
        if not all(bool(torch.isfinite(tensor).all()) for tensor in tensors.values()):
            raise refused(self.path, "holds weights that are not finite")
        return tensors


def read_pt_file(file: Path) -> PtFile:
    """Read a file of `torch.save`. Raises NotFoundError, IncompatibleError."""
    try:
        data = read_plain_file(file, TENSORS_LIMIT)
    except OSError as error:
        remedy = "use it where it is, with --model-path" if file.is_dir() else "name a file of torch.save"
        raise NotFoundError(f"{file} cannot be read ({error.strerror}): {remedy}") from error
    _refuse_more_than_tensors(file, data)
    try:
        loaded = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except Exception as error:  # a hostile file can raise anything here
        raise refused(file, "is damaged, or more than tensors") from error
    if not isinstance(loaded, dict) or not loaded:
        raise refused(file, "holds no state dict")
    return PtFile(file, loaded, len(data))


def _refuse_more_than_tensors(file: Path, data: bytes) -> None:
    """Raise IncompatibleError unless the file is an uncompressed archive whose pickle names tensors alone."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
            pickles = [entry for entry in entries if entry.filename.endswith(".pkl")]
            if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries) or len(pickles) != 1:
                raise refused(file, "is an archive that torch.save does not make")
            if pickles[0].file_size > _PICKLE_LIMIT:
                raise refused(file, "describes too many tensors")
            strange = next(_disallowed_globals(archive.read(pickles[0])), None)
    except (zipfile.BadZipFile, ValueError, OSError, EOFError, NotImplementedError, RuntimeError) as error:
        raise refused(file, "is no file of torch.save (PyTorch 1.6 or newer), or damaged") from error
    if strange is not None:
        raise refused(file, f"holds a Python object ({strange[:60]!r}), which is code and not tensors")


def _disallowed_globals(pickled: bytes) -> Iterator[str]:
    """Yield what a pickle would call or create besides tensors and dictionaries. It is not run. Raises ValueError."""
    for opcode, argument, _ in pickletools.genops(pickled):
        if opcode.name == "GLOBAL" and not _TENSOR_PARTS.fullmatch(str(argument)):
            yield str(argument)
        elif opcode.name in ("STACK_GLOBAL", "INST", "OBJ", "NEWOBJ", "NEWOBJ_EX", "EXT1", "EXT2", "EXT4"):
            yield opcode.name
