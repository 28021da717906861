"""Train on a text and watch: events, early samples, two runs compared, n-gram models against networks, save and load.

Run it as a script, or cell by cell in an editor that knows `# %%`. With the path of a text as its argument it uses that
text, otherwise the built-in Shakespeare. It needs PyTorch but no network, takes half a minute on two cores, and
keeps its runs in a temporary folder, which is removed at the end.
"""

# %% A text, and a place for the runs
# Without `folder` a run is kept in your data directory and has a name: `tui_gpt.train(..., name="first")`.

import sys
import tempfile
from pathlib import Path

import tui_gpt
from tui_gpt.events import Evaluated, Event, Finished, Progress, Sampled, Started

CORPUS = sys.argv[1] if len(sys.argv) == 2 else "tinyshakespeare"
temporary = tempfile.TemporaryDirectory()
FOLDER = Path(temporary.name)

# %% What counting knows
# Models that only count n-grams, by their order. Longer contexts help less and less: soon most have never been seen.

print("order   validation loss (nats per character)")
for order, loss in tui_gpt.ngram_losses(CORPUS):
    print(f"{order:5}   {loss:.3f}  {'#' * round(20 * loss)}")

# %% Train, and look at every event
# A training is an iterator. Between two events nothing happens, so the loop may take its time. `stop()` ends it early;
# Ctrl+C, and leaving the `with` block, save first. The first model is the lecture's bigram: a table of the logits of
# each character after each other one. Trained by gradient descent, it arrives where counting pairs (order 2) is.


def watch(training: tui_gpt.Training) -> list[Event]:
    """Train to the end, print what happens, and return the events."""
    events = []
    for event in training:
        events.append(event)
        match event:
            case Started():
                print(f"{event.parameters:,} parameters, {event.train_tokens:,} characters to train on")
            case Progress() if event.step % 20 == 0:
                print(f"step {event.step:3}   training loss   {event.loss:.3f}")
            case Evaluated():
                print(f"step {event.step:3}   validation loss {event.val_loss:.3f}")
            case Sampled():
                print(f"step {event.step:3}   {event.text[:60]!r}")
            case Finished():
                print(f"{event.reason} after {event.elapsed_seconds:.0f} s")
    return events


print("\npairs of characters")
with tui_gpt.train(
    CORPUS, "bigram", folder=FOLDER / "pairs", max_iters=400, log_interval=100, eval_interval=100, sample_interval=200
) as training:
    pairs = watch(training)

# %% A transformer over the counts
# The preset `quick`, made small. It starts from the n-gram model (order 7 above), so its early samples have words.

print("\na small transformer over the n-gram model")
with tui_gpt.train(
    CORPUS, "quick", folder=FOLDER / "quick", members=1, n_layer=2, n_head=2, n_embd=64, batch_size=4, max_iters=80,
    log_interval=20, eval_interval=40, sample_interval=40,
) as training:  # fmt: skip
    quick = watch(training)

# %% Compare
# The log of a run is kept with it: `read_log` returns the same events at any time, also those of the app.


def losses(events: list[Event]) -> str:
    """Return the validation losses with their steps."""
    return ", ".join(f"{event.val_loss:.3f} ({event.step})" for event in events if isinstance(event, Evaluated))


assert tui_gpt.read_log(FOLDER / "quick") == quick
print("\nmodel    validation loss (at step)")
print(f"bigram   {losses(pairs)}\nquick    {losses(quick)}")

# %% Stop early, and resume
# The model of the moment can be used while it is trained. A resumed run continues exactly where it ended.

print("\nresumed")
with tui_gpt.resume(FOLDER / "pairs", max_iters=1_000) as training:
    for event in training:
        if isinstance(event, Progress):
            model = training.model()
            print(f"step {model.step}   {model.generate('The ', 40, seed=1)!r}")
            if event.step >= 600:
                training.stop()
print(*(f"{event.type} at step {event.step}" for event in tui_gpt.read_log(FOLDER / "pairs")[-2:]), sep=", ")

# %% Save and load
# A saved model is a folder of two files, without what only training needs. It generates without PyTorch.

place = tui_gpt.load(FOLDER / "quick").save(FOLDER / "model")
model = tui_gpt.load(place)
print(f"\n{model}, {sum(file.stat().st_size for file in place.iterdir()) / 1e6:.1f} MB")
print(model.generate("The ", 120, seed=1))

# %% Remove the temporary folder

temporary.cleanup()
