"""A training run's tensors as one flat mapping, so that a checkpoint holds data and nothing else.

Optimizers keep their state in nested dictionaries keyed by a parameter's number; here each tensor gets a name such as
`optimizer.0.17.exp_avg`. Hyperparameters are not part of it: they come from the run's configuration.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from tui_gpt.errors import CheckpointError

Tensors = Mapping[str, Tensor]


def copied_weights(model: nn.Module) -> dict[str, Tensor]:
    """The model's parameters and persistent buffers, on the CPU, unaffected by what training does next."""
    return {name: tensor.detach().to("cpu", copy=True) for name, tensor in model.state_dict().items()}


def copied_optimizers(optimizers: Sequence[Optimizer]) -> dict[str, Tensor]:
    """Every optimizer's tensors, on the CPU; numbers become float64 scalars."""
    return {
        f"optimizer.{number}.{parameter}.{key}": _as_tensor(value)
        for number, optimizer in enumerate(optimizers)
        for parameter, entries in optimizer.state_dict()["state"].items()
        for key, value in entries.items()
    }


def _as_tensor(value: object) -> Tensor:
    if isinstance(value, Tensor):
        return value.detach().to("cpu", copy=True)
    return torch.tensor(value, dtype=torch.float64)


def restore_optimizers(optimizers: Sequence[Optimizer], tensors: Tensors) -> None:
    """Put back what `copied_optimizers` took. Raises CheckpointError where it does not fit these optimizers."""
    for number, optimizer in enumerate(optimizers):
        state = _entries_of(f"optimizer.{number}.", tensors)
        whole = optimizer.state_dict()
        numbers = [parameter for group in whole["param_groups"] for parameter in group["params"]]
        parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
        shapes = {number: parameter.shape for number, parameter in zip(numbers, parameters, strict=True)}
        if not all(_fits(entries, shapes.get(parameter)) for parameter, entries in state.items()):
            raise CheckpointError(
                "the checkpoint's optimizer state is of another model: start a new run with --init-from"
            )
        optimizer.load_state_dict({"state": state, "param_groups": whole["param_groups"]})


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
