"""What PyTorch says about a device, as plain data; the GPUs are made up."""

import pytest
import torch

from tests.training.workbench import TRAIN
from tui_gpt.errors import ConfigError
from tui_gpt.training.compute import machine, step_comparison
from tui_gpt.training.compute.capabilities import Capabilities, available_devices, capabilities_of
from tui_gpt.training.compute.device import ComputeDevice, choose_device, sum_dtype, use_device

CUDA, MPS = torch.device("cuda"), torch.device("mps")


@pytest.fixture
def ampere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pretend that the machine has an NVIDIA A100 of which PyTorch holds 8 GB and uses 2."""
    answers = {
        "is_available": True,
        "device_count": 1,
        "mem_get_info": (50 * 10**9, 80 * 10**9),
        "memory_reserved": 8 * 10**9,
        "memory_allocated": 2 * 10**9,
        "get_device_capability": (8, 0),
        "is_bf16_supported": True,
        "get_device_name": "NVIDIA A100",
    }
    for name, answer in answers.items():
        monkeypatch.setattr(torch.cuda, name, lambda *_, _answer=answer, **__: _answer)


@pytest.fixture
def apple(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pretend that the machine has a GPU of Apple's."""
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    monkeypatch.setattr(torch.mps, "recommended_max_memory", lambda: 12 * 10**9)
    monkeypatch.setattr(torch.mps, "driver_allocated_memory", lambda: 2 * 10**9)


def test_a_gpu_says_its_name_its_memory_and_its_arithmetic(ampere: None) -> None:
    found = capabilities_of(CUDA)
    assert found == Capabilities(
        kind="cuda",
        name="NVIDIA A100",
        total_bytes=80 * 10**9,
        free_bytes=56 * 10**9,
        has_bf16=True,
        has_tf32=True,
    )
    assert str(found) == "NVIDIA A100 (80 GB, bf16, TF32)"


def test_a_gpu_without_matrix_units_for_them_has_neither_bf16_nor_tf32(
    ampere: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: (7, 5))
    found = capabilities_of(CUDA)
    assert (found.has_bf16, found.has_tf32) == (False, False)


def test_auto_takes_cuda_and_chooses_between_its_precisions(ampere: None) -> None:
    device = ComputeDevice.of(TRAIN.from_dict({"max_iters": 1}))
    assert (device.device, device.precisions, device.is_asynchronous) == (CUDA, ("tf32", "bf16"), True)


def test_mps_is_used_by_name_alone_in_float32(apple: None) -> None:
    assert choose_device("auto").type == "cpu"
    device = ComputeDevice.of(TRAIN.from_dict({"max_iters": 1, "device": "mps"}))
    assert (device.device, device.precisions, device.is_asynchronous) == (MPS, ("fp32",), False)
    assert device.capabilities.free_bytes == 10 * 10**9


def test_a_device_that_is_not_there_is_refused() -> None:
    for name in ("cuda", "mps"):
        with pytest.raises(ConfigError, match=f"no {name.upper()} device: use --device cpu"):
            choose_device(name)


def test_the_devices_are_listed_with_the_cpu_last(ampere: None, apple: None) -> None:
    assert [device.type for device in available_devices()] == ["cuda", "mps", "cpu"]
    assert machine.torch_info().devices == (
        "NVIDIA A100 (80 GB, bf16, TF32)",
        "mps (12 GB), by --device mps",
        "cpu",
    )


def test_a_gpu_that_does_not_answer_is_listed_with_the_reason(ampere: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object) -> None:
        raise RuntimeError("CUDA error: all CUDA-capable devices are busy or unavailable\nmore")

    monkeypatch.setattr(torch.cuda, "mem_get_info", fail)
    assert machine.torch_info().devices[0] == "cuda:0 (CUDA error: all CUDA-capable devices are busy or unavailable)"


def test_losses_are_summed_in_double_precision_except_on_mps_which_has_none() -> None:
    assert [sum_dtype(torch.device(name)) for name in ("cpu", "cuda", "mps")] == [
        torch.float64,
        torch.float64,
        torch.float32,
    ]


def test_a_thread_uses_the_gpu_that_has_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    used: list[torch.device] = []
    monkeypatch.setattr(torch.cuda, "set_device", used.append)
    for name in ("cpu", "cuda", "cuda:3"):
        use_device(torch.device(name))
    assert used == [torch.device("cuda:3")]


def test_a_step_of_the_cpu_is_compared_with_itself_in_both_precisions() -> None:
    fp32, bf16 = step_comparison.compare_steps()
    assert (fp32.device, fp32.precision, fp32.gradient_difference, fp32.loss_difference) == ("cpu", "fp32", 0.0, 0.0)
    assert bf16.precision == "bf16"
    assert bf16.gradient_difference is not None
    assert 0.0 < bf16.gradient_difference < 0.1


def test_a_device_whose_step_fails_is_reported_with_the_reason(ampere: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Here every step on the made-up GPU fails, as PyTorch has no CUDA."""
    cuda = [one for one in step_comparison.compare_steps() if one.device.startswith("cuda")]
    assert [one.precision for one in cuda] == ["fp32", "tf32", "bf16"]
    assert all(one.problem and one.seconds is None for one in cuda)
