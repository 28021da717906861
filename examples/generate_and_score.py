"""Generate text and measure it: temperatures, surprisal per character, and whose text it is.

Run it as a script, or cell by cell in an editor that knows `# %%`. It uses the model that comes with the program, a
small GPT trained on Shakespeare. It needs no PyTorch and no network, writes nothing, and takes a few seconds.
"""

# %% A model
# `load("shipped")` is the model that comes with the program; `load("my-run")` is one of yours, `load()` the newest.

import tui_gpt

model = tui_gpt.load("shipped")
print(model)

# %% Generate
# The same seed gives the same text. A token of this model is a character, so 160 tokens are 160 characters.

print(model.generate("ROMEO:", 160, seed=1))

# %% Stream
# `stream` yields each character as soon as it is drawn, with its log-probability and the alternatives.

print()
for piece in model.stream("JULIET:\nO ", 5, seed=3):
    others = ", ".join(f"{text!r} {probability:.0%}" for text, probability in piece.alternatives[:4])
    print(f"{piece.text!r:>5}   log p {piece.logprob:6.2f}   most likely: {others}")

# %% Temperature
# A low temperature keeps to what is likely, a high one takes risks. How surprising is each text to the model itself?

print("\ntemperature   bits per character   text")
for temperature in (0.2, 0.6, 1.0, 1.4):
    text = model.generate("First Citizen:\n", 60, temperature=temperature, seed=5)
    bits = model.score(text, after="First Citizen:\n").bits_per_char
    print(f"{temperature:11.1f} {bits:20.2f}   {text!r}")

# %% Surprisal per character
# A character with probability p has the surprisal -log2(p), in bits. A guess among all 65 characters costs 6.02 bits.

LINE = "The king is dead, my gracious lord.\n"
LN2 = 0.6931471805599453

print("\nsurprisal of each character, one # for half a bit")
score = model.score(LINE)
for piece in score.pieces:
    surprisal = -piece.logprob / LN2
    print(f"{piece.text!r:>5} {surprisal:6.2f}  {'#' * round(2 * surprisal)}")
print(f"on average {score.bits_per_char:.2f} bits per character, a perplexity of {score.perplexity:.2f}")

# %% Whose text is it?
# None of these texts is in the training text. The model expects its own author's verse, and the prose of older
# centuries, more than it expects a bank. But one model and one sentence are weak evidence, as simple prose always costs
# few bits. To attribute a text, train a model on each author and compare their bits on that text.

TEXTS = {
    "Hamlet": "To be, or not to be, that is the question:\nWhether 'tis nobler in the mind to suffer",
    "Austen": "It is a truth universally acknowledged, that a single man\nin possession of a good fortune,",
    "Darwin": "When on board a ship as naturalist, I was much struck\nwith certain facts in the distribution",
    "a bank": "Your account statement is available online. Please log in\nto view recent transactions",
}

print("\nbits per character   text")
for author, text in TEXTS.items():
    print(f"{model.score(text).bits_per_char:18.2f}   {author}: {text.splitlines()[0]!r}")

# %% Did it learn the text word by word?
# The fraction of a text that is copied from the training text in passages of 20 characters or more.

print("\ncopied   text")
for text in (model.generate("KING", 400, seed=2), "First Citizen:\nBefore we proceed any further, hear me speak."):
    print(f"{model.copied(text) or 0:6.0%}   {text[:60]!r}")
