"""The first lines of a dub are heard while it is made: which ones, for how long, and by whom they are asked for."""

from __future__ import annotations

import threading
import wave
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from tests import films
from tests.fakes import ToneSynthesizer
from tests.servers import wait_for
from tests.test_jobs import Desk
from vt.domain import Cancel, Clip, Edit, Edits, Job, JobState, Stage
from vt.dubbing import first_lines
from vt.errors import JobNotFound, NoSuchResult
from vt.jobs.new_lines import NewLine
from vt.jobs.store import new_id

PATIENCE = 30.0
SECOND = Clip(np.ones(8000, np.int16), 8000)


class Held(ToneSynthesizer):
    """Speaks the first line twice, once to measure its pace, and waits in the middle of all others."""

    def __init__(self) -> None:
        super().__init__(0.02)
        self.may_go_on = threading.Event()

    def speak(self, lines: Sequence[tuple[str, float]], cancel: Cancel) -> Iterator[Clip]:
        for clip in super().speak(lines, cancel):
            if len(self.asked) == 5:
                assert self.may_go_on.wait(PATIENCE)
            yield clip


def test_what_is_spoken_already_can_be_heard_until_the_dub_is_done(tmp_path: Path) -> None:
    voice = Held()
    with closing(Desk(tmp_path / "data", voice)) as desk:
        job_id = desk.submit(films.film(tmp_path / "film.mp4"))
        wait_for(lambda: desk.jobs.first_lines(job_id) or desk.jobs.get(job_id).state.is_over)
        heard = desk.jobs.first_line(job_id, 0)
        with wave.open(str(heard.path)) as sound:
            assert (heard.media_type, sound.getframerate(), sound.getnframes() > 0) == ("audio/wav", 22_050, True)
        for line in (-1, 2, 99, 10**30):
            with pytest.raises(NoSuchResult, match="cannot be heard now"):
                desk.jobs.first_line(job_id, line)
        with pytest.raises(JobNotFound):
            desk.jobs.first_line(new_id(), 0)
        voice.may_go_on.set()
        assert desk.over(job_id).state is JobState.DONE
        assert desk.jobs.first_lines(job_id) == []


@pytest.mark.soak
def test_a_line_that_is_spoken_anew_is_heard_as_in_the_dub_while_that_is_put_together_again(tmp_path: Path) -> None:
    heard: dict[int, bytes] = {}

    def hear(job: Job) -> None:  # called by the thread that does the work, in the middle of it
        for line in range(5) if job.stage is Stage.MIX else ():
            if found := desk.jobs.fresh_line(job.id, line):
                heard[line] = found.path.read_bytes()

    with closing(Desk(tmp_path / "data")) as desk:
        job_id = desk.submit(films.film(tmp_path / "film.mp4"))
        with desk.jobs.listening(job_id, hear):
            assert (desk.over(job_id).state, heard) == (JobState.DONE, {})
            desk.jobs.edit(job_id, 1, Edits({1: Edit(text="ANOTHER.")}))
            assert (desk.over(job_id).state, list(heard)) == (JobState.DONE, [1])
            takes = desk.jobs.takes(job_id)
            assert heard == {1: takes.sound(1, takes.of_line(1)[0].take.id)}
            heard.clear()
            desk.jobs.edit(job_id, 2, Edits(), new=[NewLine(0.6, 0.8, "", "NEW.")])
            assert (desk.over(job_id).state, list(heard)) == (JobState.DONE, [1])


def test_no_more_is_kept_than_the_first_lines_and_none_that_is_silent_or_long(tmp_path: Path) -> None:
    folder = tmp_path / "lines"
    for line, samples in enumerate((8000, 0, 8000 * 31, *[8000] * 9)):
        first_lines.keep(folder, line, Clip(SECOND.samples[:1].repeat(samples), SECOND.sample_rate))
    assert first_lines.kept(folder) == [0, 3, 4]
    assert sorted(path.name for path in folder.iterdir()) == ["0.wav", "3.wav", "4.wav"]


def test_a_disk_that_is_full_keeps_no_line_and_ends_no_dub(tmp_path: Path) -> None:
    folder = tmp_path / "lines"
    folder.write_text("a file in the place of the folder")
    first_lines.keep(folder, 0, SECOND)
    assert first_lines.kept(folder) == []
