"""The edits of a preview in the whole film: which lines they hold for, by which numbers, and for which speakers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tests.asking import asked
from tests.fakes import FakeFactory, ScriptedTranscriber, ToneSynthesizer
from vt import languages
from vt.domain import Added, Cancel, Edit, Edits, Segment, SpeakerEdit, Transcript
from vt.dubbing import carrying
from vt.dubbing.artifacts import ArtifactReader, Artifacts
from vt.dubbing.carrying import HeardLine
from vt.dubbing.recognition import Heard
from vt.dubbing.run import Run

ONE, TWO, THREE = HeardLine(0.2, "Well now.", 0), HeardLine(2.0, "Good day!", 1), HeardLine(4.0, "Good day!", 0)
WHOLE = [
    HeardLine(0.1, "Oh,", 0),
    HeardLine(0.5, "well now", 1),
    HeardLine(2.1, "Good day!", 0),
    HeardLine(9.0, "On.", 1),
]


def test_an_edit_holds_for_the_line_that_says_the_same_at_the_same_time_and_no_other() -> None:
    edits = Edits({0: Edit(text="A"), 1: Edit(text="B", speaker=1), 2: Edit(text="C")}, of_preview=True)
    found = carrying.carried(edits, [ONE, TWO, THREE], WHOLE)
    assert found.edits == Edits({1: Edit(text="A"), 2: Edit(text="B", speaker=0)})
    assert found.lost == 1


def test_names_and_voices_go_to_whoever_says_the_same_lines_and_new_speakers_come_last() -> None:
    by_hand = {0: SpeakerEdit("Ann"), 1: SpeakerEdit(voice="low"), 2: SpeakerEdit("New")}
    edits = Edits({1: Edit(speaker=2)}, by_hand, of_preview=True)
    found = carrying.carried(edits, [ONE, TWO], WHOLE).edits
    assert found.speakers == {1: SpeakerEdit("Ann"), 0: SpeakerEdit(voice="low"), 2: SpeakerEdit("New")}
    assert found.lines == {2: Edit(speaker=2)}


def test_added_lines_come_behind_the_same_line_as_before_or_are_lost_with_it() -> None:
    added = (Added(-1, 0.0, 0.1), Added(0, 1.0, 1.5), Added(2, 5.0, 6.0))
    said = {0: Edit(text="FIRST"), 2: Edit(text="CUT OFF"), 3: Edit(text="B"), 5: Edit(text="LOST")}
    found = carrying.carried(Edits(said, {}, added, of_preview=True), [ONE, TWO, THREE], WHOLE)
    assert found.edits.added == (Added(-1, 0.0, 0.1), Added(1, 1.0, 1.5))
    assert found.edits.lines == {0: Edit(text="FIRST"), 3: Edit(text="CUT OFF"), 4: Edit(text="B")}
    assert found.lost == 1


def test_what_is_carried_over_is_kept_for_the_next_edit_and_what_is_lost_is_told(tmp_path: Path) -> None:
    artifacts = Artifacts(tmp_path / "pieces")
    edits = Edits({0: Edit(text="A"), 2: Edit(text="C")}, of_preview=True)

    def run_of(*lines: HeardLine, preview: bool, edits: Edits) -> tuple[Run, list[str]]:
        request = replace(asked(tmp_path / "film.mp4", "es"), preview=preview, edits=edits)
        run = Run(request, FakeFactory(ScriptedTranscriber([]), ToneSynthesizer()), artifacts, Cancel(), lambda _: None)
        said = tuple(Segment(at, line.start, line.start + 1, line.text) for at, line in enumerate(lines))
        heard = Heard(Transcript(languages.ENGLISH, False, said), None, 10.0, ())
        return run, [str(note) for note in carrying.carry(run, heard)]

    run_of(ONE, TWO, THREE, preview=True, edits=Edits())
    run, notes = run_of(*WHOLE, preview=False, edits=edits)
    assert (
        run.request.edits == carrying.settled(edits, ArtifactReader(tmp_path / "pieces")) == Edits({1: Edit(text="A")})
    )
    assert [note.rpartition(" ")[2] for note in notes] == ["1."]


def test_edits_of_a_preview_are_kept_as_such() -> None:
    edits = Edits({1: Edit(text="B")}, {0: SpeakerEdit("Ann")}, (Added(0, 1.0, 2.0),), of_preview=True)
    assert Edits.from_json(edits.as_json()) == edits
    assert edits.of_speakers == Edits({}, {0: SpeakerEdit("Ann")}, of_preview=True)
