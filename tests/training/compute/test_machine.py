"""What `tui-gpt doctor` reports of PyTorch and of the machine."""

import itertools

import pytest
import torch

from tui_gpt.training.compute import machine
from tui_gpt.training.compute.machine import _best_seconds, measure_speed, torch_info


def test_the_installed_torch_and_its_devices_are_reported() -> None:
    info = torch_info()
    assert info.version == torch.__version__
    assert info.threads == torch.get_num_threads()
    assert info.devices[-1] == "cpu"


def test_the_speed_is_a_positive_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "MATRIX_SIZE", 8)
    monkeypatch.setattr(machine, "COPY_BYTES", 64)
    monkeypatch.setattr(machine, "MEASURE_SECONDS", 0.0)
    speed = measure_speed()
    assert speed.flops > 0
    assert speed.copied_bytes > 0


def test_the_fastest_of_at_least_three_calls_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    durations = itertools.chain([9.0, 5.0, 2.0, 7.0], itertools.repeat(8.0))
    now = 0.0

    def work() -> None:
        nonlocal now
        now += next(durations)

    monkeypatch.setattr("time.perf_counter", lambda: now)
    assert _best_seconds(work) == 2.0
