"""The takes of a line: what was spoken for it before an edit stays, is heard, and comes back without being spoken."""

from __future__ import annotations

import io
import wave
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests import films
from tests.test_jobs import LINES, Desk
from vt import languages
from vt.domain import Added, Clip, Edit, Edits, JobState
from vt.dubbing import line_takes
from vt.dubbing.artifacts import Artifacts
from vt.dubbing.line_takes import History, LineTake, Sound
from vt.errors import NoSuchResult
from vt.jobs.new_lines import NewLine

RATE = 8000


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with closing(Desk(tmp_path / "data")) as desk:
        yield desk


def edited(desk: Desk, job: str, edits: Edits, *new: NewLine) -> None:
    desk.jobs.edit(job, desk.jobs.lines(job).version, edits, new=new)
    assert desk.over(job).state == JobState.DONE


def texts(desk: Desk, job: str, line: int) -> list[tuple[str, bool, bool]]:
    return [(kept.take.text, kept.is_present, kept.has_sound) for kept in desk.jobs.takes(job).of_line(line)]


def test_an_earlier_take_is_heard_and_comes_back_without_being_spoken_wherever_its_line_has_moved(
    desk: Desk, tmp_path: Path
) -> None:
    job = desk.dubbed(films.film(tmp_path / "film.mp4"))
    assert texts(desk, job, 1) == [(LINES[1], True, True)]
    edited(desk, job, Edits({1: Edit(text="ANOTHER.")}))
    edited(desk, job, Edits(), NewLine(0.6, 0.8, "", "NEW."))
    assert texts(desk, job, 2) == [("ANOTHER.", True, True), (LINES[1], False, True)]
    assert texts(desk, job, 1) == [("NEW.", True, True)]
    assert desk.jobs.takes(job).counts() == [0, 0, 1, 0]
    earlier = desk.jobs.takes(job).of_line(2)[1].take
    with wave.open(io.BytesIO(desk.jobs.takes(job).sound(2, earlier.id))) as heard:
        assert heard.getnframes() / heard.getframerate() == pytest.approx(earlier.seconds, abs=0.01)
        assert np.abs(np.frombuffer(heard.readframes(heard.getnframes()), "<i2")).max() > 1000
    before = list(desk.voice.asked)
    edited(desk, job, Edits({2: Edit(text=earlier.text)}))
    assert desk.voice.asked == before
    assert texts(desk, job, 2) == [(LINES[1], True, True), ("ANOTHER.", False, True)]
    edited(desk, job, Edits({2: Edit(text="", source_text="")}))
    assert texts(desk, job, 2) == [(LINES[1], False, True), ("ANOTHER.", False, True)]
    for line, take in ((9, earlier.id), (2, "0" * 16)):
        with pytest.raises(NoSuchResult):
            desk.jobs.takes(job).sound(line, take)


def a_take(text: str, run: int = 1) -> LineTake:
    return LineTake(text, "tone", None, 1.0, (), run)


def test_of_many_takes_the_latest_stay_and_one_that_is_chosen_again_is_no_further_one() -> None:
    history = History("heard")
    for run in range(1, 2 * line_takes.MOST_TAKES):
        history = history.after({"0": a_take(f"take {run}", run)})
    last = 2 * line_takes.MOST_TAKES - 1
    assert [take.run for take in history.lines["0"]] == list(range(last - line_takes.MOST_TAKES + 1, last + 1))
    again = history.after({"0": a_take(f"take {last - 3}", last + 1)}).lines["0"]
    assert len(again) == line_takes.MOST_TAKES
    assert again[-1] == a_take(f"take {last - 3}", last + 1)
    long = History("heard").after({"0": a_take("a" * 400_000), "1": a_take("b" * 400_000)})
    long = long.after({"0": a_take("c" * 400_000, 2), "1": a_take("b" * 400_000, 2)})
    assert {key: [take.run for take in takes] for key, takes in long.lines.items()} == {"0": [2], "1": [2]}


def test_takes_of_other_words_or_of_another_version_are_forgotten(tmp_path: Path) -> None:
    artifacts = Artifacts(tmp_path)
    spanish = languages.SPANISH
    line_takes.keep(artifacts, spanish, "heard", {"0": a_take("uno")})
    line_takes.keep(artifacts, spanish, "heard", {"0": a_take("dos", 2)})
    assert [take.text for take in line_takes.read(artifacts, spanish).lines["0"]] == ["uno", "dos"]
    assert line_takes.read(artifacts, languages.ENGLISH) == History()
    line_takes.keep(artifacts, spanish, "heard otherwise", {"1": a_take("tres", 3)})
    assert list(line_takes.read(artifacts, spanish).lines) == ["1"]
    (file,) = tmp_path.glob("takes-*")
    artifacts.put_json("takes", file.name.removeprefix("takes-"), {"lines": {"0": ["of another version"]}})
    assert line_takes.read(artifacts, spanish) == History()


def test_a_line_goes_by_the_same_key_whatever_is_added_before_it() -> None:
    first, second = Added(0, 5.0, 6.0), Added(-1, 0.0, 0.5)
    assert line_takes.keys(Edits(added=(first,)), 3) == ["0", "0+5.0-6.0", "1"]
    assert line_takes.keys(Edits(added=(second, first)), 4) == ["-1+0.0-0.5", "0", "0+5.0-6.0", "1"]


def test_a_take_of_several_phrases_sounds_with_its_pauses_and_as_loud_as_in_the_dub(tmp_path: Path) -> None:
    artifacts = Artifacts(tmp_path)
    names = ["1" * 64, "2" * 64]
    for name in names:
        artifacts.put_clip("take", name, Clip(np.full(RATE, 4000, np.int16), RATE))
    sounds = tuple(Sound("take", name, 1.5 * place, 6.0206 * place) for place, name in enumerate(names))
    take = replace(a_take("uno dos"), sounds=sounds)
    clip = take.clip(artifacts)
    assert clip is not None
    assert [int(clip.samples[round(at * RATE)]) for at in (0.5, 1.25, 2.0)] == [4000, 0, 8000]
    (tmp_path / f"take-{names[1]}").unlink()
    assert (take.clip(artifacts), take.is_there(artifacts)) == (None, False)
