"""Check the settings given with --resume: which hold already, which can change, and which cannot."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tui_gpt.cli.commands import common
from tui_gpt.config import RunConfig, TrainConfig
from tui_gpt.errors import IncompatibleError
from tui_gpt.events import SettingValue
from tui_gpt.requests import require_more_steps
from tui_gpt.storage import settings
from tui_gpt.storage.manifest import CheckpointInfo, read_info
from tui_gpt.storage.runs import Run
from tui_gpt.text.corpora import lasting_source, read_corpus
from tui_gpt.text.reading import STDIN
from tui_gpt.text.split import digests_in, read_validation, text_digest


@dataclass(frozen=True)
class Resumption:
    """A run to be resumed, and the settings that it may be resumed with."""

    run: Run
    command: str
    """The command that resumes it."""
    original: RunConfig
    """Its settings when it was new."""
    info: CheckpointInfo | None
    """Its last checkpoint; None if it has no complete one."""

    @classmethod
    def of(cls, run: Run, place: str) -> "Resumption":
        """Read the state of a run, which is in the store unless `place` holds the options that locate it."""
        folder = run.checkpoint_dir("last")
        command = f"tui-gpt train --headless --resume {place or run.name}"
        return cls(run, command, run.config, None if folder is None else read_info(folder))

    def moved_corpus(self, spec: str) -> str | None:
        """Return the new place of the run's text, given as CORPUS; None if it has not moved.

        Raises IncompatibleError for another text, CorpusError.
        """
        as_bytes = self.original.model.reads_bytes
        text = read_corpus(spec, keep=False, as_bytes=as_bytes)
        by_document = self.original.train.shuffle_documents
        if self.info is not None:
            expected = digests_in(self.info.corpus_digest)[0]
        else:
            own = read_corpus(lasting_source(self.original.corpus), as_bytes=as_bytes)
            expected = text_digest(own, by_document=by_document)
        if text_digest(text, by_document=by_document) != expected:
            raise IncompatibleError(
                f"the run {self.run.name} was trained on {self.original.corpus}, and {spec} is another text: "
                f"omit CORPUS, or start a new run from its weights with --init-from {self.run.name}"
            )
        return None if spec == STDIN else text.source

    def moved_validation(self, spec: str) -> str:
        """Return the new place of the run's validation text, given as --val-file.

        Raises IncompatibleError if the run has another text or none, CorpusError.
        """
        own = self.config.train.val_file
        if own is None:
            raise IncompatibleError(
                f"the run {self.run.name} is validated on a part of {self.original.corpus} and keeps it when it is "
                f"resumed: omit --val-file, or start a new run with --init-from {self.run.name}"
            )
        as_bytes = self.original.model.reads_bytes
        given = read_validation(spec, keep=False, as_bytes=as_bytes)
        if self.info is not None:
            expected = digests_in(self.info.corpus_digest)[1]
        else:
            expected = read_validation(own, lasting=True, as_bytes=as_bytes).digest
        if given.digest != expected:
            raise IncompatibleError(
                f"the run {self.run.name} is validated on {own}, and {spec} is another text: "
                f"omit --val-file, or start a new run from its weights with --init-from {self.run.name}"
            )
        return own if spec == STDIN else given.source

    def changes(self, given: Mapping[str, Any]) -> dict[str, SettingValue]:
        """Return the settings that change. Raises IncompatibleError for one that cannot, ConfigError."""
        changes = {name: value for name, value in given.items() if name != "corpus" and not self._holds(name, value)}
        for name in ("preset", *settings.MODEL_HELP):
            if name in changes:
                own = self._value(name)
                has = f"has {name} {own} and keeps it" if own is not None else f"keeps its {name}"
                raise IncompatibleError(
                    f"the run {self.run.name} {has} when it is resumed: omit {common.flag(name)}, or start a new run"
                )
        TrainConfig.from_dict({"max_iters": 1, **changes})
        step = 0 if self.info is None else self.info.step
        require_more_steps(self.run.name, step, changes.get("max_iters"), self.command)
        if "max_iters" in given and "max_seconds" not in given and self.config.train.max_seconds is not None:
            changes |= {"max_iters": given["max_iters"], "max_seconds": None}
        if "max_seconds" in changes and "max_iters" not in given and self.config.train.max_iters is not None:
            changes["max_iters"] = None
        return changes

    @property
    def config(self) -> RunConfig:
        """The settings at the last checkpoint."""
        return self.original if self.info is None else self.info.config

    def _holds(self, name: str, value: Any) -> bool:
        """Return whether a setting has this value already; a time budget is always new."""
        if name == "max_seconds":
            return False
        return value == self._value(name) or (
            name in settings.MODEL_HELP and value == getattr(self.original.model, name)
        )

    def _value(self, name: str) -> Any:
        config = self.config
        if name == "preset":
            return config.preset
        if name == "max_iters" and self.info is not None:
            return self.info.max_iters
        return getattr(config.model if name in settings.MODEL_HELP else config.train, name)
