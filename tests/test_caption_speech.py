"""What is spoken of a caption file: no sounds, no names, no numbers of cues, and all of the rest."""

from __future__ import annotations

import pytest

from tests.captions import read, said, srt, timed
from vt.domain import Word
from vt.text import captions
from vt.text.sentences import sentences

# Sounds

SOUNDS = {
    "(GROANS) My back hurts.": "My back hurts.",
    "(COUGHING)\nIt was nothing.": "It was nothing.",
    "I am so tired (yawns)": "I am so tired",
    "I told you (laughs) never to ask.": "I told you never to ask.",
    "[phone rings] Who is it? [click]": "Who is it?",
    "{applause} Thank you.": "Thank you.",
    "*footsteps* Hide!": "Hide!",
    "* Es donnert. *\nKomm rein.": "Komm rein.",
    "** leise Schritte,\ndann ein Knall **\nLauf!": "Lauf!",
    "CARMEN: (de rodillas) Por favor.": "Por favor.",
    "*glass breaks*\nRun!": "Run!",
    "(a window opens)\nWho is there?": "Who is there?",
    "♪ and the night goes on ♪\nDid you hear that?": "Did you hear that?",
    "# The river runs along #\nLovely.": "Lovely.",
    "(suspira) No puedo más.": "No puedo más.",
    "(Applaudissements) Merci.": "Merci.",
    "(Смех) Спасибо вам.": "Спасибо вам.",
    "【ドアの音】誰ですか。": "誰ですか。",
    "（拍手）ありがとう。": "ありがとう。",
    "＜鐘の音＞もう帰ろう。": "もう帰ろう。",
    "［音楽］始めましょう。": "始めましょう。",
    "≪（花子）ただいま。→": "ただいま。",
    "➡お帰りなさい。": "お帰りなさい。",
    "¶ and the rain falls ¶\nListen.": "Listen.",
}
SPEECH = {
    "the castle (which was burnt down) stands again": "the castle (which was burnt down) stands again",
    "the castle\n(which was burnt down)\nstands again": "the castle (which was burnt down) stands again",
    "Bring salt (or sugar), and come.": "Bring salt (or sugar), and come.",
    "They work for the union (EU) now.": "They work for the union (EU) now.",
    "I *really* mean it.": "I really mean it.",
    "*Never* touch it.": "Never touch it.",
    "THE CASTLE (WHICH WAS OLD) FELL.": "THE CASTLE (WHICH WAS OLD) FELL.",
    "5 * 3 * 2 is thirty": "5 * 3 * 2 is thirty",
    "* bread\n* butter": "* bread * butter",
    "I know this: (and so do you) it ends.": "I know this: (and so do you) it ends.",
    "#2 is the best": "#2 is the best",
}


@pytest.mark.parametrize(("shown", "spoken"), SOUNDS.items())
def test_sounds_in_any_bracket_are_not_spoken_and_the_speech_beside_them_is(shown: str, spoken: str) -> None:
    assert said(srt(shown)) == [spoken]


@pytest.mark.parametrize(
    "shown",
    ["(THUNDER)", "*wind howls*", "[a long silence]", "♪ la la la ♪", "♪ la la", "♪ one\n♪ two", "# la la", "（笑）"],
)
def test_a_cue_of_nothing_but_a_sound_is_not_spoken(shown: str) -> None:
    assert said(srt("Before it.", shown, "After it.")) == ["Before it.", "After it."]


@pytest.mark.parametrize(("shown", "spoken"), SPEECH.items())
def test_brackets_and_asterisks_within_a_sentence_are_spoken(shown: str, spoken: str) -> None:
    assert said(srt(shown)) == [spoken]


# Speakers

NAMED = {
    "PETER: Sit down.": ("PETER", "Sit down."),
    "WOMAN IN RED: Sit down.": ("WOMAN IN RED", "Sit down."),
    "DR. MOORE: Sit down.": ("DR. MOORE", "Sit down."),
    "MAN #2: Sit down.": ("MAN #2", "Sit down."),
    "PETER (on radio): Sit down.": ("PETER", "Sit down."),
    "Peter (whispering): Sit down.": ("Peter", "Sit down."),
    "(PETER): Sit down.": ("PETER", "Sit down."),
    "[Peter]: Sit down.": ("Peter", "Sit down."),
    "[PETER:] Sit down.": ("PETER", "Sit down."),
    "- Peter: Sit down.": ("Peter", "Sit down."),
    ">> Peter: Sit down.": ("Peter", "Sit down."),
    "NARRATOR:\nSit down.": ("NARRATOR", "Sit down."),
    "Speaker 2: Sit down.": ("Speaker 2", "Sit down."),
    "МУЖЧИНА: Садитесь.": ("МУЖЧИНА", "Садитесь."),
}
UNNAMED = [
    "THERE IS ONLY ONE WAY: RUN.",
    "THE END OF THE STORY: NOBODY CAME.",
    "MY ANSWER: NO.",
    "WARNING: do not open the door.",
    "AT 10:30 WE LEAVE.",
    "Remember: the shop shuts at 9:15.",
    "Look at http://example.org: it is all there.",
    "We need three things: salt, water and time.",
    "Atención: el tren sale ya.",
    "Frage: Wer war das?",
]


@pytest.mark.parametrize(("shown", "expected"), NAMED.items())
def test_a_name_before_a_colon_is_not_spoken_but_kept_as_the_speaker(shown: str, expected: tuple[str, str]) -> None:
    (found,) = read(srt(shown))
    assert (found.speaker, found.text, found.begins_turn) == (*expected, True)


@pytest.mark.parametrize("shown", UNNAMED)
def test_what_is_no_name_before_a_colon_is_spoken(shown: str) -> None:
    assert said(srt(shown, "Then they went home.")) == [shown, "Then they went home."]


def test_a_name_in_a_file_of_capitals_is_taken_and_a_sentence_with_a_colon_is_not() -> None:
    file = srt("THERE IS ONE THING THAT I WANT: PEACE.", "THE NAME OF THE SHIP: AURORA.", "PETER: SHE IS LATE.")
    assert [(each.speaker, each.text) for each in read(file)] == [
        ("", "THERE IS ONE THING THAT I WANT: PEACE."),
        ("", "THE NAME OF THE SHIP: AURORA."),
        ("PETER", "SHE IS LATE."),
    ]


def test_a_word_before_a_colon_within_a_sentence_of_capitals_is_no_name() -> None:
    file = srt("TONIGHT WE FLY TO\nLISBON: THE CITY OF HILLS.", "IT IS LATE.\nPETER: GO HOME.")
    assert [(each.speaker, each.text) for each in read(file)] == [
        ("", "TONIGHT WE FLY TO LISBON: THE CITY OF HILLS."),
        ("", "IT IS LATE."),
        ("PETER", "GO HOME."),
    ]


def test_a_label_in_small_letters_is_a_name_once_it_is_repeated() -> None:
    file = srt("Mira: Are you there?", "Nobody was there.", "Mira: Hello?", "Paris: a city of light.", "They left.")
    assert [(each.speaker, each.text) for each in read(file)] == [
        ("Mira", "Are you there?"),
        ("", "Nobody was there."),
        ("Mira", "Hello?"),
        ("", "Paris: a city of light."),
        ("", "They left."),
    ]


def test_names_in_small_letters_that_answer_each_other_in_one_cue_are_not_spoken() -> None:
    file = srt("Anna: Are you sure\nthat he left?\nBob: Yes.", "Then they went home.", "We met in\nParis: a city.")
    assert [(each.speaker, each.text) for each in read(file)] == [
        ("Anna", "Are you sure that he left?"),
        ("Bob", "Yes."),
        ("", "Then they went home."),
        ("", "We met in Paris: a city."),
    ]


@pytest.mark.parametrize(
    "shown", ["Note: it rains.\nRemember: take a coat.", "It was so.\nParis: a city.", "Mira: Hello.\nand more."]
)
def test_lines_of_a_cue_that_no_two_names_begin_are_spoken(shown: str) -> None:
    assert said(srt(shown, "Then they went home.")) == [" ".join(shown.split()), "Then they went home."]


@pytest.mark.parametrize("name", ["田中", "李小龙", "ジョン", "田中さん"])
def test_a_name_in_chinese_characters_or_katakana_before_a_wide_colon_is_the_speaker(name: str) -> None:
    file = srt(f"{name}：今日はいい天気です。", "そうですね。")
    assert [(each.speaker, each.text) for each in read(file)] == [
        (name, "今日はいい天気です。"),
        ("", "そうですね。"),
    ]


@pytest.mark.parametrize("label", ["注意", "他说", "时间", "問題", "ポイント", "最後の質問", "私が言ったこと"])
def test_what_is_no_name_before_a_wide_colon_is_spoken(label: str) -> None:
    assert said(srt(f"{label}：今日はいい天気です。", "そうですね。")) == [
        f"{label}：今日はいい天気です。",
        "そうですね。",
    ]


def test_a_turn_without_a_name_is_that_of_the_other_one_of_two_who_speak() -> None:
    file = srt("ANNA: Is it far?", "- Yes.\n- Really?", "BOB: I think\nso.", "- Well.", "and it is late.")
    assert [each.speaker for each in read(file)] == ["ANNA", "BOB", "ANNA", "BOB", "ANNA", ""]
    assert [each.speaker for each in read(srt("ANNA: Is it far?", "- Yes.\n- Really?"))] == ["ANNA", "", ""]


@pytest.mark.parametrize("mark", [">>", ">>>", "&gt;&gt;", ">> ", "- ", "-", "– ", "— "])
def test_marks_of_a_new_speaker_end_a_sentence_and_are_not_spoken(mark: str) -> None:
    found = read(srt(f"{mark}Is it far\n{mark}Not at all"))
    assert [(each.text, each.begins_turn) for each in found] == [("Is it far", True), ("Not at all", True)]
    assert [each.text for each in sentences(captions.words(found))] == ["Is it far", "Not at all"]
    assert (found[0].start, found[0].end, found[1].end) == (4.0, found[1].start, 6.0)


def test_a_mark_within_a_line_begins_another_speaker() -> None:
    assert said(srt("It rains >> It does not", "-¿Vienes? -No.", "One - or two - of them")) == [
        "It rains",
        "It does not",
        "¿Vienes?",
        "No.",
        "One - or two - of them",
    ]


def test_a_dash_that_goes_on_or_counts_is_no_new_speaker() -> None:
    found = read(srt("He opened the door", "- and saw nobody", "-5 degrees outside", "-- then it fell"))
    assert [each.begins_turn for each in found] == [False] * 4
    assert found[2].text == "-5 degrees outside"


def test_a_sentence_over_two_cues_of_one_speaker_stays_one_and_another_speaker_ends_it() -> None:
    file = timed((1, 2, "PETER: I thought that"), (2, 3, "she had left"), (3.1, 4, "MARY: and she came back"))
    found = sentences(captions.words(read(file)))
    assert [(each.speaker, each.text) for each in found] == [
        ("PETER", "I thought that she had left"),
        ("MARY", "and she came back"),
    ]


def test_a_turn_that_begins_with_lone_punctuation_stays_apart() -> None:
    words = [Word(0, 1, " Well"), Word(1, 1.1, " …", begins_turn=True), Word(1.1, 2, " maybe")]
    assert [each.text for each in sentences(words)] == ["Well", "…maybe"]


# Numbers


@pytest.mark.parametrize("numbered", [True, False])
@pytest.mark.parametrize("number", ["2024", "7"])
def test_a_number_at_the_end_of_a_cue_is_spoken(numbered: bool, number: str) -> None:
    file = srt(f"The bridge was built in\n{number}", "It fell.", f"And again in\n{number}", numbered=numbered)
    assert said(file) == [f"The bridge was built in {number}", "It fell.", f"And again in {number}"]


def test_a_cue_that_is_a_number_is_spoken() -> None:
    assert said(srt("3", "2", "1", "Go!")) == ["3", "2", "1", "Go!"]
    assert said(srt("3", "2", "1", "Go!", numbered=False)) == ["3", "2", "1", "Go!"]


def test_numbers_of_cues_are_not_spoken_where_files_with_marks_of_unicode_were_put_together() -> None:
    assert said("\ufeff" + srt("One came.") + "\ufeff" + srt("Two went.").replace("1\n", "2\n", 1)) == [
        "One came.",
        "Two went.",
    ]


def test_numbers_of_cues_are_not_spoken_where_empty_lines_are_missing_or_too_many() -> None:
    tight = srt("In\n1999", "and\n2", "more").replace("\n\n", "\n")
    assert said(tight) == ["In 1999", "and 2", "more"]
    assert said(tight.replace("\n", "\n\n")) == ["In 1999", "and 2", "more"]
    assert said(srt("One.", "Two.") + "3\n") == ["One.", "Two."]


def test_a_last_number_is_spoken_where_neither_numbers_nor_empty_lines_part_the_cues() -> None:
    assert said(srt("In\n1999", "It fell.", numbered=False).replace("\n\n", "\n")) == ["In 1999", "It fell."]


# Markup


@pytest.mark.parametrize(
    ("shown", "spoken"),
    [
        ("two<br>words", "two words"),
        ("two<br/>words", "two words"),
        ("<i>two</i><b>words</b>", "two words"),
        ("<font color=red>two</font><font color=blue>words</font>", "two words"),
        ("two\\Nwords", "two words"),
        ("{\\an8}two&nbsp;words", "two words"),
        ("<i>un</i>likely", "unlikely"),
        ("H<sub>2</sub>O", "H2O"),
        ("3 < 5 and 7 > 6 & <3", "3 < 5 and 7 > 6 & <3"),
    ],
)
def test_markup_joins_no_words_and_divides_none(shown: str, spoken: str) -> None:
    assert said(srt(shown)) == [spoken]


def test_an_arrow_between_words_is_said() -> None:
    assert said(srt("Choose File --> Save", "Then wait.")) == ["Choose File --> Save", "Then wait."]


# Times


@pytest.mark.parametrize(
    ("line", "start", "end"),
    [
        ("100:00:01,000 --> 100:00:02,000", 360_001.0, 360_002.0),
        ("00:00:01 --> 00:00:02", 1.0, 2.0),
        ("0:1,5 --> 0:2,5", 1.5, 2.5),
        ("00:00:01:250 --> 00:00:02:500", 1.25, 2.5),
        ("00:00:01,000 -> 00:00:02,000", 1.0, 2.0),
        ("00:00:01,000 -- > 00:00:02,000", 1.0, 2.0),
        ("00:00:01,000 – > 00:00:02,000", 1.0, 2.0),
        ("00:00:01,000 → 00:00:02,000", 1.0, 2.0),
        ("00: 00: 01, 000 --> 00: 00: 02, 000", 1.0, 2.0),
        ("00:00:01,000-->00:00:02,000", 1.0, 2.0),
        ("00:00:01,000 --> 00:00:02,000 X1:10 X2:20", 1.0, 2.0),
    ],
)
def test_times_are_read_as_people_write_them(line: str, start: float, end: float) -> None:
    (found,) = read(f"1\n{line}\nHello.\n")
    assert (found.start, found.end) == (start, end)


@pytest.mark.parametrize("early", ["-00:00:02,500", "00:00:-2,-500", "\u221200:00:02,500"])
def test_a_negative_time_is_moved_to_the_start_with_a_note(early: str) -> None:
    found = captions.read(f"1\n{early} --> 00:00:01,000\nHello.\n\n2\n00:00:02,000 --> 00:00:03,000\nBye.\n".encode())
    assert [(each.start, each.end, each.text) for each in found.utterances] == [(0, 1, "Hello."), (2, 3, "Bye.")]
    assert [str(note) for note in found.notes] == [
        "Lines of the subtitles that begin before the film are spoken at its start: 1."
    ]


def test_a_few_times_that_cannot_be_read_are_left_out_with_a_note_and_many_are_refused() -> None:
    good = srt(*(f"Line {at}." for at in range(20)))
    found = captions.read((good + "21\n00:02:00,000 --> soon\nLost.\n\n").encode())
    assert len(found.utterances) == 20
    assert "left out: 1; the first is at line 82" in found.notes[0]
