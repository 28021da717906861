"""Several processes train one run: real processes, real networks, and torchrun itself."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.test_subprocess import environment, lines_of, run, start, wait_for
from tests.ranks import hosts_problem

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the ranks are forks, and found in /proc"),
]

TINY = [
    "--preset", "nano", "--n-layer", "1", "--n-embd", "16", "--n-head", "2", "--block-size", "16", "--batch-size", "4",
    "--threads", "1", "--log-interval", "5", "--eval-interval", "1000000", "--warmup-iters", "0", "--schedule",
    "constant",
]  # fmt: skip
TIMEOUT_SECONDS = 1_200


@pytest.mark.skipif(bool(hosts_problem()), reason="network namespaces are not permitted here")
def test_a_host_that_is_cut_off_ends_the_run_in_time_and_it_is_resumed(tmp_path: Path) -> None:
    """Both hosts give the reason in one line, and the step that was reached is saved."""
    assert broken_promises(tmp_path, "cut-off") == {"cut-off": ""}


def test_several_ranks_train_as_one_process_does_also_after_a_kill_and_a_signal(tmp_path: Path) -> None:
    """Accumulation 2 in one process, 1 with two ranks, half a batch each with four: every loss is within 1e-5.

    A killed rank is restarted, and a signal to any rank stops all at one step; resumed in one process, the run ends
    as if it had not been disturbed.
    """
    kinds = "none", "kill", "signal"
    assert broken_promises(tmp_path, *kinds) == dict.fromkeys(kinds, "")


def broken_promises(place: Path, *kinds: str) -> dict[str, str]:
    """Return what was not as promised in runs that were disturbed, by the kind of disturbance (see `tests/cycles.py`).

    They run in one process, because importing PyTorch takes longer than they do.
    """
    done = subprocess.run(
        [sys.executable, "-m", "tests.cycles", str(place), *kinds],
        env=environment(place), stdout=subprocess.PIPE, text=True, timeout=TIMEOUT_SECONDS, check=True,
    )  # fmt: skip
    problems: dict[str, str] = json.loads(done.stdout)
    return problems


@pytest.fixture
def torchrun(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A run of two ranks in `tmp_path`, which torchrun restarts once."""
    (tmp_path / "text.txt").write_text("the quick brown fox jumps over the lazy dog.\n" * 200)
    launcher = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", "--max-restarts=1", "-m"]
    training = ["tui_gpt", "train", "text.txt", "--headless", "--json", *TINY, "--max-iters", "1000000"]
    process = subprocess.Popen(
        [*launcher, *training], cwd=tmp_path, env=environment(tmp_path), text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    yield process
    process.terminate()
    process.communicate(timeout=TIMEOUT_SECONDS)


def test_a_run_of_torchrun_is_followed_and_controlled_and_survives_the_death_of_a_rank(
    tmp_path: Path, torchrun: subprocess.Popen[str]
) -> None:
    """The other process pauses it, follows it, changes its end and detaches; then rank 1 dies in the pause."""
    wait_for(torchrun, "progress")
    assert run(tmp_path, "runs", "pause", "text-nano").returncode == 0
    end = wait_for(torchrun, "paused")["step"] + 50
    assert run(tmp_path, "runs", "change", "text-nano", "--max-iters", str(end)).returncode == 0
    follower = start(tmp_path, "runs", "attach", "text-nano", "--json")
    wait_for(follower, "paused")
    follower.send_signal(signal.SIGINT)
    follower.communicate(timeout=TIMEOUT_SECONDS)
    os.kill(rank_1_of(torchrun.pid), signal.SIGKILL)

    finished = wait_for(torchrun, "finished")
    if finished["reason"] == "stopped":  # torchrun may end rank 0 by a signal before it notices the loss
        finished = wait_for(torchrun, "finished")
    assert (finished["step"], finished["reason"]) == (end, "completed")
    assert torchrun.wait(TIMEOUT_SECONDS) == 0
    assert "".join(lines_of(torchrun.stdout)) == ""
    settings = [*TINY, "--max-iters", str(end), "--name", "one"]
    alone = start(tmp_path, "train", "text.txt", "--headless", "--json", *settings)
    expected = json.loads(alone.communicate(timeout=TIMEOUT_SECONDS)[0].splitlines()[-1])
    assert finished["best_val_loss"] == pytest.approx(expected["best_val_loss"], abs=1e-5)


def rank_1_of(launcher: int) -> int:
    """Return the process of rank 1 that torchrun, the process `launcher`, has started."""
    for child in Path(f"/proc/{launcher}/task/{launcher}/children").read_text().split():
        if b"\0RANK=1\0" in Path(f"/proc/{child}/environ").read_bytes():
            return int(child)
    raise AssertionError("torchrun has no rank 1")
