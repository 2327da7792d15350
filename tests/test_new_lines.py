"""Lines that are added to a dub by hand: where they stand, whose ids move, and what another language takes over."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.reports import dub_report
from vt import languages
from vt.domain import Added, Edit, Edits, Segment, SpeakerEdit, Transcript
from vt.dubbing import added_lines, subtitling
from vt.dubbing.recognition import Heard
from vt.dubbing.report import DubbedLine
from vt.errors import InputError
from vt.jobs import edit_checks
from vt.jobs.new_lines import NewLine, placed

STARTS = [0.0, 4.0, 8.0]
LINES = [DubbedLine(n, s, s + 2, "Heard.", "Dicho.", 2.0, 2.0, 2.0, 1.0, s, s + 2, 0.0) for n, s in enumerate(STARTS)]
REPORT = dub_report(*LINES)


def test_a_new_line_stands_by_its_start_and_moves_the_ids_of_all_edits_behind_it() -> None:
    before = Edits({0: Edit(text="a"), 2: Edit(text="c")})
    changes, kept = placed([NewLine(5.0, 6.0, "Heard it.", "")], STARTS, Edits({2: Edit(end=9.0)}), before)
    assert kept.lines == {0: Edit(text="a"), 3: Edit(text="c")}
    assert changes.lines == {2: Edit(source_text="Heard it."), 3: Edit(end=9.0)}
    assert changes.added == (Added(1, 5.0, 6.0),)
    assert changes.over(kept).lines[3] == Edit(text="c", end=9.0)


def test_further_lines_are_added_to_a_dub_that_has_some_and_one_may_come_before_all() -> None:
    first, _ = placed([NewLine(5.0, 6.0, "", "uno")], STARTS, Edits(), Edits())
    again, kept = placed(
        [NewLine(0.0, 1.0, "", "dos"), NewLine(7.0, 7.5, "", "tres")], [1.0, 4.0, 5.0, 8.0], Edits(), first
    )
    assert again.added == (Added(-1, 0.0, 1.0), Added(1, 5.0, 6.0), Added(1, 7.0, 7.5))
    whole = again.over(kept)
    assert {line: edit.text for line, edit in whole.lines.items()} == {0: "dos", 3: "uno", 4: "tres"}
    assert whole.heard(3)[:6] == [None, 0, 1, None, None, 2]
    assert Edits.from_json(whole.as_json()) == whole


def test_another_language_of_the_film_takes_over_who_speaks_by_the_lines_as_they_were_heard() -> None:
    edits = Edits({1: Edit("uno", speaker=1), 2: Edit(speaker=1)}, {1: SpeakerEdit("Ben")}, (Added(0, 5.0, 6.0),))
    assert edits.of_speakers == Edits({1: Edit(speaker=1)}, {1: SpeakerEdit("Ben")})


def test_an_added_line_is_empty_until_its_edit_and_said_by_whoever_says_the_line_before() -> None:
    said = tuple(
        Segment(n, start, start + 2, "Heard.", who) for n, (start, who) in enumerate(zip(STARTS, "ABA", strict=True))
    )
    heard = Heard(Transcript(languages.get("en"), False, said), None, 12.0, ())
    added = (Added(-1, 0.0, 0.5), Added(1, 6.5, 7.0))
    lines = added_lines.heard_with(heard, added).transcript.segments
    assert [(line.id, line.text, line.speaker) for line in lines] == [
        (0, "", "A"), (1, "Heard.", "A"), (2, "Heard.", "B"), (3, "", "B"), (4, "Heard.", "A"),
    ]  # fmt: skip
    assert added_lines.heard_with(heard, ()) is heard
    assert added_lines.name_with("x", ()) == "x" != added_lines.name_with("x", added)


def test_a_line_that_was_removed_shows_in_no_subtitles() -> None:
    report = dub_report(LINES[0], replace(LINES[1], start=2.5, end=3.5, text="", source_text=""))
    sides = subtitling.of_report(report, mark_speakers=False)
    assert {name: [cue.text for cue in sides.cues(name)] for name in sides.names} == {
        "es": ["Dicho."], "en": ["Heard."], "both": ["Dicho."],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (NewLine(3.0, 2.0, "x"), "to end after its start"), (NewLine(-1.0, 2.0, "x"), "to end after its start"),
        (NewLine(float("nan"), 2.0, "x"), "to end after its start"), (NewLine(0.0, 1e9, "x"), "before the film does"),
        (NewLine(0.0, 1.0, " "), "needs words"), (NewLine(0.0, 1.0, "x" * 2001), "too long"),
        (NewLine(0.0, 1.0, "\x00"), "cannot be written"), (NewLine(0.0, 1.0, "x", speaker=5), "There is no speaker 5"),
        (NewLine(0.0, 1.0, "x", speaker=-1), "There is no speaker -1"),
    ],
)  # fmt: skip
def test_a_new_line_that_cannot_be_is_refused(line: NewLine, says: str) -> None:
    with pytest.raises(InputError, match=says):
        edit_checks.checked(Edits(), REPORT, [], [line])


def test_a_voice_whose_name_is_no_unicode_is_refused_in_a_sentence_that_can_be_sent() -> None:
    with pytest.raises(InputError, match=r"There is no voice \?") as refused:
        edit_checks.checked(Edits({}, {0: SpeakerEdit(voice="\ud800")}), REPORT, [])
    assert str(refused.value).encode()


def test_more_lines_than_a_film_may_have_are_refused() -> None:
    with pytest.raises(InputError, match="So many lines"):
        edit_checks.checked(Edits(), replace(REPORT, segments=tuple(LINES)), [], [NewLine(0.0, 1.0, "x")] * 1001)
