"""What the lesson computes without a screen: counts, losses, texts, and the bits of guesses."""

import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest

from tests.fakes import FakeSession, FakeTextModel, finished, progress, started
from tui_gpt.config import SampleConfig
from tui_gpt.errors import CorpusError
from tui_gpt.generation.sampling import choose, filtered_probabilities
from tui_gpt.tui.learn.guess_score import GuessScore
from tui_gpt.tui.learn.material import Material
from tui_gpt.tui.learn.rivals import predictions
from tui_gpt.tui.learn.screens.training import LiveTrainingPage
from tui_gpt.tui.learn.small_training import Exercise, LessonRun, SmallTraining
from tui_gpt.tui.learn.writing import draw, write_like

TEXT = "the cat sat on the mat.\n" * 60


@pytest.fixture
def material(tmp_path: Path) -> Material:
    file = tmp_path / "cat.txt"
    file.write_text(TEXT)
    return Material(FakeSession(), str(file))


def test_the_figures_are_those_of_the_text(material: Material) -> None:
    assert (material.vocab_size, material.guess_loss) == (len(set(TEXT)), math.log(len(set(TEXT))))
    assert material.counted + material.new == TEXT
    assert material.frequencies["t"] == material.counted.count("t")
    assert dict(material.after("h")) == {"e": 1.0}
    spaces = material.counted[:-1].count(" ")
    assert dict(material.after(" "))["o"] == pytest.approx(material.counted.count(" o") / spaces)
    assert material.loss(1) > material.loss(3) > 0
    assert set(material.known_losses) == {1, 3}


def test_pieces_are_counted_and_looked_up_in_the_new_text(material: Material, tmp_path: Path) -> None:
    assert [one.seen for one in material.pieces[:3]] == [1.0, 1.0, 1.0]
    assert material.pieces[0].different == material.vocab_size
    file = tmp_path / "changing.txt"
    file.write_text("the cat sat on the mat.\n" * 60 + "a dog runs in the wood. " * 5)
    other = Material(FakeSession(), str(file))
    seen = [one.seen for one in other.pieces]
    assert seen == sorted(seen, reverse=True)
    assert seen[-1] < 0.5


def test_an_end_of_the_reader_s_text_is_found_with_what_followed(material: Material) -> None:
    assert material.longest_known_end("xyz on the ") == " on the "
    assert material.followers("on the ") == {"m": material.counted.count("on the m")}
    assert material.longest_known_end("§") == ""


def test_a_text_that_is_too_short_is_refused_with_a_remedy(tmp_path: Path) -> None:
    file = tmp_path / "short.txt"
    file.write_text("a few words")
    with pytest.raises(CorpusError, match="the lesson needs 1,000: choose a longer text"):
        _ = Material(FakeSession(), str(file)).text


class EndedTraining(SmallTraining):
    """A training that has ended, after some seconds."""

    is_running = False

    def __init__(self, seconds: float, step: int = 60) -> None:
        self.exercise = Exercise(TEXT, TEXT)
        self.record = LessonRun(name="lesson")
        newest = dataclasses.replace(progress(step), elapsed_seconds=seconds)
        self.record.apply_all([started(300), newest, finished(step, reason="stopped")])


def test_a_training_whose_time_was_over_says_so_and_another_does_not(material: Material) -> None:
    page = LiveTrainingPage(material)
    page.results = {0: (1.0, 2.0)}
    page.training = EndedTraining(seconds=41)
    assert "40 seconds were over at step 60 of 300" in page.hint()
    for ended in (EndedTraining(seconds=5), EndedTraining(seconds=41, step=300)):
        page.training = ended
        assert page.hint().startswith("{learn.less}")


def test_text_is_written_with_pieces_that_occur() -> None:
    for length in (2, 3, 5):
        written = write_like(TEXT, length, 200, seed=3)
        assert all(written[at : at + length] in TEXT for at in range(len(written) - length + 1))
    assert write_like(TEXT, 3, 50, seed=1) != write_like(TEXT, 3, 50, seed=2)
    assert set(draw({"a": 1, "b": 3}, 400, seed=1)) == {"a", "b"}
    assert draw({"a": 1, "b": 3}, 400, seed=1).count("b") > 250


def test_the_probabilities_of_the_numbers_of_guesses_add_up_to_one() -> None:
    """So the bits are those of a code that works."""
    score = GuessScore(vocab_size=65)
    for rank in (1, 1, 4, 1, 2, 65):
        assert sum(score.probability(each) for each in range(1, 66)) == pytest.approx(1)
        bits = -math.log2(score.probability(rank))
        assert score.add(rank) == pytest.approx(bits)
    assert score.found_at_once == pytest.approx(3 / 6)


def test_a_reader_who_always_guesses_right_at_once_needs_hardly_any_bits() -> None:
    right, blind = GuessScore(65), GuessScore(65)
    for at in range(200):
        right.add(1)
        blind.add(1 + at * 37 % 65)
    assert right.bits_per_character < 0.2
    assert math.log2(65) < blind.bits_per_character < 8


def test_a_reader_who_gives_up_at_once_needs_the_bits_of_blind_guessing() -> None:
    score = GuessScore(65)
    assert score.give_up(0) == pytest.approx(math.log2(65))


def test_giving_up_costs_a_guess_among_the_characters_that_are_left() -> None:
    score = GuessScore(65)
    rest = 1 - score.probability(1) - score.probability(2)
    assert score.give_up(2) == pytest.approx(-math.log2(rest / 63))
    assert score.characters == 1


def test_the_rivals_predict_the_same_characters_as_the_reader(material: Material) -> None:
    model = material.session.open_model(None)
    assert isinstance(model, FakeTextModel)
    model.not_in_alphabet = "s"
    passage = material.passage(0.0, 40)
    found = predictions(material, passage, 10)
    assert "".join(one.character for one in found) == passage[10:]
    assert all(one.model_bits == pytest.approx(1.0) and one.rank == 1 for one in found if one.character != "s")
    assert {one.model_bits for one in found if one.character == "s"} == {math.log2(material.vocab_size)}
    assert 0 <= sum(one.counts_bits for one in found) < len(found) / 2, "the text repeats what was counted"


@pytest.mark.parametrize("config", [SampleConfig(temperature=0.5, top_k=3), SampleConfig(temperature=0.0)])
def test_the_filtered_probabilities_are_those_that_are_drawn_from(config: SampleConfig) -> None:
    probabilities = np.array([0.1, 0.4, 0.2, 0.3])
    uniforms = (np.arange(1_000) + 0.5) / 1_000
    drawn = choose(np.tile(np.log(probabilities), (1_000, 1)), config, uniforms)
    expected = filtered_probabilities(probabilities, config)
    assert expected.sum() == pytest.approx(1)
    assert np.bincount(drawn, minlength=4) / 1_000 == pytest.approx(expected, abs=0.002)
