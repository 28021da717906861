"""The model card: what an exported model is, and how to load it."""

from tui_gpt import __version__
from tui_gpt.escaping import escape_controls
from tui_gpt.formatting import text_name
from tui_gpt.metrics import ASCII_CHARACTER
from tui_gpt.storage.manifest import CheckpointInfo

_ACTIVATIONS = {"relu": "ReLU", "gelu": "GELU"}


def model_card(info: CheckpointInfo) -> str:
    """Return the content of `README.md`."""
    model, characters = info.config.model, info.tokenizer["characters"]
    prompt = "\n" if "\n" in characters else characters[0]
    return f"""---
library_name: transformers
pipeline_tag: text-generation
tags: [character-level, gpt2]
---

# A character-level GPT

{_origin(info)}; {_loss(info)}.
A decoder-only transformer of {model.n_layer} blocks, {model.n_head} heads and width {model.n_embd}, with
{_ACTIVATIONS[model.activation]}, as `GPT2LMHeadModel`. Each of the {info.vocab_size:,} characters of its text is a
token; other characters of a prompt are left out.

```python
from transformers import AutoModelForCausalLM, AutoTokenizer

model, tokenizer = AutoModelForCausalLM.from_pretrained("."), AutoTokenizer.from_pretrained(".")
prompt = tokenizer({prompt!r}, return_tensors="pt")
print(tokenizer.decode(model.generate(**prompt)[0]))
```

`"."` is this folder. The context is {model.block_size:,} characters, and GPT-2 does not slide its window: prompt and
generated text together are at most that long, which `generation_config.json` sets as `max_length`.
"""


def _origin(info: CheckpointInfo) -> str:
    text = escape_controls(text_name(info.config.corpus)).replace("`", "'")
    if not info.step:
        return f"Imported by tui-gpt {__version__}, and trained elsewhere on the text `{text}`"
    return f"Trained with tui-gpt {__version__} on the text `{text}`, {info.step:,} steps"


def _loss(info: CheckpointInfo) -> str:
    if info.val_loss is None:
        return "its validation loss was not measured"
    estimate = ", an estimate on a part of the validation split" if info.val_is_estimate else ""
    bits = ASCII_CHARACTER.bits_per_char(info.val_loss)
    return f"validation loss {info.val_loss:.4f} nats ({bits:.4f} bits) per character{estimate}"
