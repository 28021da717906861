"""A model to generate with: a checkpoint without what only training needs, copied into a new folder."""

from pathlib import Path

from tui_gpt.errors import UsageError
from tui_gpt.storage import paths
from tui_gpt.storage.files import storage_errors, write_synced
from tui_gpt.storage.folders import make_folder
from tui_gpt.storage.manifest import MANIFEST_FILE, MODEL_FILE, Manifest, damaged, read_manifest
from tui_gpt.storage.plain_files import read_plain_file


def copy_model(folder: Path, target: Path) -> Path:
    """Copy the checkpoint in `folder` to a new folder `target`; return its real path.

    Raises CheckpointError, UsageError when `target` exists, StorageError.
    """
    place = paths.real_path(target)
    manifest = read_manifest(folder)
    record = manifest.files[MODEL_FILE]
    slim = Manifest(manifest.info, {MODEL_FILE: record})

    def fill(draft: Path) -> None:
        _, digest = write_synced(draft / MODEL_FILE, [read_plain_file(folder / MODEL_FILE, record.size)])
        if digest != record.sha256:
            raise damaged(folder, f"{MODEL_FILE} is altered (its SHA-256 differs)")
        write_synced(draft / MANIFEST_FILE, [slim.to_json()])

    with storage_errors(f"write {target}"):
        if not make_folder(place, {MODEL_FILE, MANIFEST_FILE}, fill):
            raise UsageError(f"{target} exists already: name a new folder")
    return place
