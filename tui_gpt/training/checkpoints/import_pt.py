"""Imports a `.pt` file that holds the state dict of the lecture's model.

PyTorch's files are pickles, which can run any code. This is the only place that reads one, and only when the user asks
for it. The pickle is first disassembled without being run, and refused if it names anything but tensors; then it is
read with `weights_only`, without a fallback. The result is tensors, or an error of one line.
"""

import io
import pickletools
import re
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from torch import Tensor

from tui_gpt.config import PRESETS, ModelConfig, RunConfig
from tui_gpt.errors import ConfigError, IncompatibleError, NotFoundError, TuiGptError
from tui_gpt.models.build import build_model
from tui_gpt.storage.manifest import TENSORS_LIMIT, CheckpointInfo
from tui_gpt.storage.plain_files import read_plain_file
from tui_gpt.storage.runs import Run, RunStore
from tui_gpt.text.corpora import read_corpus
from tui_gpt.text.tokenizer import CharTokenizer
from tui_gpt.training.checkpoints.tensors import write_checkpoint

_PICKLE_LIMIT = 16 << 20
"""Bytes of the pickle, which describes the tensors; the lecture's model needs 20 thousand."""
_TENSOR_PARTS = re.compile(
    r"collections OrderedDict|torch\._utils _rebuild_(tensor_v2|parameter)|torch (Float|Double|Half|BFloat16)Storage"
)
_WRAPPERS = ("model", "state_dict", "model_state_dict")
_REMEDY = "save the lecture's model with torch.save(model.state_dict(), FILE)"

Weights = Mapping[str, Tensor]


def import_run(store: RunStore, file: Path, corpus: str, name: str) -> Run:
    """Return a new run `name` with the weights in `file` and the characters of `corpus`.

    Raises NotFoundError, IncompatibleError where the file is anything but the lecture's model or the text has other
    characters, CorpusError, UsageError where the name is taken, StorageError.
    """
    weights, shape = convert_state_dict(read_state_dict(file), file)
    text = read_corpus(corpus)
    tokenizer = CharTokenizer(text.alphabet)
    vocab_size = weights["token_embedding.weight"].shape[0]
    if tokenizer.vocab_size != vocab_size:
        raise IncompatibleError(
            f"the model knows {vocab_size} characters and the text {corpus} has {tokenizer.vocab_size} distinct ones: "
            "name the text that the model was trained on with --corpus"
        )
    preset = "classic" if shape.n_layer else "bigram"
    config = RunConfig(preset=preset, corpus=text.source, model=shape, train=PRESETS[preset].train)
    info = CheckpointInfo(
        config=config,
        tokenizer=tokenizer.to_dict(),
        vocab_size=vocab_size,
        step=0,
        max_iters=config.train.max_iters or 0,
        corpus_digest=text.digest,
    )
    run = store.create(config, name)
    try:
        with run.lock():
            write_checkpoint(run.checkpoint_target("best"), info, weights)
            write_checkpoint(run.checkpoint_target("last"), info, weights, {})
            run.set_state("stopped")
    except TuiGptError:
        store.delete(name)
        raise
    return run


# Reading


def read_state_dict(file: Path) -> dict[str, Tensor]:
    """Return the tensors in a file of `torch.save`, by name, in single precision.

    Raises NotFoundError, IncompatibleError.
    """
    try:
        data = read_plain_file(file, TENSORS_LIMIT)
    except OSError as error:
        remedy = "use it where it is, with --model-path" if file.is_dir() else "name a file of torch.save"
        raise NotFoundError(f"{file} cannot be read ({error.strerror}): {remedy}") from error
    _refuse_more_than_tensors(file, data)
    try:
        loaded = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except Exception as error:  # a hostile file can raise anything here
        raise _refused(file, "is damaged, or more than tensors") from error
    return _tensors_of(file, loaded, len(data))


def _refuse_more_than_tensors(file: Path, data: bytes) -> None:
    """Raise IncompatibleError unless the file is an uncompressed archive whose pickle names tensors alone."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
            pickles = [entry for entry in entries if entry.filename.endswith(".pkl")]
            if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries) or len(pickles) != 1:
                raise _refused(file, "is an archive that torch.save does not make")
            if pickles[0].file_size > _PICKLE_LIMIT:
                raise _refused(file, "describes too many tensors")
            strange = next(_disallowed_globals(archive.read(pickles[0])), None)
    except (zipfile.BadZipFile, ValueError, OSError, EOFError, NotImplementedError, RuntimeError) as error:
        raise _refused(file, "is no file of torch.save (PyTorch 1.6 or newer), or damaged") from error
    if strange is not None:
        raise _refused(file, f"holds a Python object ({strange[:60]!r}), which is code and not tensors")


def _disallowed_globals(pickled: bytes) -> Iterator[str]:
    """Yield what a pickle would call or create besides tensors and dictionaries. It is not run. Raises ValueError."""
    for opcode, argument, _ in pickletools.genops(pickled):
        if opcode.name == "GLOBAL" and not _TENSOR_PARTS.fullmatch(str(argument)):
            yield str(argument)
        elif opcode.name in ("STACK_GLOBAL", "INST", "OBJ", "NEWOBJ", "NEWOBJ_EX", "EXT1", "EXT2", "EXT4"):
            yield opcode.name


def _tensors_of(file: Path, loaded: object, size: int) -> dict[str, Tensor]:
    """Return the loaded state dict, which may lie under a usual name.

    Raises IncompatibleError where it is no state dict, not finite, or larger than the file.
    """
    if isinstance(loaded, dict):
        loaded = next((loaded[name] for name in _WRAPPERS if isinstance(loaded.get(name), dict)), loaded)
    if not isinstance(loaded, dict) or not loaded:
        raise _refused(file, "holds no state dict")
    tensors: dict[str, Tensor] = {}
    for name, tensor in loaded.items():
        if not isinstance(name, str) or not isinstance(tensor, Tensor) or not tensor.is_floating_point():
            raise _refused(file, f"holds {str(name)[:60]!r}, which is no tensor of weights")
        tensors[name] = tensor
    if sum(tensor.numel() * tensor.itemsize for tensor in tensors.values()) > size:
        raise _refused(file, "claims more weights than it holds")
    tensors = {name: tensor.detach().float().contiguous() for name, tensor in tensors.items()}
    if not all(bool(torch.isfinite(tensor).all()) for tensor in tensors.values()):
        raise _refused(file, "holds weights that are not finite")
    return tensors


def _refused(file: Path, reason: str) -> IncompatibleError:
    return IncompatibleError(f"{file} {reason}: {_REMEDY}")


# The lecture's names

_BLOCK_NAMES = {
    "sa.proj": "attention.projection",
    "ffwd.net.0": "feed_forward.expand",
    "ffwd.net.2": "feed_forward.contract",
    "ln1": "attention_norm",
    "ln2": "feed_forward_norm",
}
_OUTER_NAMES = {
    "token_embedding_table": "token_embedding",
    "position_embedding_table": "position_embedding",
    "ln_f": "norm",
    "lm_head": "head",
}
_HEAD = re.compile(r"blocks\.(\d{1,3})\.sa\.heads\.(\d{1,3})\.(query|key|value)\.weight")
_INNER = re.compile(r"blocks\.(\d{1,3})\.(\w+(?:\.\w+){0,2})\.(weight|bias)")
_MASK = re.compile(r"blocks\.\d{1,3}\.sa\.heads\.\d{1,3}\.tril")


def convert_state_dict(tensors: Weights, file: Path) -> tuple[dict[str, Tensor], ModelConfig]:
    """Convert the lecture's state dict (`gpt.py`, or `bigram.py`) to weights of `Classic`; return them and their shape.

    Its attention is scaled by the square root of a head's width, as in the file's last version. Raises
    IncompatibleError for any other model.
    """
    if any(name.startswith(("transformer.", "_orig_mod.transformer.")) for name in tensors):
        raise _refused(file, "holds GPT-2 or nanoGPT, whose GELU and tied embeddings this program does not have")
    renamed: dict[str, Tensor] = {}
    heads: dict[tuple[int, str], dict[int, Tensor]] = {}
    for name, tensor in tensors.items():
        if found := _HEAD.fullmatch(name):
            heads.setdefault((int(found[1]), found[3]), {})[int(found[2])] = tensor
        elif not _MASK.fullmatch(name):
            renamed[_our_name(name, file)] = tensor
    shape = _shape_of(renamed, heads, file)
    for block in range(shape.n_layer):
        parts = [_ordered_heads(heads.get((block, kind), {}), shape.n_head, file) for kind in ("query", "key", "value")]
        renamed[f"blocks.{block}.attention.qkv.weight"] = torch.cat([head for part in parts for head in part])
    _check_shapes(renamed, shape, file)
    return renamed, shape


def _our_name(name: str, file: Path) -> str:
    outer, _, kind = name.rpartition(".")
    if outer in _OUTER_NAMES and kind in ("weight", "bias"):
        return f"{_OUTER_NAMES[outer]}.{kind}"
    if (found := _INNER.fullmatch(name)) and found[2] in _BLOCK_NAMES:
        return f"blocks.{int(found[1])}.{_BLOCK_NAMES[found[2]]}.{found[3]}"
    raise _refused(file, f"holds {name[:60]!r}, which the lecture's model does not have")


def _shape_of(renamed: Weights, heads: Mapping[tuple[int, str], Mapping[int, Tensor]], file: Path) -> ModelConfig:
    table, places = renamed.get("token_embedding.weight"), renamed.get("position_embedding.weight")
    if table is None or table.ndim != 2:
        raise _refused(file, "holds no token_embedding_table")
    if places is None and not heads:
        return PRESETS["bigram"].model
    if places is None or places.ndim != 2 or not heads:
        raise _refused(file, "holds a part of the lecture's model alone")
    try:
        return ModelConfig(
            block_size=places.shape[0],
            n_layer=1 + max(block for block, _ in heads),
            n_head=max(len(ones) for ones in heads.values()),
            n_embd=table.shape[1],
        )
    except ConfigError as error:
        raise _refused(file, f"holds a model of a shape that cannot be ({error})") from error


def _ordered_heads(heads: Mapping[int, Tensor], count: int, file: Path) -> list[Tensor]:
    if sorted(heads) != list(range(count)) or any(head.ndim != 2 for head in heads.values()):
        raise _refused(file, "holds blocks of different or missing heads")
    return [heads[number] for number in range(count)]


def _check_shapes(weights: Weights, shape: ModelConfig, file: Path) -> None:
    """Raise IncompatibleError unless the weights are exactly those of a model of this shape."""
    with torch.device("meta"):
        model = build_model(shape, weights["token_embedding.weight"].shape[0], seed=0)
    expected = {name: tensor.shape for name, tensor in model.state_dict().items()}
    wrong = sorted(name for name in expected.keys() | weights.keys() if expected.get(name) != _size(weights, name))
    if wrong:
        raise _refused(file, f"does not fit together at {wrong[0]}")


def _size(weights: Weights, name: str) -> torch.Size | None:
    return weights[name].shape if name in weights else None
