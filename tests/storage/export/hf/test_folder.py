"""The folder for `transformers`, without that library: its files, and what is refused."""

import json
from pathlib import Path

import pytest

from tui_gpt.cli import main as cli
from tui_gpt.config import resolve
from tui_gpt.control import Control
from tui_gpt.errors import IncompatibleError, UsageError
from tui_gpt.requests import TrainRequest
from tui_gpt.session import Session
from tui_gpt.storage.export.hf import export_hf
from tui_gpt.storage.export.hf.gpt2 import require_expressible
from tui_gpt.storage.paths import shipped_dir
from tui_gpt.storage.runs import RunStore

FILES = [
    "README.md",
    "config.json",
    "generation_config.json",
    "model.safetensors",
    "tokenizer.json",
    "tokenizer_config.json",
]


def trained(folder: Path, preset: str = "nano") -> Path:
    """Train one step on a text and return the checkpoint."""
    text = folder / "my `text`.txt"
    text.write_text("the quick brown fox jumps over the lazy dog\n" * 40)
    shape = {"n_layer": 1, "n_head": 2, "n_embd": 16, "block_size": 16} if preset == "nano" else {}
    config = resolve(preset, str(text), max_iters=1, eval_interval=1, batch_size=2, **shape)
    list(Session().train(TrainRequest(config=config, name="one"), Control()))
    return RunStore().get("one").require_checkpoint("best")


def test_the_command_writes_a_folder_with_a_model_card(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trained(tmp_path)
    assert cli.run(["runs", "export", "one@last", str(tmp_path / "hf"), "--format", "hf"]) == 0
    printed = capsys.readouterr()
    assert printed.out == f"{tmp_path / 'hf'}\n"
    assert "README.md" in printed.err
    assert sorted(path.name for path in (tmp_path / "hf").iterdir()) == FILES
    card = (tmp_path / "hf" / "README.md").read_text()
    assert "on the text `my 'text'.txt`, 1 steps; validation loss" in card
    assert str(tmp_path) not in card
    assert json.loads((tmp_path / "hf" / "config.json").read_text())["activation_function"] == "relu"


def test_a_modern_model_is_refused_with_the_reason_and_what_would_work(tmp_path: Path) -> None:
    with pytest.raises(IncompatibleError) as caught:
        export_hf(shipped_dir() / "pretrained", tmp_path / "hf")
    for words in ("n-gram prior", "induction", "average of 8 networks", "--format model", "--preset nano"):
        assert words in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_bigram_model_is_refused() -> None:
    with pytest.raises(IncompatibleError, match="normalises before its head"):
        require_expressible(resolve("bigram").model)


def test_an_existing_folder_is_kept_and_an_8_bit_export_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint = trained(tmp_path)
    (tmp_path / "hf").mkdir()
    (tmp_path / "hf" / "mine").touch()
    with pytest.raises(UsageError, match="exists already: name a new folder"):
        export_hf(checkpoint, tmp_path / "hf")
    assert [path.name for path in (tmp_path / "hf").iterdir()] == ["mine"]
    assert cli.run(["runs", "export", "one", str(tmp_path / "other"), "--format", "hf", "--small"]) == 2
    assert "--small is for --format model" in capsys.readouterr().err
