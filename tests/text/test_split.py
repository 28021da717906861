"""Which part of a text validates: a share, a text of its own, whole documents; and that a resumed run keeps it."""

import dataclasses
import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.session.test_session import learned, train, train_until
from tui_gpt.config import RunConfig, TrainConfig, resolve
from tui_gpt.control import Control
from tui_gpt.errors import ConfigError, CorpusError, IncompatibleError
from tui_gpt.events import Evaluated, Event, Started
from tui_gpt.requests import TrainRequest
from tui_gpt.session import Session
from tui_gpt.storage.runs import RunStore
from tui_gpt.text.corpora import CorpusText, read_corpus
from tui_gpt.text.split import Split, documents_of, settled
from tui_gpt.text.windows import Corpus

POEM = "".join(f"poem {number} sings of {number} and more\n{'la ' * (number % 7 + 1)}\n\n" for number in range(40))


def text_of(content: str) -> CorpusText:
    return CorpusText("fake", content, "0" * 64, "fake.txt")


def parts(corpus: Corpus) -> tuple[str, str]:
    return corpus.tokenizer.decode(corpus.train), corpus.tokenizer.decode(corpus.val)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of documents of several lengths, which have blank lines too."""
    place = tmp_path / "letters"
    place.mkdir()
    for number in range(12):
        (place / f"{number:02}.txt").write_text(f"letter {number} begins\n\n" + "dear reader, " * (3 + number % 4))
    return place


# Sharing out


@given(length=st.integers(40, 5_000), share=st.sampled_from([0.001, 0.05, 0.1, 0.25, 0.5]))
def test_the_end_of_the_text_is_held_out_as_large_as_was_asked(length: int, share: float) -> None:
    text = ("abcdefghij" * 500)[:length]
    if share * length < 2:
        return
    train_part, val_part = parts(Corpus.build(text_of(text), 8, split=Split(val_share=share)))
    assert train_part + val_part == text
    assert abs(len(val_part) - share * length) <= 1


def test_the_standard_split_and_its_digest_are_what_they_always_were() -> None:
    text = read_corpus("tinyshakespeare")
    corpus = Corpus.build(text, 256, split=Split.of(TrainConfig(max_iters=1)))
    assert (len(corpus.train), corpus.digest) == (int(0.9 * len(text.text)), text.digest)


@pytest.mark.parametrize("share", [0.0, 0.0009, 0.51, 1.0, -0.1, float("nan")])
def test_a_share_out_of_range_is_refused(share: float) -> None:
    with pytest.raises(ConfigError, match=r"val_share is .*choose a number from 0.001 to 0.5"):
        TrainConfig(max_iters=1, val_share=share)


def test_a_share_and_a_validation_text_exclude_each_other() -> None:
    with pytest.raises(ConfigError, match="val_share and val_file cannot be used together: leave one of them out"):
        TrainConfig(max_iters=1, val_share=0.2, val_file="x")


def test_a_text_that_the_share_leaves_too_short_names_a_length_that_will_do() -> None:
    split = Split(val_share=0.01)
    with pytest.raises(CorpusError, match=r"needs 101: choose a longer text"):
        Corpus.build(text_of("ab" * 25), 8, split=split)
    assert len(Corpus.build(text_of("x" * 101), 8, split=split).val) == 2


# A validation text


def test_a_validation_text_is_measured_and_all_of_the_other_is_trained_on() -> None:
    corpus = Corpus.build(text_of("abcd" * 20), 8, split=Split(validation=text_of("dcba€dcba")))
    assert parts(corpus) == ("abcd" * 20, "dcbadcba")
    assert corpus.tokenizer.characters == "abcd"


def test_a_validation_text_with_too_few_known_characters_is_one_line() -> None:
    with pytest.raises(CorpusError, match=r"^val_file: fake.txt is too short: .* has 1: choose a longer text$"):
        Corpus.build(text_of("abcd" * 20), 8, split=Split(validation=text_of("€€€a")))


def test_a_text_needs_no_more_than_a_window_beside_a_validation_text() -> None:
    split = Split(validation=text_of("abab"))
    with pytest.raises(CorpusError, match=r"it has 8 usable characters, .* needs 9: .* --block-size 7"):
        Corpus.build(text_of("abababab"), 8, split=split)
    assert len(Corpus.build(text_of("ababababa"), 8, split=split).train) == 9


def test_the_settings_name_a_validation_text_from_anywhere_and_tell_what_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.txt").write_text("abc" * 40)
    (tmp_path / "v.txt").write_text("ab€ab€c!" * 10)
    monkeypatch.chdir(tmp_path)
    config, notes = settled(resolve("nano", "a.txt", val_file="v.txt"))
    assert (config.corpus, config.train.val_file) == (str(tmp_path / "a.txt"), str(tmp_path / "v.txt"))
    path = tmp_path / "v.txt"
    assert notes[:-1] == (
        f"left out 30 characters (37.5%) of the validation text {path} that the text to learn from does not have",
    )
    assert len(settled(config, known="€!")[1]) == 1  # that few characters validate


@pytest.mark.parametrize("content", [None, b"", b" \n", b"\xff\xfe\xfd\x00"])
def test_a_validation_text_that_cannot_be_read_is_one_line(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "v.txt").write_bytes(content)
    with pytest.raises(CorpusError) as caught:
        settled(resolve("nano", "tinyshakespeare", val_file=str(tmp_path / "v.txt")))
    assert str(caught.value).startswith("val_file: ")
    assert "\n" not in str(caught.value)


# Documents


def test_the_documents_of_a_folder_are_its_files(folder: Path) -> None:
    documents = documents_of(read_corpus(str(folder)))
    assert documents == [path.read_text() + "\n" for path in sorted(folder.iterdir())]


@pytest.mark.parametrize(
    ("text", "documents"),
    [
        ("a\n\nb\n\nc\n\n", ["a\n\n", "b\n\n", "c\n\n"]),
        ("a\nb\n \t\n\n\nc", ["a\nb\n \t\n\n\n", "c\n\n"]),
        ("\n\n\na\n\nb\n", ["\n\n\na\n\n", "b\n\n"]),
        ("a\nb\nc\n", ["a\nb\nc\n"]),
        ("a\n\n", ["a\n\n"]),
    ],
)
def test_the_documents_of_a_file_are_its_blocks_between_blank_lines(text: str, documents: list[str]) -> None:
    assert documents_of(text_of(text)) == documents


@given(st.lists(st.text("ab \n", min_size=1), min_size=1).map("".join).filter(lambda text: not text.isspace()))
def test_documents_are_never_blank_and_make_up_the_text(text: str) -> None:
    documents = documents_of(text_of(text))
    assert "".join(documents).rstrip("\n") == text.rstrip("\n")
    assert not any(document.isspace() for document in documents)


@pytest.mark.parametrize("kind", ["folder", "file"])
@pytest.mark.parametrize("seed", [0, 1, 2**63 - 1])
def test_whole_documents_are_held_out_near_the_share(kind: str, seed: int, folder: Path) -> None:
    text = read_corpus(str(folder)) if kind == "folder" else text_of(POEM)
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


def test_the_seed_draws_the_order_for_ever() -> None:
    """A resumed run, on another version of Python as well, must find the same split."""
    text = text_of("a\n\nb\n\nc\n\nd\n\ne\n\n")
    orders = [Split(shuffle_seed=seed).arranged(text).text.replace("\n", "") for seed in (1, 1, 2)]
    assert orders == ["decba", "decba", "debac"]


def test_a_document_larger_than_the_share_is_held_out_only_where_all_are() -> None:
    text = text_of("a" * 900 + "\n\n" + "b" * 98)
    for seed in range(10):
        assert parts(Corpus.build(text, 8, split=Split(shuffle_seed=seed)))[1] == "b" * 98 + "\n\n"
    even = text_of(("a" * 98 + "\n\n") + ("b" * 98 + "\n\n"))
    found = {parts(Corpus.build(even, 8, split=Split(val_share=0.01, shuffle_seed=seed)))[1][0] for seed in range(10)}
    assert found == {"a", "b"}


def test_one_document_cannot_be_shuffled() -> None:
    with pytest.raises(CorpusError, match=r"shuffle_documents finds one document in fake.txt: leave it out, or name"):
        Split(shuffle_seed=1).arranged(text_of("a\nb\n" * 50))


def test_documents_that_leave_too_little_to_train_on_are_one_line() -> None:
    with pytest.raises(CorpusError, match=r"whole documents leave 10 characters .* needs 33 and 2: .*--block-size 9$"):
        Corpus.build(text_of("a" * 8 + "\n\n" + "b" * 8), 32, split=Split(shuffle_seed=1))


def test_a_note_tells_how_many_documents_validate(folder: Path) -> None:
    _, notes = settled(resolve("nano", str(folder), shuffle_documents=True, val_share=0.25))
    assert notes[0] == "validates on 3 of 12 documents, 24.3% of the text"


@pytest.mark.parametrize(("characters", "is_said"), [(5_000, True), (20_000, False)])
def test_few_characters_to_validate_on_are_named(tmp_path: Path, characters: int, is_said: bool) -> None:
    path = tmp_path / "text.txt"
    path.write_text("a fox. " * (characters // 7), encoding="utf-8")
    _, notes = settled(resolve("nano", str(path)))
    assert [note[:16] for note in notes] == ["only 500 charact"] * is_said


# Runs

Make = Callable[..., RunConfig]


@pytest.fixture
def tiny(folder: Path) -> Make:
    """A configuration that trains in a blink, on a folder."""

    def make(preset: str = "nano", **overrides: Any) -> RunConfig:
        shape = {
            "n_layer": 1, "n_head": 2, "n_embd": 16, "block_size": 8, "batch_size": 4, "max_iters": 12,
            "eval_interval": 4, "log_interval": 2, "device": "cpu", "threads": 1, "dropout": 0.1,
        }  # fmt: skip
        if preset == "quick":
            shape |= {"dropout": 0.0, "members": 1, "ngram_order": 3}
        return resolve(preset, str(folder), **{**shape, **overrides})

    return make


@pytest.fixture
def val_file(tmp_path: Path) -> Path:
    path = tmp_path / "held-out.txt"
    path.write_text("a letter to the dear reader begins\n" * 6)
    return path


def resume(name: str, **request: Any) -> list[Event]:
    return list(Session().train(TrainRequest(resume=name, **request), Control()))


def sizes(events: list[Event]) -> list[tuple[int, int]]:
    """The characters to train and to validate on."""
    return [(event.train_tokens, event.val_tokens) for event in events if isinstance(event, Started)]


@pytest.mark.parametrize("preset", ["nano", "quick"])
@pytest.mark.parametrize(
    "chosen", [{"val_share": 0.3}, {"shuffle_documents": True, "val_share": 0.2}, {"val_file": True}]
)
def test_a_resumed_run_is_measured_on_what_it_was(
    preset: str, chosen: dict[str, Any], tiny: Make, val_file: Path
) -> None:
    settings = {name: str(val_file) if name == "val_file" else value for name, value in chosen.items()}
    whole = train(Session(), tiny(preset, **settings), name="whole")
    first = train_until(Session(), TrainRequest(config=tiny(preset, **settings), name="cut"), 5)
    second = resume("cut")
    assert learned(first) + learned(second) == learned(whole)
    assert sizes(second) == sizes(first) == sizes(whole)
    measured = Session().evaluate("whole", Control())
    assert measured.val_loss == pytest.approx(
        min(event.val_loss for event in whole if isinstance(event, Evaluated)), abs=1e-5
    )


@pytest.mark.parametrize("change", ["changed", "moved"])
def test_a_validation_text_that_changed_or_moved_is_refused(change: str, tiny: Make, val_file: Path) -> None:
    train_until(Session(), TrainRequest(config=tiny(val_file=str(val_file)), name="one"), 5)
    if change == "changed":
        val_file.write_text("something else altogether\n" * 6)
        reason, way = "has changed since", "start a new run with --init-from one"
    else:
        val_file.rename(val_file.with_name("elsewhere.txt"))
        reason, way = "is no longer there", "name its new place with --val-file beside --resume"
    with pytest.raises(IncompatibleError, match=f"the validation text {val_file}.* {reason}.*{way}"):
        resume("one")
    with pytest.raises(IncompatibleError, match=f"the validation text {val_file}.* {reason}.*--file"):
        Session().evaluate("one@last", Control())
    if change == "moved":
        resume("one", changes={"val_file": str(val_file.with_name("elsewhere.txt"))})
        assert Session().evaluate("one", Control()).step > 0


def test_a_changed_text_is_told_from_a_changed_validation_text(tiny: Make, val_file: Path, folder: Path) -> None:
    train_until(Session(), TrainRequest(config=tiny(val_file=str(val_file)), name="one"), 5)
    (folder / "00.txt").write_text("another letter\n" * 9)
    with pytest.raises(IncompatibleError, match=f"the text {folder} has changed"):
        resume("one")


def test_the_same_text_with_other_documents_is_another_text(tiny: Make, folder: Path, tmp_path: Path) -> None:
    """Joined into one file, the letters fall apart at their own blank lines."""
    train_until(Session(), TrainRequest(config=tiny(shuffle_documents=True), name="one"), 5)
    (tmp_path / "joined.txt").write_text(read_corpus(str(folder)).text)
    assert read_corpus(str(tmp_path / "joined.txt")).digest == read_corpus(str(folder)).digest
    with pytest.raises(IncompatibleError, match="has changed since"):
        resume("one", corpus=str(tmp_path / "joined.txt"))


@pytest.mark.parametrize("changes", [{"val_share": 0.2}, {"shuffle_documents": True}])
def test_the_split_cannot_change_when_a_run_is_resumed(changes: dict[str, Any], tiny: Make) -> None:
    train_until(Session(), TrainRequest(config=tiny(), name="one"), 5)
    with pytest.raises(IncompatibleError, match=f"{min(changes)} cannot change when a run is resumed"):
        resume("one", changes=changes)


@pytest.mark.parametrize("had_one", [True, False])
def test_a_validation_text_can_be_neither_taken_away_nor_added(had_one: bool, tiny: Make, val_file: Path) -> None:
    own, other = (str(val_file), None) if had_one else (None, str(val_file))
    train_until(Session(), TrainRequest(config=tiny(val_file=own), name="one"), 5)
    with pytest.raises(IncompatibleError, match="the validation text"):
        resume("one", changes={"val_file": other})


def test_a_run_from_a_stranger_cannot_make_a_validation_text_of_a_pipe(tiny: Make, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for number, spec in enumerate([str(tmp_path / "pipe"), "-"]):
        config = tiny()
        config = dataclasses.replace(config, train=dataclasses.replace(config.train, val_file=spec))
        RunStore().create(config, f"run-{number}")
        with pytest.raises(CorpusError, match="which is no file"):
            resume(f"run-{number}")


def test_a_run_without_a_checkpoint_takes_the_new_place_of_its_validation_text(tiny: Make, val_file: Path) -> None:
    RunStore().create(tiny(val_file=str(val_file)), "one")
    moved = val_file.rename(val_file.with_name("elsewhere.txt"))
    resume("one", changes={"val_file": str(moved)})
    assert RunStore().get("one").summary().best_val_loss is not None
