"""Write cards as text or Markdown, and describe how an answer was generated."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from tui_gpt.generation.steering.endings import END_WORDS
from tui_gpt.storage.files import sync_folder
from tui_gpt.tui.generate.notebook.answers import Answer
from tui_gpt.tui.generate.notebook.cards import Card
from tui_gpt.tui.generate.notebook.limits import limits


def as_text(card: Card) -> str:
    """Return the whole text of the shown answer."""
    return card.answer.full


def as_markdown(card: Card) -> str:
    """Return every answer of a card, each in a code block below a line on how it was generated."""
    return f"# {_title(card)}\n\n" + "\n".join(map(_markdown_answer, card.answers))


def _title(card: Card) -> str:
    first = card.answer.full.strip().partition("\n")[0]
    title = "".join(character for character in first if character.isalnum() or character in " .,:;!?'-")
    return title[:60].strip() or "An answer"


def _markdown_answer(answer: Answer) -> str:
    runs = (len(run) for run in "".join(c if c == "`" else " " for c in answer.full).split())
    fence = "`" * max(3, 1 + max(runs, default=0))
    return f"{provenance(answer)}\n\n{fence}text\n{answer.full}\n{fence}\n"


def provenance(answer: Answer) -> str:
    """Return how an answer was generated: `shipped, step 2,000, seed 17, temperature 0.8, top-k 20, 500 characters`."""
    parts = [answer.model or "no model"]
    if answer.step:
        parts.append(f"step {answer.step:,}")
    if answer.kind == "written":
        parts += sampling_notes(answer)
    end = [END_WORDS[answer.end]] if answer.end else []
    return ", ".join([*parts, f"{len(answer.text):,} characters", *end])


_LABELS: Mapping[str, str] = {
    "temperature": "temperature",
    "top_k": "top-k",
    "top_p": "top-p",
    "min_p": "min-p",
    "max_new_tokens": "length",
}


def sampling_notes(answer: Answer) -> Iterator[str]:
    """Yield the sampling settings of an answer: seed, temperature, and those that filtered or changed, e.g. `top-k 20`,
    `temperature 0.8 → 1.1 at 120`, then stop conditions and constraints."""
    config = answer.config
    yield f"seed {config.seed}" + (f" ({answer.place + 1} of {answer.batch})" if answer.batch > 1 else "")
    unused = {"top_k": 0, "top_p": 1.0, "min_p": 0.0, "max_new_tokens": config.max_new_tokens}
    for name, label in _LABELS.items():
        value = getattr(config, name)
        changes = [f" → {_shown(name, to)} at {at:,}" for at, changed, to in answer.changes if changed == name]
        if changes or value != unused.get(name):
            yield f"{label} {_shown(name, value)}" + "".join(changes)
    yield from limits(config)


def _shown(name: str, value: float) -> str:
    return "all" if name == "top_k" and not value else f"{value:,}" if isinstance(value, int) else f"{value:g}"


def save_copy(card: Card, folder: Path, *, markdown: bool = False) -> Path:
    """Write a card to a new file in `folder`, as text or as Markdown; return its path. Raises OSError."""
    suffix, content = (".md", as_markdown(card)) if markdown else (".txt", as_text(card) + "\n")
    words = "".join(c if c.isascii() and c.isalnum() else " " for c in card.answer.full[:40]).lower().split()
    stem = "-".join(["tui-gpt", *words[:4]])
    for number in range(1, 10_000):
        path = folder / f"{stem}{'' if number == 1 else f'-{number}'}{suffix}"
        try:
            with path.open("x", encoding="utf-8", errors="replace") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        except FileExistsError:
            continue
        sync_folder(folder)
        return path
    raise FileExistsError(f"{folder / stem}{suffix} and 10,000 similar names exist already")
