"""The table of the words that were replaced, and a search for them: none may come back.

Identifiers are compared as whole names; phrases by their words, in small letters, also across a line break.
"""

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
FOLDERS = ("tui_gpt", "tests", "docs", "benchmarks", "examples")
SUFFIXES = {".py", ".c", ".h", ".md", ".tcss"}
_WORD = re.compile(r"\w+")

IDENTIFIERS = {
    "World": "ComputeDevice",
    "Committee": "Ensemble",
    "committee": "ensemble",
    "Shards": "Replicas",
    "shards": "replicas",
    "Standing": "TrainerState",
    "Keeper": "CheckpointWriter",
    "inert": "escape_controls",
    "surprise": "score",
    "reins": "requests",
    "SideBySide": "ThreadedDecoder",
    "Decoders": "DecoderFactory",
    "readings": "logits_along",
    "Waker": "TorchLoader",
    "WakingSession": "DeferredSession",
    "Thought": "Prediction",
    "thoughts": "probabilities",
    "MOODS": "SAMPLING_PRESETS",
    "mood": "preset",
    "compacted": "quantized",
    "NUMBERS": "INT8",
    "FACTORS": "SCALES",
    "StepAbandonedError": "StepAbortedError",
    "abandoned_on_stop": "abort_on_stop",
    "MOST_BAD_STEPS": "MAX_BAD_STEPS",
    "MOST_MEMBERS": "MAX_MEMBERS",
    "MOST_READINGS": "MAX_EPOCHS",
    "READINGS": "EPOCHS_PER_NETWORK",
    "LEAST_TO_COME": "MIN_REMAINING_FRACTION",
    "SPENT_SHARE": "MIN_BUDGET_USED",
    "LEAST_SHARE": "MIN_FRACTION",
    "tokens_a_batch": "tokens_per_batch",
    "_tokens_a_step": "tokens_per_step",
    "steps_a_reading": "steps_per_epoch",
    "VALIDATION_TOKENS_A_BATCH": "TOKENS_PER_BATCH",
    "understood": "convert_state_dict",
    "tell_characters": "set_case_folding",
    "take_weights": "transfer_weights",
    "is_endless": "slides",
    "worked_out": "ff_out",
    "let_the_compiler_call_quick_products": "register_onednn_op",
    "let_go_of_stdout": "detach_stdout",
    "_Paper": "TextOutput",
    "_QuickEnd": "_FastExit",
    "_TRUTHS": "BOOL_WORDS",
    "standing_levels": "config_layers",
    "keep_the_screen_quick": "set_switch_interval",
    "step_back": "lower_thread_priority",
    "nothing_collected": "gc_paused",
    "ask_weights": "request_weights",
    "leave_out": "exclude_seconds",
    "say_error": "print_error",
    "write_texts": "generate_texts",
    "soften": "softmax",
    "chances": "probabilities",
    "votes": "probabilities",
    "FACES": "INTERFACES",
    "newest_whole": "newest_complete",
    "LEAST_EXPONENT": "MIN_EXPONENT",
    "by_chance": "by_probability",
    "talk": "messages",
    "seconds_to_leave": "seconds_to_exit",
    "keep_likeliest": "keep_most_likely",
}
"""Names in the code, and what they are called instead."""

PHRASES = {
    "told": "reported, notified",
    "tells": "reports, describes",
    "to tell": "to report, to distinguish",
    "says so": "reports it",
    "says what": "describes what",
    "says of": "records of",
    "says that": "means that",
    "says why": "explains why",
    "says it": "reports it",
    "is said": "is reported",
    "news": "events, notices",
    "anew": "again, from scratch",
    "afresh": "again, from scratch",
    "go on": "continue, resume",
    "goes on": "continues, resumes",
    "going on": "continuing, running",
    "went on": "continued",
    "gone on": "continued",
    "so many": "that many, N",
    "as many as": "up to N, the number that",
    "as much as": "the part that",
    "as much of": "the part of",
    "face": "interface",
    "faces": "interfaces",
    "stands for": "is",
    "stands in": "is in",
    "stands at": "is at",
    "as it stands": "in its current state",
    "nobody": "no process, no user",
    "whoever": "the caller, the process that",
    "everybody": "all",
    "somebody": "another user",
    "vote": "average the predicted probabilities",
    "votes": "probabilities",
    "the model thinks": "the model predicts",
    "the model thought": "the model predicted",
    "the chances": "the probabilities",
    "wish": "request",
    "wishes": "requests",
    "passed over": "skipped, ignored",
    "what is none": "what does not exist",
    "as far as": "if, the part that",
    "mend": "fix",
    "under way": "in progress",
    "room for": "space for",
    "characters a second": "characters per second",
    "bytes a second": "bytes per second",
    "steps a second": "steps per second",
    "characters a step": "characters per step",
    "tokens a step": "tokens per step",
    "tokens a batch": "tokens per batch",
    "nats a character": "nats per character",
    "bits a character": "bits per character",
    "microseconds a character": "microseconds per character",
    "milliseconds a step": "milliseconds per step",
    "a piece a": "one piece per",
    "a character a": "one character per",
    "a row a": "a row per",
    "a line a": "a line per",
    "one a core": "one per core",
    "a share of": "a fraction of",
    "the share of": "the fraction of",
    "the share p": "the fraction p",
    "what share": "the fraction",
    "the likeliest": "the most likely",
    "likelier": "more likely",
    "was read yet": "has been read yet",
    "whole or not at all": "atomically",
    "how well the model": "the log-probability that the model",
    "a face": "an interface",
    "by heart": "word by word",
    "let it go": "release it",
    "thread of its own": "its own thread",
    "files of their own": "separate files",
}
"""Idioms, and the words of the field for them."""


def files() -> Iterator[Path]:
    for folder in FOLDERS:
        yield from (path for path in (ROOT / folder).rglob("*") if path.suffix in SUFFIXES)
    yield from (*ROOT.glob("*.md"), *(ROOT / "data").glob("*.md"), ROOT / "hatch_build.py")


def findings(name: str, text: str) -> Iterator[str]:
    """Yield a sentence for each replaced word in a text, with its line and the word to use instead."""
    words = _WORD.findall(text)
    lower = f" {' '.join(words).lower()} "
    found = {word: IDENTIFIERS[word] for word in IDENTIFIERS.keys() & set(words)}
    found |= {phrase: PHRASES[phrase] for phrase in PHRASES if f" {phrase} " in lower}
    for old, instead in found.items():
        flags = re.IGNORECASE if old in PHRASES else 0
        for match in re.finditer(_pattern(old), text, flags):
            yield f"{name}:{text.count(chr(10), 0, match.start()) + 1}: instead of {old!r} use {instead!r}"


def _pattern(old: str) -> str:
    return r"\b" + r"\W+".join(map(re.escape, old.split())) + r"\b"


def test_no_replaced_word_has_come_back() -> None:
    found: list[str] = []
    for path in files():
        if path != Path(__file__):
            found += findings(path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8"))
    assert not found, "\n" + "\n".join(found)


def test_a_finding_names_the_file_the_line_and_the_word_to_use_instead() -> None:
    text = '"""Trains.\n\nIt stops, then goes\non."""\nclass Committee:'
    assert set(findings("a.py", text)) == {
        "a.py:3: instead of 'goes on' use 'continues, resumes'",
        "a.py:5: instead of 'Committee' use 'Ensemble'",
    }
