"""Look inside one prediction: its parts, the n-grams, matches, attention heads and embeddings, and a whole word.

Run it as a script, or cell by cell in an editor that knows `# %%`. It uses the model that comes with the program: eight
small transformers over an n-gram model, whose predictions are averaged. It needs no PyTorch and no network, writes
nothing, and takes a few seconds.
"""

# %% One prediction
# What comes after this text? `explain` returns numbers that add up to what `generate` draws from.

import math

import tui_gpt

TEXT = "ROMEO:\nO, speak again, bright angel! for thou art\n\nJULIET:\nO Rom"

model = tui_gpt.load("shipped")
explained = model.explain(TEXT)
print(f"after {TEXT[-12:]!r} comes")
for token in explained.most_likely(5):
    print(f"{explained.texts[token]!r:>5} {explained.probs[token]:7.2%}")

# %% The shares of the parts, in nats
# For each character the shares add up to log p - log(1/V): what the model knows more than a guess among V characters.

print("\n" + " " * 6 + "".join(f"{name:>10}" for name in explained.shares) + f"{'sum':>10}{'log p V':>10}")
for token in explained.most_likely(5):
    shares = [float(part[token]) for part in explained.shares.values()]
    known = math.log(explained.probs[token] * len(explained.texts))
    print(f"{explained.texts[token]!r:>5} " + "".join(f"{share:10.3f}" for share in [*shares, sum(shares), known]))

# %% The n-gram model
# It has counted all n-grams of the training text. How much of its prediction comes from each order?

prior = explained.prior
if prior is not None:
    print(f"\nthe longest counted context is {prior.context!r}")
    for order, weight in enumerate(prior.order_weights, start=1):
        print(f"order {order}: {weight:6.1%} {'#' * round(40 * weight)}")

# %% Matches
# Places in TEXT that end as TEXT does (upper and lower case are equal), and the character that followed there.

print("\nlength   matching   followed by   times")
for match in explained.matches[:5]:
    begin, end = match.place
    print(f"{match.length:6}   {TEXT[begin:end]!r:8}   {explained.texts[match.follower]!r:11}   {match.count:5}")

# %% The training text
# Where the longest end of TEXT that occurs in the training text occurs.

if explained.occurrences is not None:
    print(f"\noccurrences in the training text: {explained.occurrences.count}")
    for place in explained.occurrences.places[:3]:
        print(f"{place.before!r:>40} | {place.after!r}")

# %% Attention, head by head
# The three characters that each head of the first network looks at most; its weights over all characters add up to 1.

print("\nlayer head   looks at")
attention = explained.attention
_, layers, heads, _ = attention.weights.shape
for layer in range(layers):
    for head in range(heads):
        weights = attention.mean(layer, head, member=0)
        seen = [(float(weights[k]), attention.places[k]) for k in weights.argsort()[::-1][:3]]
        print(
            f"{layer + 1:5} {head + 1:4}   "
            + "   ".join(f"{TEXT[begin:end]!r} at {begin - len(TEXT)} ({weight:.0%})" for weight, (begin, end) in seen)
        )

# %% Attention as a picture
# The mean over all networks, layers and heads, without the first character, on which many heads rest.

mean = attention.mean(skip_first=True)
shades = " .:-=+*#%@"
picture = [" "] * len(TEXT)
for weight, (begin, end) in zip(mean, attention.places, strict=True):
    for k in range(begin, end):
        picture[k] = shades[min(len(shades) - 1, int(weight / mean.max() * len(shades)))]
print("\n" + TEXT.replace("\n", " ") + "\n" + "".join(picture))

# %% Nearest characters
# Embeddings are learned: characters that are used alike come close to each other.

print("\nnearest embeddings, with the cosine")
for character in "aTm.":
    print(f"{character!r}: " + "  ".join(f"{text!r} {cosine:.2f}" for text, cosine in model.nearest(character, 6)))

# %% The probability of a whole word
# The probability of a word is the product of those of its characters, each given the ones before.

print("\nword            probability   after 'O Rom'")
for word in ("eo", "eo, ", "eo!\n", "an", "e"):
    score = model.score(word, after=TEXT)
    steps = " x ".join(f"{math.exp(piece.logprob):.3f}" for piece in score.pieces)
    print(f"{word!r:14} {score.probability:12.5f}   {steps}")
