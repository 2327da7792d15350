"""What the machine has: memory limits of machine and container, and graphics processors, none of it assumed."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from vt.system import machine

GB = 2**30
TOTAL = 16 * GB


class Groups:
    """A tree of control groups, and what a process in it reads."""

    def __init__(self, folder: Path) -> None:
        self.membership = folder / "cgroup"
        self.mounts = folder / "mounts"

    def belongs(self, *lines: str) -> None:
        self.membership.write_text("\n".join(lines) + "\n")

    def write(self, path: str, value: int | str) -> None:
        file = self.mounts / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{value}\n")

    def limit(self) -> int:
        return machine.memory_limit(self.membership, self.mounts, TOTAL)


@pytest.fixture
def groups(tmp_path: Path) -> Groups:
    return Groups(tmp_path)


@pytest.mark.parametrize(
    ("told", "has"),
    [
        ("processor : 0\nflags\t\t: fpu avx2 avx512_bf16\n", True),
        ("Features\t: fp asimd bf16\n", True),
        ("model name : bf16\nflags : fpu avx2\n", False),
        (None, False),
    ],
)
def test_a_processor_says_whether_it_knows_bfloat16(told: str | None, has: bool, tmp_path: Path) -> None:
    if told is not None:
        (tmp_path / "cpuinfo").write_text(told)
    assert machine.has_bfloat16(tmp_path / "cpuinfo") is has


def test_without_control_groups_the_memory_is_the_machines(groups: Groups) -> None:
    assert groups.limit() == TOTAL


def test_a_group_without_files_or_with_nonsense_in_them_sets_no_limit(groups: Groups) -> None:
    groups.belongs("0::/gone", "not a line", "3:memory:/gone")
    groups.write("gone/memory.max", "much")
    assert groups.limit() == TOTAL


def test_version_two_limits_by_memory_max(groups: Groups) -> None:
    groups.belongs("0::/app")
    groups.write("app/memory.max", 2 * GB)
    assert groups.limit() == 2 * GB


def test_version_two_limits_by_memory_high_where_that_is_lower(groups: Groups) -> None:
    groups.belongs("0::/app")
    groups.write("app/memory.max", 4 * GB)
    groups.write("app/memory.high", 3 * GB)
    assert groups.limit() == 3 * GB


def test_the_word_max_is_no_limit(groups: Groups) -> None:
    groups.belongs("0::/app")
    groups.write("app/memory.max", "max")
    assert groups.limit() == TOTAL


def test_a_limit_on_a_group_around_counts_too(groups: Groups) -> None:
    groups.belongs("0::/slice/app/worker")
    groups.write("slice/memory.max", GB)
    groups.write("slice/app/worker/memory.max", 2 * GB)
    assert groups.limit() == GB


def test_a_path_of_the_host_leads_to_the_containers_own_root(groups: Groups) -> None:
    groups.belongs("0::/../../docker/0123")
    groups.write("memory.max", GB)
    assert groups.limit() == GB


def test_version_one_limits_by_its_memory_controller(groups: Groups) -> None:
    groups.belongs("5:cpu,cpuacct:/app", "4:memory:/app", "0::/")
    groups.write("memory/app/memory.limit_in_bytes", 3 * GB)
    groups.write("cpu/app/memory.limit_in_bytes", GB)
    assert groups.limit() == 3 * GB


def test_version_one_writes_no_limit_as_a_huge_number(groups: Groups) -> None:
    groups.belongs("4:memory:/app")
    groups.write("memory/app/memory.limit_in_bytes", 9223372036854771712)
    assert groups.limit() == TOTAL


def test_version_two_beside_version_one_is_found_under_unified(groups: Groups) -> None:
    groups.belongs("4:memory:/", "0::/app")
    groups.write("unified/app/memory.max", GB)
    assert groups.limit() == GB


def test_a_limit_above_the_machines_memory_is_none(groups: Groups) -> None:
    groups.belongs("0::/app")
    groups.write("app/memory.max", 2 * TOTAL)
    assert groups.limit() == TOTAL


def test_here_the_limit_is_something_that_this_process_fits_in() -> None:
    assert machine.resident_bytes() < machine.memory_limit() <= psutil.virtual_memory().total


def test_libraries_report_nothing_to_their_makers_unless_somebody_wants_that() -> None:
    environment = {"HF_HUB_DISABLE_TELEMETRY": "0"}
    machine.refuse_telemetry(environment)
    assert environment == {"HF_HUB_DISABLE_TELEMETRY": "0", "ORT_DISABLE_TELEMETRY": "1"}


def test_onednn_keeps_few_primitives_unless_somebody_has_said_how_many() -> None:
    environment = {"ONEDNN_PRIMITIVE_CACHE_CAPACITY": "7"}
    machine.bound_primitives(environment)
    assert environment == {"ONEDNN_PRIMITIVE_CACHE_CAPACITY": "7", "DNNL_PRIMITIVE_CACHE_CAPACITY": "32"}


def test_memory_that_was_freed_goes_back_to_the_system() -> None:
    kept = [bytearray(1000) for _ in range(100_000)]
    before = machine.resident_bytes()
    del kept
    machine.trim()
    assert machine.resident_bytes() <= before - 50 * 2**20
