"""This process's place in torchrun's environment."""

import pytest

from tui_gpt.errors import UsageError
from tui_gpt.ranks import ALONE, Ranks, ranks_of

TORCHRUN = {
    "RANK": "3", "WORLD_SIZE": "4", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "10.0.0.1",
    "MASTER_PORT": "29500", "TORCHELASTIC_RESTART_COUNT": "2", "TORCHELASTIC_RUN_ID": "none",
}  # fmt: skip


def test_without_torchrun_a_process_is_alone() -> None:
    assert ranks_of({}) == ranks_of({"WORLD_SIZE": "2", "RANK": "1"}) == ALONE
    assert not ALONE.are_several


def test_torchrun_numbers_the_processes() -> None:
    ranks = ranks_of(TORCHRUN, parent=17)
    assert (ranks.rank, ranks.world, ranks.local_rank, ranks.local_world, ranks.restarts) == (3, 4, 1, 2, 2)
    assert ranks.are_several


def test_a_job_is_torchruns_process_whatever_its_id() -> None:
    """The default id is that of every torchrun on the machine."""
    assert ranks_of(TORCHRUN, parent=17).job.startswith("process 17 on ")
    assert ranks_of({**TORCHRUN, "TORCHELASTIC_RUN_ID": "mine"}, parent=17).job == ranks_of(TORCHRUN, parent=17).job
    assert ranks_of({name: value for name, value in TORCHRUN.items() if "ELASTIC" not in name}).job == ""


def test_the_timeout_can_be_set() -> None:
    assert ranks_of({**TORCHRUN, "TUI_GPT_RANK_TIMEOUT": "7.5"}).timeout_seconds == 7.5


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("RANK", "one"), ("WORLD_SIZE", "-2"), ("RANK", "4"), ("LOCAL_WORLD_SIZE", "5"), ("LOCAL_RANK", "2"),
        ("TUI_GPT_RANK_TIMEOUT", "soon"), ("TUI_GPT_RANK_TIMEOUT", "0"), ("TUI_GPT_RANK_TIMEOUT", "nan"),
    ],
)  # fmt: skip
def test_an_impossible_environment_is_refused_in_one_line(name: str, value: str) -> None:
    with pytest.raises(UsageError, match=f"{name}|unset") as caught:
        ranks_of({**TORCHRUN, name: value})
    assert "\n" not in str(caught.value)


def test_a_rank_has_a_place_in_its_world() -> None:
    with pytest.raises(UsageError):
        Ranks(rank=1)
