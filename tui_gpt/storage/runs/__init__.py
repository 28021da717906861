"""Runs on disk. Nothing here needs torch, so listing runs is fast."""

from tui_gpt.storage.runs.run import Run, Which
from tui_gpt.storage.runs.run_list import RunList
from tui_gpt.storage.runs.store import RunStore
from tui_gpt.storage.runs.summary import RunState, RunSummary
from tui_gpt.storage.runs.trash import Trash

__all__ = ["Run", "RunList", "RunState", "RunStore", "RunSummary", "Trash", "Which"]
