"""How a model arrived at a prediction: what each of its parts contributed, and what it looked at."""

from tui_gpt.generation.explanation.attention import Attention
from tui_gpt.generation.explanation.explanation import Explanation, Match, Member, PriorUse
from tui_gpt.generation.explanation.occurrences import Occurrence, Occurrences
from tui_gpt.generation.explanation.places import Place

__all__ = ["Attention", "Explanation", "Match", "Member", "Occurrence", "Occurrences", "Place", "PriorUse"]
