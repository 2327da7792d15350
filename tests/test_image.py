"""The image and what is composed with it: every step can be taken, and what they name is there."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts import check_fresh
from scripts.check_fresh import Build, Room, Step

ROOT = Path(__file__).parent.parent
STAGES = check_fresh.stages((ROOT / "Dockerfile").read_text(encoding="utf-8"), {})
STEPS = [(name, step) for name, stage in STAGES.items() for step in stage.steps]


@pytest.mark.parametrize("target", ["cpu", "cuda"])
def test_each_target_has_the_code_what_set_up_has_installed_and_a_user_without_rights(target: str) -> None:
    assert STAGES[target].base == "app"
    (copied,) = [step.rest for step in STAGES[target].steps if step.word == "COPY"]
    assert copied == f"--from=set-up-for-{target} /app/.venv /app/.venv"
    words = [step.word for step in STAGES["app"].steps]
    assert {"USER", "VOLUME", "HEALTHCHECK", "CMD"} <= set(words)
    assert [name for name, step in STEPS if step.word == "USER"] == ["app"]
    assert list(STAGES)[-1] == "cpu"


@pytest.mark.parametrize(("stage", "step"), [pair for pair in STEPS if pair[1].word == "COPY"], ids=str)
def test_what_is_copied_is_there_and_not_left_out_of_the_context(stage: str, step: Step) -> None:
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    for name in step.rest.split()[:-1]:
        if step.rest.startswith("--from="):
            assert name.startswith(("--from=set-up-for-", "/app/.venv"))
        else:
            assert (ROOT / name).exists(), stage
            assert name.split("/")[0] not in ignored


def test_no_secret_goes_into_the_image() -> None:
    assert [step.rest for _, step in STEPS if re.search(r"TOKEN|SECRET|PASSWORD|_KEY", step.rest)] == []


def test_the_steps_of_stages_are_taken_in_their_places(tmp_path: Path) -> None:
    """Those that need no root; scripts/check-fresh takes all of them."""
    context = tmp_path / "context"
    (context / "folder" / "deep").mkdir(parents=True)
    for name in ("a", "b", "folder/deep/c"):
        (context / name).write_text(name)
    text = (
        "# a comment\nARG KIND=thin\nFROM debian:bookworm-slim AS base\nWORKDIR /app\n"
        "FROM base AS made\nCOPY a \\\n    b ./\nCOPY folder folder\n"
        "FROM base AS last\nENV PATH=/app/bin:$PATH KIND=${KIND}\nUSER somebody\nCOPY --from=made /app/folder /there\n"
        'CMD ["python", "app.py"]\n'
    )

    class Bare(Build):
        """Begins with an empty folder, and mounts nothing."""

        def beginning(self, image: str) -> Room:
            assert image == "debian:bookworm-slim"
            (tmp_path / "debian").mkdir()
            return Room(tmp_path / "debian", {"PATH": "/bin"})

        def lends_the_network(self) -> bool:
            return False

    build = Bare(tmp_path, context, check_fresh.stages(text, {}))
    room = build.stage("last")
    assert (room.folder / "there/deep/c").read_text() == "folder/deep/c"
    assert not (room.folder / "app/a").exists()
    assert (build.stage("made").folder / "app/b").read_text() == "b"
    assert room.environment == {"PATH": "/app/bin:/bin", "KIND": "thin"}
    assert (build.user_of("last"), build.user_of("made"), build.command) == ("somebody", "root", ["python", "app.py"])
    assert room.argv(["ls"], "somebody", "/app")[-2:] == ["/app", "ls"]


def test_a_step_that_is_not_known_is_said() -> None:
    with pytest.raises(check_fresh.Failed, match="ONBUILD is not known here"):
        Build(Path(), Path(), {}).do(Room(Path()), Step("ONBUILD", "RUN ls"))
    with pytest.raises(check_fresh.Failed, match="alpine:3 is not known here"):
        Build(Path(), Path(), {}).stage("alpine:3")


def composed() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
    return found


def test_compose_builds_targets_that_there_are_and_names_only_what_it_has() -> None:
    services = composed()["services"]
    assert {services[name]["build"]["target"] for name in ("vt", "vt-cuda")} == {"cpu", "cuda"}
    for service in services.values():
        for config in service.get("configs", ()):
            assert config["source"] in composed()["configs"]
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            assert (ROOT / source).is_file() if source.startswith("./") else source in composed()["volumes"]
        # Ports are open to this machine alone, until somebody puts a proxy in front.
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))
    scraped = yaml.safe_load(composed()["configs"]["prometheus"]["content"])["scrape_configs"][0]
    assert scraped["static_configs"] == [{"targets": ["vt:8000"]}]
    assert "vt" in services["vt"]["networks"]["default"]["aliases"]


def test_the_container_for_developers_is_set_up_for_the_tests() -> None:
    text = (ROOT / ".devcontainer" / "devcontainer.json").read_text(encoding="utf-8")
    told = json.loads(re.sub(r"(?m)^\s*//.*$", "", text))
    assert told["postCreateCommand"] == "./scripts/setup dev"


def test_what_a_killed_run_left_is_removed_and_that_of_one_under_way_is_not(tmp_path: Path) -> None:
    dead = subprocess.Popen(["true"])
    dead.wait()
    for name in (f"vt-fresh.{dead.pid}.abc", f"vt-fresh.{os.getpid()}.abc", "kept-vt-fresh.1.abc"):
        (tmp_path / name / "root").mkdir(parents=True)
    check_fresh.sweep(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {f"vt-fresh.{os.getpid()}.abc", "kept-vt-fresh.1.abc"}
