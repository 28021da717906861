"""Create a run from a model that was trained elsewhere."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tui_gpt.config import DEFAULT_CORPUS, PRESETS, RunConfig
from tui_gpt.errors import IncompatibleError, NotFoundError, TuiGptError, UsageError
from tui_gpt.storage.manifest import CheckpointInfo
from tui_gpt.storage.runs import Run, RunStore
from tui_gpt.text.corpora import AnyText, read_corpus
from tui_gpt.text.tokenizer import CharTokenizer
from tui_gpt.training.checkpoints.tensors import write_checkpoint
from tui_gpt.training.imports import lecture, nanogpt
from tui_gpt.training.imports.models import ImportedModel
from tui_gpt.training.imports.pt_file import PtFile, read_pt_file
from tui_gpt.training.imports.vocabulary import read_vocabulary

_WRAPPERS = ("model", "state_dict", "model_state_dict")
"""Usual names of a state dict in a larger dictionary."""
_DATASET_NAME = re.compile(r"\w[\w.-]*")


@dataclass(frozen=True)
class _Source:
    """What a new run is made of."""

    model: ImportedModel
    tokenizer: CharTokenizer
    corpus: str
    """The text that the model was trained on, as in `RunConfig`."""
    digest: str
    """That text's digest; empty if the text is not there."""


def import_run(store: RunStore, file: Path, corpus: str | None, name: str, meta: Path | None = None) -> Run:
    """Return a new run `name` with the weights in `file`: the lecture's state dict, or nanoGPT's `ckpt.pt`.

    The characters are those of the text `corpus` (None is TinyShakespeare) or, of nanoGPT, those in its `meta.pkl`.
    Raises NotFoundError, IncompatibleError where the file is anything else or the text has other characters,
    CorpusError, UsageError where the name is taken, StorageError.
    """
    loaded = read_pt_file(file)
    inner = next((loaded.content[key] for key in _WRAPPERS if isinstance(loaded.content.get(key), dict)), None)
    state_dict = inner if isinstance(inner, dict) else dict(loaded.content)
    if nanogpt.is_nanogpt(state_dict):
        source = _of_nanogpt(loaded, state_dict, corpus, meta)
    elif meta is not None:
        raise UsageError(f"--meta is for checkpoints of nanoGPT, and {file} is none: leave it out")
    else:
        source = _of_lecture(loaded, state_dict, corpus or DEFAULT_CORPUS)
    return _create(store, name, source)


def _of_lecture(file: PtFile, state_dict: dict[Any, object], corpus: str) -> _Source:
    model = lecture.convert_state_dict(file.tensors(state_dict), file.path)
    text = read_corpus(corpus)
    tokenizer = CharTokenizer(text.alphabet)
    if tokenizer.vocab_size != model.vocab_size:
        raise IncompatibleError(
            f"the model knows {model.vocab_size} characters and the text {corpus} has {tokenizer.vocab_size} distinct "
            "ones: name the text that the model was trained on with --corpus"
        )
    return _Source(model, tokenizer, text.source, text.digest)


def _of_nanogpt(file: PtFile, state_dict: dict[Any, object], corpus: str | None, meta: Path | None) -> _Source:
    shape, vocab_size = nanogpt.described_model(file)
    meta = meta or _meta_of(file)
    characters = read_vocabulary(meta)
    if vocab_size != len(characters):
        raise IncompatibleError(
            f"the model knows {vocab_size:,} tokens and {meta} has {len(characters):,} characters: name the meta.pkl "
            "of the text that it was trained on with --meta"
        )
    model = nanogpt.convert_checkpoint(file, state_dict, shape, characters)
    tokenizer = CharTokenizer("".join(sorted(characters)))
    text = _text_of(corpus, meta, tokenizer)
    if text is None:
        return _Source(model, tokenizer, str(_input_beside(meta)), "")
    return _Source(model, tokenizer, text.source, text.digest)


def _meta_of(file: PtFile) -> Path:
    """Return the `meta.pkl` beside a checkpoint, or in `data/` of the nanoGPT that wrote it. Raises NotFoundError."""
    settings = file.content.get("config")
    dataset = settings.get("dataset") if isinstance(settings, dict) else None
    places = [file.path.with_name("meta.pkl")]
    if isinstance(dataset, str) and _DATASET_NAME.fullmatch(dataset):
        places.append(file.path.absolute().parent.parent / "data" / dataset / "meta.pkl")
    for place in places:
        if place.is_file():
            return place
    raise NotFoundError(
        f"there is no meta.pkl, which holds the model's characters, at {' or '.join(map(str, places))}: name it with "
        "--meta"
    )


def _text_of(corpus: str | None, meta: Path, tokenizer: CharTokenizer) -> AnyText | None:
    """Return the text that a nanoGPT was trained on: `corpus`, the `input.txt` beside its `meta.pkl`, or
    TinyShakespeare if that has the same characters; None if the text is not there.

    Raises IncompatibleError where a text that is named or beside it has other characters, CorpusError.
    """
    beside = _input_beside(meta)
    spec = corpus or (str(beside) if beside.is_file() else DEFAULT_CORPUS)
    text = read_corpus(spec)
    if CharTokenizer(text.alphabet) == tokenizer:
        return text
    if spec == DEFAULT_CORPUS and corpus is None:
        return None
    raise IncompatibleError(
        f"the text {spec} has other characters than {meta}: name the text that the model was trained on with --corpus"
    )


def _input_beside(meta: Path) -> Path:
    return meta.absolute().with_name("input.txt")


def _create(store: RunStore, name: str, source: _Source) -> Run:
    preset = "classic" if source.model.shape.n_layer else "bigram"
    config = RunConfig(preset=preset, corpus=source.corpus, model=source.model.shape, train=PRESETS[preset].train)
    info = CheckpointInfo(
        config=config,
        tokenizer=source.tokenizer.to_dict(),
        vocab_size=source.model.vocab_size,
        step=0,
        max_iters=config.train.max_iters or 0,
        corpus_digest=source.digest,
    )
    run = store.create(config, name)
    try:
        with run.lock():
            write_checkpoint(run.checkpoint_target("best"), info, source.model.weights)
            write_checkpoint(run.checkpoint_target("last"), info, source.model.weights, {})
            run.set_state("stopped")
    except TuiGptError:
        store.delete(name)
        raise
    return run
