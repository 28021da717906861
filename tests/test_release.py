"""What a release is made of agrees: one version, the licence, a page in the navigation for every document."""

import re
from importlib.metadata import metadata, version
from pathlib import Path

import pytest

import tui_gpt

ROOT = Path(__file__).parent.parent


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def test_package_metadata_and_changelog_have_one_version() -> None:
    newest = re.search(r"^## ([\w.]+)", read("CHANGELOG.md"), re.MULTILINE)
    assert newest is not None
    assert tui_gpt.__version__ == version("tui-gpt") == newest[1]


def test_the_installed_package_carries_its_licence() -> None:
    assert metadata("tui-gpt")["License-Expression"] == "MIT"
    assert metadata("tui-gpt").get_all("License-File") == ["LICENSE"]


def test_every_page_of_the_documentation_is_in_the_navigation() -> None:
    listed = re.findall(r"^  - .*: (\S+\.md)$", read("mkdocs.yml"), re.MULTILINE)
    assert sorted(listed) == sorted(path.name for path in (ROOT / "docs").glob("*.md"))


@pytest.mark.parametrize(
    "page", ["README.md", "CONTRIBUTING.md", *sorted(f"docs/{p.name}" for p in ROOT.glob("docs/*.md"))]
)
def test_links_to_files_lead_somewhere(page: str) -> None:
    """MkDocs checks those within docs/, also their anchors; README and CONTRIBUTING are not part of the site."""
    targets = re.findall(r"\]\((?!https?://)([^)#]+)", read(page))
    folder = (ROOT / page).parent
    assert [target for target in targets if not (folder / target).exists()] == []
