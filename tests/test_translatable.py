"""Messages and errors: templates with values, one tree of errors, and rows in each catalogue for what the page says."""

from __future__ import annotations

import ast
import copy
import json
import pickle
import re
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from tests import templates
from vt import errors, languages
from vt.domain import JobState
from vt.errors import MediaError, StorageError, ToolStopped, VtError
from vt.translatable import Message, fields, joined
from vt.ui.translations import CATALOGUES, LOCALE, load
from vt.ui.words import COUNTED, Words, of, translations

FILM = Path("/srv/jobs/abc/input")
TEMPLATE = "{file} speaks {language} for {seconds:.1f} s: {reason}"
INNER = Message("{program} failed: {reason}", program="ffmpeg", reason=f"{FILM}: Invalid data")
WHOLE = Message(TEMPLATE, file=FILM, language=languages.get("es"), seconds=2.25, reason=INNER)
SENTENCE = f"{FILM} speaks Spanish for 2.2 s: ffmpeg failed: {FILM}: Invalid data"


def test_a_message_is_its_english_sentence_and_remembers_what_it_was_made_of() -> None:
    assert (WHOLE, WHOLE.template) == (SENTENCE, TEMPLATE)
    assert Message(WHOLE) is WHOLE
    assert Message("braces { mean nothing} without values") == "braces { mean nothing} without values"
    with pytest.raises(AttributeError):
        WHOLE.template = "another"


@pytest.mark.parametrize(
    "again",
    [
        copy.deepcopy,
        lambda message: pickle.loads(pickle.dumps(message)),  # noqa: S301 (it was made here)
        lambda message: Message.from_json(json.loads(json.dumps(message.as_json()))),
        lambda message: TypeAdapter(Message).validate_json(TypeAdapter(Message).dump_json(message)),
    ],
)
def test_a_message_survives_being_copied_and_kept(again: Any) -> None:  # noqa: ANN401
    found = again(WHOLE)
    assert (found, found.template, dict(found.values)) == (WHOLE, TEMPLATE, dict(WHOLE.values))
    assert Words("es").language_name(found.values["language"]) == "español"


def test_what_was_kept_as_a_mere_sentence_is_read_as_a_message() -> None:
    read = TypeAdapter(list[Message])
    assert read.validate_json('["It {broke}."]')[0].template == "It {broke}."
    for damaged in (
        '[{"template": "x"}]',
        '[{"template": "{a}", "values": {}}, 7]',
        '[{"template": "{a}", "values": 1}]',
    ):
        with pytest.raises(ValidationError):
            read.validate_json(damaged)


def test_json_has_the_english_sentence_of_a_message() -> None:
    assert json.loads(json.dumps({"notes": [WHOLE]})) == {"notes": [SENTENCE]}


def test_files_are_called_what_their_user_calls_them_also_in_what_a_program_said() -> None:
    named = WHOLE.with_file_names({FILM: "My {best} film.mp4"})
    assert named == "My {best} film.mp4 speaks Spanish for 2.2 s: ffmpeg failed: My {best} film.mp4: Invalid data"
    assert WHOLE.with_file_names({}).startswith("input speaks Spanish")


def test_sentences_that_are_joined_are_said_one_by_one() -> None:
    assert joined("One {x}.", WHOLE) == f"One {{x}}. {SENTENCE}"
    assert joined(WHOLE) is WHOLE


def test_an_error_says_its_sentence_and_keeps_its_values() -> None:
    error = ToolStopped("{program} broke down ({signal}).", program="ffmpeg", signal="SIGSEGV", by_limit=False)
    assert (str(error), error.message.values["signal"], error.by_limit) == (
        "ffmpeg broke down (SIGSEGV).",
        "SIGSEGV",
        False,
    )
    assert StorageError("Full.", where=Path("/data")).in_full == "Full. The place: /data."
    broken = MediaError("{file} is empty: copy or download it again.", file=FILM)
    broken.name_files({FILM: "talk.mp4"})
    assert str(broken) == "talk.mp4 is empty: copy or download it again."


ARGUMENTS: dict[type[VtError], tuple[Any, ...]] = {
    errors.EmptyTrack: (FILM,),
    errors.FilmTooLarge: (500,),
    errors.SubtitlesTooLarge: (5,),
    errors.GlossaryTooLarge: (64,),
    errors.WrongState: (JobState.RUNNING,),
    errors.TooManyJobs: (3,),
    errors.TooMuchKept: (3 * 2**20,),
    errors.ModelInUse: ("medium",),
    errors.NotDownloaded: ("medium",),
    **dict.fromkeys(
        (errors.JobNotFound, errors.UploadGone, errors.Outdated, errors.QueueFull, errors.TooManyWaiting), ()
    ),
}
"""What the classes take whose sentence is fixed."""


def tree(kind: type[VtError]) -> list[type[VtError]]:
    return [kind, *(below for child in kind.__subclasses__() for below in tree(child))]


@pytest.mark.parametrize("kind", tree(VtError))
@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda error: pickle.loads(pickle.dumps(error))])  # noqa: S301
def test_every_error_survives_being_copied_and_pickled(kind: type[VtError], again: Any) -> None:  # noqa: ANN401
    error = kind(*ARGUMENTS[kind]) if kind in ARGUMENTS else kind("{file} broke.", file=FILM)
    error.added = "by hand"  # type: ignore[attr-defined]
    found = again(error)
    assert (type(found), str(found), vars(found)) == (kind, str(error), vars(error))
    assert (found.message.template, dict(found.message.values)) == (error.message.template, dict(error.message.values))


def test_every_error_of_the_package_is_in_the_tree_and_the_drawing_is_true() -> None:
    ours = {name: kind for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, VtError)}
    elsewhere = [
        f"{place}: {node.name}"
        for place, tree in templates.trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef) and place != "errors.py"
        for base in node.bases
        if getattr(base, "id", getattr(base, "attr", "")) in ours
    ]
    assert not elsewhere
    drawn, above = {}, ["VtError"]
    for line in (errors.__doc__ or "").splitlines():
        if found := re.match(r"([│ ]*)[├└]── (\w+) +\w", line):
            depth = len(found[1]) // 4 + 1
            del above[depth:]
            drawn[found[2]] = above[-1]
            above.append(found[2])
    assert drawn == {name: kind.__bases__[0].__name__ for name, kind in ours.items() if kind is not VtError}


def test_each_message_gets_the_values_of_its_template_and_no_others() -> None:
    for made in templates.made():
        where = f"{made.place}:{made.line}"
        assert not made.is_finished, f"{where}: the values belong beside the template"
        if made.template is None:
            continue
        wanted = {name for name, _ in fields(made.template)}
        assert made.names <= wanted, where
        assert made.has_more or made.names == wanted, where


@dataclass(frozen=True, slots=True)
class Row:
    """An entry of a catalogue."""

    key: str | None
    english: str | tuple[str, ...]
    """Of what is counted: the form for one, and that for several."""
    said: tuple[str, ...]
    """One form, or all that the language has for what is counted."""


def rows(language: str) -> list[Row]:
    found = ((entry.context, entry.id, entry.string or "") for entry in CATALOGUES[language] if entry.id)
    return [Row(key, id_ if isinstance(id_, str) else tuple(id_), forms_of(said)) for key, id_, said in found]


def forms_of(said: str | Iterable[str]) -> tuple[str, ...]:
    return (said,) if isinstance(said, str) else tuple(said)


@pytest.mark.parametrize("language", CATALOGUES)
def test_each_row_of_a_catalogue_is_used_is_translated_and_has_the_fields_of_the_english(language: str) -> None:
    own, texts = translations().translations["en"] | COUNTED, templates.texts()
    for row in rows(language):
        assert len(row.said) == (CATALOGUES[language].num_plurals if isinstance(row.english, tuple) else 1)
        english = {field for form in forms_of(row.english) for field in fields(form)}
        for said in row.said:
            assert said, f"not translated: {row.english}"
            assert set(fields(said)) <= english, row.english  # a translator may leave a value out
        assert own.get(row.key) == row.english if row.key else row.english in texts, f"nobody says: {row.english}"
    assert {row.key for row in rows(language) if row.key} == set(own)


def test_what_one_catalogue_translates_each_of_them_does() -> None:
    known = {language: {(row.key, row.english) for row in rows(language)} for language in CATALOGUES}
    everything = set().union(*known.values())
    assert {language: everything - its for language, its in known.items()} == {language: set() for language in known}


NOT_ON_THE_PAGE = {
    # For whoever types commands, sets the server up, or writes a client of the routes.
    *("cli/main.py", "cli/bundled.py", "cli/batch.py", "cli/client.py", "cli/config.py", "cli/options.py"),
    *("cli/server_jobs.py", "cli/profiling.py", "cluster/ray_nodes.py"),
    *("answers/speaking.py", "api/libre/requests.py", "api/libre/routes.py", "api/uploads.py", "api/routes.py"),
    *("cli/speech.py", "api/mcp/answers.py", "api/mcp/tools.py"),
    *("cli/transcripts.py", "cli/licences.py", "cli/report.py", "jobs/recovery.py", "settings.py"),
    "cli/linked.py",
    "system/folders.py", "system/atomic_dirs.py", "system/logs.py", "web/multipart.py", "api/jobs.py",
    "ui/endpoints.py", "ui/gateway/calls.py", "ui/gateway/routes.py", "ui/gateway/file_routes.py",
    "ui/gateway/results.py", "ui/gateway/sign_in.py", "ui/line_routes.py",
    # Of models that cannot be had, which only whoever runs the server can mend.
    "model_files/bundle.py", "model_files/download.py", "engines/firefox.py", "engines/kokoro.py", "engines/mms.py",
    "engines/nllb.py", "engines/nllb_conversion.py", "engines/whisper.py", "factory.py", "models/catalogue.py",
    "engines/campplus.py", "engines/pyannet.py", "jobs/store.py", "jobs/database_place.py",
}  # fmt: skip


def test_every_template_that_the_page_can_meet_has_a_row() -> None:
    met = {made.template for made in templates.made() if made.template and made.place not in NOT_ON_THE_PAGE}
    assert met
    for language in CATALOGUES:
        assert met <= {row.english for row in rows(language)}


def test_every_sentence_about_a_download_or_conversion_has_a_row() -> None:
    met = {
        made.template
        for made in templates.made()
        if made.template
        and re.match(r"(Downloading|Converting|Another process|{model}|The model {model} is )", made.template)
    }
    assert len(met) > 6
    for language in CATALOGUES:
        assert met <= {row.english for row in rows(language)}


class Asked:
    """A request of a browser."""

    def __init__(self, languages: str) -> None:
        self.headers = {"accept-language": languages}


def test_a_language_with_three_plural_forms_has_each_of_them_on_the_page_and_in_its_scripts(tmp_path: Path) -> None:
    place = tmp_path / "pl" / "LC_MESSAGES"
    place.mkdir(parents=True)
    (place / "vt.po").write_text(
        'msgid ""\nmsgstr "Content-Type: text/plain; charset=utf-8\\n"\n\n'
        'msgctxt "hours"\nmsgid "1 hour"\nmsgid_plural "{count} hours"\n'
        'msgstr[0] "{count} godzina"\nmsgstr[1] "{count} godziny"\nmsgstr[2] "{count} godzin"\n\n'
        'msgctxt "bench_rushed"\nmsgid "1 line is rushed."\nmsgid_plural "{count} lines are rushed."\n'
        'msgstr[0] "jeden"\nmsgstr[1] "kilka"\nmsgstr[2] "wiele"\n\n'
        'msgid "{count} sentences are in {language} already and were kept."\n'
        'msgid_plural "{count} sentences are in {language} already and were kept."\n'
        'msgstr[0] "{count} zdanie"\nmsgstr[1] "{count} zdania"\nmsgstr[2] "{count} zdań"\n',
        encoding="utf-8",
    )
    words = Words("pl", load(tmp_path))
    assert [words.counted("hours", count) for count in (1, 2, 5, 22, 1.5)] == [
        "1 godzina", "2 godziny", "5 godzin", "22 godziny", "1,5 godziny",
    ]  # fmt: skip
    assert [words.counted("days", count) for count in (1, 5)] == ["1 day", "5 days"]
    assert words.those("bench_")["rushed"] == {"one": "jeden", "few": "kilka", "many": "wiele", "other": "kilka"}
    assert Words("en").those("bench_")["rushed"] == {"one": "1 line is rushed.", "other": "{count} lines are rushed."}
    template = "{count} sentences are in {language} already and were kept."
    told = [words.sentence(Message(template, count=count, language=languages.SPANISH)) for count in (1, 4, 12)]
    assert told == ["1 zdanie", "4 zdania", "12 zdań"]


def test_a_translator_adds_a_language_by_a_catalogue_alone(tmp_path: Path) -> None:
    place = tmp_path / "fr" / "LC_MESSAGES"
    place.mkdir(parents=True)
    shutil.copytree(LOCALE, tmp_path, dirs_exist_ok=True)
    (place / "vt.po").write_text(
        'msgid ""\nmsgstr "Content-Type: text/plain; charset=utf-8\\n"\n\n'
        'msgctxt "tab_upload"\nmsgid "Upload"\nmsgstr "Envoyer"\n\n'
        'msgid "{file} is incomplete: it promises {promised:.1f} s, but only {there:.1f} s are there. Copy or download '
        'it again."\nmsgstr "{file} est incomplet : {there:.1f} s sur {promised:.1f} s."\n',
        encoding="utf-8",
    )
    catalogues = load(tmp_path)
    words: Any = of(Asked("fr-CA,fr;q=0.9,en;q=0.8"), catalogues)  # type: ignore[arg-type]
    assert (words.language, words("tab_upload"), words("tab_models")) == ("fr", "Envoyer", "Models")
    assert words.language_name(languages.SPANISH) == "espagnol"
    error = MediaError(
        "{file} is incomplete: it promises {promised:.1f} s, but only {there:.1f} s are there. Copy or download it "
        "again.",
        file=FILM,
        promised=10.0,
        there=2.5,
    )
    assert words.sentence(error.message) == "input est incomplet : 2,5 s sur 10,0 s."
    said = translations(catalogues).translations
    assert set(said) == {"en", "fr", *CATALOGUES}
    assert (said["fr"]["tab_upload"], said["fr"]["tab_models"]) == ("Envoyer", "Models")
    assert of(Asked("la, fr"), catalogues).language == "en"  # type: ignore[arg-type]
