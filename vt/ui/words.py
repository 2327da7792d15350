"""The words on the page, in English or in the reader's language where there is a catalogue for it."""

from __future__ import annotations

import string
from datetime import datetime
from gettext import c2py
from pathlib import Path

import gradio as gr
from babel import Locale
from babel.dates import format_date, format_datetime
from babel.numbers import get_decimal_symbol
from gradio.i18n import I18nData

from vt import languages
from vt.translatable import LanguageName, Message
from vt.ui.translations import CATALOGUES, Catalogues

SOURCE = "en"
"""The language of all texts in the code; other languages come from catalogues."""
LANGUAGES = (SOURCE, *CATALOGUES)

_ENGLISH: dict[str, str] = {
    # The page
    "page_title": "vt, the video translator",
    "tagline": "The same video, speaking another language.",
    "tab_upload": "Upload",
    "tab_translate": "Translate",
    "tab_models": "Models",
    "sign_in": "Sign in with Hugging Face",
    "sign_out": "Sign out ({name})",
    # Upload
    "upload_title": "Choose a video",
    "upload_lead": (
        "It will be transcribed, translated and spoken in time with the picture. You can mend every line afterwards."
    ),
    "film": "Video or audio files",
    "subtitles": "Subtitles that you have already (optional)",
    "subtitles_hint": (
        "SRT, WebVTT, ASS, TTML, SBV, LRC or a JSON transcript in the language of the video: nothing has to be guessed "
        "by listening then."
    ),
    "sample": "Try it with a sample",
    "sample_hint": "No video at hand? Half a minute of Jane Austen, read aloud.",
    "languages_here": "Languages, and how good they are here",
    "languages_hint": "For films in English. From other languages a translation may take a longer way.",
    "voice_good": "Natural voice",
    "voice_rough": "Robotic voice",
    "translation_good": "good translation",
    "translation_fair": "fair translation",
    "translation_rough": "rough translation",
    "limits": "Good to know",
    "limit_size": "Up to <b>{megabytes} MB</b>",
    "limit_formats": "Formats: {formats}",
    "limit_private": "Only this browser knows the way to your videos.",
    "limit_account": "Your account finds your videos again, from any browser.",
    "by_link": "Or a link",
    "fetch": "Fetch the video",
    "fetching": "Fetching",
    "sending": "Uploading",
    "sent_amount": "{sent} of {all} MB",
    "chosen_hint": "Each becomes a dub of its own, with the same choices.",
    "in_it": "What is in it",
    "duration": "Duration",
    "picture": "Picture",
    "no_picture": "none: sound alone",
    "sound": "Sound",
    "no_sound": "none: bring subtitles to have it dubbed",
    "in_subtitles": "Subtitles",
    "with_subtitles": "Subtitles that come along",
    "mono": "mono",
    "stereo": "stereo",
    "track": "Track {number}",
    "to_translate": "Choose the language",
    "other_film": "Another video",
    # Translate: what to do
    "nothing_title": "No video yet",
    "nothing": "Choose a video first. It takes one step more until you hear it in another language.",
    "to_upload": "Choose a video",
    "source": "Language of the video",
    "source_auto": "Found out by listening",
    "target": "Translate into",
    "what_is_said": "What is said in it",
    "by_listening": "Found out by listening",
    "also": "Also into these languages",
    "no_such_language": "There is no language {typed} here: what was chosen before still is.",
    "options": "Advanced",
    "voice": "Voice",
    "voice_best": "Best voice",
    "hear": "Hear it",
    "hush": "Stop",
    "gender_female": "female",
    "gender_male": "male",
    "translation_engine": "Translated by",
    "tts_engine": "Spoken by",
    "engine_best": "Whatever is best here",
    "audio_track": "Sound track to dub",
    "track_auto": "Found out by its language",
    "start": "Start dubbing",
    "back": "Back",
    "served_hear": "Heard by",
    "served_translate": "Translated by",
    "served_speak": "Spoken by",
    "served_subtitles": "your subtitles",
    "non_commercial": "not for commercial use",
    "reused": "The same video again: what was heard in it is not heard a second time.",
    # Translate: while it runs
    "queued": "Waiting for its turn",
    "queued_hint": "It begins once those before it are done.",
    "stage_probe": "Looking at the file",
    "stage_extract": "Taking the sound out",
    "stage_transcribe": "Listening to what is said",
    "stage_translate": "Translating",
    "stage_speak": "Speaking the lines",
    "stage_mix": "Mixing the sound",
    "stage_mux": "Putting the video together",
    "short_probe": "Look",
    "short_transcribe": "Listen",
    "short_translate": "Translate",
    "short_speak": "Speak",
    "short_mux": "Assemble",
    "left": "about {time} left",
    "left_unknown": "estimating the time ...",
    "again": "Doing the changed lines again",
    "first_lines": "Hear the first lines",
    "close_hint": "You can close this page: the work goes on, and this browser finds it again.",
    "cancel": "Cancel",
    "progress": "Progress",
    # Translate: what came of it
    "downloads": "Downloads",
    "download_video": "Download the video",
    "download_audio": "Download the audio",
    "download_report": "Report",
    "download_subtitles": "{language} subtitles",
    "download_both": "Subtitles in both languages",
    "notes": "Read this before you publish",
    "how_many_speakers": "How many people speak",
    "mark_speakers": "Show in the subtitles who speaks",
    "speakers_auto": "Found out by listening",
    "glossary": "Glossary (optional)",
    "glossary_hint": (
        "CSV or TSV, a term in each line: the term, its translation and, where it holds for one language alone, the "
        "code of that. A term without a translation stays as it is."
    ),
    "glossary_from_job": "The glossary of the earlier dub, {file}, holds here too, unless you choose another one.",
    "background": "What is heard of the original",
    "background_auto": "What suits the video",
    "background_none": "Nothing: only the dub",
    "background_duck": "Its sound, softly while somebody speaks",
    "background_keep": "Its sound without the voices",
    "burn": "Subtitles in the picture",
    "burn_nothing": "None",
    "burn_dub": "In the language spoken",
    "burn_both": "In both languages",
    "karaoke": "Light up the words of these subtitles as they are spoken",
    "literal": "Speak every line in full, even where that means speaking fast",
    "fit_picture": "Slow the picture a little where a line needs more time",
    "preview": "First minute only, as a trial",
    "preview_mark": "preview",
    "whole": "Dub the whole video",
    "other_language": "Another language",
    "remove": "Remove",
    # Translate: the queue, links for others, and what is kept
    "notify": "Tell me when it is done",
    "told_done": "The dub is done.",
    "told_failed": "The dub failed.",
    "ahead_none": "It begins in a moment.",
    "until_done": "Done in about {time}.",
    "takes_about": "The dub takes about {time} here.",
    "kept_for": "kept for {time}",
    "removed": "{file} was removed.",
    "undo": "Undo",
    "link_make": "Make a link to share",
    "link_hint": "Whoever has it can watch and download, and change nothing.",
    "link_read_only": "Link to share",
    "link_copy": "Copy",
    "link_copied": "Copied",
    "link_take_back": "Take the link back",
    "link_gone": "This link leads nowhere any more",
    "link_gone_why": "It was taken back, or the video was removed.",
    "download_everything": "Everything as ZIP",
    "download_joined": "All languages in one file",
    "llm_usage": "Questions to the language model: {calls}. Tokens of questions: {prompt}, of answers: {answers}.",
    "slowed": "Where the picture is slowed",
    "slowed_part": "{start} to {end}: {factor} times as long",
    # Pictures that a browser does not show
    "not_shown": "Browsers do not show this kind of picture. It can be dubbed all the same.",
    "black_picture": (
        "This browser plays the sound of this video, but cannot show its picture. The file that you download is whole."
    ),
    "copy_make": "Make a copy that can be shown here",
    "copy_running": "The copy is being made ...",
    "copy_failed": "The copy could not be made.",
    # Translate: the workbench of the lines
    "bench_cannot_play": "This browser cannot play this format.",
    "bench_no_picture": "This browser plays only the sound of this video: it cannot show a picture in this format.",
    "bench_chart": "Timing",
    "bench_tempo_ok": "at ease, up to 1.1",
    "bench_tempo_brisk": "brisk, up to 1.2",
    "bench_tempo_fast": "hurried, above 1.2",
    "bench_shortened": "shortened",
    "bench_lines": "Lines",
    "bench_time": "Time",
    "bench_heard": "Heard",
    "bench_said": "Said",
    "bench_source_text_of": "Heard, line {number}",
    "bench_text_of": "Said, line {number}",
    "bench_save": "Do the changed lines again",
    "bench_speakers": "Speakers",
    "bench_speakers_hint": (
        "Give each a name and a voice. Only the lines of a speaker whose voice you change are spoken again."
    ),
    "bench_speaker": "Speaker",
    "bench_speaker_of": "Speaker, line {number}",
    "bench_another_speaker": "somebody else",
    "bench_name_of_speaker": "Name of speaker {number}",
    "bench_voice_of_speaker": "Voice of speaker {number}",
    "bench_hear_speaker": "Hear {name} in the original",
    "bench_unchanged": "Nothing is changed yet.",
    "bench_original": "Original",
    "bench_dub": "Dub",
    "bench_silent": "empty: nothing is spoken",
    "bench_hint": (
        "Change what was heard or what is said, then press the button below: only those lines are done again. A "
        "line whose original you mend is translated anew. Press ? for the keys."
    ),
    "bench_which": "What is seen and heard",
    "bench_play": "Play",
    "bench_pause": "Pause",
    "bench_line": "Line {number}, {time}",
    "bench_start_of": "Start of line {number}",
    "bench_end_of": "End of line {number}",
    "bench_hear_dub": "Hear line {number} in the dub",
    "bench_hear_original": "Hear line {number} in the original",
    "bench_unheard": "nothing was heard",
    "bench_fits_ok": "fits",
    "bench_fits_brisk": "tight",
    "bench_fits_fast": "too long",
    "bench_acts": "What can be done with this line",
    "bench_split": "Split",
    "bench_join": "Join with the next",
    "bench_insert": "New line after it",
    "bench_remove": "Remove",
    "bench_revert": "Revert",
    "bench_takes": "Earlier takes",
    "bench_no_takes": "Earlier takes of this line could not be had.",
    "bench_take_back": "Bring it back",
    "bench_take_voice": "Voice {voice}, for all lines of this speaker",
    "bench_theirs": "Changed meanwhile by somebody else: {text}",
    "bench_take_theirs": "Take that",
    "bench_discard": "Discard",
    "bench_undo": "Undo",
    "bench_being_done": ("The changed lines are being done again. What you change now is kept for the next time."),
    "bench_hear": "Hear it",
    "bench_hush": "Stop",
    "bench_search": "Search the lines",
    "bench_kind_all": "All lines",
    "bench_kind_fast": "Too long",
    "bench_kind_changed": "Changed",
    "bench_kind_silent": "Silent",
    "bench_kind_unsure": "Heard uncertainly",
    "bench_unsure": "heard uncertainly: {percent} %",
    "bench_by_kind": "Which lines are shown",
    "bench_by_speaker": "Whose lines are shown",
    "bench_everybody": "Everybody",
    "bench_replace": "Replace",
    "bench_replace_with": "Replace by",
    "bench_replace_all": "Replace in all lines",
    "bench_found": "{count} of {all} lines",
    "bench_bad_time": (
        "A line starts between the starts of its neighbours, and ends after that, before the film does. Write a "
        "time as in 1:07.5."
    ),
    "bench_not_done": "This was not done: your changes are kept here, and are not in the film.",
    "bench_restored": "Changes that are not in the dub yet were kept in this browser, and are back.",
    "bench_merged": (
        "Somebody else changed lines meanwhile. Theirs are here, and yours are kept: look, and press the button again."
    ),
    "bench_clashes": (
        "Somebody else changed the same places meanwhile ({count}). Yours are kept, theirs stand below them: "
        "choose, and press the button again."
    ),
    "bench_not_kept": "This browser keeps nothing for this page: save before you leave it.",
    "bench_unreachable": (
        "The server cannot be reached. Your changes are kept in this browser: press the button again in a moment."
    ),
    "bench_refused": (
        "The server refused the changes ({status}). They are kept in this browser: try again in a moment."
    ),
    "bench_help": "Keys",
    "bench_close": "Close",
    "bench_key_play": "play or pause",
    "bench_key_step": "the line before, the next line",
    "bench_key_step_field": "the same while writing",
    "bench_key_write": "write in the line",
    "bench_key_leave": "leave the field for the line",
    "bench_key_seek": "five seconds back or on",
    "bench_key_hear_dub": "hear the line in the dub",
    "bench_key_hear_original": "hear the line in the original",
    "bench_key_edges": "the edges of the line in the chart: arrows move one, Tab leads to the other",
    "bench_key_save": "do the changed lines again",
    "bench_key_undo": "undo, do it after all",
    "bench_key_search": "search the lines",
    "bench_key_help": "these keys",
    "bench_zoom_in": "See less, but closer",
    "bench_zoom_out": "See more of the film",
    "bench_zoom_all": "See all of the film",
    "bench_playhead": "Place in the film",
    "bench_none_rushed": "No line is rushed.",
    "bench_show_them": "Show them",
    # Translate: this browser's films
    "yours": "Your videos",
    "state_queued": "waiting",
    "state_running": "at work",
    "state_done": "done",
    "state_failed": "failed",
    "state_cancelled": "cancelled",
    # What goes wrong
    "trouble_file": "This file cannot be used",
    "trouble_start": "This cannot be started",
    "trouble_job": "This could not be dubbed",
    "trouble_language": "Choose a language",
    "trouble_models": "This was not done",
    "trouble_voice": "This voice cannot be heard",
    "voice_failed": "The server did not answer, or the browser cannot play it: try again in a moment.",
    "trouble_change": "The change was not taken",
    "trouble_gone": "This video is no longer here",
    "gone": "It was removed, or its time here is over. Upload it again to have it dubbed.",
    "trouble_account": "This video belongs to an account",
    "of_account": "Sign in with that account to see it.",
    "no_target": "Choose the language to translate into.",
    "too_long": "{file} lasts {minutes} minutes, and this server takes at most {limit}: cut it into parts.",
    "too_large": (
        "{file} has {megabytes} MB, and this server takes at most {limit} (VT_MAX_UPLOAD_MB): cut it into parts, or "
        "save it with a smaller picture."
    ),
    "upload_broken": "The upload broke off. Try again in a moment.",
    "too_many_films": "{file} was left out: at most {most} videos can be chosen at once.",
    "silent_among_others": "{file} has no sound: choose it alone to dub it by its own subtitles.",
    "one_film_for_subtitles": "A subtitle file belongs to one video: remove it, or choose one video.",
    "not_started": "Not started: {files}. {reason}",
    "language_gone": "{language} cannot be had here any more: the choice shows what works now.",
    "connection_lost": (
        "Connection to the server was lost. Leave this page open: it goes on by itself once the server is back."
    ),
    "cancelled": "You cancelled this. Start again whenever you like.",
    "cancelled_title": "Cancelled",
    "try_again": "Try again",
    "trouble_unexpected": (
        "Something unexpected happened here; the log of the server tells of it. Try again, or load the page anew."
    ),
    # Models
    "models_memory": "Models in memory",
    "models_none": "None yet. A model is loaded when a video first needs it, and stays for the next one.",
    "models_used": "{used} of {budget} MB for models",
    "models_used_on": "{device}: {used} of {budget} MB for models",
    "models_counts": "{hits} hits, {misses} misses, {loads} loads, {evictions} evictions",
    "models_locked": "The models are managed with a token: type it to see them.",
    "models_unlock": "Show",
    "models_about": "vt {version}. Jobs: {queued} waiting, {running} running.",
    "models_stages": "What does the work",
    "models_by_setup": "no setting: it comes with set-up",
    "models_nothing": "nothing",
    "models_files": "Models on the disk",
    "models_files_hint": (
        "What came with set-up is not removed here, nor what another program, or an early version of this one, may "
        "have put into a folder of models that programs share: the command hf cache rm removes that."
    ),
    "models_free": "Free: {data} for jobs, {models} for models.",
    "models_remove": "Remove",
    "models_remove_this": "Remove {model} from the disk",
    "models_remove_ask": (
        "Remove {model} from the disk? {size} come free. What needs it downloads it again, or does without it."
    ),
    "models_removed": "Removed from the disk: {model}. {size} came free.",
    "models_downloads": "Downloads",
    "models_wanted": "Model to download",
    "models_download": "Download",
    "models_download_began": "Being downloaded, unless it is here already: {model}.",
    "models_download_stopped": "The download was cancelled: {model}.",
    "models_no_download": "No longer being downloaded: {model}.",
    "models_stop_this": "Cancel the download of {model}",
    "models_troubles": "Latest failures",
    "models_offered": "Languages and voices here",
    "models_pairs": "{engine}: {count} directions",
    "models_voices": "{engine}: {count} voices",
    "column_stage": "Stage",
    "column_configured": "Configured",
    "column_serves": "In use",
    "column_why": "Why",
    "column_name": "Model",
    "column_licence": "Licence",
    "column_disk": "On the disk",
    "column_memory": "In memory",
    "file_here": "here",
    "file_loaded": "here, and in memory",
    "file_partial": "half downloaded",
    "file_downloading": "downloading",
    "column_key": "Cache key",
    "column_kind": "Kind",
    "column_state": "State",
    "column_mb": "MB",
    "column_leases": "In use",
    "column_idle": "Idle (s)",
    "column_load": "Load (s)",
    "kind_stt": "hears",
    "kind_diarization": "tells speakers apart",
    "kind_overlap": "hears two at once",
    "kind_separation": "takes voices out",
    "kind_translation": "translates",
    "kind_tts": "speaks",
    "model_queued": "queued",
    "model_loading": "loading",
    "model_ready": "ready",
    "model_retiring": "retiring",
    "model_failed": "failed",
    "health_healthy": "healthy",
    "health_degraded": "degraded",
    "health_unhealthy": "unhealthy",
    "models_model": "Model",
    "models_unload": "Unload this model",
    "models_preload": "Preload the default models",
    "models_clear": "Unload all",
    "models_token": "Token (VT_ADMIN_TOKEN)",
    "models_preloading": "Preloading: {models}",
    "models_no_cache": "Nothing is preloaded: MODEL_CACHE_ENABLED is false, so no model would stay.",
    "models_gone": "No such model is in memory any more.",
    "models_retiring": "In use, goes with its last user: {models}.",
    "models_empty": "No model was in memory.",
    "models_freed": "Unloaded: {models}. {megabytes} MB came back.",
}

COUNTED: dict[str, tuple[str, str]] = {
    "limit_length": ("Up to <b>1 minute</b>", "Up to <b>{count} minutes</b>"),
    "limit_kept": (
        "Files are kept for <b>1 hour</b> after the dub is done, then deleted. You can remove them sooner.",
        "Files are kept for <b>{count} hours</b> after the dub is done, then deleted. You can remove them sooner.",
    ),
    "channels": ("1 channel", "{count} channels"),
    "ahead": ("1 job is before it.", "{count} jobs are before it."),
    "hours": ("1 hour", "{count} hours"),
    "days": ("1 day", "{count} days"),
    "bench_changes": ("1 change, not in the dub yet", "{count} changes, not in the dub yet"),
    "bench_replaced": ("Replaced in 1 line", "Replaced in {count} lines"),
    "bench_rushed": ("1 line is rushed.", "{count} lines are rushed."),
    "busy": ("1 job is at work or waiting here.", "{count} jobs are at work or waiting here."),
    "chosen": ("1 video", "{count} videos"),
}
"""What is said of one thing, and of several; a catalogue has as many forms as its language has."""
_COUNTS = (*range(201), 10**6)
"""Among them each language has a count for each of its forms."""


class Words:
    """The words in one language."""

    def __init__(self, language: str, catalogues: Catalogues = CATALOGUES) -> None:
        self.language = language
        self._catalogue = catalogues.get(language)
        self._form = c2py(self._catalogue.plural_expr if self._catalogue else "n != 1")
        self._formatter = _Formatter(self)

    def __call__(self, key: str, **values: object) -> str:
        """Return the words of a key, with values filled in; these are not escaped for HTML."""
        return self.template(_ENGLISH[key], key).format(**values)

    def those(self, beginning: str) -> dict[str, str | dict[str, str]]:
        """Return all words whose keys begin like this, without that beginning, their values not filled in.

        Those that are counted come in their plural forms, by the names that the CLDR, and so a browser, has for these.
        """
        found: dict[str, str | dict[str, str]] = {key: self.template(said, key) for key, said in _ENGLISH.items()}
        found |= {key: self._forms(key) for key in COUNTED}
        return {key.removeprefix(beginning): said for key, said in found.items() if key.startswith(beginning)}

    def template(self, english: str, key: str | None = None, count: object = None) -> str:
        """Return the translation of an English template, or the English one.

        Args:
            english: of what is counted that for one.
            key: for words of the page itself.
            count: how many there are, for a translation that has several forms.
        """
        found = self._catalogue.get(english, key) if self._catalogue else None
        said = (found.string if found else "") or ""
        # A fraction has no form of its own in gettext; nearly everywhere it is said as two are.
        return (said if isinstance(said, str) else said[self._form(count if isinstance(count, int) else 2)]) or english

    def sentence(self, said: str) -> str:
        """Return a message of the program in this language, if it is translated; it is not escaped for HTML."""
        message = Message(said)
        template = self.template(message.template, count=message.values.get("count"))
        return self._formatter.vformat(template, (), message.values) if message.values else template

    def counted(self, key: str, count: float) -> str:
        """Return the words of a key for so many, in the form that this language has for that count."""
        number = count if isinstance(count, int) else self.localized(f"{count:g}")
        return self._counted_template(key, count).format(count=number)

    def _counted_template(self, key: str, count: float) -> str:
        one, several = COUNTED[key]
        found = self.template(one, key, count)
        return several if found == one and count != 1 else found

    def _forms(self, key: str) -> dict[str, str]:
        name = Locale.parse(self.language).plural_form
        # The smallest counts come last: theirs is the form that is kept.
        forms = {name(count): self._counted_template(key, count) for count in reversed(_COUNTS)}
        return {"other": self._counted_template(key, 0.5)} | forms

    def date(self, moment: datetime) -> str:
        """Return a date as this language writes it."""
        return format_date(moment, "medium", locale=self.language)

    def moment(self, moment: datetime) -> str:
        """Return a date and time as this language writes it."""
        return format_datetime(moment, "short", locale=self.language)

    def number(self, value: float, places: int) -> str:
        """Return a number with so many decimal places."""
        return self.localized(f"{value:.{places}f}")

    def localized(self, number: str) -> str:
        """Return a number that was written with a decimal point as this language writes it."""
        return number.replace(".", get_decimal_symbol(self._catalogue.locale)) if self._catalogue else number

    def language_name(self, language: LanguageName) -> str:
        """Return the name of a language in this language."""
        return languages.name_in(language.code, self.language) if self._catalogue else language.name


class _Formatter(string.Formatter):
    """Writes the values of a message in the language of its reader."""

    def __init__(self, words: Words) -> None:
        self._words = words

    def format_field(self, value: object, format_spec: str) -> str:
        """Write one value."""
        if isinstance(value, LanguageName):
            return self._words.language_name(value)
        if isinstance(value, Path):
            return value.name  # without its folder, which readers must not learn
        if isinstance(value, Message):
            return self._words.sentence(value)
        written = format(value, format_spec)
        return self._words.localized(written) if isinstance(value, (int, float)) else written


ENGLISH = Words(SOURCE)
"""For scripts."""


def of(request: gr.Request | None, catalogues: Catalogues = CATALOGUES) -> Words:
    """Return the words in the language that the browser prefers, or in English where there is no catalogue."""
    return accepted(request.headers.get("accept-language", "") if request else "", catalogues)


def accepted(header: str, catalogues: Catalogues = CATALOGUES) -> Words:
    """Return the words in the language that the header `Accept-Language` names first, or in English."""
    first = header.strip().lower().partition(",")[0].partition(";")[0].partition("-")[0]
    return Words(first if first in catalogues else SOURCE, catalogues)


def label(key: str) -> I18nData:
    """Return a placeholder that the browser replaces by the words of this key."""
    return I18nData(key)


def translations(catalogues: Catalogues = CATALOGUES) -> gr.I18n:
    """Return all words, for the browser."""
    readers = [Words(language, catalogues) for language in (SOURCE, *catalogues)]
    return gr.I18n(
        **{one.language: {key: one.template(said, key) for key, said in _ENGLISH.items()} for one in readers}
    )
