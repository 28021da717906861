"""A nanoGPT character checkpoint becomes a run with the same logits; anything else is refused in one line."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.training.imports.nanogpt_files import (
    ARGUMENTS,
    CHARACTERS,
    TEXT,
    C,
    T,
    V,
    checkpoint,
    logits,
    meta,
    state_dict,
    write,
)
from tui_gpt.cli import main as cli
from tui_gpt.config import SampleConfig
from tui_gpt.control import Control
from tui_gpt.errors import IncompatibleError, NotFoundError, TuiGptError, UsageError
from tui_gpt.models.build import build_model, load_weights
from tui_gpt.requests import TrainRequest
from tui_gpt.session import Session, import_run
from tui_gpt.storage.runs import Run, RunStore
from tui_gpt.text.tokenizer import CharTokenizer
from tui_gpt.training.checkpoints.tensors import read_checkpoint


def imported(folder: Path, content: object = None, **files: Any) -> Run:
    content = checkpoint(state_dict(bias=False)) if content is None else content
    return import_run(write(folder, content, **files), name="fox")


def logits_of(run: Run, text: str) -> torch.Tensor:
    """Return (1, T, V) after each character of `text`, V in the order of our tokens."""
    found = read_checkpoint(run.require_checkpoint("best"))
    model = build_model(found.info.config.model, found.info.vocab_size, seed=0)
    load_weights(model, found.weights)
    tokens = torch.from_numpy(CharTokenizer.from_dict(found.info.tokenizer).encode(text)).long()
    with torch.no_grad():
        return model.eval()(tokens[None])[0]  # type: ignore[no-any-return]  # a module's result


@pytest.mark.parametrize("prefix", ["", "_orig_mod."])
@pytest.mark.parametrize("bias", [False, True])
def test_the_imported_model_has_nanogpts_logits(bias: bool, prefix: str, tmp_path: Path) -> None:
    """With biases, also those of queries, keys and values; the causal mask of older versions is skipped."""
    weights = state_dict(bias=bias)
    stored = {prefix + name: tensor for name, tensor in weights.items()}
    stored[f"{prefix}transformer.h.0.attn.bias"] = torch.ones(T, T).tril()[None, None]
    run = imported(tmp_path, checkpoint(stored, bias=bias))
    tokens = torch.tensor([[CHARACTERS.index(character) for character in TEXT[:T]]])
    torch.testing.assert_close(logits_of(run, TEXT[:T]), logits(weights, tokens), atol=1e-5, rtol=0)


def test_the_tokens_of_another_order_of_characters_are_sorted(tmp_path: Path) -> None:
    weights, shuffled = state_dict(bias=False), CHARACTERS[::-1]
    run = imported(tmp_path, checkpoint(weights), vocabulary=meta(shuffled))
    theirs = logits(weights, torch.tensor([[shuffled.index(character) for character in TEXT[:T]]]))
    torch.testing.assert_close(logits_of(run, TEXT[:T]), theirs.flip(-1), atol=1e-5, rtol=0)


def test_an_imported_run_can_generate_be_evaluated_and_be_resumed(tmp_path: Path) -> None:
    run, session = imported(tmp_path), Session()
    assert (run.config.model.activation, run.config.model.dropout) == ("gelu", 0.1)
    assert run.config.corpus == str(tmp_path / "data" / "fox" / "input.txt")
    pieces = list(session.open_model("fox").stream("the ", SampleConfig(max_new_tokens=30, seed=1)))
    assert {piece.text for piece in pieces} <= set(TEXT)
    assert session.evaluate("fox", Control()).step == 0
    request = TrainRequest(resume="fox", changes={"max_iters": 2, "eval_interval": 2})
    assert list(session.train(request, Control()))[-1].type == "finished"


def test_the_greedy_text_is_nanogpts(tmp_path: Path) -> None:
    weights = state_dict(bias=False)
    imported(tmp_path, checkpoint(weights))
    tokens = [CHARACTERS.index("t")]
    while len(tokens) < T:
        padded = torch.tensor([tokens + [0] * (T - len(tokens))])
        tokens.append(int(logits(weights, padded)[0, len(tokens) - 1].argmax()))
    greedy = SampleConfig(temperature=0.0, max_new_tokens=T - 1)
    written = "".join(piece.text for piece in Session().open_model("fox").stream("t", greedy))
    assert "t" + written == "".join(CHARACTERS[token] for token in tokens)


def test_the_command_finds_the_vocabulary_and_the_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = write(tmp_path, checkpoint(state_dict(bias=False)))
    assert cli.run(["runs", "import", str(file)]) == 0
    assert capsys.readouterr().out == "ckpt\n"
    (tmp_path / "data" / "fox" / "meta.pkl").rename(tmp_path / "elsewhere.pkl")
    assert cli.run(["runs", "import", str(file), "--name", "two"]) == 1
    assert "name it with --meta" in capsys.readouterr().err
    arguments = ["--meta", str(tmp_path / "elsewhere.pkl"), "--corpus", str(tmp_path / "data" / "fox" / "input.txt")]
    assert cli.run(["runs", "import", str(file), "--name", "two", *arguments]) == 0
    assert sorted(summary.name for summary in RunStore().list()) == ["ckpt", "two"]


def test_without_its_text_a_model_can_still_generate(tmp_path: Path) -> None:
    imported(tmp_path, text=None)
    assert len(list(Session().open_model("fox").stream("the ", SampleConfig(max_new_tokens=5)))) == 5
    with pytest.raises(TuiGptError, match="no longer there"):
        Session().evaluate("fox", Control())


def test_a_text_with_other_characters_is_refused(tmp_path: Path) -> None:
    with pytest.raises(IncompatibleError, match=r"other characters than .*--corpus"):
        imported(tmp_path, text=TEXT + "!")
    assert RunStore().list() == []


def test_a_vocabulary_of_another_size_is_refused(tmp_path: Path) -> None:
    with pytest.raises(IncompatibleError, match=rf"knows {V} tokens and .* has {V + 1} characters: .*--meta"):
        imported(tmp_path, vocabulary=meta(CHARACTERS + "~"))


def test_the_option_is_for_nanogpt_alone(tmp_path: Path) -> None:
    torch.save({"token_embedding_table.weight": torch.ones(V, V)}, tmp_path / "bigram.pt")
    with pytest.raises(UsageError, match="--meta is for checkpoints of nanoGPT"):
        import_run(tmp_path / "bigram.pt", meta=tmp_path / "meta.pkl")


def test_a_name_of_a_data_set_leads_nowhere_else(tmp_path: Path) -> None:
    content = checkpoint(state_dict(bias=False)) | {"config": {"dataset": "../../../elsewhere"}}
    with pytest.raises(NotFoundError) as caught:
        imported(tmp_path, content)
    assert "elsewhere" not in str(caught.value)


def spoilt(name: str, tensor: torch.Tensor) -> dict[str, Any]:
    return checkpoint(state_dict(bias=True) | {name: tensor}, bias=True)


def without(name: str) -> dict[str, Any]:
    return checkpoint({key: value for key, value in state_dict(bias=False).items() if name not in key})


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (state_dict(bias=False), "without the model_args of nanoGPT"),
        (checkpoint(state_dict(bias=False)) | {"model_args": {"n_layer": 2}}, "shape that cannot be"),
        (checkpoint(state_dict(bias=False), n_head=7), "shape that cannot be"),
        (checkpoint(state_dict(bias=False), n_layer=0), "nanoGPT does not write"),
        (checkpoint(state_dict(bias=False), vocab_size="5"), "nanoGPT does not write"),
        (checkpoint(state_dict(bias=False), n_layer=3), "does not fit together at blocks.2"),
        (checkpoint(state_dict(bias=False), block_size=T + 1), "does not fit together at position_embedding"),
        (without("wte"), "does not fit together at"),
        (without("h.1.mlp.c_fc"), "does not fit together at blocks.1.feed_forward.expand.weight"),
        (spoilt("transformer.h.0.attn.c_attn.bias", torch.ones(5)), "blocks.0.attention.qkv.bias"),
        (spoilt("transformer.h.9.attn.c_attn.bias", torch.ones(3 * C)), "blocks.9.attention.qkv.bias"),
        (spoilt("transformer.strange.weight", torch.ones(2)), "'transformer.strange.weight'"),
        (spoilt("transformer.ln_f.weight", torch.full((C,), torch.nan)), "not finite"),
        (spoilt("lm_head.weight", torch.ones(1, 1).expand(20_000, 20_000)), "claims more weights"),
    ],
)
def test_anything_but_nanogpts_model_is_refused_in_one_line(content: object, reason: str, tmp_path: Path) -> None:
    with pytest.raises(IncompatibleError) as caught:
        imported(tmp_path, content)
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)
    assert RunStore().list() == []


class Evil:
    """Calls `os.system` when it is unpickled."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return os.system, (self.command,)


@pytest.mark.parametrize("where", ["checkpoint", "vocabulary"])
def test_a_malicious_file_runs_nothing(where: str, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    evil = Evil(f"touch '{canary}'")
    content, vocabulary = checkpoint(state_dict(bias=False)), meta()
    (content if where == "checkpoint" else vocabulary)["evil"] = evil
    with pytest.raises(IncompatibleError, match=r"Python object|can be code"):
        imported(tmp_path, content, vocabulary=vocabulary)
    assert not canary.exists()
    assert RunStore().list() == []


def test_the_arguments_are_those_of_nanogpt() -> None:
    assert set(ARGUMENTS) == {"n_layer", "n_head", "n_embd", "block_size", "bias", "vocab_size", "dropout"}
