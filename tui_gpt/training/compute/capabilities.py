"""What a device can do, as plain data: read from PyTorch in one place, and made up in tests."""

from dataclasses import dataclass

import torch

_FIRST_WITH_TENSOR_FLOATS = (8, 0)
"""Compute capability of the first NVIDIA GPUs (Ampere) with TF32 and bfloat16 in their matrix units."""


@dataclass(frozen=True, kw_only=True)
class Capabilities:
    """The name, the memory and the arithmetic of one device."""

    kind: str
    """`cpu`, `cuda` or `mps`."""
    name: str
    total_bytes: int | None = None
    """Memory of the device; None where it is that of the computer."""
    free_bytes: int | None = None
    """Memory that is not in use; what PyTorch keeps for later counts as free."""
    has_bf16: bool = False
    """Whether bfloat16 products are computed by the hardware, not emulated."""
    has_tf32: bool = False
    """Whether float32 products can be computed in TF32."""

    def __str__(self) -> str:
        facts = [f"{self.total_bytes / 1e9:.0f} GB"] if self.total_bytes else []
        facts += ["bf16"] if self.has_bf16 else []
        facts += ["TF32"] if self.has_tf32 else []
        return f"{self.name} ({', '.join(facts)})" if facts else self.name


def capabilities_of(device: torch.device) -> Capabilities:
    """Return what `device` can do."""
    if device.type == "cuda":
        return _cuda_capabilities(device)
    if device.type == "mps":
        total = torch.mps.recommended_max_memory()
        free = total - torch.mps.driver_allocated_memory()
        return Capabilities(kind="mps", name="mps", total_bytes=total, free_bytes=free)
    return Capabilities(kind="cpu", name="cpu")


def _cuda_capabilities(device: torch.device) -> Capabilities:
    free, total = torch.cuda.mem_get_info(device)
    has_matrix_units = torch.cuda.get_device_capability(device) >= _FIRST_WITH_TENSOR_FLOATS
    return Capabilities(
        kind="cuda",
        name=torch.cuda.get_device_name(device),
        total_bytes=total,
        free_bytes=free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device),
        has_bf16=has_matrix_units and torch.cuda.is_bf16_supported(including_emulation=False),
        has_tf32=has_matrix_units,
    )


def available_devices() -> list[torch.device]:
    """Return the devices that PyTorch can use: the GPUs first, the CPU last."""
    devices = [torch.device("cuda", number) for number in range(torch.cuda.device_count())]
    if torch.backends.mps.is_available():
        devices.append(torch.device("mps"))
    return [*devices, torch.device("cpu")]
