"""What `transformers` itself loads from an exported model: the same logits, text and tokens."""

import contextlib
import io
import re
from pathlib import Path
from typing import Any

import pytest
import torch

from tui_gpt.config import Activation, ModelConfig, RunConfig, SampleConfig, TrainConfig
from tui_gpt.models.build import build_model
from tui_gpt.models.classic import Classic
from tui_gpt.session import Session
from tui_gpt.storage.export.hf import export_hf
from tui_gpt.storage.manifest import CheckpointInfo
from tui_gpt.text.corpora import load, read_corpus
from tui_gpt.text.tokenizer import CharTokenizer
from tui_gpt.training.checkpoints.tensors import read_checkpoint, write_checkpoint

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),  # transformers warns of its own deprecations
]

STRANGE = "\0\t\n\r !'.,?abc<|>n'tÀé\u0301字\ufeff🎉"
BLOCK = 256


class Library:
    """Loads exported models as a user of `transformers` does; imported late, as it takes a second."""

    def __init__(self) -> None:
        self._module = pytest.importorskip("transformers", reason='needs `pip install -e ".[transformers]"`')

    def model(self, place: Path) -> Any:
        return self._module.AutoModelForCausalLM.from_pretrained(place).eval()

    def tokenizer(self, place: Path) -> Any:
        return self._module.AutoTokenizer.from_pretrained(place)


@pytest.fixture(scope="module")
def library() -> Library:
    return Library()


def text_of(kind: str) -> str:
    if kind == "shakespeare":
        return load(read_corpus("tinyshakespeare")).text
    return STRANGE + " a , b . 'n't  \n" * 40 + STRANGE


def exported(folder: Path, text: str, activation: Activation = "relu", n_embd: int = 80) -> Path:
    """Export a model in which no parameter is zero, with a peaked distribution of the next character."""
    config = ModelConfig(block_size=BLOCK, n_layer=2, n_head=4, n_embd=n_embd, dropout=0.1, activation=activation)
    tokenizer = CharTokenizer.from_text(text)
    model = build_model(config, tokenizer.vocab_size, seed=1)
    generator = torch.Generator().manual_seed(2)
    for parameter in model.parameters():
        parameter.data += 0.2 * torch.randn(parameter.shape, generator=generator)
    info = CheckpointInfo(
        config=RunConfig(preset="classic", corpus="text", model=config, train=TrainConfig(max_iters=1)),
        tokenizer=tokenizer.to_dict(), vocab_size=tokenizer.vocab_size, step=7, max_iters=9, val_loss=1.5,
    )  # fmt: skip
    write_checkpoint(folder / "checkpoint", info, model.state_dict())
    return export_hf(folder / "checkpoint", folder / "exported")


def ours(folder: Path) -> tuple[Classic, CharTokenizer]:
    checkpoint = read_checkpoint(folder / "checkpoint")
    model = Classic(checkpoint.info.config.model, checkpoint.info.vocab_size)
    model.load_state_dict(checkpoint.weights)
    return model.eval(), CharTokenizer.from_dict(checkpoint.info.tokenizer)


@pytest.mark.parametrize("n_embd", [80, 16], ids=["fewer characters than channels", "more characters than channels"])
@pytest.mark.parametrize("activation", ["relu", "gelu"])
def test_the_logits_are_ours(activation: Activation, n_embd: int, library: Library, tmp_path: Path) -> None:
    """Within 1e-4 at every position of full windows; the bias of the head is in the last layer norm."""
    text = text_of("shakespeare")
    place = exported(tmp_path, text, activation, n_embd)
    model, tokenizer = ours(tmp_path)
    tokens = torch.from_numpy(tokenizer.encode(text[: 4 * BLOCK])).long().view(4, BLOCK)
    other = library.model(place)
    assert type(other).__name__ == "GPT2LMHeadModel"
    with torch.no_grad():
        torch.testing.assert_close(other(tokens).logits, model(tokens)[0], atol=1e-4, rtol=0)


def test_greedy_text_is_ours(library: Library, tmp_path: Path) -> None:
    """200 characters, within the window."""
    place, prompt = exported(tmp_path, text_of("shakespeare")), "ROMEO:\n"
    tokenizer = library.tokenizer(place)
    tokens = library.model(place).generate(
        **tokenizer(prompt, return_tensors="pt"), max_new_tokens=200, do_sample=False
    )
    greedy = SampleConfig(temperature=0.0, max_new_tokens=200)
    expected = "".join(piece.text for piece in Session().open_model(tmp_path / "checkpoint").stream(prompt, greedy))
    assert tokenizer.decode(tokens[0]) == prompt + expected
    assert len(set(expected)) > 5


@pytest.mark.parametrize("kind", ["shakespeare", "strange"])
def test_the_tokenizer_encodes_and_decodes_the_whole_text(kind: str, library: Library, tmp_path: Path) -> None:
    text = text_of(kind)
    tokenizer, (_, mine) = library.tokenizer(exported(tmp_path, text)), ours(tmp_path)
    ids = tokenizer(text)["input_ids"]
    assert ids == mine.encode(text).tolist()
    assert tokenizer.decode(ids) == text
    assert tokenizer("a\u2603b\u2603")["input_ids"] == mine.encode("ab").tolist()


@pytest.mark.usefixtures("library")
def test_the_model_card_shows_python_that_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(exported(tmp_path, text_of("shakespeare")))
    (code,) = re.findall(r"```python\n(.*?)```", Path("README.md").read_text(), re.DOTALL)
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(code, {})
    assert len(printed.getvalue()) == BLOCK + 1
