"""The check of graphics cards, with the processor in the card's place, and the way of its parts to a bare machine."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scripts import gpu_check, gpu_models, gpu_pack, gpu_steps
from scripts.gpu_check import outcome
from scripts.gpu_pack import Archive
from scripts.gpu_steps import Bench, Findings
from tests.conftest import ROOT, SAMPLE
from tests.tiny_kokoro import tiny_kokoro
from tests.tiny_models import Size
from tests.tiny_voices import tiny_vits
from vt.model_files import bundle
from vt.system import graphics


@pytest.mark.skipif(graphics.cards().count > 0, reason="there is a graphics card here")
def test_without_a_graphics_card_it_says_so_and_exits_with_3(tmp_path: Path) -> None:
    argv: list[str | Path] = [ROOT / "scripts" / "gpu-check", "--out", tmp_path]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, cwd=tmp_path, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (3, "no GPU here\n", "")
    assert list(tmp_path.iterdir()) == []


def test_both_halves_of_the_check_know_the_same_steps_in_the_same_order() -> None:
    assert list(gpu_check.STEPS) == list(gpu_steps.STEPS)
    models = {model for step in gpu_check.STEPS.values() for model in step.models}
    assert models == {gpu_models.MMS, *gpu_models.NLLB}


# --- the steps, on a processor -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def stand_in(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """Tiny models, and the processor in the card's place."""
    folder = tmp_path_factory.mktemp("made")
    first, *others = (folder / name for name in gpu_models.NLLB)
    first.mkdir()
    gpu_models.nllb(first, Size())
    for other in others:
        shutil.copytree(first, other)
    tiny_vits(folder / gpu_models.MMS)
    return Bench(
        folder,
        device="cpu",
        whisper=bundle.ROOT / "whisper-tiny.en",
        kokoro=tiny_kokoro(folder / "kokoro.onnx"),
        talk_seconds=0,
        compute_types=("float32",),
        lines=8,
        batches=(64,),
        used=lambda: 0,
    )


def found(name: str, stand_in: Bench) -> Findings:
    return gpu_steps.run(name, stand_in, Findings())


@pytest.mark.soak
def test_whisper_is_compared_in_words_and_speed(stand_in: Bench) -> None:
    findings = found("hearing", stand_in)
    assert findings.faults == []
    assert 0 <= float(findings.figures["cpu float32: word error rate, %"]) < 20
    assert float(findings.figures["cpu int8: seconds of sound a second"]) > 0


@pytest.mark.soak
def test_nllb_of_each_size_translates_as_its_weights_say(stand_in: Bench) -> None:
    findings = found("translating", stand_in)
    assert findings.faults == []
    for name in gpu_models.NLLB:
        assert findings.figures[f"{name} on cpu: lines translated as the weights say, %"] == 100
        assert float(findings.figures[f"{name} on cpu: tokens a second"]) > 0


@pytest.mark.soak
@pytest.mark.parametrize(("name", "kind"), [("mms", ""), ("kokoro", "int8 on ")])
def test_a_voice_on_the_card_sounds_as_on_the_processor(name: str, kind: str, stand_in: Bench) -> None:
    findings = found(name, stand_in)
    assert findings.faults == []
    assert findings.figures[f"{kind}both: log-spectral distance, dB"] == pytest.approx(0, abs=0.1)
    assert findings.figures[f"{kind}both: largest difference in length, %"] == 0


@pytest.mark.soak
def test_vectors_of_voices_on_the_card_are_those_of_the_processor(stand_in: Bench) -> None:
    findings = found("speakers", stand_in)
    assert findings.faults == []
    assert findings.figures["least scalar product with the processor's vectors"] == pytest.approx(1, abs=0.01)


@pytest.mark.soak
def test_the_cache_is_asked_what_it_counted_and_what_it_gave_back(stand_in: Bench) -> None:
    findings = found("counting", stand_in)
    assert findings.faults == []
    assert sum(name.endswith(": counted, MB") for name in findings.figures) == 3
    assert findings.figures["given back after clear, %"] == 100


@pytest.mark.soak
def test_under_a_small_budget_the_recogniser_goes(stand_in: Bench) -> None:
    findings = found("evicting", stand_in)
    assert (findings.faults, findings.figures["evictions"]) == ([], 1)


@pytest.mark.soak
def test_where_a_card_that_should_be_full_is_not_the_step_says_so(stand_in: Bench) -> None:
    assert found("running_out", stand_in).faults == [
        "the idle recogniser was not evicted",
        "the translator was not refused",
    ]


@pytest.mark.soak
def test_whatever_goes_wrong_in_a_step_is_told_and_raised_no_further(stand_in: Bench, tmp_path: Path) -> None:
    file = tmp_path / "found.json"
    broken = Bench(tmp_path, device="cpu", nllb=stand_in.nllb, used=lambda: 0)
    gpu_steps.run("translating", broken, Findings(file))
    (fault,) = json.loads(file.read_text(encoding="utf-8"))["faults"]
    assert fault.startswith("ModelUnavailable: The NLLB model in ")


# --- what is reported --------------------------------------------------------------------------------------------

TOLD: dict[str, Any] = {"figures": {"loads": 3}, "faults": [], "skipped": ""}


@pytest.mark.parametrize(
    ("code", "told", "state", "says"),
    [
        (0, TOLD, "ok", []),
        (0, TOLD | {"faults": ["too slow"]}, "failed", ["too slow"]),
        (0, TOLD | {"skipped": "not brought"}, "skipped", ["not brought"]),
        (None, TOLD, "failed", ["it was ended after 60 s"]),
        (-11, TOLD, "failed", ["its process ended with -11: CUDA error"]),
        (1, {}, "failed", ["its process ended with 1: CUDA error"]),
    ],
    ids=["held", "did not hold", "not taken", "too long", "crashed", "never began"],
)
def test_each_step_is_reported_with_what_it_found_before_it_ended(
    code: int | None, told: dict[str, Any], state: str, says: list[str]
) -> None:
    found = outcome("two_at_once", 60.2, code, told, "CUDA\n error\n")
    assert (found.state, found.says) == (state, says)
    assert found.figures == told.get("figures", {})


@pytest.mark.soak
@pytest.mark.slow
@pytest.mark.skipif(graphics.cards().count > 0, reason="there is a graphics card here")
def test_a_step_that_fails_is_reported_and_does_not_end_the_others(tmp_path: Path) -> None:
    out = tmp_path / "out"
    code = gpu_check.main(["--out", str(out), "--only", "speakers,card"], gpus=1, folder=tmp_path / "there")
    report = json.loads((out / gpu_check.REPORT).read_text(encoding="utf-8"))
    assert (code, [step["state"] for step in report["steps"]]) == (1, ["failed", "ok"])
    assert report["steps"][0]["says"]
    assert report["steps"][1]["figures"]["torch"]
    assert "Traceback" in (out / gpu_check.LOG).read_text(encoding="utf-8")
    table = gpu_check.table(report)
    assert "| **speakers** | | **failed**: " in table
    assert "| **card** | | ok |" in table
    assert "| | torch | " in table


# --- the way to a bare machine -----------------------------------------------------------------------------------


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def filled(content: dict[str, bytes]) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        for name, text in content.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(text)

    return make


@pytest.fixture
def content() -> dict[str, dict[str, bytes]]:
    """Noise, which cannot be compressed, so that there are several parts."""
    return {
        "core": {"site/one.py": os.urandom(5000), "lib/two": os.urandom(10)},
        "whisper": {"models/whisper-base/model.bin": os.urandom(7000)},
    }


@pytest.fixture
def parts(tmp_path: Path, content: dict[str, dict[str, bytes]]) -> list[Path]:
    if not shutil.which("xz"):
        pytest.skip("xz, with which archives are packed, is not installed here")
    archives = [Archive(name, filled(one)) for name, one in content.items()]
    return gpu_pack.pack(archives, tmp_path / "parts", part_bytes=2000)


def test_what_is_packed_arrives_whole_in_whatever_order(
    parts: list[Path], content: dict[str, dict[str, bytes]], tmp_path: Path
) -> None:
    assert [sum(map(len, files(part).values())) for part in parts[:-1]] == [2000] * (len(parts) - 1)
    there = tmp_path / "there"
    whole = [name for part in reversed(parts) for name in gpu_pack.receive([part], there)]
    assert sorted(whole) == ["core", "whisper"]
    for name in whole:
        gpu_pack.unpack(name, there)
    wanted = {name: text for one in content.values() for name, text in one.items()}
    assert {name: text for name, text in files(there).items() if name in wanted} == wanted
    assert gpu_pack.wait(0, there) == dict.fromkeys(("core", "whisper"), "here") | dict.fromkeys(
        ("kokoro", "onnxruntime"), "not brought"
    )


def test_an_archive_of_which_a_piece_is_missing_was_not_brought(parts: list[Path], tmp_path: Path) -> None:
    there = tmp_path / "there"
    assert gpu_pack.receive(parts[:-1], there) == ["core"]
    assert gpu_pack.wait(0, there)["whisper"] == "not brought"


def test_an_archive_that_is_damaged_is_reported_as_such(parts: list[Path], tmp_path: Path) -> None:
    there = tmp_path / "there"
    gpu_pack.receive(parts, there)
    piece = gpu_pack.pieces("core", there)[1]
    piece.write_bytes(bytes(len(piece.read_bytes())))
    with pytest.raises(Exception, match=r"."):
        gpu_pack.unpack("core", there)
    assert gpu_pack.wait(0, there)["core"] == "failed"


def test_a_program_runs_elsewhere_with_the_libraries_that_were_copied_with_it(tmp_path: Path) -> None:
    gpu_pack.programs(tmp_path / "packed", ("ffprobe",), data=())
    shutil.move(tmp_path / "packed", tmp_path / "elsewhere")
    argv: list[str | Path] = [
        tmp_path / "elsewhere" / "bin" / "ffprobe",
        "-v",
        "error",
        "-show_entries",
        "format=duration",
        SAMPLE,
    ]
    done = subprocess.run(argv, capture_output=True, text=True, check=True, env={"PATH": "/usr/bin:/bin"})
    assert "duration=30." in done.stdout


def test_models_that_were_brought_stand_where_set_up_puts_them_and_replace_none(tmp_path: Path) -> None:
    brought, root = tmp_path / "brought", tmp_path / "root"
    for place in (brought / "models" / "whisper-base", brought / "models" / "kokoro-82m", root / "kokoro-82m"):
        place.mkdir(parents=True)
        (place / "model").write_text(str(place.relative_to(tmp_path)))
    gpu_check.place_models(brought, root)
    assert (root / "whisper-base" / "model").read_text() == "brought/models/whisper-base"
    assert (root / "kokoro-82m" / "model").read_text() == "root/kokoro-82m"


def test_packing_needs_no_library_but_pythons_own() -> None:
    script = "import sys; sys.modules.update(dict.fromkeys(['numpy', 'vt', 'torch'])); import scripts.gpu_pack"
    subprocess.run([sys.executable, "-S", "-c", script], check=True, cwd=ROOT)
