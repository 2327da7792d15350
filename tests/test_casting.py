"""Who gets which voice: the same gender where there is one, different voices, and shifted ones after that."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from vt import languages, media
from vt.domain import Edit, Edits, Segment, SpeakerEdit, Wishes
from vt.dubbing import casting
from vt.dubbing.casting import Parts, Role, Speaker
from vt.engines.protocols import Voice
from vt.errors import InputError


def voices(*genders: str) -> list[Voice]:
    """Return voices that are called by their gender's first letter and a number, such as f0 and m1; x: not known."""
    return [
        Voice(f"{gender[:1] or 'x'}{number}", languages.SPANISH, "", gender, "engine", "MIT")
        for number, gender in enumerate(genders)
    ]


SPANISH = voices("female", "male", "male")


def cast(
    pitches: Sequence[float | None], spoken: Sequence[Voice] = SPANISH, wished: dict[int, str] | None = None
) -> list[Role]:
    """Return the roles of speakers, of whom each speaks less than the one before."""
    speakers = [Speaker(str(number + 1), 100.0 - number) for number in range(len(pitches))]
    return list(casting.cast(speakers, pitches, spoken, wished or {}))


def test_each_speaker_gets_a_voice_of_the_same_gender() -> None:
    assert cast([210, 110]) == [Role("f0"), Role("m1")]
    assert cast([110, 210]) == [Role("m1"), Role("f0")]


def test_two_men_get_two_voices_and_a_third_one_is_shifted() -> None:
    assert cast([110, 120]) == [Role("m1"), Role("m2")]
    assert cast([110, 120, 100]) == [Role("m1"), Role("m2"), Role("m1", -2)]


def test_a_second_woman_has_the_womans_voice_shifted_rather_than_a_mans() -> None:
    assert cast([210, 220]) == [Role("f0"), Role("f0", -2)]


def test_who_speaks_most_chooses_first() -> None:
    speakers = [Speaker("1", 3.0), Speaker("2", 30.0)]
    assert casting.cast(speakers, [110, 115], SPANISH, {}) == (Role("m2"), Role("m1"))


def test_a_doubtful_pitch_takes_what_others_have_not() -> None:
    assert cast([160, 110])[0] == Role("f0") or cast([160, 110])[0] == Role("m2")
    assert cast([160, 110], voices("female", "male")) == [Role("f0"), Role("m1")]
    assert cast([160, 220], voices("female", "male")) == [Role("m1"), Role("f0")]
    assert cast([160], voices("female", "male")) == [Role("m1")]
    assert cast([170], voices("male", "female")) == [Role("f1")]


def test_without_any_pitch_voices_alternate_and_all_are_used_before_any_is_shifted() -> None:
    assert cast([None, None, None]) == [Role("f0"), Role("m1"), Role("m2")]
    assert cast([None] * 4)[3].semitones != 0


def test_where_a_language_has_no_voice_of_a_gender_it_is_shifted_towards_it() -> None:
    man, woman = cast([110, 210], voices("female"))
    assert (man.semitones, woman) == (-5, Role("f0"))
    man, woman = cast([110, 210], voices("male"))
    assert (man, woman.semitones) == (Role("m0"), 5)


def test_one_voice_whose_gender_nobody_knows_serves_a_man_and_a_woman_differently() -> None:
    assert cast([110, 210], voices("")) == [Role("x0"), Role("x0", 3)]
    assert cast([210, 110], voices("")) == [Role("x0"), Role("x0", -3)]


def test_up_to_eleven_speakers_of_one_voice_are_all_different() -> None:
    assert len(set(cast([110] * 11, voices("")))) == 11


def test_a_crowd_shares_twelve_roles_and_keeps_its_genders() -> None:
    roles = cast([110, 210] * 500)
    assert len(set(roles)) == 12
    assert {role.voice for role in roles[::2]} == {"m1", "m2"}
    assert {role.voice for role in roles[1::2]} == {"f0"}


def test_wishes_count_first_and_the_others_take_what_is_left() -> None:
    assert cast([110, 120], wished={1: "m1"}) == [Role("m2"), Role("m1")]
    assert cast([110, 120], wished={0: "f0", 1: "f0"}) == [Role("f0"), Role("f0")]
    assert cast([110, 120], wished={0: "of another engine"}) == [Role("m1"), Role("m2")]


def test_a_wish_moves_nobody_but_who_had_the_same_voice() -> None:
    before = cast([110, 210, 120, 100])
    assert cast([110, 210, 120, 100], wished={1: "m0"}) == before  # there is no such voice
    assert cast([110, 210, 120, 100], wished={3: "f0"}) == [before[0], Role("f0", -2), before[2], Role("f0")]


# Who is there


def segment(number: int, speaker: str) -> Segment:
    return Segment(number, number * 2.0, number * 2.0 + 1.5, "Text.", speaker)


def test_lines_without_a_name_go_on_with_whoever_spoke_before() -> None:
    lines = [segment(number, name) for number, name in enumerate(["", "ANNA", "", "BEN", "", "ANNA"])]
    assert casting.labels_of(lines) == ["ANNA", "ANNA", "ANNA", "BEN", "BEN", "ANNA"]
    assert casting.speakers_of(lines) == (Speaker("ANNA", 6.0), Speaker("BEN", 3.0))


def test_one_named_person_is_nobody_to_be_told_apart() -> None:
    lines = [segment(0, ""), segment(1, "ANNA")]
    assert (casting.labels_of(lines), casting.speakers_of(lines)) == (["", ""], ())


@pytest.mark.parametrize(
    ("found", "given", "labels"),
    [
        (("1", "2"), {}, ("1", "2", "3")),
        (("1", "2"), {0: "3"}, ("3", "2", "4")),
        (("ANNA", "3"), {}, ("ANNA", "3", "4")),
        (("1", "2"), {0: "3", 1: "4", 2: "5"}, ("3", "4", "5")),
        (("1",), {2: "1"}, ("2", "3", "1")),
        (("Anna", "1"), {2: "ANNA"}, ("2", "1", "ANNA")),
    ],
)
def test_a_speaker_who_is_added_gets_a_number_that_nobody_is_called_by(
    found: tuple[str, ...], given: dict[int, str], labels: tuple[str, ...]
) -> None:
    edits = Edits({1: Edit(speaker=2)}, {speaker: SpeakerEdit(label) for speaker, label in given.items()})
    assert Parts(found, (0, 0, 0)).edited(edits) == Parts(labels, (0, 2, 0))


def test_wishes_name_speakers_by_label_in_any_case_or_by_number() -> None:
    speakers = [Speaker("Anna", 1.0), Speaker("2", 1.0), Speaker("1", 1.0)]
    assert casting.wished_for(speakers, {"ANNA": "a", "2": "b", "1": "c", "Zoe": "d"}) == {0: "a", 1: "b", 2: "c"}
    assert casting.wished_for(speakers, {"3": "c"}) == {2: "c"}


def test_voices_of_several_speakers_are_read_from_one_wish() -> None:
    assert Wishes("1=em_alex, 2 = ef_dora").voices_of_speakers == {"1": "em_alex", "2": "ef_dora"}
    assert Wishes("1=em_alex,2=em_alex").voices == ("em_alex",)
    assert (Wishes("ef_dora").voices_of_speakers, Wishes("ef_dora").voices, Wishes().voices) == ({}, ("ef_dora",), ())


@pytest.mark.parametrize("wrong", ["1=", "=a", "1=a,", "1=a,b", "1=a,1=b", "1=a=b", "=", "1=a,,2=b"])
def test_a_wish_that_names_no_voice_for_a_speaker_is_refused_in_a_sentence(wrong: str) -> None:
    with pytest.raises(InputError, match=r"named as in 1=em_alex,2=ef_dora"):
        _ = Wishes(wrong).voices


# How high voices are

RATE = 16_000


def buzz(hertz: float, seconds: float = 2.0) -> NDArray[np.int16]:
    """Return a sound with the harmonics of a voice."""
    at = np.arange(round(seconds * RATE)) / RATE
    wave = sum(np.sin(2 * np.pi * hertz * n * at) / n for n in range(1, 12))
    return np.asarray(3000 * wave).astype(np.int16)


@pytest.mark.parametrize("hertz", [70, 110, 165, 220, 320])
def test_the_pitch_of_a_voice_is_measured_within_two_percent(hertz: float) -> None:
    assert media.median_pitch(buzz(hertz), RATE, [(0.0, 2.0)]) == pytest.approx(hertz, rel=0.02)


def test_the_pitch_is_that_of_the_named_stretches() -> None:
    both = np.concatenate([buzz(110), buzz(220)])
    assert media.median_pitch(both, RATE, [(0.2, 1.8)]) == pytest.approx(110, rel=0.02)
    assert media.median_pitch(both, RATE, [(2.2, 3.8)]) == pytest.approx(220, rel=0.02)


def test_noise_and_silence_have_no_pitch() -> None:
    noise = np.random.default_rng(0).normal(0, 3000, 2 * RATE).astype(np.int16)
    for sound in (noise, np.zeros(2 * RATE, np.int16), np.zeros(0, np.int16)):
        assert media.median_pitch(sound, RATE, [(0.0, 2.0), (5.0, 6.0), (3.0, 3.0)]) is None
    assert media.median_pitch(buzz(110), RATE, []) is None


def test_of_a_long_film_only_half_a_minute_is_listened_to() -> None:
    sound = np.concatenate([buzz(110, 3.0)] * 10 + [buzz(220, 2.0)] * 20)
    stretches = [(at * 3.0, at * 3.0 + 3) for at in range(10)] + [(30 + at * 2.0, 32 + at * 2.0) for at in range(20)]
    assert media.median_pitch(sound, RATE, stretches) == pytest.approx(110, rel=0.02)


@pytest.mark.parametrize("semitones", [-5, 3])
def test_a_shifted_voice_is_as_long_and_as_much_higher_as_was_asked_for(semitones: int) -> None:
    sound = media.shifted(buzz(150), RATE, semitones)
    assert len(sound) == 2 * RATE
    assert media.median_pitch(sound, RATE, [(0.2, 1.8)]) == pytest.approx(150 * 2 ** (semitones / 12), rel=0.02)
