"""The CPU quota of a container limits the number of cores."""

import os
from pathlib import Path

import pytest

from tui_gpt import cores


@pytest.mark.parametrize(("text", "quotas"), [("200000 100000", [2.0]), ("50000 100000", [0.5]), ("max 100000", [])])
def test_a_quota_of_cgroup_v2_is_read(tmp_path: Path, text: str, quotas: list[float]) -> None:
    (tmp_path / "cpu.max").write_text(text + "\n")
    assert list(cores.cpu_quotas(tmp_path, "/")) == quotas


def test_the_quotas_of_parent_groups_are_read(tmp_path: Path) -> None:
    folder = tmp_path / "pod" / "app"
    folder.mkdir(parents=True)
    (folder / "cpu.max").write_text("max 100000\n")
    (tmp_path / "pod" / "cpu.max").write_text("300000 100000\n")
    assert list(cores.cpu_quotas(tmp_path, "/pod/app")) == [3.0]


def test_a_quota_of_cgroup_v1_is_read(tmp_path: Path) -> None:
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text("150000\n")
    (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000\n")
    assert list(cores.cpu_quotas(tmp_path, "")) == [1.5]


@pytest.mark.parametrize("text", ["", "nonsense", "1 0"])
def test_an_unreadable_quota_is_ignored(tmp_path: Path, text: str) -> None:
    (tmp_path / "cpu.max").write_text(text)
    assert list(cores.cpu_quotas(tmp_path, "/")) == []


def test_a_quota_limits_the_cores_but_not_below_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(64), raising=False)
    monkeypatch.setattr(cores, "CGROUPS", tmp_path)
    monkeypatch.setattr(cores, "_own_group", lambda: "/")
    assert cores.available_cores() == 64
    (tmp_path / "cpu.max").write_text("200000 100000\n")
    assert cores.available_cores() == 2
    (tmp_path / "cpu.max").write_text("20000 100000\n")
    assert cores.available_cores() == 1
