"""The history: a file of cards in which any damage costs only the damaged line."""

import json
import math
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tui.generate.notebook.helpers import CONFIG, card, written
from tui_gpt.storage.files import atomic_write
from tui_gpt.tui.generate.notebook import Answer, Card, History, Notebook
from tui_gpt.tui.generate.notebook.history_records import from_line, to_line
from tui_gpt.tui.generate.notebook.layouts import Shown, Undone
from tui_gpt.tui.generate.notebook.notebook import Part


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


def test_undo_and_redo_survive_a_restart() -> None:
    history, notebook, first = History(), Notebook(), card(written(id="a"))
    for step in (notebook.put(first, words="prompt"), notebook.put(first.with_note("a", "good"), words="note")):
        assert history.append(step.parts(), notebook.answers)
    assert history.append([Undone(list(notebook.done)[-1])], notebook.answers)
    back = History().read()
    assert (next(iter(back.done.values())).words, [one.notes for one in back.cards]) == ("prompt", [{}])
    redone = back.redo()
    assert redone is not None
    assert (redone.words, back.cards[0].notes) == ("note", {"a": "good"})
    back.undo()
    back.undo()
    assert back.cards == ()


@given(st.lists(st.integers(0, 9), max_size=30))
def test_a_notebook_is_read_as_it_was_written_and_compacted(actions: list[int]) -> None:
    """Cards, undo and redo are the same from memory, from the file, and from what compaction makes of it."""
    with TemporaryDirectory() as folder:
        history, notebook = History(Path(folder) / "history.jsonl"), Notebook()
        for number, action in enumerate(actions):
            history.append(_act(notebook, number, action), notebook.answers)
        for other in (History(history.path).read(), _replayed(notebook)):
            assert list(other.undone) == list(notebook.undone)
            undone = 0
            while (step := notebook.undo()) is not None:
                same, undone = other.undo(), undone + 1
                assert same is not None
                assert same.id == step.id
                assert [_plain(one) for one in other.cards] == [_plain(one) for one in notebook.cards]
            assert other.undo() is None
            for _ in range(undone):
                notebook.redo()
                other.redo()
            assert [_plain(one) for one in other.cards] == [_plain(one) for one in notebook.cards]


def _act(notebook: Notebook, number: int, action: int) -> list[Part]:
    """Change a notebook; return the parts that describe it."""
    one = notebook.cards[number % len(notebook.cards)] if notebook.cards else card(written(id=f"first {number}"))
    steps = {
        0: lambda: notebook.put(card(written(id=str(number)))),
        1: lambda: notebook.put(one.with_answers(one.answer.again(CONFIG, None))),
        2: lambda: notebook.put(one.with_continuation(one.answer.extended(CONFIG, None))),
        3: lambda: notebook.put(one.with_note(one.answer.id, str(number))),
        4: lambda: notebook.put(one.with_bookmark(one.answer.id, is_set=True)),
        5: lambda: notebook.remove(one.id),
        6: lambda: notebook.remove(one.id, *(each.id for each in notebook.cards if each is not one)),
    }
    if action in steps:
        return list(steps[action]().parts())
    if action == 7:
        shown = Shown(one.id, one.nodes[0].id)
        notebook.take(shown)
        return [shown]
    turned = notebook.undo() if action == 8 else notebook.redo()
    return [] if turned is None else [Undone(turned.id, action == 9)]


def _replayed(notebook: Notebook) -> Notebook:
    replayed = Notebook()
    for part in notebook.parts():
        replayed.take(from_line(to_line(part).decode()))
    return replayed


def _plain(one: Card) -> tuple[Any, ...]:
    """Return a card without which answer is shown, which undo does not restore."""
    return one.id, sorted((answer.id, answer.full) for answer in one.nodes), one.bookmarks, one.notes


def test_two_apps_that_change_the_same_card_lose_nothing_of_each_other() -> None:
    first = card(written(id="a"))
    History().save(first)
    one, other = History().read(), History().read()
    regenerated = one.put(first.with_answers(written(" see", id="b")))
    History().append(regenerated.parts(), one.answers)
    noted = other.put(other.cards[0].with_note("a", "mine"))
    History().append(noted.parts(), other.answers)
    back = History().read()
    assert ([answer.id for answer in back.cards[0].answers], back.cards[0].notes) == (["a", "b"], {"a": "mine"})
    back.undo()
    assert ([answer.id for answer in back.cards[0].answers], back.cards[0].notes) == (["a", "b"], {})


def test_a_step_of_very_many_cards_is_one_step_in_several_lines() -> None:
    history, notebook = History(), Notebook()
    step = notebook.put(*(card(written(id=str(number))) for number in range(2_500)))
    assert len(list(step.parts())) == 3
    history.append(step.parts(), notebook.answers)
    back = History().read()
    assert len(back.cards) == 2_500
    back.undo()
    assert back.cards == ()


def test_the_newest_cards_are_read_first_and_completed_by_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """A card of which answers are further up in the file is not shown without them."""
    history, notebook = History(), Notebook()
    old = card(written("first"), written("second"))
    for number in range(20):
        step = notebook.put(old if number == 0 else card(written(prompt=str(number))))
        history.append(step.parts(), notebook.answers)
    step = notebook.put(old.with_note(old.answer.id, "new"), words="note")
    history.append(step.parts(), notebook.answers)
    monkeypatch.setattr("tui_gpt.tui.generate.notebook.history.NEWEST_BYTES", history.path.stat().st_size // 2)
    newest = History().read_newest()
    prompts = [one.answer.prompt for one in newest.cards]
    assert prompts == [str(number) for number in range(20 - len(prompts), 20)]
    assert 5 < len(prompts) < 15
    newest.put(card(written(prompt="now")))
    whole = History().read()
    whole.merge(newest)
    assert [one.answer.prompt for one in whole.cards] == ["to", *map(str, range(1, 20)), "now"]
    assert whole.cards[0].notes == {old.answer.id: "new"}
    assert len(whole.done) == 22
    whole.undo()
    whole.undo()
    assert whole.cards[0].notes == {}
