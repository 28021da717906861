"""Write the folder that `transformers` loads: plain JSON and safetensors, without importing that library."""

import json
from pathlib import Path
from typing import Any

from tui_gpt.errors import IncompatibleError, UsageError
from tui_gpt.storage.checkpoint import Checkpoint, read_checkpoint, write_arrays
from tui_gpt.storage.export.hf.card import model_card
from tui_gpt.storage.export.hf.gpt2 import gpt2_config, gpt2_weights, require_expressible
from tui_gpt.storage.export.hf.tokenizer import tokenizer_config, tokenizer_json
from tui_gpt.storage.files import storage_errors, write_synced
from tui_gpt.storage.folders import make_folder
from tui_gpt.storage.manifest import read_info
from tui_gpt.storage.paths import real_path

WEIGHTS_FILE = "model.safetensors"
CARD_FILE = "README.md"


def export_hf(checkpoint: Path, target: Path) -> Path:
    """Write the model in the folder `checkpoint` into a new folder for `transformers`, and return its real path.

    Raises IncompatibleError where GPT-2 cannot express the model, UsageError when the folder exists, CheckpointError,
    StorageError.
    """
    info = read_info(checkpoint)
    require_expressible(info.config.model)
    if info.tokenizer.get("type") != "character":
        raise IncompatibleError(
            f"the tokenizer of this model ({info.tokenizer.get('type')}) has no exact form in `tokenizers`: export it "
            "with --format model for this program, or train with a character tokenizer"
        )
    found, place = read_checkpoint(checkpoint), real_path(target)
    files = _texts(found)
    with storage_errors(f"write {target}"):
        if not make_folder(place, {*files, WEIGHTS_FILE}, lambda draft: _fill(draft, files, found)):
            raise UsageError(f"{target} exists already: name a new folder")
    return place


def _fill(draft: Path, files: dict[str, str], checkpoint: Checkpoint) -> None:
    for name, text in files.items():
        write_synced(draft / name, [text.encode("utf-8")])
    write_arrays(draft / WEIGHTS_FILE, gpt2_weights(checkpoint.info.config.model, checkpoint.weights))


def _texts(checkpoint: Checkpoint) -> dict[str, str]:
    """Return the files besides the weights, by name."""
    info = checkpoint.info
    model = info.config.model
    records: dict[str, Any] = {
        "config.json": gpt2_config(model, info.vocab_size),
        "generation_config.json": {"do_sample": True, "temperature": 0.8, "max_length": model.block_size},
        "tokenizer.json": tokenizer_json(info.tokenizer["characters"]),
        "tokenizer_config.json": tokenizer_config(model.block_size),
    }
    texts = {name: json.dumps(record, indent=1, ensure_ascii=False) + "\n" for name, record in records.items()}
    return {**texts, CARD_FILE: model_card(info)}
