"""Runs with every tokenizer, from the first step to generated text; and what cannot be mixed."""

from pathlib import Path
from typing import Any

import pytest

from tests.session.test_session import learned, train, train_until
from tui_gpt.config import RunConfig, SampleConfig, resolve
from tui_gpt.control import Control
from tui_gpt.errors import ConfigError, CorpusError, IncompatibleError
from tui_gpt.events import Evaluated, Finished, Initialized, Sampled, Started
from tui_gpt.requests import TrainRequest
from tui_gpt.session import Session
from tui_gpt.storage.runs import RunStore
from tui_gpt.text.any_bytes import text_of

VERSE = "größer als der Fuchs ist 你好 der Hund, und größer als 你好 ist er. " * 12
TOKENIZERS = pytest.mark.parametrize("tokenizer", ["character", "byte", "bpe"])


@pytest.fixture
def verse(tmp_path: Path) -> str:
    """The path of a short text with characters of one, two and three bytes."""
    path = tmp_path / "verse.txt"
    path.write_text(VERSE, encoding="utf-8")
    return str(path)


def tiny(corpus: str, tokenizer: str, **overrides: Any) -> RunConfig:
    """Return the configuration of a run of a second."""
    if tokenizer == "bpe":
        pytest.importorskip("tokenizers")
        overrides = {"vocab_size": 270, **overrides}
    shape = {
        "n_layer": 1, "n_head": 2, "n_embd": 16, "block_size": 8, "batch_size": 4, "max_iters": 8, "members": 1,
        "eval_interval": 4, "log_interval": 4, "sample_interval": 8, "ngram_order": 3, "device": "cpu", "threads": 1,
    }  # fmt: skip
    return resolve("quick", corpus, tokenizer=tokenizer, **{**shape, **overrides})


@TOKENIZERS
def test_a_run_with_any_tokenizer_learns_resumes_is_measured_and_generates(tokenizer: str, verse: str) -> None:
    session = Session()
    whole = train(session, tiny(verse, tokenizer), name="whole")
    first = train_until(Session(), TrainRequest(config=tiny(verse, tokenizer), name="cut"), 5)
    second = list(Session().train(TrainRequest(resume="cut"), Control()))
    assert learned(first) + learned(second) == learned(whole)
    evaluation = [event for event in whole if isinstance(event, Evaluated)][-1]
    started = next(event for event in whole if isinstance(event, Started))
    assert started.tokenizer == tokenizer
    assert started.token_size.bytes / started.token_size.characters == pytest.approx(
        evaluation.bits_per_char / evaluation.bits_per_byte
    )
    measured = Session().evaluate("whole", Control())
    assert measured.bits_per_char == pytest.approx(evaluation.bits_per_char, rel=1e-4)
    model = session.open_model("whole")
    assert model.unknown("größer 你好") == ""
    pieces = list(model.stream("größer 你", SampleConfig(max_new_tokens=60, seed=1), details=True))
    assert len(pieces) == 60
    assert set("".join(piece.text for piece in pieces)) <= {*VERSE, "\ufffd"}
    assert len(pieces[0].alternatives) == 10
    assert "".join(piece.text for piece in model.score(VERSE)) == VERSE
    assert model.copied(VERSE[200:300]) == 1.0
    assert next(event.text for event in whole if isinstance(event, Sampled))


@TOKENIZERS
def test_the_list_of_runs_has_losses_that_compare(tokenizer: str, verse: str) -> None:
    finished = train(Session(), tiny(verse, tokenizer, sample_interval=0), name="one")[-1]
    assert isinstance(finished, Finished)
    summary = RunStore().get("one").summary()
    assert summary.best_bits_per_char == finished.best_bits_per_char is not None
    assert summary.best_bits_per_byte == finished.best_bits_per_byte is not None


def test_a_byte_model_is_trained_on_a_file_that_is_not_text(tmp_path: Path) -> None:
    data = bytes(range(256)) * 8 + b"\r\n\xff\xfe\x00"
    path = tmp_path / "a.bin"
    path.write_bytes(data)
    with pytest.raises(CorpusError, match=r"or train on its bytes with --tokenizer byte$"):
        train(Session(), tiny(str(path), "character"))
    config = tiny(str(path), "byte", sample_interval=0)
    started = next(event for event in train(Session(), config, name="bin") if isinstance(event, Started))
    assert started.train_tokens + started.val_tokens == len(data)
    model = Session().open_model("bin")
    assert sum(1 for _ in model.score(text_of(data[:300]))) == 300
    assert Session().evaluate("bin", Control()).val_tokens == started.val_tokens - 1


def test_a_folder_of_any_files_is_read_whole(tmp_path: Path) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "a.bin").write_bytes(b"\xff\x00" * 400)
    (folder / "b.txt").write_text("a text")
    started = train(Session(), tiny(str(folder), "byte", sample_interval=0))[0]
    assert isinstance(started, Started)
    assert started.train_tokens + started.val_tokens == 806


@pytest.mark.parametrize("tokenizer", ["byte", "bpe"])
def test_a_new_run_starts_from_a_model_with_its_tokenizer(tokenizer: str, verse: str, tmp_path: Path) -> None:
    train(Session(), tiny(verse, tokenizer, sample_interval=0), name="first")
    other = tmp_path / "other.txt"
    other.write_text("Ein anderer Text mit neuen Zeichen: ñ € 中文. " * 12, encoding="utf-8")
    config = tiny(str(other), tokenizer, sample_interval=0)
    request = TrainRequest(config=config, init_from="first", chosen={}, name="second")
    events = list(Session().train(request, Control()))
    assert [event.new_characters for event in events if isinstance(event, Initialized)] == [""]
    assert Session().open_model("second").unknown("ñ € 中文") == ""


def test_a_model_keeps_its_tokenizer(verse: str) -> None:
    train(Session(), tiny(verse, "byte", sample_interval=0), name="bytes")
    request = TrainRequest(config=tiny(verse, "byte"), init_from="bytes", chosen={"tokenizer": "character"})
    with pytest.raises(ConfigError, match="tokenizer is byte in bytes and cannot become character: leave it out"):
        list(Session().train(request, Control()))
    with pytest.raises(IncompatibleError, match="tokenizer cannot change when a run is resumed"):
        list(Session().train(TrainRequest(resume="bytes", changes={"tokenizer": "character"}), Control()))


def test_a_validation_part_of_bytes_holds_whole_characters(verse: str) -> None:
    """It is the same text that a character model is measured on."""
    sizes = [
        next(event for event in train(Session(), tiny(verse, tokenizer, max_iters=1)) if isinstance(event, Started))
        for tokenizer in ("character", "byte")
    ]
    characters = [round(one.val_tokens * one.token_size.characters) for one in sizes]
    assert characters[0] == characters[1]
