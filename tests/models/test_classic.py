"""The lecture's transformer: its size, its causality, its loss, and that it agrees with the paper's formulas."""

import dataclasses
import math

import pytest
import torch
import torch.nn.functional as F

from tests.generation import oracle
from tui_gpt.config import PRESETS, Activation, ModelConfig
from tui_gpt.models.classic import Classic

CONFIG = ModelConfig(block_size=16, n_layer=2, n_head=2, n_embd=16)
VOCAB = 11


def perturbed(config: ModelConfig = CONFIG) -> Classic:
    """Return a model in which no parameter is zero."""
    torch.manual_seed(0)
    model = Classic(config, VOCAB)
    for parameter in model.parameters():
        parameter.data += 0.3 * torch.randn_like(parameter)
    return model


def example() -> tuple[torch.Tensor, torch.Tensor]:
    tokens = torch.randint(0, VOCAB, (3, 16), generator=torch.Generator().manual_seed(1))
    return tokens, tokens.roll(-1, 1)


def test_the_lecture_model_has_10788929_parameters() -> None:
    with torch.device("meta"):
        model = Classic(PRESETS["classic"].model, 65)
    assert sum(parameter.numel() for parameter in model.parameters()) == 10_788_929


@pytest.mark.parametrize("activation", ["relu", "gelu"])
def test_logits_agree_with_the_formulas_of_the_paper(activation: Activation) -> None:
    model, (tokens, _) = perturbed(dataclasses.replace(CONFIG, activation=activation)), example()
    logits, loss = model(tokens)
    assert loss is None
    expected = torch.stack([oracle.classic_logits(model, row.tolist()) for row in tokens])
    torch.testing.assert_close(logits.double(), expected, atol=1e-5, rtol=0)


def test_a_shorter_window_has_the_same_logits() -> None:
    model, (tokens, _) = perturbed(), example()
    torch.testing.assert_close(model(tokens[:, :5])[0], model(tokens)[0][:, :5])


def test_a_later_token_never_changes_an_earlier_logit() -> None:
    model, (tokens, _) = perturbed(), example()
    logits, _ = model(tokens)
    for t in (0, 7, 15):
        changed = tokens.clone()
        changed[:, t] = (tokens[:, t] + 1) % VOCAB
        other, _ = model(changed)
        torch.testing.assert_close(other[:, :t], logits[:, :t])
        assert not torch.allclose(other[:, t:], logits[:, t:])


def test_the_loss_is_the_mean_negative_log_probability_of_the_targets() -> None:
    model, (tokens, targets) = perturbed(), example()
    logits, loss = model(tokens, targets)
    chosen = logits.log_softmax(-1).gather(-1, targets[..., None])
    torch.testing.assert_close(loss, -chosen.mean())


def test_a_new_model_predicts_nearly_uniformly() -> None:
    torch.manual_seed(0)
    tokens, targets = example()
    _, loss = Classic(CONFIG, VOCAB)(tokens, targets)
    assert loss.item() == pytest.approx(math.log(VOCAB), abs=0.05)


def test_without_blocks_the_embedding_of_a_character_is_the_logits_of_the_next() -> None:
    model = perturbed(ModelConfig(block_size=8, n_layer=0, n_head=1, n_embd=1))
    tokens, targets = example()
    logits, loss = model(tokens, targets)
    assert [tuple(p.shape) for p in model.parameters()] == [(VOCAB, VOCAB)]
    torch.testing.assert_close(logits, model.token_embedding.weight[tokens])
    torch.testing.assert_close(loss, F.cross_entropy(logits.flatten(0, 1), targets.flatten()))


def test_a_prior_is_refused() -> None:
    tokens, _ = example()
    with pytest.raises(ValueError, match="no prior"):
        Classic(CONFIG, VOCAB)(tokens, prior=torch.zeros(3, 16, VOCAB))


def test_a_few_steps_overfit_one_batch() -> None:
    torch.manual_seed(0)
    model, (tokens, targets) = Classic(CONFIG, VOCAB), example()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for _ in range(60):
        optimizer.zero_grad()
        loss = model(tokens, targets)[1]
        loss.backward()
        optimizer.step()
    assert model(tokens, targets)[1].item() < 0.5


def test_every_parameter_gets_a_gradient() -> None:
    model, (tokens, targets) = perturbed(), example()
    model(tokens, targets)[1].backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 0, name


def test_dropout_draws_from_its_own_generator_only() -> None:
    model = Classic(dataclasses.replace(CONFIG, dropout=0.2), VOCAB)
    tokens, _ = example()
    model.dropout.generator.manual_seed(5)
    before = torch.get_rng_state()
    first, second = model(tokens)[0], model(tokens)[0]
    model.dropout.generator.manual_seed(5)
    assert torch.equal(model(tokens)[0], first)
    assert not torch.equal(first, second)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_restored_generator_drops_the_same_activations() -> None:
    model = Classic(dataclasses.replace(CONFIG, dropout=0.2), VOCAB)
    tokens, _ = example()
    state = model.dropout.generator.get_state()
    first = model(tokens)[0]
    model.dropout.generator = torch.Generator().set_state(state)
    assert torch.equal(model(tokens)[0], first)


def test_evaluation_neither_drops_activations_nor_draws_random_numbers() -> None:
    model = Classic(dataclasses.replace(CONFIG, dropout=0.9), VOCAB).eval()
    tokens, _ = example()
    state = model.dropout.generator.get_state()
    assert torch.equal(model(tokens)[0], model(tokens)[0])
    assert torch.equal(model.dropout.generator.get_state(), state)
