"""The modern model: causal, equal to its prior at the start, and able to learn."""

import dataclasses
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F

from tui_gpt.config import ModelConfig, TrainConfig
from tui_gpt.models.modern import Modern, NgramEmbedding, SquaredReLU, apply_rotary, ngram_rows, rotary_table
from tui_gpt.training.setup.components import muon_optimizers

CONFIG = ModelConfig(architecture="modern", block_size=16, n_layer=2, n_head=2, n_embd=16, dropout=0.0, ngram_order=4)
INDUCTION = dataclasses.replace(CONFIG, induction=True)
VOCAB = 11
TRAIN = TrainConfig(max_iters=1, learning_rate=0.02, optimizer="muon")


def perturbed(config: ModelConfig = CONFIG) -> Modern:
    """Return a model in which no parameter is zero."""
    torch.manual_seed(0)
    model = Modern(config, VOCAB)
    for parameter in model.parameters():
        parameter.data += 0.2 * torch.randn_like(parameter)
    return model.eval()


def example(batch_size: int = 3) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    tokens = torch.randint(0, VOCAB, (batch_size, 16), generator=generator)
    prior = torch.randn(batch_size, 16, VOCAB, generator=generator).log_softmax(-1)
    return tokens, tokens.roll(-1, 1), prior


@pytest.mark.parametrize("config", [CONFIG, INDUCTION])
def test_a_later_token_never_changes_an_earlier_logit(config: ModelConfig) -> None:
    model, (tokens, _, prior) = perturbed(config), example()
    logits, _ = model(tokens, prior=prior)
    for t in (0, 7, 15):
        changed_tokens, changed_prior = tokens.clone(), prior.clone()
        changed_tokens[:, t] = (tokens[:, t] + 1) % VOCAB
        changed_prior[:, t] = prior[:, t].roll(1, -1)
        changed, _ = model(changed_tokens, prior=changed_prior)
        torch.testing.assert_close(changed[:, :t], logits[:, :t])
        assert not torch.allclose(changed[:, t:], logits[:, t:])


def test_a_new_model_predicts_what_its_prior_predicts() -> None:
    """The zero-initialised head adds nothing to the prior, so training starts at the n-gram model's loss."""
    tokens, targets, prior = example()
    logits, loss = Modern(INDUCTION, VOCAB)(tokens, targets, prior)
    torch.testing.assert_close(logits, prior)
    torch.testing.assert_close(loss, F.nll_loss(prior.flatten(0, 1), targets.flatten()))


def test_without_a_prior_a_new_model_predicts_uniformly() -> None:
    model = Modern(dataclasses.replace(CONFIG, ngram_order=0), VOCAB)
    tokens, targets, _ = example()
    _, loss = model(tokens, targets)
    torch.testing.assert_close(loss, torch.log(torch.tensor(float(VOCAB))))


def test_rotary_scores_depend_on_the_distance_only() -> None:
    q, k = torch.randn(2, 1, 1, 1, 8, generator=torch.Generator().manual_seed(2))

    def score(i: int, j: int) -> torch.Tensor:
        cos, sin = rotary_table(104, 8)
        left, right = (apply_rotary(x, (cos[n : n + 1], sin[n : n + 1])) for x, n in ((q, i), (k, j)))
        return (left * right).sum()

    torch.testing.assert_close(score(3, 1), score(103, 101), atol=1e-4, rtol=1e-4)
    assert not torch.allclose(score(3, 1), score(3, 2))


def test_squared_relu_agrees_with_autograd() -> None:
    x = torch.randn(20, dtype=torch.float64, requires_grad=True, generator=torch.Generator().manual_seed(3))
    squared: Callable[[torch.Tensor], torch.Tensor] = SquaredReLU.apply
    assert torch.autograd.gradcheck(squared, (x,))
    torch.testing.assert_close(squared(x), F.relu(x).square())


@pytest.mark.parametrize("config", [INDUCTION, dataclasses.replace(CONFIG, ngram_order=0)])
def test_every_parameter_gets_a_gradient(config: ModelConfig) -> None:
    model, (tokens, targets, prior) = perturbed(config), example()
    _, loss = model(tokens, targets, prior if config.ngram_order else None)
    loss.backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.any(), name


def test_a_few_steps_overfit_one_batch() -> None:
    torch.manual_seed(0)
    model = Modern(CONFIG, VOCAB)
    tokens, targets, prior = example(batch_size=2)
    optimizers = muon_optimizers([model], TRAIN)
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = 0.1 * group["lr_scale"]
    for _ in range(150):
        _, loss = model(tokens, targets, prior)
        loss.backward()
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad()
    assert loss.item() < 0.5


@pytest.mark.parametrize("training", [True, False])
def test_dropout_acts_in_training_only_and_draws_from_its_own_generator(training: bool) -> None:
    model = perturbed(dataclasses.replace(CONFIG, dropout=0.5)).train(training)
    tokens, _, prior = example()
    torch.manual_seed(0)
    model.dropout.generator.manual_seed(5)
    first, _ = model(tokens, prior=prior)
    torch.manual_seed(1)
    second, _ = model(tokens, prior=prior)
    model.dropout.generator.manual_seed(5)
    third, _ = model(tokens, prior=prior)
    assert torch.equal(first, third)
    assert torch.equal(first, second) is not training


def test_ngram_embeddings_depend_on_the_last_four_characters_only() -> None:
    embedding = NgramEmbedding(VOCAB, 8)
    tokens = torch.arange(9)[None]
    changed = tokens.clone()
    changed[0, 2] = 9
    differs = (embedding(tokens) != embedding(changed)).any(dim=-1)[0]
    assert differs.tolist() == [False, False, True, True, True, True, False, False, False]


def test_pairs_of_a_small_alphabet_share_no_rows_and_all_rows_exist() -> None:
    pairs = torch.cartesian_prod(torch.arange(65), torch.arange(65))
    rows = ngram_rows(pairs, 65)
    assert len(set(rows[:, 1, 0].tolist())) == 65**2
    tokens = torch.randint(0, 100_000, (2, 500), generator=torch.Generator().manual_seed(4))
    rows = ngram_rows(tokens, 100_000)
    assert 0 <= rows.min() < rows.max() < len(NgramEmbedding(100_000, 4).weight)
