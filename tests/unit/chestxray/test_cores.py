"""The number of usable cores, over folders that look like those of containers."""

import os
from pathlib import Path

import pytest

from chestxray.cores import usable_cores

MANY = 64


@pytest.fixture(autouse=True)
def machine_with_many_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(MANY)))


def container(folder: Path, membership: str, **files: str) -> Path:
    """A root folder with these cgroups of the process, and files below the mount."""
    (folder / "proc/self").mkdir(parents=True)
    (folder / "proc/self/cgroup").write_text(membership)
    for name, content in files.items():
        path = folder / "sys/fs/cgroup" / name.replace("__", "/").replace("_max", ".max")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return folder


def version_1(folder: Path, quota: int, *, group: str = "/", inside: str = "") -> Path:
    """A container under version 1, with the quota in the folder `inside` of its cpu controller."""
    root = container(folder, f"5:cpuset:/\n4:cpu,cpuacct:{group}\n")
    cpu = folder / "sys/fs/cgroup/cpu" / inside
    cpu.mkdir(parents=True)
    (cpu / "cpu.cfs_quota_us").write_text(f"{quota}\n")
    (cpu / "cpu.cfs_period_us").write_text("100000\n")
    return root


def test_quota_of_a_container_bounds_the_cores(tmp_path: Path) -> None:
    root = container(tmp_path, "0::/\n", cpu_max="200000 100000\n")

    assert usable_cores(root) == 2


@pytest.mark.parametrize(("quota", "cores"), [("1000", 1), ("150000", 2), ("9900000", MANY)])
def test_part_of_a_core_counts_as_one(tmp_path: Path, quota: str, cores: int) -> None:
    root = container(tmp_path, "0::/\n", cpu_max=f"{quota} 100000\n")

    assert usable_cores(root) == cores


def test_smallest_quota_of_the_enclosing_groups_holds(tmp_path: Path) -> None:
    root = container(
        tmp_path,
        "0::/pod/container\n",
        pod__container__cpu_max="max 100000\n",
        pod__cpu_max="300000 100000\n",
        cpu_max="800000 100000\n",
    )

    assert usable_cores(root) == 3


def test_group_outside_of_the_container_is_not_looked_for(tmp_path: Path) -> None:
    (tmp_path / "sys/fs/cpu.max").parent.mkdir(parents=True)
    (tmp_path / "sys/fs/cpu.max").write_text("100000 100000\n")
    root = container(tmp_path, "0::/../other\n", cpu_max="400000 100000\n")

    assert usable_cores(root) == 4


def test_quota_of_version_1_bounds_the_cores(tmp_path: Path) -> None:
    assert usable_cores(version_1(tmp_path, 250000)) == 3


def test_container_of_version_1_that_sees_its_path_on_the_host_finds_its_quota(
    tmp_path: Path,
) -> None:
    assert usable_cores(version_1(tmp_path, 200000, group="/docker/0123")) == 2


def test_quota_of_version_1_beside_version_2_is_found(tmp_path: Path) -> None:
    root = version_1(tmp_path, 500000, group="/pod", inside="pod")
    (root / "proc/self/cgroup").write_text("4:cpu:/pod\n0::/pod\n")

    assert usable_cores(root) == 5


def test_no_quota_leaves_all_cores(tmp_path: Path) -> None:
    assert usable_cores(version_1(tmp_path / "one", -1)) == MANY
    assert usable_cores(container(tmp_path / "two", "0::/\n", cpu_max="max 100000\n")) == MANY


@pytest.mark.parametrize("content", ["", "nonsense\n", "1 2 3\n", "max\n"])
def test_file_that_cannot_be_read_is_no_quota(tmp_path: Path, content: str) -> None:
    assert usable_cores(container(tmp_path, "0::/\n", cpu_max=content)) == MANY


def test_machine_without_cgroups_uses_its_affinity(tmp_path: Path) -> None:
    assert usable_cores(tmp_path) == MANY


def test_affinity_below_the_quota_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})
    root = container(tmp_path, "0::/\n", cpu_max="400000 100000\n")

    assert usable_cores(root) == 1
