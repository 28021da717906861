"""Every preset fits into memory, or is refused with settings that do."""

import pytest
import torch
from torch import Tensor

from tui_gpt.config import ModelConfig, Precision, resolve
from tui_gpt.errors import ConfigError
from tui_gpt.models.build import build_model
from tui_gpt.models.classic import Classic
from tui_gpt.training.budget.memory import (
    LIMIT_BYTES,
    MemoryLimits,
    members_that_fit,
    parameter_count,
    require_memory,
    training_bytes,
    window_bytes,
    windows_per_pass,
)
from tui_gpt.training.compute.capabilities import Capabilities
from tui_gpt.training.compute.precision import autocast

PRECISIONS: tuple[Precision, ...] = ("fp32", "bf16")


@pytest.mark.parametrize("preset", ["quick", "best", "classic", "nano"])
def test_every_preset_fits_into_memory_with_a_vocabulary_of_200(preset: str) -> None:
    require_memory(resolve(preset), 200, replicas=2)


@pytest.mark.parametrize("vocab_size", [8_000, 60_000])
@pytest.mark.parametrize("preset", ["quick", "best", "classic", "nano"])
def test_a_large_vocabulary_fits_or_is_refused_with_settings_that_do(preset: str, vocab_size: int) -> None:
    config = resolve(preset)
    try:
        require_memory(config, vocab_size, replicas=2)
    except ConfigError as error:
        words = str(error).split("choose ")[1].split()
        if words[0] == "a":
            return
        names = [word.removeprefix("--").replace("-", "_") for word in words if word.startswith("--")]
        chosen: dict[str, object] = {}
        for name in names:
            after = words[words.index("--" + name.replace("_", "-")) + 1 :]
            chosen[name] = False if name == "no_induction" else after[0] if name == "preset" else int(after[0])
        if "no_induction" in chosen:
            chosen["induction"] = chosen.pop("no_induction")
        require_memory(resolve(**{"preset": preset, **chosen}), vocab_size, replicas=2)  # type: ignore[arg-type]
    else:
        assert training_bytes(config, vocab_size, 2) <= LIMIT_BYTES


def test_an_open_number_of_networks_becomes_one_that_fits() -> None:
    quick = resolve("quick")
    assert members_that_fit(quick, 65, 2, most=8) > members_that_fit(quick, 4_000, 2, most=8) >= 1
    assert windows_per_pass(quick.model, 65, 2) > windows_per_pass(quick.model, 8_000, 2) >= 1


def gpu(free: float) -> Capabilities:
    """Return a GPU with that many free gigabytes."""
    return Capabilities(kind="cuda", name="NVIDIA A100", free_bytes=int(free * 1e9))


HUNDRED_MILLION = resolve("classic", block_size=1024, n_layer=12, n_head=12, n_embd=768, dropout=0.0, batch_size=12)


def test_a_run_may_take_what_is_free_on_its_gpu() -> None:
    with pytest.raises(ConfigError, match=r"1\.4 GB are allowed"):
        require_memory(HUNDRED_MILLION, 50_257, replicas=1)
    limits = MemoryLimits.of(gpu(40), "bf16")
    require_memory(HUNDRED_MILLION, 50_257, 1, limits)
    assert windows_per_pass(HUNDRED_MILLION.model, 50_257, 1, limits) >= 12


def test_a_batch_that_is_too_large_for_one_pass_of_a_gpu_is_processed_in_several() -> None:
    limits = MemoryLimits.of(gpu(14), "bf16")
    require_memory(HUNDRED_MILLION, 50_257, 1, limits)
    assert 1 <= windows_per_pass(HUNDRED_MILLION.model, 50_257, 1, limits) < 12
    assert training_bytes(HUNDRED_MILLION, 50_257, 1, limits) <= limits.total


def test_a_model_that_no_pass_of_a_gpu_has_room_for_is_refused_with_settings_that_fit() -> None:
    limits = MemoryLimits.of(gpu(4), "fp32")
    message = r"about 6\.8 GB of memory, and 3\.6 GB are free on NVIDIA A100: choose --preset nano"
    with pytest.raises(ConfigError, match=message):
        require_memory(HUNDRED_MILLION, 50_257, 1, limits)
    require_memory(resolve("nano"), 50_257, 1, limits)


def test_bfloat16_keeps_less_of_a_pass() -> None:
    fp32, bf16 = (MemoryLimits.of(gpu(40), name) for name in PRECISIONS)
    windows = [windows_per_pass(HUNDRED_MILLION.model, 65, 1, limits) for limits in (fp32, bf16)]
    assert windows[1] > 1.3 * windows[0]


@pytest.mark.slow
def test_the_parameters_of_a_model_are_counted() -> None:
    """The meta device has shapes and takes no memory."""
    with torch.device("meta"):
        model = Classic(HUNDRED_MILLION.model, 50_257)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    assert parameter_count(HUNDRED_MILLION.model, 50_257) == pytest.approx(parameters, rel=0.01)


def kept_bytes(config: ModelConfig, vocab_size: int, windows: int, precision: Precision) -> int:
    """Return the bytes that a forward pass keeps for the backward pass, parameters apart."""
    model = build_model(config, vocab_size, 1)
    own = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    kept: dict[int, Tensor] = {}

    def keep(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    tokens = torch.zeros(windows, config.block_size, dtype=torch.long)
    prior = torch.zeros(windows, config.block_size, vocab_size) if config.ngram_order else None
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor), autocast(precision, tokens.device):
        model(tokens, tokens, prior)
    return sum(tensor.untyped_storage().nbytes() for place, tensor in kept.items() if place not in own)


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("preset", ["classic", "quick"])
def test_the_estimate_of_a_pass_is_above_what_it_keeps_and_below_four_times_that(
    preset: str, precision: Precision
) -> None:
    config = resolve(preset, n_layer=2, n_head=2, n_embd=64, block_size=64).model
    kept = (kept_bytes(config, 65, 3, precision) - kept_bytes(config, 65, 1, precision)) / 2
    assert kept < window_bytes(config, 65, MemoryLimits.of(gpu(40), precision)) < 4 * kept
