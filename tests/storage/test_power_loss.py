"""After a power loss at any moment, what was promised is there, and everything else is old or new, but never broken.

`tests/storage/disk` models what a disk may keep. By default a part of the states is checked, `-m slow` ten thousand;
`python -m tests.storage.disk` prints the figures.
"""

import functools
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.storage.disk.model import Image, Link, Mark, Operation, Rename, Sync, Tree, Unlink, Write, power_losses
from tests.storage.disk.recording import Trace, recorded, tree_of
from tests.storage.disk.scenarios import SCENARIOS
from tests.storage.disk.sites import sites
from tests.storage.disk.survey import Figures, Scenario, survey, trace_of, workplace
from tests.storage.disk.totals import AGAIN, FEW, MANY, continued_from, distinct, survey_all
from tui_gpt.storage.files import atomic_write

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows forces no folder to the disk")

EMPTY = Image({}, {0: None})


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with workplace() as place:
        yield place


@functools.cache
def _trace(scenario: Scenario, folder: Path) -> Trace:
    return trace_of(scenario, folder)


@functools.cache
def _figures(scenario: Scenario, folder: Path) -> Figures:
    return survey(scenario, _trace(scenario, folder), folder, FEW.limit)


# The program


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_what_was_promised_survives_and_nothing_is_broken(scenario: Scenario, folder: Path) -> None:
    assert len(_figures(scenario, folder).states) > 10


@pytest.mark.parametrize("name", AGAIN)
def test_a_second_power_loss_is_survived(name: str, folder: Path) -> None:
    """While the program continues from what the first one has left."""
    scenario = next(one for one in SCENARIOS if one.name == name)
    again = continued_from(name, _figures(scenario, folder), FEW, folder)
    assert len(again.states) > 200


@pytest.mark.slow
def test_ten_thousand_states_are_survived(folder: Path) -> None:
    assert len(distinct(survey_all(MANY, folder))) >= 10_000


@pytest.mark.parametrize("site", sites())
def test_each_fsync_and_each_rename_is_needed(site: str, folder: Path) -> None:
    """Without its effect some scenario fails; a call that is not in any scenario has no test at all."""
    concerned = [scenario for scenario in SCENARIOS if site in _trace(scenario, folder).sites]
    assert concerned, f"no scenario reaches {site}: add one to tests/storage/disk/scenarios.py"
    assert any(_fails_without(site, scenario, folder) for scenario in concerned), f"nothing needs {site}: remove it"


def _fails_without(site: str, scenario: Scenario, folder: Path) -> bool:
    trace = _trace(scenario, folder)
    try:
        if not any(isinstance(operation, Sync) and operation.site == site for operation in trace.operations):
            trace = trace_of(scenario, folder, skipped=site)
        survey(scenario, trace, folder, FEW.limit, ignored=site)
    except Exception:
        return True
    return False


def test_the_traces_have_exactly_these_lines(folder: Path) -> None:
    """The sites found in the source are those found when it runs."""
    seen = set[str]().union(*(_trace(scenario, folder).sites for scenario in SCENARIOS))
    assert {site for site in seen if not site.startswith("tests/")} == set(sites())


# The disk


def _left(*operations: Operation) -> list[Tree]:
    """Return what a power loss at the end may leave."""
    return [tree for marks, tree in power_losses(EMPTY, [*operations, Mark()], limit=1000) if marks]


FILE = Link(0, "file", 1, is_folder=False)


def test_what_was_not_forced_to_the_disk_may_be_lost_or_torn_or_zero() -> None:
    trees = _left(FILE, Sync(0, ""), Write(1, 0, b"abc"))
    contents = {tree["file"] for tree in trees}
    assert contents == {b"", b"a", b"ab", *(bytes(one) for one in _with_zeros(b"abc"))}


def _with_zeros(data: bytes) -> Iterator[bytes]:
    for bits in range(8):
        yield bytes(byte if bits >> place & 1 else 0 for place, byte in enumerate(data))


def test_what_was_forced_to_the_disk_stays() -> None:
    assert _left(FILE, Write(1, 0, b"abc"), Sync(1, ""), Sync(0, "")) == [{"file": b"abc"}]


def test_a_file_whose_folder_was_not_forced_to_the_disk_may_be_gone() -> None:
    assert _left(FILE, Write(1, 0, b"abc"), Sync(1, "")) == [{}, {"file": b"abc"}]


def test_a_rename_may_be_undone_and_is_never_half_done() -> None:
    new: list[Operation] = [Link(0, "draft", 2, is_folder=False), Write(2, 0, b"new"), Sync(2, ""), Sync(0, "")]
    start: list[Operation] = [FILE, Write(1, 0, b"old"), Sync(1, ""), Sync(0, "")]
    assert _left(*start, *new, Rename(0, 0, "file", 2)) == [{"file": b"old", "draft": b"new"}, {"file": b"new"}]


def test_the_changes_of_a_folder_may_be_reordered() -> None:
    trees = _left(FILE, Sync(0, ""), Unlink(0, "file"), Link(0, "other", 2, is_folder=False))
    assert {tuple(tree) for tree in trees} == {("file",), (), ("file", "other"), ("other",)}


def test_a_moment_is_among_those_that_a_later_one_leaves() -> None:
    """So it is enough to look just before something becomes durable."""
    operations: list[Operation] = [FILE, Write(1, 0, b"abc"), Link(0, "other", 2, is_folder=False)]
    later = _left(*operations)
    for end in range(len(operations)):
        assert all(tree in later for tree in _left(*operations[:end]))


def test_a_trace_leads_to_what_is_there(tmp_path: Path) -> None:
    with recorded(tmp_path) as trace:
        atomic_write(tmp_path / "a" / "b", b"1")
        with (tmp_path / "text").open("w", encoding="utf-8") as file:
            file.write("one\n")
        with (tmp_path / "text").open("a", encoding="utf-8") as file:
            file.write("two\n")
        (tmp_path / "text").rename(tmp_path / "a" / "text")
    last = list(power_losses(trace.start, [*trace.operations, *(Sync(inode, "") for inode in range(9))], limit=99))[-1]
    assert last == (0, tree_of(tmp_path)) == (0, {"a": None, "a/b": b"1", "a/text": b"one\ntwo\n"})


def test_a_call_that_the_disk_does_not_know_is_an_error(tmp_path: Path) -> None:
    with recorded(tmp_path), pytest.raises(AssertionError, match=r"os\.link is no part"):
        os.link(tmp_path / "a", tmp_path / "b")


def test_a_change_behind_the_back_of_the_trace_is_an_error(tmp_path: Path) -> None:
    make = os.mkdir
    with pytest.raises(AssertionError, match="the trace has missed a call"), recorded(tmp_path):
        make(tmp_path / "folder")


def test_a_promise_that_is_not_kept_is_found(folder: Path) -> None:
    """A file that is overwritten in place, as a program without care would do."""

    def work(root: Path) -> Iterator[None]:
        for text in ("one", "two"):
            (root / "file").write_text(text)
            yield

    def check(root: Path, promises: int) -> None:
        assert promises == 0 or (root / "file").read_text() in ("one", "two")

    scenario = Scenario("careless", work, check)
    with pytest.raises(AssertionError, match="careless, after 1 promises"):
        survey(scenario, trace_of(scenario, folder), folder, 99)
