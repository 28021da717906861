"""Splitting a text: by a fraction, with a validation text, by whole documents."""

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.text.helpers import parts, text_of
from tui_gpt.config import TrainConfig
from tui_gpt.errors import ConfigError, CorpusError
from tui_gpt.text.corpora import load, read_corpus
from tui_gpt.text.dataset import Corpus
from tui_gpt.text.documents import documents_of
from tui_gpt.text.split import Split

POEM = "".join(f"poem {number} sings of {number} and more\n{'la ' * (number % 7 + 1)}\n\n" for number in range(40))


@given(length=st.integers(40, 5_000), share=st.sampled_from([0.001, 0.05, 0.1, 0.25, 0.5]))
def test_the_given_fraction_at_the_end_of_the_text_is_held_out(length: int, share: float) -> None:
    text = ("abcdefghij" * 500)[:length]
    if share * length < 2:
        return
    train_part, val_part = parts(Corpus.build(text_of(text), 8, split=Split(val_share=share)))
    assert train_part + val_part == text
    assert abs(len(val_part) - share * length) <= 1


def test_the_default_split_holds_out_a_tenth_and_has_the_digest_of_the_text() -> None:
    text = load(read_corpus("tinyshakespeare"))
    corpus = Corpus.build(text, 256, split=Split.of(TrainConfig(max_iters=1)))
    assert (len(corpus.train), corpus.digest) == (int(0.9 * len(text.text)), text.digest)


@pytest.mark.parametrize("share", [0.0, 0.0009, 0.51, 1.0, -0.1, float("nan")])
def test_a_fraction_out_of_range_is_refused(share: float) -> None:
    with pytest.raises(ConfigError, match=r"val_share is .*choose a number from 0.001 to 0.5"):
        TrainConfig(max_iters=1, val_share=share)


def test_a_fraction_and_a_validation_text_cannot_be_combined() -> None:
    with pytest.raises(ConfigError, match="val_share and val_file cannot be used together: leave one of them out"):
        TrainConfig(max_iters=1, val_share=0.2, val_file="x")


def test_a_text_too_short_for_the_fraction_is_refused_with_the_length_needed() -> None:
    split = Split(val_share=0.01)
    with pytest.raises(CorpusError, match=r"needs 101: choose a longer text"):
        Corpus.build(text_of("ab" * 25), 8, split=split)
    assert len(Corpus.build(text_of("x" * 101), 8, split=split).val) == 2


def test_with_a_validation_text_the_whole_training_text_is_trained_on() -> None:
    corpus = Corpus.build(text_of("abcd" * 20), 8, split=Split(validation=text_of("dcba€dcba")))
    assert parts(corpus) == ("abcd" * 20, "dcbadcba")
    assert corpus.tokenizer.texts == "abcd"


def test_a_validation_text_with_too_few_known_characters_is_refused() -> None:
    with pytest.raises(CorpusError, match=r"^val_file: fake.txt is too short: .* has 1: choose a longer text$"):
        Corpus.build(text_of("abcd" * 20), 8, split=Split(validation=text_of("€€€a")))


def test_with_a_validation_text_the_training_text_needs_one_window() -> None:
    split = Split(validation=text_of("abab"))
    with pytest.raises(CorpusError, match=r"it has 8 usable characters, .* needs 9: .* --block-size 7"):
        Corpus.build(text_of("abababab"), 8, split=split)
    assert len(Corpus.build(text_of("ababababa"), 8, split=split).train) == 9


@pytest.mark.parametrize("kind", ["folder", "file"])
@pytest.mark.parametrize("seed", [0, 1, 2**63 - 1])
def test_whole_documents_are_held_out_near_the_fraction(kind: str, seed: int, folder: Path) -> None:
    text = load(read_corpus(str(folder))) if kind == "folder" else text_of(POEM)
    documents = Counter(documents_of(text))
    arranged = Split(val_share=0.25, shuffle_seed=seed).arranged(text)
    train_part, val_part = arranged.text[: arranged.boundary], arranged.text[arranged.boundary :]
    held_out = Counter(document for document in documents if document in val_part)
    assert "".join(sorted(held_out)) == "".join(sorted(held_out & documents))
    assert sum(map(len, held_out)) == len(val_part)
    assert len(train_part) + len(val_part) == len(text.text)
    assert all(document in train_part for document in documents - held_out)
    longest = max(map(len, documents))
    assert abs(len(val_part) - 0.25 * len(text.text)) <= longest / 2
    corpus = Corpus.build(text, 8, split=Split(val_share=0.25, shuffle_seed=seed))
    assert parts(corpus) == (train_part, val_part)


def test_the_order_for_a_seed_is_the_same_in_every_version() -> None:
    """A run resumed with another version of Python has the same split."""
    text = text_of("a\n\nb\n\nc\n\nd\n\ne\n\n")
    orders = [Split(shuffle_seed=seed).arranged(text).text.replace("\n", "") for seed in (1, 1, 2)]
    assert orders == ["decba", "decba", "debac"]


def test_a_document_larger_than_the_fraction_is_held_out_only_if_all_are() -> None:
    text = text_of("a" * 900 + "\n\n" + "b" * 98)
    for seed in range(10):
        assert parts(Corpus.build(text, 8, split=Split(shuffle_seed=seed)))[1] == "b" * 98 + "\n\n"
    even = text_of(("a" * 98 + "\n\n") + ("b" * 98 + "\n\n"))
    found = {parts(Corpus.build(even, 8, split=Split(val_share=0.01, shuffle_seed=seed)))[1][0] for seed in range(10)}
    assert found == {"a", "b"}


def test_one_document_cannot_be_shuffled() -> None:
    with pytest.raises(CorpusError, match=r"shuffle_documents finds one document in fake.txt: leave it out, or name"):
        Split(shuffle_seed=1).arranged(text_of("a\nb\n" * 50))


def test_documents_that_leave_too_little_to_train_on_are_refused() -> None:
    with pytest.raises(CorpusError, match=r"whole documents leave 10 characters .* needs 33 and 2: .*--block-size 9$"):
        Corpus.build(text_of("a" * 8 + "\n\n" + "b" * 8), 32, split=Split(shuffle_seed=1))
