"""The state survives a restart, and damage to the file costs only the damaged fields."""

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tui_gpt.config import SampleConfig
from tui_gpt.storage import paths
from tui_gpt.tui.app.state import AppState

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5)
JSON = SCALARS | st.lists(SCALARS, max_size=3) | st.dictionaries(st.text(max_size=5), SCALARS, max_size=3)


def test_what_is_saved_is_loaded() -> None:
    state = AppState(theme="nord", log_y=True, sampling=SampleConfig(temperature=0.3, seed=7))
    assert state.save()
    assert AppState.load() == state


def test_without_a_file_there_are_defaults() -> None:
    assert AppState.load() == AppState()


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"\xff\xfe\x00", b"[" * 100_000, b'{"theme": 3}'])
def test_a_damaged_file_gives_defaults(content: bytes) -> None:
    paths.state_file().parent.mkdir(parents=True)
    paths.state_file().write_bytes(content)
    assert AppState.load() == AppState()


def test_a_foreign_field_costs_only_itself() -> None:
    paths.state_file().parent.mkdir(parents=True)
    record = {"theme": "nord", "log_y": "yes", "sampling": {"temperature": -1}, "unknown": 1}
    paths.state_file().write_text(json.dumps(record))
    assert AppState.load() == AppState(theme="nord")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50, deadline=None)
@given(fields=st.dictionaries(st.sampled_from([*AppState.__annotations__, "other"]), JSON, max_size=4))
def test_any_json_is_loaded_without_an_error(tmp_path: Path, fields: dict[str, object]) -> None:
    file = tmp_path / "state.json"
    file.write_text(json.dumps(fields))
    assert isinstance(AppState.load(file), AppState)


def test_a_state_that_cannot_be_saved_raises_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    assert not AppState().save(tmp_path / "file" / "state.json")


def test_saving_leaves_no_draft_behind() -> None:
    AppState().save()
    assert [path.name for path in paths.home().iterdir()] == ["state.json"]
