"""How well speakers are told apart, and what that costs: dialogues put together from voices that are known exactly.

Their turns are of 1 to 12 s, one in five a short reply, with pauses or at once; every other dialogue has turns that
overlap, one in three the noise of a room, one in three music. The words are cut from the sound by its level, and most
ends of turns and some pauses count as ends of sentences, as a recogniser has them. What is measured: how often the
number of speakers is right, the diarization error rate (DER, collar 0.25 s, each word's time with its true speaker as
reference), and the share of the words' time with the right speaker. How often one voice that speaks, shouts and
whispers in turn stays one, alone and over music. And how much of the time in which two speak at once is found, where
half of the turns begin over the end of another.

Run by hand: .venv/bin/python -m benchmarks.speakers [--dialogues 10] [--cost FILM] [--language en] [SPEAKER ...]; a
SPEAKER is a folder with recordings of one voice, or one recording. Without any, Kokoro's voices speak.
"""

from __future__ import annotations

import argparse
import itertools
import random
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.results import tell
from tests.sounds import resampled, shouted, whispered
from vt import languages, media
from vt.domain import Cancel, Word
from vt.dubbing import overlapping, speakers
from vt.engines import campplus, pyannet
from vt.engines.campplus import CamPlusPlus
from vt.engines.kokoro import VOICES, Kokoro
from vt.engines.pyannet import PyanNet
from vt.engines.whisper import Whisper
from vt.languages import Language
from vt.media import levels
from vt.model_files import bundle

RATE = campplus.RATE
COLLAR, STEP = 0.25, 0.01
SPEECH = 2500.0  # the level of a turn, as the root of its mean square
FLOORS = {1: (100.0, 100.0, 1.0, 1.0), 2: (90.0, 100.0, 6.0, 4.0), 4: (80.0, 90.0, 12.0, 8.0)}
"""By the number of speakers, in per cent: floor and goal of dialogues with the right number, and of the DER."""
LINES = {
    "en": (
        "Yes, of course.",
        "I do not think so, really.",
        "The old house stood beside the road, close to the mill and the bridge, and nobody had lived in it for years.",
        "Yesterday the minister said that the new road will be ready before the summer, although it costs a lot.",
        "Why did you not come with us? We waited for you for more than an hour, and it rained all the time.",
        "In the end nobody could tell who had closed the door, and we never found out what was behind it.",
    ),
    "es": (
        "Sí, claro.",
        "No lo creo, de verdad.",
        "La casa vieja estaba junto al camino, cerca del molino y del puente, y nadie vivía en ella desde hacía años.",
        "El ministro dijo ayer que la nueva carretera, que costará mucho dinero, estará lista antes del verano.",
        "¿Por qué no viniste con nosotros? Te esperamos más de una hora, y llovía todo el tiempo.",
        "Al final, nadie supo decir quién había cerrado la puerta, ni qué había detrás de ella.",
    ),
}
Sound = NDArray[np.float32]
Corpus = dict[str, list[Sound]]


@dataclass(frozen=True, slots=True)
class Dialogue:
    """A dialogue, its words, and who says each of them."""

    samples: NDArray[np.int16]
    words: list[Word]
    truth: list[str]

    @property
    def seconds(self) -> float:
        """How long it is."""
        return len(self.samples) / RATE


@dataclass(frozen=True, slots=True)
class Over:
    """How often and for how long a turn begins over the one before it."""

    share: float = 0.15
    most: float = 0.8


def _kokoro() -> Corpus:
    """Return what Kokoro's voices say; of those of one name in two languages, which sound alike, the first alone."""
    model = Kokoro(bundle.check("kokoro-82m") / "model.onnx", VOICES[0].id, 2)
    known = {(voice.name, voice.gender): voice for voice in reversed(VOICES)}
    corpus: Corpus = {}
    for voice in known.values():
        lines = [(line, 1.0) for line in LINES.get(voice.language.code, LINES["es"])]
        clips = model.speaking(voice.id).speak(lines, Cancel())
        corpus[voice.id] = [resampled(clip.samples, clip.sample_rate, RATE).astype(np.float32) for clip in clips]
    return corpus


def _recorded(places: Sequence[Path]) -> Corpus:
    return {
        place.name: [_sound(path) for path in (sorted(place.iterdir()) if place.is_dir() else [place])]
        for place in places
    }


def _sound(path: Path) -> Sound:
    info = media.probe(path)
    with tempfile.TemporaryDirectory() as folder:
        return np.array(media.extract(info, info.audio[0], Path(folder) / "sound.pcm"), np.float32)


def _turn(rng: random.Random, clips: Sequence[Sound], seconds: float) -> Sound:
    """Return a part of a clip of about so many seconds, from one quiet place to another, at an even level."""
    clip = rng.choice(clips)
    if len(clip) > 1.3 * seconds * RATE:
        level = levels.levels(clip / 32768, RATE)
        start = rng.uniform(0, len(clip) / RATE - 1.3 * seconds)
        start = levels.quietest(level, max(0.0, start - 0.5), start + 0.5, 0.1)
        end = levels.quietest(level, start + 0.7 * seconds, start + 1.3 * seconds, 0.1)
        clip = clip[int(start * RATE) : int(end * RATE)]
    return np.asarray(clip * SPEECH / (np.sqrt(np.mean(clip**2)) + 1), np.float32)


def _words(turn: Sound, rng: random.Random) -> list[Word]:
    """Return words of a third of a second wherever a turn is not quiet."""
    loud = np.flatnonzero(levels.voiced(levels.levels(turn / 32768, RATE), 30.0)) * levels.FRAME_SECONDS
    runs = np.split(loud, np.flatnonzero(np.diff(loud) > 0.15) + 1)
    words: list[Word] = []
    for run in (run for run in runs if len(run) > 2):
        edges = np.linspace(run[0], run[-1] + levels.FRAME_SECONDS, max(1, round(len(run) / 16)) + 1)
        words += [Word(float(a), float(b), " so") for a, b in itertools.pairwise(edges)]
    ends = {at for at in range(5, len(words)) if words[at].start - words[at - 1].end > 0.25 and rng.random() < 0.6}
    ends |= {len(words)} if rng.random() < 0.85 else set()
    return [Word(w.start, w.end, " so." if at in ends else " so") for at, w in enumerate(words, 1)]


def _music(count: int, rng: random.Random) -> Sound:
    """Return notes that die away, one a second."""
    second = np.arange(RATE) / RATE
    notes = [rng.choice([220, 247, 262, 294, 330, 392, 440]) for _ in range(count // RATE + 1)]
    waves = [sum(np.sin(2 * np.pi * note * h * second) / h for h in (1, 2, 3)) * np.exp(-2 * second) for note in notes]
    wave = np.concatenate(waves)[:count]
    return np.asarray(wave / np.sqrt(np.mean(wave**2)), np.float32)


def _dialogue(
    corpus: Corpus, chosen: Sequence[str], seconds: float, rng: random.Random, number: int, over: Over = Over()
) -> Dialogue:
    sound, said, at, last = np.zeros(int((seconds + 16) * RATE), np.float32), list[tuple[Word, str]](), 0.5, ""
    loudness = {name: rng.uniform(0.5, 1.2) for name in chosen}
    while at < seconds:
        last = rng.choice([name for name in chosen if name != last] or list(chosen))
        turn = _turn(rng, corpus[last], rng.uniform(0.5, 1.2) if rng.random() < 0.2 else rng.uniform(1.2, 12))
        overlaps = number % 2 and rng.random() < over.share
        at += -rng.uniform(0.2, over.most) if overlaps else rng.choice([rng.uniform(0.05, 0.3), rng.uniform(0.2, 2.0)])
        at, first = max(0.0, at), int(max(0.0, at) * RATE)
        turn = turn[: len(sound) - first]
        sound[first : first + len(turn)] += turn * loudness[last]
        said += [(Word(w.start + at, w.end + at, w.text), last) for w in _words(turn, rng)]
        at += len(turn) / RATE
    sound = sound[: int((at + 0.5) * RATE)]
    noise = np.random.default_rng(number).normal(0, 1, len(sound))
    sound += noise * (SPEECH * 0.056 if number % 3 == 1 else 3)
    sound += _music(len(sound), rng) * (SPEECH * 0.18 if number % 3 == 2 else 0)
    said.sort(key=lambda pair: pair[0].start)
    samples = np.clip(sound, -32767, 32767).astype(np.int16)
    return Dialogue(samples, [word for word, _ in said], [name for _, name in said])


def _errors(dialogue: Dialogue, found: Sequence[str]) -> tuple[float, float]:
    """Return the DER and the share of the words' time with the right speaker, labels mapped to speakers at best."""
    frames = int(max(word.end for word in dialogue.words) / STEP) + 2
    reference, system = (_spoken(dialogue.words, labels, frames) for labels in (dialogue.truth, found))
    shared = np.zeros((max(len(reference), len(system)),) * 2)
    shared[: len(reference), : len(system)] = reference.astype(int) @ system.T.astype(int)
    mapped = max(
        itertools.permutations(range(len(shared)), len(reference)),
        key=lambda order: sum(shared[one, other] for one, other in enumerate(order)),
    )
    right = sum(shared[one, other] for one, other in enumerate(mapped)) / shared.sum()
    judged = np.ones(frames, bool)
    for edge in np.flatnonzero(np.diff(reference.astype(int), axis=1).any(axis=0)):
        judged[max(0, edge - int(COLLAR / STEP)) : edge + int(COLLAR / STEP)] = False
    reference, system = reference[:, judged], system[:, judged]
    correct = sum((reference[one] & system[other]).sum() for one, other in enumerate(mapped) if other < len(system))
    wrong = np.maximum(reference.sum(axis=0), system.sum(axis=0)).sum() - correct
    return float(wrong / max(1, reference.sum())), float(right)


def _spoken(words: Sequence[Word], labels: Sequence[str], frames: int) -> NDArray[np.bool_]:
    """Return who speaks when, shape (speakers, frames)."""
    names = sorted(set(labels))
    spoken = np.zeros((len(names), frames), bool)
    for word, label in zip(words, labels, strict=True):
        spoken[names.index(label), int(word.start / STEP) : int(word.end / STEP)] = True
    return spoken


def _told(model: CamPlusPlus, samples: NDArray[np.int16], words: Sequence[Word]) -> list[str]:
    passages = speakers.passages_of(words)
    moments = [moment for passage in passages for moment in passage.moments]
    vectors = np.stack(list(model.embed(samples, moments, Cancel())))
    return [word.speaker or "1" for word in speakers.labelled(words, passages, vectors)]


def _measure(model: CamPlusPlus, corpus: Corpus, count: int, dialogues: int) -> None:
    """Print what comes of dialogues of so many speakers."""
    rng = random.Random(count)  # noqa: S311 (the same dialogues each time)
    results: list[tuple[bool, float, float]] = []
    for number in range(dialogues):
        dialogue = _dialogue(corpus, rng.sample(sorted(corpus), count), 40.0 + 20.0 * count, rng, number)
        found = _told(model, dialogue.samples, dialogue.words)
        results.append((len(set(found)) == len(set(dialogue.truth)), *_errors(dialogue, found)))
    right, der, words = (float(np.mean(column)) for column in zip(*results, strict=True))
    least, wanted, most, good = FLOORS[count]
    name = f"{count} speaker{'s' if count > 1 else ''}"
    tell(f"{name}: number right, of {dialogues} dialogues", 100 * right, "%", floor=least, goal=wanted, more=True)
    tell(f"{name}: diarization error rate", 100 * der, "%", floor=most, goal=good)
    tell(f"{name}: words with the right speaker", 100 * words, "%", more=True)


def _moods(model: CamPlusPlus, corpus: Corpus, music: float) -> None:
    """Print how many voices stay one where they shout and whisper; music at a share of the speech's level."""
    counts = Counter[int]()
    for name in sorted(corpus):
        rng = random.Random(name)  # noqa: S311 (the same each time)
        calm = [np.asarray(_turn(rng, corpus[name], 5.0), np.int16) for _ in range(8)]
        turns = [*calm[:2], shouted(calm[2], 4), calm[3], whispered(calm[4]), shouted(calm[5], 7), *calm[6:]]
        turns.append(whispered(calm[0]))
        samples, words = _in_turn([turn.astype(np.float32) for turn in turns], rng)
        samples += _music(len(samples), rng) * SPEECH * music
        counts[len(set(_told(model, np.clip(samples, -32767, 32767).astype(np.int16), words)))] += 1
    share = 100 * counts[1] / len(corpus)
    tell(f"one voice in three moods stays one, of {len(corpus)}, music at {music:.0%}", share, "%", floor=90, more=True)


def _in_turn(turns: Sequence[Sound], rng: random.Random) -> tuple[Sound, list[Word]]:
    """Return turns one after the other, half a second apart, and their words."""
    sound, words, at, pause = list[Sound](), list[Word](), 0.0, np.zeros(RATE // 2, np.float32)
    for turn in turns:
        even = np.asarray(turn * SPEECH / (np.sqrt(np.mean(turn**2)) + 1), np.float32)  # as loud ones have words
        words += [replace(word, start=word.start + at, end=word.end + at) for word in _words(even, rng)]
        sound += [turn, pause]
        at += (len(turn) + len(pause)) / RATE
    return np.concatenate(sound), words


def _at_once(finder: PyanNet, corpus: Corpus, dialogues: int) -> None:
    """Print how much of the time in which two speak at once is found, and how much of what is found is such time."""
    rng, hits, found, true, seconds = random.Random(7), 0, 0, 0, 0.0  # noqa: S311 (the same dialogues each time)
    for number in range(dialogues):
        dialogue = _dialogue(corpus, rng.sample(sorted(corpus), 2), 80.0, rng, 2 * number + 1, Over(0.5, 2.0))
        frames = int(dialogue.seconds / STEP) + 2
        there = _spoken(dialogue.words, dialogue.truth, frames).sum(axis=0) > 1
        heard = np.zeros(frames, bool)
        for start, end in _heard_at_once(finder, dialogue):
            heard[round(start / STEP) : round(end / STEP)] = True
        hits, found, true = hits + int((heard & there).sum()), found + int(heard.sum()), true + int(there.sum())
        seconds += dialogue.seconds
    print(f"two at once for {true * STEP:.1f} s of {seconds:.0f} s", flush=True)
    tell("two at once: found of the time in which they do", 100 * hits / max(1, true), "%", more=True)
    tell("two at once: right of the time that is found", 100 * hits / max(1, found), "%", more=True)


def _heard_at_once(finder: PyanNet, dialogue: Dialogue) -> list[overlapping.Stretch]:
    words = [replace(word, speaker=name) for word, name in zip(dialogue.words, dialogue.truth, strict=True)]
    starts = overlapping.windows(words)
    return overlapping.stretches(starts, list(finder.overlaps(dialogue.samples, starts, Cancel())))


def _cost(model: CamPlusPlus, finder: PyanNet, film: Path, language: Language) -> None:
    """Print what telling apart the speakers of a film takes beside recognition, in the processor's time."""
    samples = _sound(film).astype(np.int16)
    whisper, words = Whisper(str(bundle.check("whisper-base")), 2, vad=False), list[Word]()

    def hear() -> None:
        for found in whisper.transcribe(samples.astype(np.float32) / 32768, language, Cancel()):
            words.extend(getattr(found, "words", ()))

    heard = _seconds(hear)
    words.sort(key=lambda word: word.start)
    labels: list[str] = []
    apart = _seconds(lambda: labels.extend(_told(model, samples, words)))
    labelled = [replace(word, speaker=label) for word, label in zip(words, labels, strict=True)]
    starts = overlapping.windows(labelled)
    at_once = _seconds(lambda: list(finder.overlaps(samples, starts, Cancel())))
    print(
        f"{film.name}: {len(set(labels))} speakers; recognition {heard:.1f} s, speakers {apart:.1f} s and two at once "
        f"{at_once:.1f} s of processor time"
    )
    tell("telling speakers apart / recognition, processor time", (apart + at_once) / heard, floor=0.1)


def _seconds(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def main() -> None:
    """Measure what the arguments say."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("speakers", nargs="*", type=Path)
    parser.add_argument("--dialogues", type=int, default=10)
    parser.add_argument("--cost", type=Path)
    parser.add_argument("--language", default="en", help="what the film of --cost speaks")
    arguments = parser.parse_args()
    model = CamPlusPlus(bundle.check(campplus.NAME) / campplus.FILE, 2)
    finder = PyanNet(bundle.check(pyannet.NAME) / pyannet.FILE, 2)
    if arguments.cost:
        _cost(model, finder, arguments.cost, languages.get(arguments.language))
        return
    corpus = _recorded(arguments.speakers) if arguments.speakers else _kokoro()
    for count in (count for count in FLOORS if count <= len(corpus)):
        _measure(model, corpus, count, arguments.dialogues * (2 if count == 1 else 1))
    for music in (0.0, 0.18, 0.35):
        _moods(model, corpus, music)
    _at_once(finder, corpus, arguments.dialogues)


if __name__ == "__main__":
    main()
