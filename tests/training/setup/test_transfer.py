"""Copying weights into a model with a larger alphabet."""

import pytest
import torch
from torch import Tensor

from tui_gpt.config import ModelConfig
from tui_gpt.errors import IncompatibleError
from tui_gpt.models.build import LanguageModel, build_model
from tui_gpt.text.corpora import CorpusText
from tui_gpt.text.dataset import Corpus
from tui_gpt.text.tokenizer import CharTokenizer
from tui_gpt.training.setup.transfer import transfer_weights

OLD_TEXT, NEW_TEXT = "    ab cd. dc ba. abcd" * 30, "ab éd. dé ba. xybéd" * 30
OLD = CharTokenizer.from_text(OLD_TEXT)
NEW = CharTokenizer.from_text(OLD_TEXT + NEW_TEXT)
NEW_IDS = torch.from_numpy(NEW.encode(OLD.characters)).long()
"""The number in the new alphabet of each character of the old one."""
CORPUS = Corpus.build(CorpusText(name="text", text=OLD_TEXT, digest="", source="text"), 16, NEW)
MODERN = {"architecture": "modern", "n_layer": 1, "n_head": 2, "n_embd": 16, "block_size": 16, "induction": True}


def logits_of(model: LanguageModel, tokenizer: CharTokenizer, ids: Tensor) -> Tensor:
    """Return the logits of the old characters, which have the numbers `ids`, along the beginning of the old text.

    It begins with spaces, the first character of both alphabets, which is what n-grams assume before a text.
    """
    tokens = torch.from_numpy(tokenizer.encode(OLD_TEXT[:16])).long()[None]
    prior = None
    if model.config.ngram_order:
        prior = torch.full((1, 16, tokenizer.vocab_size), -20.0)
        prior[..., ids] = -1.0
    logits: Tensor = model.eval()(tokens, None, prior)[0]
    return logits[..., ids]


@pytest.mark.parametrize("ngram_order", [0, 3])
def test_a_model_with_a_larger_alphabet_predicts_the_same_on_a_text_of_the_old_one(ngram_order: int) -> None:
    config = ModelConfig.from_dict({**MODERN, "ngram_order": ngram_order})
    source, target = build_model(config, OLD.vocab_size, seed=1), build_model(config, NEW.vocab_size, seed=2)
    with torch.no_grad():
        for parameter in source.parameters():
            parameter.normal_(std=0.3)
    weights = {name: tensor.half() for name, tensor in source.state_dict().items()}
    source.load_state_dict(weights)
    transfer_weights(target, weights, OLD, CORPUS)
    if ngram_order:  # the embedding of the prior reads the new characters' probabilities too
        is_new = torch.ones(NEW.vocab_size, dtype=torch.bool).index_fill(0, NEW_IDS, False)
        target.get_parameter("prior_embedding").data[:, is_new] = 0.0
    expected = logits_of(source, OLD, torch.arange(OLD.vocab_size))
    torch.testing.assert_close(logits_of(target, NEW, NEW_IDS), expected, atol=2e-3, rtol=1e-3)


def test_a_classic_model_keeps_the_first_position_embeddings() -> None:
    config = {"n_layer": 1, "n_head": 2, "n_embd": 16}
    source = build_model(ModelConfig.from_dict({**config, "block_size": 16}), OLD.vocab_size, seed=1)
    target = build_model(ModelConfig.from_dict({**config, "block_size": 8}), NEW.vocab_size, seed=2)
    transfer_weights(target, source.state_dict(), OLD, CORPUS)
    name = "position_embedding.weight"
    assert torch.equal(target.state_dict()[name], source.state_dict()[name][:8])


@pytest.mark.parametrize(("changes", "words"), [({"n_embd": 8}, "another shape"), ({"ngram_order": 3}, "another kind")])
def test_a_model_of_another_shape_is_refused(changes: dict[str, int], words: str) -> None:
    old, new = (ModelConfig.from_dict({**MODERN, "ngram_order": 0, **more}) for more in ({}, changes))
    weights = build_model(old, OLD.vocab_size, seed=1).state_dict()
    with pytest.raises(IncompatibleError, match=words):
        transfer_weights(build_model(new, NEW.vocab_size, seed=2), weights, OLD, CORPUS)
