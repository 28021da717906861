"""Measure how much generated text is copied: known words and copied passages.

    python benchmarks/novelty.py SOURCE ... [--characters 10000] [--temperature 0.8] [--seed 1] [--corpus NAME]

A SOURCE is a run, RUN@best, RUN@last, `shipped`, or the folder of a checkpoint or run. Each generates that many
characters after a newline, in one stream. A word is known if it occurs anywhere in the corpus; a passage is copied if
it occurs verbatim in the part that the model was trained on, the first nine tenths. A passage begins at every character
of the generated text. The first row is the corpus's own last tenth, which no model has seen: what a person would write.
"""

import argparse
import re
from pathlib import Path

from tui_gpt.config import DEFAULT_CORPUS, SampleConfig
from tui_gpt.formatting import format_loss
from tui_gpt.prior.novelty import CopyIndex
from tui_gpt.session import Session
from tui_gpt.text.corpora import load, read_corpus
from tui_gpt.text.tokenizer import CharTokenizer

LENGTHS = (20, 40)
TRAIN_SHARE = 0.9


def main() -> None:
    """Print a row of Markdown per source."""
    options = parsed()
    text = load(read_corpus(options.corpus)).text
    train, unseen = text[: int(TRAIN_SHARE * len(text))], text[int(TRAIN_SHARE * len(text)) :]
    known = set(words_of(text))
    print(f"{options.characters:,} characters each, temperature {options.temperature:g}, seed {options.seed}\n")
    print(
        "| text | validation loss | words that the corpus has | copied "
        + " | copied ".join(map(heading, LENGTHS))
        + " |"
    )
    print("|---|---|---|" + "---|" * len(LENGTHS))
    print(row("the corpus's unseen tenth", "", unseen[: options.characters], train, set(words_of(train))))
    for source in options.sources:
        model = Session().open_model(Path(source) if Path(source).is_dir() else source)
        config = SampleConfig(max_new_tokens=options.characters, temperature=options.temperature, seed=options.seed)
        written = "".join(piece.text for piece in model.stream("\n", config))
        loss = format_loss(model.val_loss, is_estimate=model.val_is_estimate)
        print(row(f"{model.name}, step {model.step:,}", loss, written, train, known), flush=True)


def parsed() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sources", nargs="+", metavar="SOURCE")
    parser.add_argument("--characters", type=int, default=10_000)
    parser.add_argument("--temperature", type=float, default=0.8)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--corpus", default=DEFAULT_CORPUS, help="what they were trained on")
    return parser.parse_args()


def heading(length: int) -> str:
    """Return the heading of a column."""
    return f"{length}-character pieces"


def row(name: str, loss: str, written: str, train: str, known: set[str]) -> str:
    """Return the row of one text."""
    words = words_of(written)[1:-1]  # the first and the last may be cut
    known_fraction = sum(word in known for word in words) / max(1, len(words))
    copied = (f"{copied_share(written, train, length):.2%}" for length in LENGTHS)
    return f"| {name} | {loss} | {known_fraction:.1%} | " + " | ".join(copied) + " |"


def words_of(text: str) -> list[str]:
    """Return the words of a text in lower case."""
    return [word.lower() for word in re.findall(r"[^\W\d_]+(?:['’-][^\W\d_]+)*", text)]


def copied_share(written: str, train: str, length: int) -> float:
    """Return the fraction of passages of `length` characters that occur in `train`."""
    tokenizer = CharTokenizer.from_text(train)
    starts = CopyIndex([tokenizer.lookup(train)], length).copied_passages(tokenizer.lookup(written))
    return float(starts.mean()) if len(starts) else 0.0


if __name__ == "__main__":
    main()
