"""Checking the texts of a new run, and the notes on them."""

from pathlib import Path

import pytest

from tui_gpt.config import resolve
from tui_gpt.errors import CorpusError
from tui_gpt.text.check import check_texts, require_files


def test_sources_become_absolute_and_unknown_characters_are_noted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.txt").write_text("abc" * 40)
    (tmp_path / "v.txt").write_text("ab€ab€c!" * 10)
    monkeypatch.chdir(tmp_path)
    config, notes = check_texts(resolve("nano", "a.txt", val_file="v.txt"))
    assert (config.corpus, config.train.val_file) == (str(tmp_path / "a.txt"), str(tmp_path / "v.txt"))
    path = tmp_path / "v.txt"
    assert notes[:-1] == (
        f"left out 30 characters (37.5%) of the validation text {path} that the training text does not contain",
    )
    assert len(check_texts(config, known="€!")[1]) == 1  # on the few characters that validate


@pytest.mark.parametrize("content", [None, b"", b" \n", b"\xff\xfe\xfd\x00"])
def test_an_unusable_validation_text_is_refused_in_one_line(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "v.txt").write_bytes(content)
    with pytest.raises(CorpusError) as caught:
        check_texts(resolve("nano", "tinyshakespeare", val_file=str(tmp_path / "v.txt")))
    assert str(caught.value).startswith("val_file: ")
    assert "\n" not in str(caught.value)


def test_the_app_refuses_streams_as_texts() -> None:
    require_files(resolve("nano", "tinyshakespeare", val_file="gone.txt"))
    with pytest.raises(CorpusError, match=r"^'-' is stdin, a pipe or a device"):
        require_files(resolve("nano", "-"))
    with pytest.raises(CorpusError, match=r"^val_file: '/dev/null' is stdin, a pipe or a device"):
        require_files(resolve("nano", "tinyshakespeare", val_file="/dev/null"))


def test_the_number_of_documents_that_validate_is_noted(folder: Path) -> None:
    _, notes = check_texts(resolve("nano", str(folder), shuffle_documents=True, val_share=0.25))
    assert notes[0] == "validates on 3 of 12 documents, 24.3% of the text"


@pytest.mark.parametrize(("characters", "is_noted"), [(5_000, True), (20_000, False)])
def test_a_short_validation_part_is_noted(tmp_path: Path, characters: int, is_noted: bool) -> None:
    path = tmp_path / "text.txt"
    path.write_text("a fox. " * (characters // 7), encoding="utf-8")
    _, notes = check_texts(resolve("nano", str(path)))
    assert [note[:48] for note in notes] == ["the validation part has only 500 characters, so "[:48]] * is_noted
