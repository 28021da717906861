import pytest

from tests.storage.runs.helpers import NANO
from tui_gpt.storage.runs import Run, RunStore


@pytest.fixture
def store() -> RunStore:
    return RunStore()


@pytest.fixture
def run(store: RunStore) -> Run:
    return store.create(NANO, "plays")
