"""Runs on disk. Nothing here needs torch, so a list of runs is quick."""

from tui_gpt.storage.runs.run import Run, Which
from tui_gpt.storage.runs.store import RunStore
from tui_gpt.storage.runs.summary import RunState, RunSummary

__all__ = ["Run", "RunState", "RunStore", "RunSummary", "Which"]
