"""A model for the library `transformers`: a folder that it loads as GPT-2, without code of ours."""

from tui_gpt.storage.export.hf.folder import export_hf

__all__ = ["export_hf"]
