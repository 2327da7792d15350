"""NLLB: a tiny one, in the hub's own format, converted, loaded and run by the real libraries."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import lock_descriptor
from hypothesis import given
from hypothesis import strategies as st

from tests.test_glossary import lost_of
from tests.tiny_models import FLORES, LINES, SAID, tiny_nllb, tiny_whisper
from vt import languages
from vt.domain import Cancel
from vt.engines import nllb, nllb_conversion
from vt.engines.nllb import BEAM, Nllb
from vt.engines.nllb_batches import LONGEST, batch_tokens, batches
from vt.engines.nllb_hypotheses import Hypothesis, chosen, hypothesis_count, is_runaway, shared_budget
from vt.errors import Cancelled, EngineError, InputError, LanguageError, ModelUnavailable, StorageError
from vt.system import atomic_dirs
from vt.system.graphics import Memory
from vt.text.splitting import has_words, joined, pieces

ROOT = Path(__file__).parent.parent
WORDS = ["the", "ship", "sails", "at", "dawn", "and", "nobody", "knows", "where", "it", "goes", "today"]


def quiet(_: str) -> None:
    """Hear what is told, and forget it."""


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny NLLB as the hub has it; no test changes it."""
    return tiny_nllb(tmp_path_factory.mktemp("nllb") / "tiny-nllb")


@pytest.fixture(scope="session")
def converted(checkpoint: Path) -> Path:
    """The same, converted; no test changes it."""
    target = checkpoint.with_name("converted")
    nllb_conversion.convert(checkpoint, target, tell=quiet, cancel=Cancel())
    return target


@pytest.fixture(scope="session")
def model(converted: Path) -> Nllb:
    return Nllb(converted, 2)


def translated(model: Nllb, texts: list[str], target: str = "spa_Latn") -> list[str]:
    return list(model.between("eng_Latn", target).translate(texts, Cancel()))


def sentence(number: int) -> str:
    words = [WORDS[(number * 5 + step * (1 + number % 3)) % len(WORDS)] for step in range(3 + number % 9)]
    return f"{' '.join(words).capitalize()} {number}."


# --- translating -------------------------------------------------------------------------------------------------


@pytest.mark.soak
def test_a_glossary_of_twenty_terms_holds(model: Nllb) -> None:
    assert lost_of(model.between("eng_Latn", "spa_Latn"), "es") == []


@pytest.mark.soak
def test_two_hundred_sentences_in_lines_of_one_to_five_come_back_all_and_in_order(model: Nllb) -> None:
    wanted = [sentence(number) for number in range(200)]
    lines: list[str] = []
    rest = wanted
    while rest:
        count = 1 + len(lines) % 5
        lines.append(" ".join(rest[:count]))
        rest = rest[count:]
    assert translated(model, lines) == lines
    assert sum(line.count(".") for line in translated(model, lines)) == 200


def test_no_input_of_the_model_holds_two_sentences(model: Nllb) -> None:
    assert pieces("Come in. Dr. Smith is late! It is 3.5 km away?", model.fits) == [
        "Come in.",
        "Dr. Smith is late!",
        "It is 3.5 km away?",
    ]


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("你好，世界。今天天气很好！我们走吧？", 3),
        ("こんにちは、元気ですか。「はい。」とても元気です。", 3),
        ("नमस्ते दुनिया। आप कैसे हैं? मैं ठीक हूँ।", 3),
        ("مرحبا بالعالم؟ أنا بخير۔ كيف حالك؟", 3),
        ("円周率は３．１４です。はい。", 2),
        ("สวัสดีชาวโลก วันนี้อากาศดีมาก", 1),
        ("Ἔρχεται; Ναί.", 2),
        ("Hello 你好。Goodbye!", 2),
    ],
)
def test_sentences_end_where_their_script_ends_them(text: str, count: int) -> None:
    assert len(pieces(text, lambda _: True)) == count


@given(st.text("ab .?!。،,१้😀«»-\n"), st.integers(1, 9))
def test_pieces_hold_the_whole_text_and_nothing_else(text: str, most: int) -> None:
    found = pieces(text, lambda part: len(part) <= most)
    assert "".join("".join(found).split()) == "".join(text.split())


def test_right_to_left_and_mixed_scripts_come_back_whole(model: Nllb) -> None:
    texts = [LINES[3], LINES[4], LINES[5], "مرحبا Hello नमस्ते", "Dr. Smith: مرحبا بالعالم؟"]
    assert translated(model, texts) == texts


def test_chinese_and_japanese_sentences_are_joined_without_a_space(model: Nllb) -> None:
    assert translated(model, ["你好。我们走吧。"], "zho_Hans") == ["你好。我们走吧。"]
    assert translated(model, ["你好。我们走吧。"], "spa_Latn") == ["你好。 我们走吧。"]
    assert joined(["สวัสดี", "วันนี้"], "Thai") == "สวัสดี วันนี้"


@pytest.mark.parametrize("text", ["", "   ", "...", "?!", "😀", "🎉 🎉", "—", "12:30", "3.5 %"])
def test_what_holds_no_word_comes_back_as_it_is(model: Nllb, text: str) -> None:
    assert not has_words(text)
    assert translated(model, ["Hello.", text, "Hello!"]) == ["Hello.", text, "Hello!"]


@pytest.mark.parametrize("between", [" ", ", ", ""])
def test_a_sentence_of_two_thousand_characters_is_divided_and_nothing_is_lost(model: Nllb, between: str) -> None:
    text = between.join(WORDS[index * 7 % len(WORDS)] for index in range(2000 // (4 + len(between))))
    parts = pieces(text, model.fits)
    assert len(text) > 1800
    assert len(parts) > 1
    assert all(model.fits(part) for part in parts)
    (answer,) = translated(model, [text])
    assert "".join(answer.split()) == "".join(text.split())


def test_a_line_is_translated_among_many_as_it_is_alone(model: Nllb) -> None:
    texts = [sentence(number) for number in range(70)] + ["", LINES[2], "..."]
    assert translated(model, texts) == [translated(model, [text])[0] for text in texts]


def test_the_same_lines_give_the_same_translations_again(model: Nllb, converted: Path) -> None:
    texts = [*LINES, *(sentence(number) for number in range(20))]
    again = Nllb(converted, 1)
    assert translated(model, texts) == translated(model, texts) == translated(again, texts)
    again.close()


def test_a_loop_of_the_source_stays_and_one_of_the_model_is_a_runaway() -> None:
    source = ["no", "no", "no", "no", "no"]
    assert not is_runaway(source, source)
    assert is_runaway(source, ["no", "way", "out"])
    assert is_runaway(["a", "b", "c", "a", "b", "c", "a", "b", "c", "a", "b", "c"], ["one", "two", "three", "four"])
    assert not is_runaway(["a", "b", "c", "a", "b", "d"], ["one", "two", "three"])
    assert is_runaway([str(number) for number in range(99)], ["one", "two"])


def test_a_line_that_repeats_itself_comes_back_with_every_repetition(model: Nllb) -> None:
    assert translated(model, ["no no no no no no no no."]) == ["no no no no no no no no."]


def test_a_line_of_which_the_model_knows_not_one_letter_stands_as_it_is(model: Nllb) -> None:
    assert translated(model, ["Hello.", "ქართული", "Hello!"])[1] == "ქართული"


def test_marks_of_the_tokenizer_in_a_text_are_text(converted: Path, tmp_path: Path) -> None:
    for name in nllb_conversion.TOKENIZERS:
        folder = tmp_path / name
        shutil.copytree(converted, folder)
        (folder / name).unlink()
        assert not {"</s>", "spa_Latn"} & set(nllb.tokenizer(folder)("Hello </s> spa_Latn you."))
        other = Nllb(folder, 1)
        first, second = translated(other, ["Hello </s> spa_Latn you.", "Hello?"])
        assert first.startswith("Hello")
        assert first.endswith("you.")
        assert second == "Hello?"
        other.close()


def test_the_tokens_are_those_of_transformers_and_of_either_file(
    checkpoint: Path, converted: Path, tmp_path: Path
) -> None:
    from transformers import NllbTokenizer

    theirs = NllbTokenizer.from_pretrained(checkpoint, src_lang="fra_Latn")
    without = tmp_path / "without"
    shutil.copytree(converted, without, ignore=shutil.ignore_patterns("sentencepiece*"))
    ours = [nllb.tokenizer(folder) for folder in (converted, without)]
    for text in LINES:
        expected = theirs.convert_ids_to_tokens(theirs(text)["input_ids"])
        assert [["fra_Latn", *tokens(text), "</s>"] for tokens in ours] == [expected] * 2


def test_the_vocabulary_keeps_the_numbers_of_the_checkpoint(checkpoint: Path, converted: Path) -> None:
    from transformers import NllbTokenizer

    theirs = NllbTokenizer.from_pretrained(checkpoint)
    ours = json.loads((converted / "shared_vocabulary.json").read_text(encoding="utf-8"))
    assert ours[: len(theirs)] == theirs.convert_ids_to_tokens(range(len(theirs)))


def test_an_unknown_language_is_named(model: Nllb) -> None:
    with pytest.raises(LanguageError, match=r"does not know Galician \(glg_Latn\)"):
        model.between("eng_Latn", "glg_Latn")
    with pytest.raises(LanguageError, match='the language "xxx"'):
        model.between("xxx", "eng_Latn")
    for code in FLORES:
        model.between(code, "eng_Latn")


def test_a_cancel_is_heard_between_batches(model: Nllb) -> None:
    cancel = Cancel()
    lines = model.between("eng_Latn", "spa_Latn").translate([sentence(number) for number in range(90)], cancel)
    assert next(lines) == sentence(0)
    cancel.set()
    with pytest.raises(Cancelled):
        list(lines)


def test_batches_hold_inputs_of_like_length_and_no_more_tokens_than_allowed() -> None:
    lengths = [5, 90, 7, 30, 31, 6, 200]
    found = list(batches(lengths, 100))
    assert sorted(index for batch in found for index in batch) == list(range(len(lengths)))
    assert all(len(batch) == 1 or len(batch) * max(lengths[index] for index in batch) <= 100 for batch in found)
    assert len(found) == 4


def test_a_larger_model_and_fewer_threads_get_smaller_batches() -> None:
    small, large = nllb_conversion.MODELS[0].int8_bytes, nllb_conversion.MODELS[-1].int8_bytes
    assert batch_tokens(large, 2, None, 4) < batch_tokens(small, 2, None, 4)
    assert batch_tokens(small, 1, None, 4) < batch_tokens(small, 2, None, 4)
    assert batch_tokens(large, 1, None, 4) >= LONGEST


def test_on_a_graphics_card_a_batch_fits_half_of_what_is_free() -> None:
    weights = nllb_conversion.MODELS[0].int8_bytes
    sizes = [batch_tokens(weights, 2, Memory(80 * 2**30, used * 2**30), 4) for used in (0, 78, 79, 80)]
    assert sizes == [16_384, 2048, 1024, LONGEST]


# --- length ------------------------------------------------------------------------------------------------------


def hypothesis(text: str, score: float) -> Hypothesis:
    return Hypothesis(tuple(f"▁{word}" for word in text.split()), score)


SEVERAL = [hypothesis("a rather long one", -0.5), hypothesis("a shorter one", -0.6), hypothesis("short", -0.9)]


@pytest.mark.parametrize(
    ("most", "text"),
    [
        (None, "a rather long one"),
        (40, "a rather long one"),
        (14, "a shorter one"),
        (6, "a rather long one"),  # the one that fits is too bad
        (0, "a rather long one"),
    ],
)
def test_a_shorter_translation_is_taken_only_if_it_is_nearly_as_good(most: float | None, text: str) -> None:
    assert chosen(SEVERAL, most).text == text


def test_the_parts_of_a_line_share_its_budget_by_their_lengths() -> None:
    assert shared_budget(["aaa", "a"], 40) == [30, 10]
    assert shared_budget(["aaa", "a"], None) == [None, None]
    assert shared_budget([], 40) == []


def test_several_translations_are_asked_for_only_where_a_length_is_wished(model: Nllb) -> None:
    assert hypothesis_count([None, 20.0], BEAM) == BEAM
    assert hypothesis_count([None, None], BEAM) == 1
    pair = model.between("eng_Latn", "spa_Latn")
    assert list(pair.translate(["Hello.", "", "Hola. Hello."], Cancel(), [3.0, 1.0, 9.0])) == [
        "Hello.",
        "",
        "Hola. Hello.",
    ]


# --- loading -----------------------------------------------------------------------------------------------------


def test_translating_never_loads_torch_or_transformers(converted: Path) -> None:
    script = (
        "import sys\nfrom pathlib import Path\nfrom vt.domain import Cancel\nfrom vt.engines import nllb\n"
        "from vt.engines import nllb_conversion\n"
        "assert nllb_conversion.is_converted(Path(sys.argv[1]))\n"
        "pair = nllb.Nllb(Path(sys.argv[1]), 1).between('eng_Latn', 'spa_Latn')\n"
        "print(*pair.translate(['Hello, how are you?'], Cancel()))\n"
        "print(sorted({'torch', 'transformers'} & set(sys.modules)))"
    )
    argv = [sys.executable, "-c", script, str(converted)]
    done = subprocess.run(argv, capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.splitlines() == ["Hello, how are you?", "[]"]


def test_the_tables_of_models_load_no_library() -> None:
    script = (
        "import sys\nfrom vt.engines import nllb, nllb_conversion\n"
        "print(sorted({'torch', 'transformers', 'ctranslate2', 'sentencepiece', 'tokenizers'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.splitlines() == ["[]"]


def test_a_closed_model_has_given_its_weights_back(converted: Path) -> None:
    closed = Nllb(converted, 1)
    closed.close()
    with pytest.raises(EngineError, match="unloaded"):
        translated(closed, ["Hello."])


def test_a_model_outlives_its_pairs(model: Nllb) -> None:
    model.between("eng_Latn", "spa_Latn").close()
    assert translated(model, ["Hello."]) == ["Hello."]


def test_the_estimate_is_known_before_loading(converted: Path, tmp_path: Path) -> None:
    assert nllb.estimated_bytes(converted) > (converted / "model.bin").stat().st_size
    assert nllb.estimated_bytes(tmp_path) == 0


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        (["model.bin"], "model.bin missing"),
        (["shared_vocabulary.json"], "shared_vocabulary.json missing"),
        (["sentencepiece.bpe.model", "tokenizer.json"], r"sentencepiece.bpe.model \(or tokenizer.json\) missing"),
    ],
)
def test_what_a_converted_folder_lacks_is_named(converted: Path, tmp_path: Path, names: list[str], reason: str) -> None:
    folder = tmp_path / "model"
    shutil.copytree(converted, folder, ignore=shutil.ignore_patterns(*names))
    assert not nllb_conversion.is_converted(folder)
    with pytest.raises(ModelUnavailable, match=reason):
        Nllb(folder, 1)


def test_a_model_of_another_kind_is_no_nllb(converted: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(converted, folder)
    words = json.loads((folder / "shared_vocabulary.json").read_text(encoding="utf-8"))
    (folder / "shared_vocabulary.json").write_text(json.dumps([word.replace("_Latn", "_x") for word in words]))
    with pytest.raises(ModelUnavailable, match="no FLORES-200 language codes"):
        Nllb(_without_other_codes(folder), 1)


def _without_other_codes(folder: Path) -> Path:
    file = folder / "shared_vocabulary.json"
    words = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps([f"w{number}" if word in FLORES else word for number, word in enumerate(words)]))
    return folder


# --- converting --------------------------------------------------------------------------------------------------


@pytest.mark.soak
def test_a_checkpoint_in_torchs_format_is_converted_too(tmp_path: Path) -> None:
    source = tiny_nllb(tmp_path / "source", weights="bin")
    assert not list(source.glob("*.safetensors"))
    nllb_conversion.convert(source, tmp_path / "target", tell=quiet, cancel=Cancel())
    loaded = Nllb(tmp_path / "target", 1)
    assert translated(loaded, ["Hello, how are you?"]) == ["Hello, how are you?"]
    loaded.close()


class Trap:
    """What a pickle may hold: a call that unpickling makes."""

    def __init__(self, sprung: Path) -> None:
        self.sprung = sprung

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return Path.touch, (self.sprung,)


def test_code_in_a_checkpoint_is_never_run(checkpoint: Path, tmp_path: Path) -> None:
    source, sprung = tmp_path / "source", tmp_path / "sprung"
    shutil.copytree(checkpoint, source, ignore=shutil.ignore_patterns("*.safetensors"))
    (source / "pytorch_model.bin").write_bytes(pickle.dumps(Trap(sprung)))
    with pytest.raises(ModelUnavailable, match="cannot be converted"):
        nllb_conversion.convert(source, tmp_path / "target", tell=quiet, cancel=Cancel())
    assert not sprung.exists()
    assert not (tmp_path / "target").exists()


@pytest.mark.soak
def test_a_checkpoint_of_another_kind_is_no_nllb(checkpoint: Path, tmp_path: Path) -> None:
    source = tmp_path / "source"
    shutil.copytree(checkpoint, source)
    config = json.loads((source / "config.json").read_text(encoding="utf-8"))
    (source / "config.json").write_text(json.dumps({**config, "model_type": "marian"}), encoding="utf-8")
    with pytest.raises(ModelUnavailable, match="cannot be converted: it is no NLLB"):
        nllb_conversion.convert(source, tmp_path / "target", tell=quiet, cancel=Cancel())
    assert [path.name for path in tmp_path.iterdir() if "target" in path.name] == [".target.lock"]


def _truncate(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-100])


def _list_parts(folder: Path) -> None:
    parts = [f"model-0000{number}-of-00002.safetensors" for number in (1, 2)]
    (folder / "model.safetensors").rename(folder / parts[0])
    index = {"weight_map": {f"weight{number}": part for number, part in enumerate(parts)}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda folder: (folder / "tokenizer.json").unlink(), "tokenizer.json missing"),
        (lambda folder: (folder / "config.json").unlink(), "config.json missing"),
        (lambda folder: (folder / "model.safetensors").unlink(), "model.safetensors .* missing"),
        (lambda folder: _truncate(folder / "model.safetensors"), "model.safetensors incomplete"),
        (lambda folder: (folder / "model.safetensors").write_text("version https"), "model.safetensors incomplete"),
        (shutil.rmtree, "the folder is not there"),
        (_list_parts, "model-00002-of-00002.safetensors missing"),
    ],
)
def test_what_a_half_downloaded_checkpoint_lacks_is_named(
    checkpoint: Path, tmp_path: Path, spoil: Callable[[Path], None], reason: str
) -> None:
    source = tmp_path / "source"
    shutil.copytree(checkpoint, source)
    spoil(source)
    with pytest.raises(ModelUnavailable, match=reason):
        nllb_conversion.convert(source, tmp_path / "target", tell=quiet, cancel=Cancel())


def test_a_truncated_file_of_torchs_is_incomplete(tmp_path: Path) -> None:
    source = tiny_nllb(tmp_path / "source", weights="bin")
    assert nllb_conversion.missing(source) == ""
    _truncate(source / "pytorch_model.bin")
    assert nllb_conversion.missing(source) == "pytorch_model.bin incomplete"


def test_a_converted_folder_is_not_converted_again(converted: Path, tmp_path: Path) -> None:
    told: list[str] = []
    nllb_conversion.convert(tmp_path / "nowhere", converted, tell=told.append, cancel=Cancel())
    assert told == []


@pytest.mark.soak
def test_the_user_is_told_what_is_converted_and_how_large_it_is(checkpoint: Path, tmp_path: Path) -> None:
    told: list[str] = []
    nllb_conversion.convert(checkpoint, tmp_path / "tiny", tell=told.append, cancel=Cancel())
    assert told == ["Converting tiny (0.0 GB) to int8: once, in a minute or so."]


def test_a_cancel_kills_the_conversion_and_leaves_nothing(checkpoint: Path, tmp_path: Path) -> None:
    cancel = Cancel()
    with pytest.raises(Cancelled):
        nllb_conversion.convert(checkpoint, tmp_path / "target", tell=lambda _: cancel.set(), cancel=cancel)
    assert [path.name for path in tmp_path.iterdir()] == [".target.lock"]


def test_a_disk_without_room_is_told_before_anything_begins(checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"0\.0 GB free, and 0\.1 GB are needed"):
        nllb_conversion.convert(checkpoint, tmp_path / "target", tell=quiet, cancel=Cancel(), free=lambda _: 1000)
    assert [path.name for path in tmp_path.iterdir()] == [".target.lock"]


def made(target: Path, make: Callable[[Path], None], tell: Callable[[str], None] = quiet) -> None:
    atomic_dirs.build_dir_atomically(
        target, make, is_complete=lambda path: (path / "done").exists(), needed_bytes=0, tell=tell, cancel=Cancel()
    )


def finish(half: Path) -> None:
    (half / "done").touch()


def test_a_disk_that_fills_up_meanwhile_is_told_and_nothing_is_left(tmp_path: Path) -> None:
    def full(half: Path) -> None:
        (half / "part").write_text("some")
        raise OSError(28, "No space left on device")

    with pytest.raises(StorageError, match="is full"):
        made(tmp_path / "target", full)
    assert [path.name for path in tmp_path.iterdir()] == [".target.lock"]


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot be written"):
        made(tmp_path / "file" / "target", finish)


@pytest.mark.parametrize("left", [".target.half", "target"])
def test_what_a_killed_process_left_half_made_is_made_again_and_said(tmp_path: Path, left: str) -> None:
    (tmp_path / left).mkdir()
    (tmp_path / left / "rubbish").touch()
    told: list[str] = []
    made(tmp_path / "target", finish, told.append)
    assert told == ["target was left half made: it is made again."]
    assert [path.name for path in (tmp_path / "target").iterdir()] == ["done"]
    assert not (tmp_path / ".target.half").exists()


def test_of_several_that_want_it_one_makes_it_and_the_others_wait(tmp_path: Path) -> None:
    makers: list[int] = []
    going = threading.Barrier(4)

    def make(half: Path) -> None:
        makers.append(threading.get_ident())
        finish(half)

    def want() -> None:
        going.wait()
        made(tmp_path / "target", make)

    threads = [threading.Thread(target=want) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(makers) == 1


def test_who_waits_for_another_process_says_so_and_can_be_cancelled(tmp_path: Path) -> None:
    cancel, told = Cancel(), []

    def tell(sentence: str) -> None:
        told.append(sentence)
        cancel.set()

    with (tmp_path / ".target.lock").open("w") as held:
        assert lock_descriptor(held.fileno(), blocking=False)
        with pytest.raises(Cancelled):
            atomic_dirs.build_dir_atomically(
                tmp_path / "target", finish, is_complete=Path.exists, needed_bytes=0, tell=tell, cancel=cancel
            )
    assert told == ["Another process is making target: waiting for it."]


def test_a_child_does_not_inherit_the_lock(tmp_path: Path) -> None:
    opened: list[str] = []

    def build(half: Path) -> None:
        script = "import os; print(*(os.readlink(f'/proc/self/fd/{fd}') for fd in (0, 1, 2, *range(3, 256)) "
        script += "if os.path.exists(f'/proc/self/fd/{fd}')), sep='\\n')"
        done = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, close_fds=False, text=True, check=True
        )
        opened.extend(done.stdout.splitlines())
        finish(half)

    with (tmp_path / "inherited").open("w") as inherited:
        os.set_inheritable(inherited.fileno(), True)
        made(tmp_path / "target", build)
    assert str(tmp_path / "inherited") in opened
    assert str(tmp_path / ".target.lock") not in opened


@pytest.mark.soak
def test_two_processes_convert_once(checkpoint: Path, tmp_path: Path) -> None:
    script = (
        "import sys\nfrom pathlib import Path\nfrom vt.domain import Cancel\nfrom vt.engines import nllb_conversion\n"
        "source, target = map(Path, sys.argv[1:])\n"
        "nllb_conversion.convert(source, target, tell=print, cancel=Cancel())"
    )
    argv = [sys.executable, "-c", script, str(checkpoint), str(tmp_path / "target")]
    running = [subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, cwd=ROOT) for _ in range(2)]
    said = "".join(process.communicate()[0] for process in running)
    assert [process.returncode for process in running] == [0, 0]
    assert said.count("Converting target") == 1
    assert nllb_conversion.is_converted(tmp_path / "target")


@pytest.mark.soak
def test_a_killed_conversion_dies_with_its_child_and_is_done_again(checkpoint: Path, tmp_path: Path) -> None:
    script = (
        "import os, signal, sys, threading\nfrom pathlib import Path\nfrom vt.domain import Cancel\n"
        "from vt.engines import nllb_conversion\n"
        "source, target = map(Path, sys.argv[1:])\n"
        "half = target.with_name(f'.{target.name}.half')\n"
        "def kill():\n"
        "    while not half.exists():\n        threading.Event().wait(0.01)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "threading.Thread(target=kill, daemon=True).start()\n"
        "nllb_conversion.convert(source, target, tell=print, cancel=Cancel())"
    )
    argv = [sys.executable, "-c", script, str(checkpoint), str(tmp_path / "target")]
    assert subprocess.run(argv, capture_output=True, check=False, cwd=ROOT).returncode == -9
    assert (tmp_path / ".target.half").exists()
    told: list[str] = []
    nllb_conversion.convert(checkpoint, tmp_path / "target", tell=told.append, cancel=Cancel())
    # The child of the killed process may not have become another program yet: until then it holds the lock.
    assert "target was left half made: it is made again." in told
    assert nllb_conversion.is_converted(tmp_path / "target")


# --- the tiny Whisper --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("multilingual", "language"), [(True, "en"), (True, "de"), (False, "en")])
def test_the_tiny_whisper_hears_its_text_and_names_its_language(
    tmp_path: Path, multilingual: bool, language: str
) -> None:
    import numpy as np
    from faster_whisper import WhisperModel

    from vt.engines.whisper import Whisper

    folder = tiny_whisper(tmp_path / "whisper", multilingual=multilingual, language=language)
    noise = np.random.default_rng(1).normal(0, 0.1, 16_000 * 5).astype(np.float32)
    theirs = WhisperModel(str(folder), device="cpu", compute_type="int8")
    if multilingual:
        assert theirs.detect_language(noise)[0] == language
    ours = Whisper(str(folder), 1, vad=False)
    heard = list(ours.transcribe(noise, languages.get(language), Cancel()))
    words = [word.text for found in heard for word in getattr(found, "words", ())]
    assert "".join(words).strip().startswith(SAID)  # and again, for sound that the words seem not to cover
    ours.close()
