"""Batches that are prepared ahead, and copies that a GPU makes in the background."""

import dataclasses
import threading
from types import SimpleNamespace
from typing import cast

import pytest
import torch

from tests.training.workbench import Workbench
from tui_gpt.events import Finished
from tui_gpt.models.dropout import Dropout
from tui_gpt.training.batches import Batch
from tui_gpt.training.checkpoints.copies import copied_generators, restore_generators
from tui_gpt.training.checkpoints.host_copies import PendingCopies
from tui_gpt.training.compute.prefetch import Prefetcher
from tui_gpt.training.setup.components import random_generators

CPU = torch.device("cpu")


class Source:
    """Makes batches of their number, and notes which thread asked for it."""

    def __init__(self) -> None:
        self.made: list[tuple[int, bool]] = []

    def prepare(self, number: int) -> Batch:
        self.made.append((number, threading.current_thread() is threading.main_thread()))
        return Batch(torch.full((1, 1), number), torch.full((1, 1), number))


def test_the_next_batch_is_prepared_in_another_thread() -> None:
    source = Source()
    batches = Prefetcher(source.prepare, CPU)
    values = [int(batches.training(number).inputs) for number in (0, 1, 2)]
    batches.close()
    assert values == [0, 1, 2]
    assert source.made == [(0, True), (1, False), (2, False), (3, False)]


def test_a_batch_that_was_not_prepared_is_made_at_once() -> None:
    source = Source()
    batches = Prefetcher(source.prepare, CPU)
    values = [int(batches.training(number).inputs) for number in (5, 2, 3)]
    batches.close()
    assert values == [5, 2, 3]


def test_an_error_in_the_other_thread_is_raised_where_the_batch_is_asked_for() -> None:
    def prepare(number: int) -> Batch:
        if number:
            raise ValueError("the text is gone")
        return Source().prepare(number)

    batches = Prefetcher(prepare, CPU)
    batches.training(0)
    with pytest.raises(ValueError, match="the text is gone"):
        batches.training(1)
    batches.close()


def test_a_run_ends_the_thread_that_prepares_its_batches() -> None:
    bench = Workbench(is_asynchronous=True)
    bench.run()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("prefetch")]


def test_copies_are_waited_for_by_whoever_reads_one_and_not_before() -> None:
    buffer, waits = torch.zeros(1), []

    def wait() -> None:
        waits.append("waited")
        buffer.fill_(7.0)

    copies = PendingCopies({"weight": buffer}, wait)
    assert list(copies) == ["weight"]
    assert waits == []
    assert float(copies["weight"]) == 7.0
    assert {name: float(tensor) for name, tensor in copies.items()} == {"weight": 7.0}
    linear = torch.nn.Linear(1, 1, bias=False)
    linear.load_state_dict(PendingCopies({"weight": torch.full((1, 1), 3.0)}, wait))
    assert float(linear.weight.detach()) == 3.0


def test_the_state_of_a_generator_on_a_gpu_is_left_alone_on_a_cpu() -> None:
    """It has 16 bytes, and one of the CPU 5,056."""
    generator = torch.Generator().manual_seed(3)
    before = copied_generators({"dropout.0": generator})
    restore_generators({"dropout.0": generator}, {"generator.cuda.dropout.0": torch.zeros(16, dtype=torch.uint8)})
    assert torch.equal(generator.get_state(), before["generator.dropout.0"])


def test_a_checkpoint_from_a_gpu_is_resumed_on_a_cpu() -> None:
    first = Workbench()
    list(first.run_until(5))
    last = first.checkpoints["last"][-1]
    training = {name: tensor for name, tensor in last.training.items() if not name.startswith("generator")}
    training["generator.cuda.dropout.0"] = torch.zeros(16, dtype=torch.uint8)
    resumed = Workbench(snapshot=dataclasses.replace(last, training=training))
    finished = resumed.run()[-1]
    assert isinstance(finished, Finished)
    assert finished.reason == "completed"


def test_dropout_draws_on_the_gpu_that_its_model_is_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """A generator with the same seed and another device."""
    dropout = Dropout(0.5, torch.Generator().manual_seed(11))
    own = dropout.generator
    dropout.move_generator(torch.device("mps"))
    assert dropout.generator is own
    asked: list[torch.device] = []

    class Fake:
        device = torch.device("cuda")

        def __init__(self, device: torch.device) -> None:
            asked.append(device)

        def manual_seed(self, seed: int) -> "Fake":
            self.seed = seed
            return self

    monkeypatch.setattr(torch, "Generator", Fake)
    dropout.move_generator(torch.device("cuda"))
    moved: object = dropout.generator
    assert isinstance(moved, Fake)
    assert (asked, moved.seed) == ([torch.device("cuda")], 11)


def test_a_generator_on_a_gpu_has_a_name_of_its_own() -> None:
    replicas = Workbench().parts.replicas
    assert list(random_generators(replicas)) == ["dropout.0"]
    dropout = replicas.models[0].dropout
    assert isinstance(dropout, Dropout)
    dropout.generator = cast("torch.Generator", SimpleNamespace(device=torch.device("cuda")))
    assert list(random_generators(replicas)) == ["cuda.dropout.0"]
