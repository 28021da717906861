"""A training run's tensors as one flat mapping, so that a checkpoint holds data and nothing else.

Each tensor of an optimizer has a name such as `optimizer.0.17.exp_avg`: the number of the optimizer, the number of the
parameter, the key; each generator's state one such as `generator.dropout.0`. Hyperparameters are not part of it: they
come from the run's configuration.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tui_gpt.errors import CheckpointError
from tui_gpt.training.checkpoints.host_copies import copied
from tui_gpt.training.optim.adamw import Optimizer

Tensors = Mapping[str, Tensor]


@dataclass(frozen=True)
class Copies:
    """Copies of a run's tensors, on the CPU."""

    weights: Tensors
    training: Tensors
    """Optimizer state and random generators."""


class TrainingTensors:
    """All tensors of a run that change while it trains."""

    def __init__(
        self, model: nn.Module, optimizers: Sequence[Optimizer], generators: Mapping[str, torch.Generator]
    ) -> None:
        self._model = model
        self._optimizers = optimizers
        self._generators = generators
        self._copies: Copies | None = None

    def copies(self) -> Copies:
        """Return copies, which are made once until `mark_changed` is called."""
        self._copies = self._copies or Copies(
            weights=copied_weights(self._model),
            training=copied({**_optimizer_tensors(self._optimizers), **copied_generators(self._generators)}),
        )
        return self._copies

    def mark_changed(self) -> None:
        """Have the next call of `copies` make new ones."""
        self._copies = None

    def restore(self, weights: Tensors, training: Tensors) -> None:
        """Set all tensors to copies that were made before. Raises CheckpointError where they do not fit."""
        self.mark_changed()
        self._model.load_state_dict(weights)
        restore_optimizers(self._optimizers, training)
        restore_generators(self._generators, training)


def copied_weights(model: nn.Module) -> Tensors:
    """Return copies of the model's parameters and persistent buffers, on the CPU."""
    return copied(model.state_dict())


def copied_optimizers(optimizers: Sequence[Optimizer]) -> Tensors:
    """Return copies of every optimizer's tensors, on the CPU."""
    return copied(_optimizer_tensors(optimizers))


def _optimizer_tensors(optimizers: Sequence[Optimizer]) -> dict[str, Tensor]:
    return {
        f"optimizer.{number}.{place}.{key}": tensor
        for number, optimizer in enumerate(optimizers)
        for place, parameter in enumerate(optimizer.parameters())
        for key, tensor in optimizer.state.get(parameter, {}).items()
    }


def restore_optimizers(optimizers: Sequence[Optimizer], tensors: Tensors) -> None:
    """Set the optimizers' state to copies that `copied_optimizers` made.

    Raises CheckpointError where they do not fit.
    """
    for number, optimizer in enumerate(optimizers):
        state = _entries_of(f"optimizer.{number}.", tensors)
        parameters = dict(enumerate(optimizer.parameters()))
        shapes = {place: parameter.shape for place, parameter in parameters.items()}
        if not all(_fits(entries, shapes.get(place)) for place, entries in state.items()):
            raise CheckpointError(
                "the checkpoint's optimizer state is of another model: start a new run with --init-from"
            )
        optimizer.state = {
            parameters[place]: {key: _placed(tensor, parameters[place]) for key, tensor in entries.items()}
            for place, entries in state.items()
        }


def _placed(tensor: Tensor, parameter: Tensor) -> Tensor:
    """Return a copy on the parameter's device; a count in whole numbers stays on the CPU, where reading it is free."""
    return tensor.to(parameter.device if tensor.is_floating_point() else "cpu", copy=True)


def _fits(entries: Tensors, shape: torch.Size | None) -> bool:
    """Return whether each entry is a scalar or has the parameter's shape."""
    return shape is not None and all(tensor.ndim == 0 or tensor.shape == shape for tensor in entries.values())


def _entries_of(prefix: str, tensors: Tensors) -> dict[int, dict[str, Tensor]]:
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        if name.startswith(prefix):
            parameter, _, key = name.removeprefix(prefix).partition(".")
            state.setdefault(int(parameter) if parameter.isdecimal() else -1, {})[key] = tensor
    return state


def copied_generators(generators: Mapping[str, torch.Generator]) -> dict[str, Tensor]:
    """Return the state of each generator, as `generator.NAME`."""
    return {f"generator.{name}": generator.get_state() for name, generator in generators.items()}


def restore_generators(generators: Mapping[str, torch.Generator], tensors: Tensors) -> None:
    """Set the generators to states that `copied_generators` returned; one without a state stays as it is.

    Raises CheckpointError for anything but a generator's state.
    """
    for name, generator in generators.items():
        if f"generator.{name}" in tensors:
            try:
                generator.set_state(tensors[f"generator.{name}"])
            except (RuntimeError, TypeError) as error:
                raise CheckpointError(
                    "the checkpoint's random generators are damaged: start a new run with --init-from"
                ) from error
