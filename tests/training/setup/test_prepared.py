"""A run that is ready to train, with other ranks."""

import dataclasses
from typing import cast

import torch

from tests.training.workbench import MODEL, TRAIN, Workbench
from tui_gpt.config import RunConfig
from tui_gpt.control import Control
from tui_gpt.storage.runs import RunStore
from tui_gpt.training.batches import Batches
from tui_gpt.training.checkpoints.tensors import Checkpoint
from tui_gpt.training.compute.device import ComputeDevice
from tui_gpt.training.compute.replicas import Replicas
from tui_gpt.training.distributed.leader import Leader
from tui_gpt.training.setup.prepared import assemble
from tui_gpt.training.state import TrainerState
from tui_gpt.training.step_gradients import StepGradients


class FakeLeader:
    """Notes the size of a pass when the ranks agree on it."""

    def __init__(self, gradients: StepGradients) -> None:
        self.most_windows: int | None = None
        self._gradients = gradients

    def start(
        self, name: str, checkpoint: Checkpoint, replicas: Replicas, batches: Batches, compute: ComputeDevice
    ) -> StepGradients:
        del name, checkpoint, batches, compute
        self.most_windows = replicas.most_windows
        return self._gradients


def test_the_ranks_agree_after_a_resumed_run_has_its_limit() -> None:
    """Else rank 0 would divide its batches into more passes than the others."""
    bench, config = Workbench(), RunConfig(model=MODEL, train=TRAIN)
    prepared = assemble(config, bench.corpus, bench.model, None, ComputeDevice(torch.device("cpu")), 1.0)
    prepared = dataclasses.replace(prepared, state=TrainerState(most_windows=1))
    leader = FakeLeader(bench.parts.gradients)
    prepared.trainer(RunStore().create(config, "fox"), Control(), lambda _: [], leader=cast("Leader", leader))
    assert leader.most_windows == 1
