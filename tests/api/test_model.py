"""A model is loaded, generates and measures texts: the shipped one, and what was saved of a run."""

import math
from pathlib import Path

import pytest

import tui_gpt
from tests.fakes import FakeTextModel
from tui_gpt.api.model import Model
from tui_gpt.errors import ConfigError, NotFoundError, TuiGptError, UsageError


@pytest.fixture(scope="module")
def shipped() -> Model:
    return tui_gpt.load("shipped")


def test_equal_seeds_generate_equal_text_and_a_stream_is_the_same_text(shipped: Model) -> None:
    text = shipped.generate("ROMEO:", 8, seed=1)
    pieces = list(shipped.stream("ROMEO:", 8, seed=1))
    assert text == "".join(piece.text for piece in pieces)
    assert len(text) == 8
    assert all(len(piece.alternatives) == 10 for piece in pieces)
    assert shipped.generate("ROMEO:", 8, seed=2) != text


def test_the_score_after_a_prompt_is_what_the_stream_reported(shipped: Model) -> None:
    pieces = list(shipped.stream("O Romeo, Rom", 6, temperature=1, seed=3))
    score = shipped.score("".join(piece.text for piece in pieces), after="O Romeo, Rom")
    assert [piece.logprob for piece in score.pieces] == pytest.approx([piece.logprob for piece in pieces], abs=1e-4)
    assert score.logprob == pytest.approx(sum(piece.logprob for piece in pieces), abs=1e-3)
    assert score.probability == pytest.approx(math.exp(score.logprob))
    assert score.bits_per_char == pytest.approx(score.loss / math.log(2))


def test_a_familiar_text_is_less_surprising_than_a_strange_one(shipped: Model) -> None:
    verse, prose = (shipped.score(text) for text in ("But soft, what light", "Quarterly revenue up"))
    assert verse.bits_per_char < prose.bits_per_char
    assert "pieces" not in repr(verse)


def test_unknown_characters_are_left_out_with_a_warning(shipped: Model) -> None:
    with pytest.warns(UserWarning, match="shipped does not know these characters: '¡' 'é'"):
        text = shipped.generate("¡Roméo:", 3, seed=1)
    assert text == shipped.generate("Romo:", 3, seed=1)
    assert shipped.score("né").unknown == "é"


def test_a_text_without_a_known_character_has_no_score(shipped: Model) -> None:
    with pytest.raises(UsageError, match="knows none of these characters"):
        shipped.score("日本")


def test_a_setting_out_of_range_is_refused_before_anything_is_generated(shipped: Model) -> None:
    with pytest.raises(ConfigError, match="temperature is -1"):
        shipped.stream("", 10, temperature=-1)
    with pytest.raises(ConfigError, match="n cannot be '10'"):
        shipped.generate("", "10")  # type: ignore[arg-type]  # what is tested
    with pytest.raises(UsageError, match=r"there is no setting 'topk' \(did you mean top_k or"):
        shipped.generate("", 10, topk=3)  # type: ignore[call-arg]  # what is tested


def test_the_shipped_model_is_saved_and_loaded_again(shipped: Model, tmp_path: Path) -> None:
    place = shipped.save(tmp_path / "mine")
    copy = tui_gpt.load(str(place))
    assert repr(copy) == "<Model mine, step 650, validation loss 1.3877>"
    assert copy.generate("ROMEO:", 3, seed=1) == shipped.generate("ROMEO:", 3, seed=1)
    with pytest.raises(UsageError, match="exists already"):
        shipped.save(tmp_path / "mine")


def test_a_model_in_training_is_not_saved(tmp_path: Path) -> None:
    model = Model(FakeTextModel("fox@live"))
    with pytest.raises(UsageError, match="fox@live is in training: end the training"):
        model.save(tmp_path / "mine")


def test_a_missing_model_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="there is no run 'mine'"):
        tui_gpt.load("mine")
    with pytest.raises(TuiGptError, match="there is no run in"):
        tui_gpt.load(f"{tmp_path}/nowhere")


def test_without_a_source_the_shipped_model_is_loaded_until_there_is_a_run() -> None:
    assert tui_gpt.load().name == "shipped"


def test_the_copied_part_of_a_text_is_known(shipped: Model) -> None:
    assert shipped.copied("First Citizen:\nBefore we proceed any further, hear me speak.") == 1.0
    assert shipped.copied("short") is None


def test_an_explanation_is_of_what_is_generated_and_an_embedding_has_neighbours(shipped: Model) -> None:
    explained = shipped.explain("O Rom")
    piece = next(shipped.stream("O Rom", 1, temperature=0))
    likely = explained.most_likely(1)[0]
    assert explained.texts[likely] == piece.text
    assert math.log(explained.probs[likely]) == pytest.approx(piece.logprob, abs=1e-5)
    assert len(shipped.nearest("a", 3)) == 3
