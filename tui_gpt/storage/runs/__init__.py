"""Runs on disk. Nothing here needs torch, so listing runs is fast."""

from tui_gpt.storage.runs.run import Run, Which
from tui_gpt.storage.runs.store import RunStore
from tui_gpt.storage.runs.summary import RunState, RunSummary

__all__ = ["Run", "RunState", "RunStore", "RunSummary", "Which"]
