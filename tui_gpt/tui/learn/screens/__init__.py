"""The screens of the lesson, one per file, in their order; the last one is the game."""

from typing import Any

from tui_gpt.tui.learn.page import LessonPage
from tui_gpt.tui.learn.screens.attention import AttentionPage
from tui_gpt.tui.learn.screens.characters import CharactersPage
from tui_gpt.tui.learn.screens.game import GamePage
from tui_gpt.tui.learn.screens.guessing import GuessingPage
from tui_gpt.tui.learn.screens.longer_counts import LongerCountsPage
from tui_gpt.tui.learn.screens.over_fitting import OverFittingPage
from tui_gpt.tui.learn.screens.pairs import PairsPage
from tui_gpt.tui.learn.screens.sampling import SamplingPage
from tui_gpt.tui.learn.screens.training import LiveTrainingPage

PAGES: tuple[type[LessonPage[Any]], ...] = (
    CharactersPage,
    GuessingPage,
    PairsPage,
    LongerCountsPage,
    AttentionPage,
    LiveTrainingPage,
    SamplingPage,
    OverFittingPage,
    GamePage,
)
