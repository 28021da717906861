"""Train a small GPT on a text of your choice and generate text with it, in your terminal or in your own Python program.

    import tui_gpt

    model = tui_gpt.load("shipped")
    print(model.generate("ROMEO:", 200, seed=1))

The names below are imported when they are first used; `import tui_gpt` alone imports nothing else.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tui_gpt import errors, events
    from tui_gpt.api.model import Model, Score, load
    from tui_gpt.api.runs import ngram_losses, read_log, runs
    from tui_gpt.api.training import Training, resume, train
    from tui_gpt.errors import TuiGptError

__version__ = "0.1.0"

__all__ = [
    "Model",
    "Score",
    "Training",
    "TuiGptError",
    "__version__",
    "errors",
    "events",
    "load",
    "ngram_losses",
    "read_log",
    "resume",
    "runs",
    "train",
]

_HOMES = {
    "Model": "tui_gpt.api.model",
    "Score": "tui_gpt.api.model",
    "Training": "tui_gpt.api.training",
    "TuiGptError": "tui_gpt.errors",
    "load": "tui_gpt.api.model",
    "ngram_losses": "tui_gpt.api.runs",
    "read_log": "tui_gpt.api.runs",
    "resume": "tui_gpt.api.training",
    "runs": "tui_gpt.api.runs",
    "train": "tui_gpt.api.training",
}
"""The module of each public name; `errors` and `events` are modules themselves."""


if not TYPE_CHECKING:  # with it, type checkers would accept every name

    def __getattr__(name: str) -> object:
        """Import a public name (PEP 562)."""
        from importlib import import_module

        if name in _HOMES:
            return getattr(import_module(_HOMES[name]), name)
        if name in __all__:
            return import_module(f"tui_gpt.{name}")
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
