"""The precision of the matrix products: what is possible where, which one is chosen, and what stays in float32."""

import dataclasses
from collections.abc import Mapping

import pytest
import torch

from tests.training.workbench import MODEL, TEXT, TRAIN, Workbench
from tui_gpt.config import ModelConfig, Precision, PrecisionName, RunConfig, TrainConfig
from tui_gpt.control import Control
from tui_gpt.errors import ConfigError
from tui_gpt.events import Evaluated, Progress, Started
from tui_gpt.models import linear
from tui_gpt.text.corpora import CorpusText
from tui_gpt.text.dataset import Corpus
from tui_gpt.training.budget.calibration import trial_of
from tui_gpt.training.budget.precision_trial import with_measured_precision
from tui_gpt.training.compute.capabilities import Capabilities
from tui_gpt.training.compute.device import ComputeDevice
from tui_gpt.training.compute.precision import autocast, fastest, float32_products, possible_precisions

CPU = Capabilities(kind="cpu", name="cpu")
MPS = Capabilities(kind="mps", name="mps")
T4 = Capabilities(kind="cuda", name="Tesla T4", total_bytes=16 * 10**9)
A100 = Capabilities(kind="cuda", name="NVIDIA A100", total_bytes=80 * 10**9, has_bf16=True, has_tf32=True)
MODERN = ModelConfig(
    architecture="modern", block_size=16, n_layer=2, n_head=2, n_embd=16, ngram_order=2, induction=True, dropout=0.1
)
MUON = dataclasses.replace(TRAIN, optimizer="muon", learning_rate=0.02)


@pytest.mark.parametrize(
    ("name", "device", "possible"),
    [
        ("auto", CPU, ("fp32",)),
        ("auto", MPS, ("fp32",)),
        ("auto", T4, ("fp32",)),
        ("auto", A100, ("tf32", "bf16")),
        ("fp32", A100, ("fp32",)),
        ("bf16", A100, ("bf16",)),
        ("bf16", CPU, ("bf16",)),
        ("fp32", MPS, ("fp32",)),
    ],
)
def test_the_precisions_that_a_setting_allows(
    name: PrecisionName, device: Capabilities, possible: tuple[Precision, ...]
) -> None:
    assert possible_precisions(name, device) == possible


@pytest.mark.parametrize(("name", "device"), [("tf32", CPU), ("tf32", T4), ("tf32", MPS), ("bf16", MPS)])
def test_a_precision_that_the_device_lacks_is_refused_with_another_one(
    name: PrecisionName, device: Capabilities
) -> None:
    with pytest.raises(ConfigError, match="use --precision auto or fp32") as refused:
        possible_precisions(name, device)
    assert refused.value.setting == "precision"


@pytest.mark.parametrize(
    ("seconds", "chosen"),
    [
        ({"tf32": 1.0, "bf16": 0.6}, "bf16"),
        ({"tf32": 1.0, "bf16": 0.98}, "tf32"),
        ({"tf32": 1.0, "bf16": 1.5}, "tf32"),
        ({"tf32": 1.0, "bf16": None}, "tf32"),
        ({"tf32": None, "bf16": 2.0}, "bf16"),
        ({"tf32": None, "bf16": None}, "tf32"),
    ],
)
def test_the_fastest_precision_with_a_finite_loss_is_chosen(
    seconds: Mapping[Precision, float | None], chosen: Precision
) -> None:
    assert fastest(seconds) == chosen


def corpus() -> Corpus:
    return Corpus.build(CorpusText(name="fox", text=TEXT, digest="", source="fox"), MODEL.block_size)


class FakeClock:
    """A clock by which bfloat16 is `factor` times faster than float32."""

    def __init__(self, factor: float) -> None:
        self.now, self.factor = 0.0, factor

    def __call__(self) -> float:
        self.now += 1.0 / self.factor if self.in_bf16 else 1.0
        return self.now

    in_bf16 = False


@pytest.mark.parametrize(("factor", "chosen"), [(3.0, "bf16"), (0.5, "fp32")])
def test_a_short_trial_finds_the_faster_precision(
    factor: float, chosen: Precision, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, build = FakeClock(factor), trial_of

    def noting(config: RunConfig, text: Corpus, compute: ComputeDevice, given: FakeClock) -> object:
        clock.in_bf16 = compute.precision == "bf16"
        return build(config, text, compute, given)

    monkeypatch.setattr("tui_gpt.training.budget.precision_trial.trial_of", noting)
    both = ComputeDevice(torch.device("cpu"), precisions=("fp32", "bf16"))
    config = RunConfig(preset="none", model=MODEL, train=TRAIN)
    assert with_measured_precision(config, corpus(), both, Control(), clock).precisions == (chosen,)


def test_a_single_precision_needs_no_trial_and_a_stop_keeps_the_most_exact_one() -> None:
    config, control = RunConfig(preset="none", model=MODEL, train=TRAIN), Control()
    only = ComputeDevice(torch.device("cpu"))
    assert with_measured_precision(config, corpus(), only, control) is only
    control.stop()
    both = ComputeDevice(torch.device("cpu"), precisions=("fp32", "bf16"))
    assert with_measured_precision(config, corpus(), both, control).precisions == ("fp32",)


@pytest.mark.parametrize(("model", "train"), [(MODEL, TRAIN), (MODERN, MUON)], ids=["classic", "modern"])
def test_a_run_in_bf16_learns_like_one_in_fp32_with_everything_but_the_products_in_float32(
    model: ModelConfig, train: TrainConfig
) -> None:
    short = dataclasses.replace(train, max_iters=4, eval_interval=4, log_interval=1)
    benches = [Workbench(model, dataclasses.replace(short, precision=name)) for name in ("fp32", "bf16")]
    runs = [bench.run() for bench in benches]
    losses = [[event.loss for event in run if isinstance(event, Progress)] for run in runs]
    assert losses[0] != losses[1]
    assert losses[0] == pytest.approx(losses[1], abs=0.05)
    bf16 = benches[1]
    tensors = [*bf16.weights.values(), *bf16.checkpoints["last"][-1].training.values()]
    assert {tensor.dtype for tensor in tensors if tensor.is_floating_point()} == {torch.float32}
    started = next(event for event in runs[1] if isinstance(event, Started))
    assert (started.precision, bf16.state.precision, bf16.state.device) == ("bf16", "bf16", "cpu")


def test_evaluations_are_in_float32_whatever_the_training_is_in() -> None:
    bf16 = Workbench(train=dataclasses.replace(TRAIN, precision="bf16", max_iters=1))
    evaluated = next(event for event in bf16.run() if isinstance(event, Evaluated))
    fp32 = Workbench(train=TRAIN)
    fp32.model.load_state_dict(bf16.weights)
    measured = fp32.meter.validation(bf16.parts.batches.record_tokens)
    assert measured is not None
    assert measured.loss == evaluated.val_loss


def test_the_matrix_products_are_in_bfloat16_and_the_loss_is_in_float32() -> None:
    bench = Workbench(train=dataclasses.replace(TRAIN, precision="bf16"))
    batch = bench.parts.batches.training(0)
    with autocast("bf16", torch.device("cpu")):
        assert linear.linear(torch.ones(300, 16), torch.ones(16, 16)).dtype == torch.bfloat16
        assert bench.model(batch.inputs, batch.targets)[1].dtype == torch.float32


def test_tf32_is_switched_on_for_the_passes_alone() -> None:
    with float32_products("tf32"):
        assert torch.get_float32_matmul_precision() == "high"
    assert torch.get_float32_matmul_precision() == "highest"
    with float32_products("bf16"):
        assert torch.get_float32_matmul_precision() == "highest"


def test_a_device_describes_itself() -> None:
    assert str(A100) == "NVIDIA A100 (80 GB, bf16, TF32)"
    assert str(CPU) == "cpu"
