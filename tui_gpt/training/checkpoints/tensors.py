"""A training run's tensors as one flat mapping, so that a checkpoint holds data and nothing else.

Each tensor of an optimizer has a name such as `optimizer.0.17.exp_avg`: the optimizer's number, the parameter's.
 Hyperparameters are not part of it: they come from the run's configuration.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from tui_gpt.errors import CheckpointError
from tui_gpt.training.optim.adamw import Optimizer

Tensors = Mapping[str, Tensor]


def copied_weights(model: nn.Module) -> dict[str, Tensor]:
    """The model's parameters and persistent buffers, on the CPU, unaffected by what training does next."""
    return {name: tensor.detach().to("cpu", copy=True) for name, tensor in model.state_dict().items()}


def copied_optimizers(optimizers: Sequence[Optimizer]) -> dict[str, Tensor]:
    """Every optimizer's tensors, on the CPU."""
    return {
        f"optimizer.{number}.{place}.{key}": tensor.detach().to("cpu", copy=True)
        for number, optimizer in enumerate(optimizers)
        for place, parameter in enumerate(optimizer.parameters())
        for key, tensor in optimizer.state.get(parameter, {}).items()
    }


def restore_optimizers(optimizers: Sequence[Optimizer], tensors: Tensors) -> None:
    """Put back copies of what `copied_optimizers` took. Raises CheckpointError where it does not fit."""
    for number, optimizer in enumerate(optimizers):
        state = _entries_of(f"optimizer.{number}.", tensors)
        parameters = dict(enumerate(optimizer.parameters()))
        shapes = {place: parameter.shape for place, parameter in parameters.items()}
        if not all(_fits(entries, shapes.get(place)) for place, entries in state.items()):
            raise CheckpointError(
                "the checkpoint's optimizer state is of another model: start a new run with --init-from"
            )
        optimizer.state = {
            parameters[place]: {key: tensor.to(parameters[place].device, copy=True) for key, tensor in entries.items()}
            for place, entries in state.items()
        }


def _fits(entries: Tensors, shape: torch.Size | None) -> bool:
    """Whether these are one parameter's: single numbers, and tensors of its shape."""
    return shape is not None and all(tensor.ndim == 0 or tensor.shape == shape for tensor in entries.values())


def _entries_of(prefix: str, tensors: Tensors) -> dict[int, dict[str, Tensor]]:
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        if name.startswith(prefix):
            parameter, _, key = name.removeprefix(prefix).partition(".")
            state.setdefault(int(parameter) if parameter.isdecimal() else -1, {})[key] = tensor
    return state
