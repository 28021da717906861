"""Ensembles: each member trains alone, and predicted probabilities are averaged."""

import copy
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tui_gpt.config import ModelConfig, TrainConfig
from tui_gpt.models.build import build_model
from tui_gpt.models.ensemble import Ensemble, log_mean_probabilities
from tui_gpt.training.optim.adamw import Optimizer
from tui_gpt.training.setup.components import build_optimizers, muon_optimizers

CONFIG = ModelConfig(
    architecture="modern", block_size=12, n_layer=1, n_head=2, n_embd=16, ngram_order=3, induction=True, members=3
)
VOCAB = 9
TRAIN = TrainConfig(max_iters=1, learning_rate=0.02, optimizer="muon")

Batch = tuple[Tensor, Tensor, Tensor]


def ensemble() -> Ensemble:
    model = build_model(CONFIG, VOCAB, seed=3)
    assert isinstance(model, Ensemble)
    return model


def example() -> Batch:
    generator = torch.Generator().manual_seed(1)
    tokens = torch.randint(0, VOCAB, (6, 12), generator=generator)
    prior = torch.randn(6, 12, VOCAB, generator=generator).log_softmax(-1)
    return tokens, tokens.roll(-1, 1), prior


def train(model: nn.Module, optimizers: Sequence[Optimizer], batch: Batch) -> None:
    for _ in range(5):
        _, loss = model(*batch)
        loss.backward()
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                group["lr"] = 0.02 * group["lr_scale"]
            optimizer.step()
            optimizer.zero_grad()


def test_probabilities_and_not_logits_are_averaged() -> None:
    logits = [torch.tensor([0.0, 0.0]), torch.tensor([5.0, 5.0 + torch.log(torch.tensor(3.0))])]
    torch.testing.assert_close(log_mean_probabilities(logits).exp(), torch.tensor([0.375, 0.625]))


def test_the_members_start_from_different_weights() -> None:
    first, second, third = (network.token_embedding.weight for network in ensemble().networks)
    assert not torch.equal(first, second)
    assert not torch.equal(second, third)


def test_each_member_trains_on_its_own_windows_as_if_it_were_alone() -> None:
    together = ensemble()
    alone = copy.deepcopy(together.networks)
    train(together, build_optimizers(together, TRAIN), example())
    for number, (network, twin) in enumerate(zip(together.networks, alone, strict=True)):
        tokens, targets, prior = (whole.tensor_split(3)[number] for whole in example())
        train(twin, muon_optimizers([twin], TRAIN), (tokens, targets, prior))
        for name, weight in network.state_dict().items():
            torch.testing.assert_close(weight, twin.state_dict()[name], rtol=1e-3, atol=1e-3)


def test_the_evaluation_loss_is_that_of_the_averaged_prediction() -> None:
    model, (tokens, targets, prior) = ensemble(), example()
    train(model, build_optimizers(model, TRAIN), (tokens, targets, prior))
    losses = torch.stack([network(tokens, targets, prior)[1] for network in model.networks])
    logits, loss = model.eval()(tokens, targets, prior)
    torch.testing.assert_close(loss, F.cross_entropy(logits.flatten(0, 1), targets.flatten()))
    assert loss < losses.mean()
