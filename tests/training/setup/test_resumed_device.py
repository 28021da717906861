"""A resumed run keeps the precision that was measured, unless it continues on another kind of device."""

import dataclasses

import pytest
import torch

from tests.training.workbench import MODEL, TEXT, TRAIN
from tui_gpt.config import Precision, RunConfig
from tui_gpt.control import Control
from tui_gpt.ranks import ALONE
from tui_gpt.text.corpora import CorpusText
from tui_gpt.text.dataset import Corpus
from tui_gpt.training.compute.device import ComputeDevice
from tui_gpt.training.setup import resume
from tui_gpt.training.state import TrainerState

CONFIG = RunConfig(preset="none", model=MODEL, train=TRAIN)


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[ComputeDevice]:
    """Devices whose precision was measured. The CPU plays one that has two, of which bfloat16 is the faster."""
    found: list[ComputeDevice] = []

    def measure(_config: object, _corpus: object, compute: ComputeDevice, _control: object) -> ComputeDevice:
        found.append(compute)
        return compute.with_precision("bf16")

    both = ComputeDevice(torch.device("cpu"), precisions=("fp32", "bf16"))
    monkeypatch.setattr(ComputeDevice, "of", lambda _config, _ranks: both)
    monkeypatch.setattr("tui_gpt.training.setup.resume.with_measured_precision", measure)
    return found


def precision_after(state: TrainerState) -> Precision:
    corpus = Corpus.build(CorpusText(name="fox", text=TEXT, digest="", source="fox"), MODEL.block_size)
    return resume._resumed_device(CONFIG, corpus, state, Control(), ALONE).precision


def test_the_measured_precision_is_kept_on_the_same_kind_of_device(measured: list[ComputeDevice]) -> None:
    assert precision_after(TrainerState(device="cpu", precision="fp32")) == "fp32"
    assert measured == []


@pytest.mark.parametrize("state", [TrainerState(), TrainerState(device="cuda", precision="tf32")])
def test_it_is_measured_again_elsewhere(state: TrainerState, measured: list[ComputeDevice]) -> None:
    assert precision_after(state) == "bf16"
    assert len(measured) == 1


def test_a_precision_that_was_chosen_by_name_is_never_measured() -> None:
    train = dataclasses.replace(TRAIN, precision="bf16")
    assert ComputeDevice.of(train).precisions == ("bf16",)
