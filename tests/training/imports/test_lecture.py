"""A state dict of the lecture's model becomes a run; any other content is refused, and nothing of it is executed."""

import pickle
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.storage.damage import one_line
from tests.storage.helpers import mutations
from tui_gpt.cli import main as cli
from tui_gpt.config import SampleConfig
from tui_gpt.control import Control
from tui_gpt.errors import IncompatibleError, NotFoundError, StorageError, UsageError
from tui_gpt.events import Finished
from tui_gpt.models.build import build_model, load_weights
from tui_gpt.requests import TrainRequest
from tui_gpt.session import Session, import_run
from tui_gpt.storage.runs import Run, RunStore
from tui_gpt.training.checkpoints.tensors import read_checkpoint
from tui_gpt.training.imports import pt_file
from tui_gpt.training.imports import run as importing

TEXT = "the quick brown fox jumps over the lazy dog\n" * 40
V, T, C, H, N = len(set(TEXT)), 12, 24, 3, 2


class Head(nn.Module):
    """As in the lecture's gpt.py, dropout left out."""

    def __init__(self) -> None:
        super().__init__()
        self.key = nn.Linear(C, C // H, bias=False)
        self.query = nn.Linear(C, C // H, bias=False)
        self.value = nn.Linear(C, C // H, bias=False)
        self.register_buffer("tril", torch.tril(torch.ones(T, T)))

    def forward(self, x: Tensor) -> Tensor:
        t = x.shape[1]
        k, q = self.key(x), self.query(x)
        wei = q @ k.transpose(-2, -1) * k.shape[-1] ** -0.5
        wei = wei.masked_fill(self.tril[:t, :t] == 0, float("-inf"))  # type: ignore[index]  # a buffer
        return F.softmax(wei, dim=-1) @ self.value(x)  # type: ignore[no-any-return]


class MultiHeadAttention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.heads = nn.ModuleList(Head() for _ in range(H))
        self.proj = nn.Linear(C, C)

    def forward(self, x: Tensor) -> Tensor:
        return self.proj(torch.cat([head(x) for head in self.heads], dim=-1))  # type: ignore[no-any-return]


class FeedForward(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(C, 4 * C), nn.ReLU(), nn.Linear(4 * C, C), nn.Dropout(0.0))

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)  # type: ignore[no-any-return]


class LectureBlock(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.sa, self.ffwd = MultiHeadAttention(), FeedForward()
        self.ln1, self.ln2 = nn.LayerNorm(C), nn.LayerNorm(C)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.sa(self.ln1(x))
        return x + self.ffwd(self.ln2(x))  # type: ignore[no-any-return]


class Lecture(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.token_embedding_table = nn.Embedding(V, C)
        self.position_embedding_table = nn.Embedding(T, C)
        self.blocks = nn.Sequential(*(LectureBlock() for _ in range(N)))
        self.ln_f = nn.LayerNorm(C)
        self.lm_head = nn.Linear(C, V)

    def forward(self, idx: Tensor) -> Tensor:
        x = self.token_embedding_table(idx) + self.position_embedding_table(torch.arange(idx.shape[1]))
        return self.lm_head(self.ln_f(self.blocks(x)))  # type: ignore[no-any-return]


def lecture() -> Lecture:
    """Return the lecture's model, with every parameter changed from its initial value."""
    torch.manual_seed(0)
    model = Lecture()
    for parameter in model.parameters():
        parameter.data += 0.2 * torch.randn_like(parameter)
    return model


def saved(content: object, folder: Path) -> Path:
    torch.save(content, folder / "model.pt")
    return folder / "model.pt"


def text_in(folder: Path, text: str = TEXT) -> str:
    (folder / "fox.txt").write_text(text)
    return str(folder / "fox.txt")


def imported(content: object, folder: Path) -> Run:
    return import_run(saved(content, folder), text_in(folder), "lecture")


def refusal(content: object, folder: Path) -> str:
    """Return the error, which is one line; check that no run was created."""
    file = content if isinstance(content, Path) else saved(content, folder)
    with pytest.raises(IncompatibleError) as caught:
        import_run(file, text_in(folder), "lecture")
    assert "\n" not in str(caught.value)
    assert RunStore().list() == []
    return str(caught.value)


def test_the_imported_model_has_the_lectures_logits(tmp_path: Path) -> None:
    model = lecture()
    checkpoint = read_checkpoint(imported(model.state_dict(), tmp_path).require_checkpoint("best"))
    shape = checkpoint.info.config.model
    assert (shape.n_layer, shape.n_head, shape.n_embd, shape.block_size) == (N, H, C, T)
    ours = build_model(shape, V, seed=0)
    load_weights(ours, checkpoint.weights)
    tokens = torch.randint(0, V, (3, T))
    torch.testing.assert_close(ours.eval()(tokens)[0], model(tokens), atol=1e-5, rtol=0)


def test_an_imported_run_can_generate_be_evaluated_initialize_another_and_be_resumed(tmp_path: Path) -> None:
    run = imported({"model_state_dict": lecture().half().state_dict()}, tmp_path)
    session = Session()
    pieces = list(session.open_model("lecture").stream("the ", SampleConfig(max_new_tokens=5, seed=1)))
    assert len(pieces) == 5
    assert session.evaluate("lecture@last", Control()).step == 0
    assert (run.state, run.config.corpus) == ("stopped", str(tmp_path / "fox.txt"))
    two_steps = {"max_iters": 2, "eval_interval": 2}
    started_from = TrainRequest(config=run.config, name="tuned", init_from="lecture")
    for request in (TrainRequest(resume="lecture", changes=two_steps), started_from):
        control = Control()
        for event in session.train(request, control):
            if event.step >= 2:
                control.stop()
        assert isinstance(event, Finished)
        assert event.step >= 2


def test_the_command_imports_and_names_the_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = saved(lecture().state_dict(), tmp_path)
    assert cli.run(["runs", "import", str(file), "--corpus", text_in(tmp_path)]) == 0
    assert capsys.readouterr().out == "model\n"
    assert cli.run(["runs", "import", str(file), "--name", "other"]) == 2
    assert "name the text that the model was trained on" in capsys.readouterr().err
    assert [summary.name for summary in RunStore().list()] == ["model"]


def test_the_lectures_bigram_model_is_converted_too(tmp_path: Path) -> None:
    table = torch.randn(V, V)
    run = imported({"token_embedding_table.weight": table}, tmp_path)
    assert run.config.preset == "bigram"
    assert torch.equal(read_checkpoint(run.require_checkpoint("best")).weights["token_embedding.weight"], table)


def test_a_text_with_other_characters_is_refused(tmp_path: Path) -> None:
    file = saved(lecture().state_dict(), tmp_path)
    with pytest.raises(IncompatibleError, match=rf"knows {V} characters .* has {V + 1} .*--corpus"):
        import_run(file, text_in(tmp_path, TEXT + "!"), "lecture")
    assert RunStore().list() == []


class Canary:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("protocol", [2, 4])
def test_a_malicious_file_runs_nothing(protocol: int, tmp_path: Path) -> None:
    """In an archive as torch.save makes it, and as a bare pickle."""
    canary = tmp_path / "canary"
    content = {**lecture().state_dict(), "evil": Canary(canary)}
    torch.save(content, tmp_path / "model.pt", pickle_protocol=protocol)
    bare = tmp_path / "bare.pt"
    bare.write_bytes(pickle.dumps(content, protocol=protocol))
    for file in (tmp_path / "model.pt", bare):
        refusal(file, tmp_path)
        assert not canary.exists()
    pickle.loads(bare.read_bytes())
    assert canary.exists(), "the canary cannot sing at all"


def test_a_file_with_other_objects_is_refused_unloaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pickle is disassembled before torch sees it."""

    def fail(*_: object, **__: object) -> None:
        pytest.fail("torch was imported")

    file = saved({"evil": Canary(tmp_path / "canary")}, tmp_path)
    monkeypatch.setattr(torch, "load", fail)
    assert "a Python object" in refusal(file, tmp_path)


def test_a_whole_model_is_refused_as_code(tmp_path: Path) -> None:
    line = refusal(nn.Linear(2, 2), tmp_path)
    assert "torch.nn.modules.linear Linear" in line
    assert "state_dict()" in line


def spoilt(**changes: object) -> dict[str, object]:
    return {**lecture().state_dict(), **{name.replace("__", "."): value for name, value in changes.items()}}


def without(name: str) -> dict[str, object]:
    return {key: value for key, value in lecture().state_dict().items() if not key.startswith(name)}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (spoilt(strange__weight=torch.ones(2)), "'strange.weight'"),
        (spoilt(lm_head__weight=torch.ones(V, C + 1)), "does not fit together at head.weight"),
        (spoilt(lm_head__bias=torch.full((V,), torch.nan)), "not finite"),
        (spoilt(step=3), "'step', which is no tensor"),
        (without("lm_head.bias"), "head.bias"),
        (without("blocks.0.sa.heads.1"), "missing heads"),
        (without("blocks.0"), "missing heads"),
        (without("position_embedding_table"), "a part of the lecture's model"),
        (without("token_embedding_table"), "no token_embedding_table"),
        (spoilt(token_embedding_table__weight=torch.ones(V, C + 1)), "shape that cannot be"),
        (spoilt(lm_head__weight=torch.ones(1, 1).expand(20_000, 20_000)), "claims more weights"),
        ({"token_embedding_table.weight": torch.randn(V, V + 1)}, "does not fit"),
        ({}, "no state dict"),
        ([torch.ones(2)], "no state dict"),
        ({"token_embedding_table.weight": torch.ones(2, 2).to_sparse()}, "a Python object"),
    ],
)
def test_anything_but_the_lectures_model_is_refused_in_one_line(content: object, reason: str, tmp_path: Path) -> None:
    assert reason in refusal(content, tmp_path)


def test_a_compressed_archive_is_refused_before_it_unpacks(tmp_path: Path) -> None:
    """A small file shall not become a large one in memory."""
    packed = tmp_path / "packed.pt"
    plain = saved(lecture().state_dict(), tmp_path)
    with zipfile.ZipFile(plain) as archive, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as other:
        for entry in archive.infolist():
            other.writestr(entry.filename, archive.read(entry))
    assert "torch.save does not make" in refusal(packed, tmp_path)


def test_a_pickle_that_is_too_long_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pt_file, "_PICKLE_LIMIT", 100)
    assert "too many tensors" in refusal(lecture().state_dict(), tmp_path)


def test_a_damaged_file_is_one_line_or_a_model(tmp_path: Path) -> None:
    content = saved(lecture().state_dict(), tmp_path).read_bytes()
    corpus, store = text_in(tmp_path), RunStore()
    refused = 0
    for number, data in enumerate(mutations(content, 150, seed=1)):
        (tmp_path / "damaged.pt").write_bytes(data)
        refused += not one_line(partial(import_run, tmp_path / "damaged.pt", corpus, f"run-{number}"))
        assert (tmp_path / "damaged.pt").read_bytes() == data
    assert refused + len(store.list()) == 150
    assert refused > 50


def test_a_missing_file_and_a_used_name_are_errors(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="cannot be read"):
        import_run(tmp_path / "none.pt", text_in(tmp_path))
    imported(lecture().state_dict(), tmp_path)
    with pytest.raises(UsageError, match="a run 'lecture' already"):
        imported(lecture().state_dict(), tmp_path)


def test_a_failed_write_leaves_no_partial_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise StorageError("the disk is full: free some space")

    monkeypatch.setattr(importing, "write_checkpoint", refuse)
    with pytest.raises(StorageError, match="full"):
        imported(lecture().state_dict(), tmp_path)
    assert RunStore().list() == []
