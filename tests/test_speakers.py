"""Who speaks when: voices are told apart, one voice stays one, and sentences are split where the speaker changes."""

from __future__ import annotations

import sys
import time
import tracemalloc
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests import films
from tests.asking import asked
from tests.fakes import FakeFactory, ScriptedTranscriber, ScriptedVoices, ToneSynthesizer
from tests.sounds import CONVERSATION, recorded_conversation, shouted, whispered
from vt.cli.main import main
from vt.domain import Cancel, JobRequest, Word
from vt.dubbing import hearing, pipeline, recognition, speakers
from vt.dubbing.artifacts import Artifacts
from vt.dubbing.run import Run
from vt.engines import campplus
from vt.engines.protocols import Heard
from vt.errors import Cancelled
from vt.model_files import bundle
from vt.text import sentences

TALK = (
    "Good morning and welcome to our talk. Thank you very much for the invitation. How was your journey? It was long."
)
TURNS = [(0.0, 0), (8.0, 1), (16.0, 0), (22.0, 1)]
"""A conversation: from which second on who speaks."""


def said(text: str, start: float, end: float) -> list[Word]:
    """Return the words of a text, spoken evenly from one second to another."""
    parts = text.split()
    edges = np.linspace(start, end, len(parts) + 1)
    return [Word(float(a), float(b), f" {part}") for part, a, b in zip(parts, edges[:-1], edges[1:], strict=True)]


def drawn(
    words: Sequence[Word], script: Sequence[tuple[float, int]]
) -> tuple[list[speakers.Passage], NDArray[np.float32]]:
    """Return the passages of words, and vectors of the voices that a script has speak in them."""
    passages = speakers.passages_of(words)
    moments = [moment for passage in passages for moment in passage.moments]
    return passages, np.stack(list(ScriptedVoices(script).embed(np.zeros(0, np.int16), moments, Cancel())))


def labels(words: Sequence[Word], script: Sequence[tuple[float, int]], wanted: int | None = None) -> list[str]:
    return [word.speaker for word in speakers.labelled(words, *drawn(words, script), wanted)]


def conversation() -> list[Word]:
    """Return what is said in a conversation of half a minute, without a pause."""
    lines = [f"{line}." for line in TALK.rstrip(".").replace("?", ".").split(". ")]
    ends = [second for second, _ in TURNS[1:]] + [30.0]
    return [w for line, (start, _), end in zip(lines, TURNS, ends, strict=True) for w in said(line, start, end)]


def test_each_word_gets_the_label_of_its_speaker_and_the_first_to_speak_is_the_first() -> None:
    words = conversation()
    expected = [str([who for second, who in TURNS if second <= word.start][-1] + 1) for word in words]
    assert labels(words, TURNS) == expected
    assert labels(words, [(second, 5 - who) for second, who in TURNS]) == expected


def test_one_speaker_is_no_label() -> None:
    assert set(labels(conversation(), [(0.0, 3)])) == {""}


def test_sentences_are_split_where_the_speaker_changes_though_nothing_else_tells() -> None:
    words = said("we were just about to leave when somebody came in and", 0, 6)
    words += said("told you that the train had gone an hour before", 6, 12)
    both = speakers.labelled(words, *drawn(words, [(0.0, 0), (6.0, 1)]))
    found = sentences.sentences(both)
    assert [(line.speaker, line.text[-3:]) for line in found] == [("1", "and"), ("2", "ore")]
    assert found[1].start == 6
    assert len(sentences.sentences(words)) == 1


def test_a_word_that_sounds_like_another_stays_with_its_sentence() -> None:
    words = said("and this is a sentence that one person speaks to the very end of it.", 0, 7.5)
    words += said("and this is another that somebody else speaks to the very end.", 7.5, 15)
    passages, vectors = drawn(words, [(0.0, 0), (7.5, 1)])
    middle = len(passages[0].moments) // 2
    vectors[middle] = (vectors[middle] + 1.2 * vectors[-1]) / np.linalg.norm(vectors[middle] + 1.2 * vectors[-1])
    found = [word.speaker for word in speakers.labelled(words, passages, vectors)]
    assert found == ["1"] * 15 + ["2"] * 12


def test_a_cough_is_no_speaker_but_whoever_is_asked_for_is_found() -> None:
    script = [(0.0, 0), (8.0, 1), (16.0, 2), (17.0, 0), (22.0, 1)]
    assert set(labels(conversation(), script)) == {"1", "2"}
    assert set(labels(conversation(), TURNS, 2)) == {"1", "2"}
    assert set(labels(conversation(), TURNS, 1)) == {""}


def test_fewer_speakers_than_are_heard_are_told_apart_where_their_number_is_given() -> None:
    four = [(0.0, 0), (8.0, 1), (16.0, 2), (22.0, 3)]
    assert set(labels(conversation(), four)) == {"1", "2", "3", "4"}
    assert set(labels(conversation(), four, 3)) == {"1", "2", "3"}


def near_voices(shares: Sequence[float], cosine: float = 0.65) -> NDArray[np.float64]:
    """Return vectors of moments that lie between two voices near each other, each at its share of the way."""
    rng = np.random.default_rng(3)
    one, other = np.linalg.qr(rng.normal(0, 1, (192, 2)))[0].T
    other = cosine * one + np.sqrt(1 - cosine**2) * other
    middles = np.array([(1 - share) * one + share * other for share in shares])
    middles /= np.linalg.norm(middles, axis=1, keepdims=True)
    vectors = middles + rng.normal(0, 0.72 / np.sqrt(192), middles.shape)
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


def test_two_voices_near_each_other_are_two_where_nothing_lies_between_them() -> None:
    turns = [0.0] * 4 + [1.0] * 4
    assert len(speakers.speakers(near_voices(turns * 5), np.full(40, 1.5), own=0.66)) == 2


def test_the_nearer_two_voices_are_the_larger_the_gap_is_that_tells_them_apart() -> None:
    turns = [0.0] * 4 + [1.0] * 4
    assert len(speakers.speakers(near_voices(turns * 5, 0.72), np.full(40, 1.5), own=0.66)) == 1


def test_a_voice_that_slowly_becomes_another_is_one() -> None:
    assert len(speakers.speakers(near_voices(np.linspace(0, 1, 40).tolist()), np.full(40, 1.5), own=0.66)) == 1


def test_who_is_heard_seldom_and_never_twice_running_is_a_speaker_where_that_is_often_enough() -> None:
    seldom = near_voices([0.0] * 40)
    seldom[4::5] = -near_voices([1.0] * 8)
    assert len(speakers.speakers(seldom, np.full(40, 1.5), own=0.66)) == 2
    seldom[9:] = near_voices([0.0] * 31)
    assert len(speakers.speakers(seldom, np.full(40, 1.5), own=0.66)) == 1


def short_word(share_of_its_own: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return vectors of two voices that say the same short word in every fifth moment, and the moments' seconds.

    The word sounds like both voices, but for a share of its own.
    """
    rng = np.random.default_rng(4)
    one, other, own = np.eye(192)[:3]
    word = np.sqrt(1 - share_of_its_own**2) * (one + other) / np.sqrt(2) + share_of_its_own * own
    means = [word if at % 5 == 4 else (one, other)[at // 10 % 2] for at in range(300)]
    vectors = np.array(means) + rng.normal(0, 0.03, (300, 192))
    seconds = np.where(np.arange(300) % 5 == 4, 0.7, 1.5)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True), seconds


def test_a_short_word_that_both_speakers_say_is_no_third_one() -> None:
    vectors, seconds = short_word(share_of_its_own=0.7)
    assert len(speakers.speakers(vectors, seconds)) == 2
    assert len(speakers.speakers(vectors, seconds, wanted=3)) == 3


def test_who_says_one_short_word_alone_is_a_speaker_where_it_sounds_like_nobody_else() -> None:
    assert len(speakers.speakers(*short_word(share_of_its_own=0.95))) == 3


def test_what_sounds_like_two_others_is_a_speaker_where_it_is_heard_in_sentences() -> None:
    vectors, _ = short_word(share_of_its_own=0.7)
    assert len(speakers.speakers(vectors, np.full(300, 1.5))) == 3


def test_no_more_than_twelve_speakers_are_told_apart() -> None:
    lines = [said("every one of us says a sentence of his own here.", at * 8, at * 8 + 8) for at in range(15)]
    words = [word for line in lines for word in line]
    assert len(set(labels(words, [(at * 8.0, at) for at in range(15)]))) == 12


def test_the_work_grows_with_the_length_of_the_film_and_no_faster() -> None:
    rng = np.random.default_rng(0)
    voices = rng.normal(0, 1, (3, 192))
    vectors = voices[rng.integers(0, 3, 12_000)] + rng.normal(0, 0.7, (12_000, 192))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    assert len(speakers.speakers(vectors, np.full(12_000, 1.5))) == 3


def test_a_cancel_ends_the_telling_apart_of_a_long_film() -> None:
    cancel, vectors = Cancel(), np.eye(192)[np.arange(1000) % 192]
    cancel.set()
    with pytest.raises(Cancelled):
        speakers.speakers(vectors, np.full(1000, 1.5), cancel=cancel)


def test_moments_that_nothing_joins_take_no_more_memory_than_a_film_has() -> None:
    vectors = np.random.default_rng(0).normal(0, 1, (4000, 192))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    tracemalloc.start()
    try:
        speakers.speakers(vectors, np.full(4000, 1.5))
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert most < 60 * 2**20  # each with each would be 128 MB


def test_a_speech_without_a_pause_has_its_voiceprints_at_once() -> None:
    words = [Word(at * 0.4, at * 0.4 + 0.4, " word") for at in range(18_000)]
    passages = speakers.passages_of(words)
    vectors = np.ones((sum(len(passage.moments) for passage in passages), 2), np.float32)
    began = time.process_time()
    found = speakers.voiceprints(words, passages, vectors)
    assert time.process_time() - began < 2.0  # each moment with each word took 9 s
    assert found == {"": (0.7071, 0.7071)}


def test_passages_end_with_sentences_and_pauses_and_every_one_is_listened_to() -> None:
    words = [*said("Yes. But why", 1, 2), *said("would anybody do such a thing to us at all", 3, 12)]
    found = speakers.passages_of(words)
    assert [(passage.first, passage.last) for passage in found] == [(0, 1), (1, 3), (3, 13)]
    assert [len(passage.moments) for passage in found] == [1, 1, 5]
    assert found[2].moments[0][0] == 3
    assert found[2].moments[-1][1] == pytest.approx(12)
    assert all(end - start <= 1.5 + 1e-6 for passage in found for start, end in passage.moments)


def test_in_much_speech_fewer_moments_are_listened_to() -> None:
    count, few = 150, said("this is one of very many sentences of eight seconds.", 0, 8)
    many = [
        word
        for at in range(count)
        for word in said("this is one of very many sentences of eight seconds.", 8 * at, 8 * at + 8)
    ]
    moments = [sum(len(passage.moments) for passage in speakers.passages_of(words)) for words in (few, many)]
    assert moments == [4, 3 * count]


# In a job


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("film")
    films.ffmpeg("-f", "lavfi", "-i", "anoisesrc=d=30:r=16000:a=0.1", folder / "film.wav")
    return folder / "film.wav"


def served(voices: ScriptedVoices | None) -> FakeFactory:
    factory = FakeFactory(ScriptedTranscriber([Heard(tuple(conversation()))]), ToneSynthesizer())
    factory.embedder = voices
    return factory


def heard(request: JobRequest, factory: FakeFactory, folder: Path, cancel: Cancel | None = None) -> recognition.Heard:
    """Return what is heard in a film, with the pieces of work kept in a folder."""
    run = Run(request, factory, Artifacts(folder), cancel or Cancel(), lambda _: None)
    examined = hearing.examine(request, factory, Cancel())
    return hearing.hear(run, examined, hearing.name_of(run))


def test_a_job_hears_who_speaks_each_line(film: Path, tmp_path: Path) -> None:
    found = heard(asked(film, "es"), served(ScriptedVoices(TURNS)), tmp_path)
    assert [(line.speaker, line.start) for line in found.transcript.segments] == [
        ("1", 0),
        ("2", 8),
        ("1", 16),
        ("2", 22),
    ]


def test_nothing_is_listened_to_again_where_one_speaker_is_given(film: Path, tmp_path: Path) -> None:
    voices = ScriptedVoices(TURNS)
    found = heard(asked(film, "es", speakers=1), served(voices), tmp_path)
    assert voices.moments == []
    assert {line.speaker for line in found.transcript.segments} == {""}


def test_a_run_that_was_ended_goes_on_with_the_voices_that_it_knows(film: Path, tmp_path: Path) -> None:
    voices = ScriptedVoices(TURNS)
    heard(asked(film, "es"), served(voices), tmp_path)
    first = list(voices.moments)
    found = heard(asked(film, "es", speakers=2), served(voices), tmp_path)
    assert voices.moments == first
    assert {line.speaker for line in found.transcript.segments} == {"1", "2"}


def test_a_cancel_ends_the_listening(film: Path, tmp_path: Path) -> None:
    cancel = Cancel()

    class Cancelling(ScriptedVoices):
        def embed(
            self, samples: NDArray[np.int16], moments: Sequence[tuple[float, float]], cancel: Cancel
        ) -> Iterator[NDArray[np.float32]]:
            for number, vector in enumerate(super().embed(samples, moments, cancel)):
                if number == 2:
                    cancel.set()
                yield vector

    voices = Cancelling(TURNS)
    with pytest.raises(Cancelled):
        heard(asked(film, "es"), served(voices), tmp_path, cancel)
    assert len(voices.moments) == 3


def test_without_the_model_a_film_has_one_speaker_and_a_note_only_who_asked_for_more(
    film: Path, tmp_path: Path
) -> None:
    found = heard(asked(film, "es"), served(None), tmp_path / "auto")
    assert {line.speaker for line in found.transcript.segments} == {""}
    assert not any("speakers" in note for note in found.notes)
    found = heard(asked(film, "es", speakers=2), served(None), tmp_path / "two")
    told = "The speakers were not told apart: There is no model that tells speakers apart."
    assert [note for note in found.notes if "speakers" in note] == [told]


@pytest.mark.soak
def test_a_dub_with_speakers_is_made_to_the_end(film: Path, tmp_path: Path) -> None:
    report = pipeline.dub(asked(film, "es"), served(ScriptedVoices(TURNS)), tmp_path).report.as_json()
    assert [line["start"] for line in report["segments"]] == [0, 8, 16, 22]


@pytest.mark.parametrize("wrong", ["0", "13", "-1", "two", "", "1.0", "٣", "9" * 200])
def test_a_number_of_speakers_that_cannot_be_is_refused_in_a_sentence(
    wrong: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["translate", "film.mp4", "--to", "es", f"--speakers={wrong}"]) == 2
    assert "is neither auto nor a number from 1 to 12" in capsys.readouterr().err


# With the real model and real voices

ROOT = Path(sys.prefix) / "share" / "vt" / "models"


@pytest.fixture(scope="module")
def lines() -> dict[str, list[NDArray[np.int16]]]:
    """Return the lines as a woman and a man say them, mono at 16 kHz."""
    if bundle.folder(campplus.NAME) is None:
        pytest.skip("set-up could not put CAM++ here")
    return recorded_conversation(campplus.RATE)


def talk(lines: dict[str, list[NDArray[np.int16]]], turns: Sequence[str]) -> tuple[NDArray[np.int16], list[Word]]:
    """Return the sound and the words of a talk in which the lines are said in turn, with pauses of 0.2 s."""
    sound, words, at = [], list[Word](), 0.0
    for line, voice, text in zip(range(len(CONVERSATION)), turns, CONVERSATION, strict=True):
        clip = lines[voice][line]
        words += said(text, at, at + len(clip) / campplus.RATE)
        sound += [clip, np.zeros(campplus.RATE // 5, np.int16)]
        at += len(clip) / campplus.RATE + 0.2
    return np.concatenate(sound), words


def music(count: int) -> NDArray[np.int16]:
    """Return notes that die away, one a second, softer than speech."""
    second = np.arange(campplus.RATE) / campplus.RATE
    notes = [220, 262, 330, 294, 392, 247, 440]
    waves = [
        sum(np.sin(2 * np.pi * hertz * n * second) / n for n in (1, 2, 3)) * np.exp(-2 * second) for hertz in notes
    ]
    return np.resize(np.concatenate(waves) * 700, count).astype(np.int16)


def told(sound: NDArray[np.int16], words: Sequence[Word], wanted: int | None = None) -> list[str]:
    """Return the speaker of each line, as the real model tells them apart."""
    model = campplus.CamPlusPlus(ROOT / campplus.NAME / campplus.FILE, 2)
    passages = speakers.passages_of(words)
    vectors = np.stack(list(model.embed(sound, [one for passage in passages for one in passage.moments], Cancel())))
    found = sentences.sentences(speakers.labelled(words, passages, vectors, wanted))
    assert [line.text for line in found] == list(CONVERSATION)
    return [line.speaker for line in found]


@pytest.mark.slow
@pytest.mark.soak
def test_a_woman_and_a_man_are_told_apart(lines: dict[str, list[NDArray[np.int16]]]) -> None:
    assert told(*talk(lines, ["af_heart", "am_michael"] * 3)) == ["1", "2"] * 3


@pytest.mark.slow
def test_one_voice_stays_one_loud_or_soft_and_with_noise_behind_it(lines: dict[str, list[NDArray[np.int16]]]) -> None:
    sound, words = talk(lines, ["am_michael"] * 6)
    assert told(sound, words) == [""] * 6
    swelling = np.linspace(0.1, 1.0, len(sound))
    noise = np.random.default_rng(0).normal(0, 150, len(sound))
    assert told((sound * swelling + noise).astype(np.int16), words) == [""] * 6


@pytest.mark.slow
@pytest.mark.parametrize("voice", ["af_heart", "am_michael"])
@pytest.mark.parametrize("with_music", [False, True], ids=["alone", "over music"])
def test_one_voice_stays_one_where_it_whispers_and_shouts(
    lines: dict[str, list[NDArray[np.int16]]], voice: str, with_music: bool
) -> None:
    calm = lines[voice]
    said = [calm[0], shouted(calm[1], 4), whispered(calm[2]), calm[3], shouted(calm[4], 6), whispered(calm[5])]
    sound, words = talk({voice: said}, [voice] * 6)
    assert told(sound + (music(len(sound)) if with_music else 0), words) == [""] * 6


@pytest.mark.slow
def test_the_number_that_is_given_is_kept(lines: dict[str, list[NDArray[np.int16]]]) -> None:
    sound, words = talk(lines, ["af_heart", "am_michael"] * 3)
    assert told(sound, words, 2) == ["1", "2"] * 3
    assert told(sound, words, 1) == [""] * 6
