"""The history: a file of cards in which any damage costs only the damaged line."""

import json
import math
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.tui.generate.notebook.helpers import CONFIG, card, written
from tui_gpt.storage.files import atomic_write
from tui_gpt.tui.generate.notebook import Answer, History


def test_cards_are_loaded_as_they_were_saved() -> None:
    kept = [card(written(), written(" ¶\n\x1b[", left_out="¶"), shown=1), card(written(prompt="漢字🙂"))]
    for one in kept:
        History().save(one)
    back = History().load()
    assert [(one.id, one.shown, len(one.answers)) for one in back] == [(kept[0].id, 1, 2), (kept[1].id, 0, 1)]
    assert [answer.full for one in back for answer in one.answers] == [
        answer.full for one in kept for answer in one.answers
    ]
    assert back[0].answer.config == CONFIG
    assert tuple(back[0].answer.logprobs) == pytest.approx(kept[0].answer.logprobs, abs=1e-3)


def test_changes_during_a_generation_are_loaded() -> None:
    changes = ((1, "temperature", 1.2), (2, "top_k", 5))
    History().save(card(written(changes=changes)))
    assert History().load()[0].answer.changes == changes


@pytest.mark.parametrize("changes", [5, [5], [["1", "temperature", 1.0]], [[1, "seed", 3]], [[1, "top_p", 7.0]]])
def test_an_answer_with_invalid_changes_is_skipped(changes: Any) -> None:
    History().save(card(written(changes=((1, "temperature", 1.2),))))
    path = History().path
    path.write_text(path.read_text().replace('[[1,"temperature",1.2]]', json.dumps(changes)))
    assert History().load() == []


@pytest.mark.parametrize("copied", [None, 0.0, 0.25, 1])
def test_the_copied_fraction_is_loaded(copied: float | None) -> None:
    History().save(card(written(copied=copied)))
    assert History().load()[0].answer.copied == copied


@pytest.mark.parametrize("copied", ["much", [0.25], 1.5, -0.1, True, math.nan, 10**400])
def test_an_answer_with_an_invalid_copied_fraction_is_skipped(copied: Any) -> None:
    History().save(card(written(copied=0.25)))
    path = History().path
    path.write_text(path.read_text().replace('"copied":0.25', f'"copied":{json.dumps(copied)}'))
    assert History().load() == []


def test_unknown_probabilities_stay_unknown() -> None:
    History().save(card(Answer(text="a", logprobs=(math.nan,))))
    assert math.isnan(History().load()[0].answer.logprobs[0])


def test_the_last_layout_of_a_card_wins() -> None:
    history, first = History(), card(written("a"), written("b"))
    history.save(first)
    history.save(first.swiped(1))
    assert [one.answer.text for one in History().load()] == ["b"]


def test_a_removed_card_is_not_loaded() -> None:
    history, first = History(), card()
    history.save(first)
    history.remove(first.id)
    assert History().load() == []


def test_saving_twice_writes_once() -> None:
    history, first = History(), card()
    history.save(first)
    size = history.path.stat().st_size
    history.save(first)
    assert history.path.stat().st_size == size


def test_a_torn_last_line_is_skipped_and_the_next_line_is_whole() -> None:
    history, first, second = History(), card(written("a")), card(written("b"))
    history.save(first)
    with history.path.open("a", encoding="utf-8") as file:
        file.write('{"answer":{"id":"x"')
    History().save(second)
    assert [one.answer.text for one in History().load()] == ["a", "b"]


@pytest.mark.parametrize(
    "line",
    [
        "",
        "[]",
        "null",
        "\x00\x01",
        '{"answer": 1}',
        '{"card": {"id": 1, "answers": [], "shown": 0}}',
        '{"card": {"id": "a", "answers": [[]], "shown": 0}}',
        '{"card": {"id": "a", "answers": ["gone"], "shown": 0}}',
        "[" * 100_000,
    ],
)
def test_a_damaged_line_costs_only_itself(line: str) -> None:
    history = History()
    history.save(card(written("a")))
    with history.path.open("a", encoding="utf-8") as file:
        file.write(line + "\n")
    History().save(card(written("b")))
    assert [one.answer.text for one in History().load()] == ["a", "b"]


@pytest.mark.parametrize(
    ("name", "value"),
    [("text", 1), ("kind", "other"), ("config", {"temperature": -1}), ("logprobs", ["x"]), ("logprobs", "x")],
)
def test_an_answer_with_an_invalid_field_is_skipped(name: str, value: object) -> None:
    history, bad = History(), card(written("bad"), written("good"))
    history.save(bad)
    lines = [json.loads(line) for line in history.path.read_text(encoding="utf-8").splitlines()]
    lines[0]["answer"][name] = value
    history.path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    assert [answer.text for answer in History().load()[0].answers] == ["good"]


def test_every_card_is_loaded() -> None:
    history = History()
    for number in range(100):
        history.save(card(written(prompt=str(number))))
    assert [one.answer.prompt for one in History().load()] == [str(number) for number in range(100)]


def test_a_file_that_has_grown_too_large_loses_only_what_is_outdated(monkeypatch: pytest.MonkeyPatch) -> None:
    history, old = History(), card(written("first"), written("second"))
    history.save(old)
    for number in range(20):
        history.save(card(written(prompt=str(number))))
        for _ in range(5):
            history.save(card(written("x" * 50)))
            history.remove(history.load()[-1].id)
    history.save(old.swiped(1))
    size = history.path.stat().st_size
    kept = [(one.id, one.shown, one.answer.full) for one in History().load()]
    assert [one[2] for one in kept[:2]] == ["tosecond", "0 be"]
    monkeypatch.setattr("tui_gpt.tui.generate.notebook.history.COMPACT_BYTES", size - 1)
    assert [(one.id, one.shown, one.answer.full) for one in History().load()] == kept
    assert history.path.stat().st_size < size / 2
    assert [(one.id, one.shown, one.answer.full) for one in History().load()] == kept


def test_a_file_is_not_replaced_by_one_of_about_the_same_size(monkeypatch: pytest.MonkeyPatch) -> None:
    history = History()
    for _ in range(5):
        history.save(card())
    monkeypatch.setattr("tui_gpt.tui.generate.notebook.history.COMPACT_BYTES", 10)
    before = history.path.stat().st_ino
    assert len(History().load()) == 5
    assert history.path.stat().st_ino == before


def _outdate(history: History) -> None:
    """Append lines that compaction drops."""
    for _ in range(20):
        gone = card(written("x" * 50))
        history.save(gone)
        history.remove(gone.id)


def test_two_apps_keep_each_others_cards(monkeypatch: pytest.MonkeyPatch) -> None:
    """One makes the file smaller while the other one has a card open that was removed meanwhile."""
    first, old = History(), card(written("old"))
    first.save(old)
    _outdate(first)
    History().remove(old.id)
    monkeypatch.setattr("tui_gpt.tui.generate.notebook.history.COMPACT_BYTES", 10)
    assert History().load() == []
    assert b"old" not in first.path.read_bytes()
    first.save(old.swiped(0))
    first.save(old.with_answers(written("new")))
    assert [answer.text for answer in History().load()[-1].answers] == ["old", "new"]


def test_nothing_is_appended_to_a_file_that_is_being_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    other, late = History(), card(written("late"))
    _outdate(other)
    monkeypatch.setattr("tui_gpt.tui.generate.notebook.history.COMPACT_BYTES", 10)
    monkeypatch.setattr("tui_gpt.tui.generate.notebook.history._PATIENCE_SECONDS", 0.0)

    def replace_late(path: Path, data: bytes) -> None:
        assert other.save(late) is False
        atomic_write(path, data)

    monkeypatch.setattr("tui_gpt.tui.generate.notebook.history.atomic_write", replace_late)
    History().load()
    assert other.save(late)
    assert [one.answer.text for one in History().load()][-1] == "late"


def test_many_writers_tear_no_line() -> None:
    cards = [card(written("x" * 20_000)) for _ in range(40)]
    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(lambda one: History().save(one), cards))
    assert {one.id for one in History().load()} == {one.id for one in cards}


def test_a_card_that_could_not_be_saved_is_saved_with_the_next_change(monkeypatch: pytest.MonkeyPatch) -> None:
    history, first = History(), card(written("a"))

    def refuse(*_: object) -> None:
        raise OSError(28, "full")

    with monkeypatch.context() as patch:
        patch.setattr("tui_gpt.tui.generate.notebook.history.append_lines", refuse)
        assert history.save(first) is False
    assert history.save(first)
    assert [one.answer.text for one in History().load()] == ["a"]


@pytest.mark.parametrize("name", ["history.jsonl", "history.jsonl.lock"])
@pytest.mark.parametrize("kind", ["link", "hard link", "pipe"])
def test_nothing_is_appended_to_a_file_elsewhere(tmp_path: Path, name: str, kind: str) -> None:
    precious, history = tmp_path / "notes.txt", History(tmp_path / "here" / "history.jsonl")
    precious.write_text("precious\n")
    history.path.parent.mkdir()
    place = history.path.with_name(name)
    if kind == "link":
        place.symlink_to(precious)
    elif kind == "pipe":
        os.mkfifo(place)
    else:
        place.hardlink_to(precious)
    assert history.save(card()) is False
    assert history.load() == []
    assert precious.read_text() == "precious\n"


def test_a_disk_that_refuses_costs_only_the_history(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    history = History(tmp_path / "file" / "history.jsonl")
    assert history.save(card()) is False
    assert history.load() == []
