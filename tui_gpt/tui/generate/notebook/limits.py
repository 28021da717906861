"""The stop conditions and constraints of a config in words, each a few words long."""

from collections.abc import Iterator

from tui_gpt.character_sets import escaped
from tui_gpt.config import SampleConfig

_MAX_LENGTH = 24
"""Characters of a user's text that are shown."""


def limits(config: SampleConfig) -> Iterator[str]:
    """Yield those that are set, e.g. `stop "\\n\\n"`, `until speaker`, `only a-z`."""
    if config.stop:
        shown = " ".join(f'"{_short(escaped(stop))}"' for stop in config.stop[:2])
        more = len(config.stop) - 2
        yield f"stop {shown}" + (f" and {more} more" if more > 0 else "")
    if config.until != "length":
        yield f"until {config.until.replace('-', ' ')}"
    if config.max_seconds is not None:
        yield f"{config.max_seconds:g} s at most"
    for name, word in (("allow", "only"), ("forbid", "without"), ("match", "match")):
        if value := getattr(config, name):
            yield f"{word} {_short(_on_one_line(value))}"
    if config.repetition_penalty != 1:
        yield (
            f"repetition penalty {config.repetition_penalty:g} "
            f"({config.repetition_length} of {config.repetition_window})"
        )


def _on_one_line(text: str) -> str:
    return text.replace("\n", "\\n").replace("\t", "\\t").replace("\r", "\\r")


def _short(text: str) -> str:
    return text if len(text) <= _MAX_LENGTH else text[: _MAX_LENGTH - 1] + "…"
