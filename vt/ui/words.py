"""The words on the page, in English and Spanish, and which of the two somebody reads."""

from __future__ import annotations

import gradio as gr
from gradio.i18n import I18nData

from vt import languages
from vt.ui import spanish

_TABLE: dict[str, tuple[str, str]] = {
    # The page
    "tagline": ("The same video, speaking another language.", "El mismo vídeo, en otro idioma."),
    "tab_upload": ("Upload", "Subir"),
    "tab_translate": ("Translate", "Traducir"),
    "tab_models": ("Models", "Modelos"),
    # Upload
    "upload_title": ("Choose a video", "Elige un vídeo"),
    "upload_lead": (
        "It will be transcribed, translated and spoken in time with the picture. You can mend every line afterwards.",
        "Se transcribe, se traduce y se habla al ritmo de la imagen. Después puedes corregir cada línea.",
    ),
    "film": ("Video or audio file", "Archivo de vídeo o audio"),
    "subtitles": ("Subtitles that you have already (optional)", "Subtítulos que ya tengas (opcional)"),
    "subtitles_hint": (
        "SRT or WebVTT in the language of the video: nothing has to be guessed by listening then.",
        "SRT o WebVTT en el idioma del vídeo: así no hay que adivinar nada escuchando.",
    ),
    "sample": ("Try it with a sample", "Probar con un ejemplo"),
    "sample_hint": (
        "No video at hand? Half a minute of Jane Austen, read aloud.",
        "¿No tienes un vídeo a mano? Medio minuto de Jane Austen, leído en voz alta.",
    ),
    "limits": ("Good to know", "Conviene saber"),
    "limit_size": ("Up to <b>{megabytes} MB</b>", "Hasta <b>{megabytes} MB</b>"),
    "limit_length": ("Up to <b>{minutes} minutes</b>", "Hasta <b>{minutes} minutos</b>"),
    "limit_kept": (
        "Files are kept for <b>{hours} hours</b> after the dub is done, then deleted. You can remove them sooner.",
        "Los archivos se guardan <b>{hours} horas</b> después de terminar y luego se borran. Puedes borrarlos antes.",
    ),
    "limit_formats": ("Formats: {formats}", "Formatos: {formats}"),
    "limit_private": (
        "Only this browser knows the way to your videos.",
        "Solo este navegador conoce el camino a tus vídeos.",
    ),
    "in_it": ("What is in it", "Qué contiene"),
    "duration": ("Duration", "Duración"),
    "picture": ("Picture", "Imagen"),
    "no_picture": ("none: sound alone", "ninguna: solo sonido"),
    "sound": ("Sound", "Sonido"),
    "no_sound": ("none: bring subtitles to have it dubbed", "ninguno: añade subtítulos para doblarlo"),
    "in_subtitles": ("Subtitles", "Subtítulos"),
    "with_subtitles": ("Subtitles that come along", "Subtítulos que se usan"),
    "mono": ("mono", "mono"),
    "stereo": ("stereo", "estéreo"),
    "channels": ("{count} channels", "{count} canales"),
    "track": ("Track {number}", "Pista {number}"),
    "to_translate": ("Choose the language", "Elegir el idioma"),
    "other_film": ("Another video", "Otro vídeo"),
    # Translate: what to do
    "nothing_title": ("No video yet", "Aún no hay vídeo"),
    "nothing": (
        "Choose a video first. It takes one step more until you hear it in another language.",
        "Primero elige un vídeo. Después queda un solo paso para oírlo en otro idioma.",
    ),
    "to_upload": ("Choose a video", "Elegir un vídeo"),
    "source": ("Language of the video", "Idioma del vídeo"),
    "source_auto": ("Found out by listening", "Se averigua escuchando"),
    "target": ("Translate into", "Traducir al"),
    "options": ("Advanced", "Opciones avanzadas"),
    "voice": ("Voice", "Voz"),
    "voice_best": ("Best voice", "La mejor voz"),
    "hear": ("Hear it", "Escuchar"),
    "hush": ("Stop", "Parar"),
    "gender_female": ("female", "mujer"),
    "gender_male": ("male", "hombre"),
    "translation_engine": ("Translated by", "Traduce"),
    "tts_engine": ("Spoken by", "Habla"),
    "engine_best": ("Whatever is best here", "Lo mejor que haya aquí"),
    "audio_track": ("Sound track to dub", "Pista de sonido que se dobla"),
    "start": ("Start dubbing", "Empezar el doblaje"),
    "back": ("Back", "Volver"),
    "served_hear": ("Heard by", "Escucha"),
    "served_translate": ("Translated by", "Traduce"),
    "served_speak": ("Spoken by", "Habla"),
    "served_subtitles": ("your subtitles", "tus subtítulos"),
    "non_commercial": ("not for commercial use", "sin uso comercial"),
    "reused": (
        "The same video again: what was heard in it is not heard a second time.",
        "El mismo vídeo otra vez: lo que se escuchó no se vuelve a escuchar.",
    ),
    # Translate: while it runs
    "queued": ("Waiting for its turn", "Esperando su turno"),
    "queued_hint": ("It begins once those before it are done.", "Empieza cuando acaben los anteriores."),
    "stage_probe": ("Looking at the file", "Mirando el archivo"),
    "stage_extract": ("Taking the sound out", "Extrayendo el sonido"),
    "stage_transcribe": ("Listening to what is said", "Escuchando lo que se dice"),
    "stage_translate": ("Translating", "Traduciendo"),
    "stage_speak": ("Speaking the lines", "Diciendo las líneas"),
    "stage_mix": ("Mixing the sound", "Mezclando el sonido"),
    "stage_mux": ("Putting the video together", "Montando el vídeo"),
    "short_probe": ("Look", "Mirar"),
    "short_transcribe": ("Listen", "Escuchar"),
    "short_translate": ("Translate", "Traducir"),
    "short_speak": ("Speak", "Hablar"),
    "short_mux": ("Assemble", "Montar"),
    "left": ("about {time} left", "quedan unos {time}"),
    "left_unknown": ("estimating the time ...", "calculando el tiempo ..."),
    "again": ("Doing the changed lines again", "Rehaciendo las líneas cambiadas"),
    "close_hint": (
        "You can close this page: the work goes on, and this browser finds it again.",
        "Puedes cerrar la página: el trabajo sigue y este navegador lo encuentra de nuevo.",
    ),
    "cancel": ("Cancel", "Cancelar"),
    "progress": ("Progress", "Progreso"),
    # Translate: what came of it
    "dubbed": ("Dubbed", "Doblado"),
    "original": ("Original", "Original"),
    "cannot_play": (
        "This browser cannot play the format of the original.",
        "Este navegador no puede reproducir el formato del original.",
    ),
    "downloads": ("Downloads", "Descargas"),
    "download_video": ("Download the video", "Descargar el vídeo"),
    "download_audio": ("Download the audio", "Descargar el audio"),
    "download_report": ("Report", "Informe"),
    "download_subtitles": ("{language} subtitles", "Subtítulos en {language}"),
    "notes": ("Read this before you publish", "Léelo antes de publicar"),
    "chart": ("Timing", "Ritmo"),
    "chart_said": (
        "{count} lines. They cover their originals by {overlap} %; the fastest is spoken at {tempo} times its natural "
        "length, and {off} % begin more than 0.3 s off.",
        "{count} líneas. Cubren el {overlap} % de las originales; la más rápida va a {tempo} veces su ritmo natural y "
        "el {off} % empieza con más de 0,3 s de diferencia.",
    ),
    "lane_original": ("Original", "Original"),
    "lane_dub": ("Dub", "Doblaje"),
    "tempo_ok": ("at ease, up to 1.1", "tranquilo, hasta 1,1"),
    "tempo_brisk": ("brisk, up to 1.3", "ágil, hasta 1,3"),
    "tempo_fast": ("hurried, above 1.3", "apurado, más de 1,3"),
    "lines": ("Lines", "Líneas"),
    "lines_hint": (
        "Change what was heard or what is said, then press the button: only those lines are done again. A line whose "
        "original you mend is translated anew.",
        "Cambia lo que se oyó o lo que se dice y pulsa el botón: solo se rehacen esas líneas. Si corriges el original, "
        "la línea se vuelve a traducir.",
    ),
    "time": ("Time", "Tiempo"),
    "heard": ("Heard", "Escuchado"),
    "said": ("Said", "Dicho"),
    "tempo": ("Tempo", "Ritmo"),
    "play_line": ("Play from {time}", "Reproducir desde {time}"),
    "heard_of": ("Heard, line {number}", "Escuchado, línea {number}"),
    "said_of": ("Said, line {number}", "Dicho, línea {number}"),
    "save": ("Do the changed lines again", "Rehacer las líneas cambiadas"),
    "unchanged": ("Nothing is changed yet.", "Aún no hay cambios."),
    "one_changed": ("1 line changed", "1 línea cambiada"),
    "many_changed": ("{count} lines changed", "{count} líneas cambiadas"),
    "silent": ("empty: nothing is spoken", "vacío: no se dice nada"),
    "other_language": ("Another language", "Otro idioma"),
    "remove": ("Remove", "Borrar"),
    "remove_sure": (
        "Remove this video and all that was made of it from the server?",
        "¿Borrar del servidor este vídeo y todo lo que se hizo con él?",
    ),
    # Translate: this browser's films
    "yours": ("Your videos", "Tus vídeos"),
    "yours_none": ("What you translate is listed here.", "Aquí aparecerá lo que traduzcas."),
    "state_queued": ("waiting", "esperando"),
    "state_running": ("at work", "en marcha"),
    "state_done": ("done", "listo"),
    "state_failed": ("failed", "falló"),
    "state_cancelled": ("cancelled", "cancelado"),
    # What goes wrong
    "trouble_file": ("This file cannot be used", "Este archivo no se puede usar"),
    "trouble_start": ("This cannot be started", "No se puede empezar"),
    "trouble_job": ("This could not be dubbed", "No se pudo doblar"),
    "trouble_voice": ("This voice cannot be heard", "Esta voz no se puede escuchar"),
    "voice_failed": (
        "The server did not answer, or the browser cannot play it: try again in a moment.",
        "El servidor no respondió o el navegador no la puede reproducir: inténtalo de nuevo dentro de poco.",
    ),
    "trouble_change": ("The change was not taken", "El cambio no se aceptó"),
    "trouble_gone": ("This video is no longer here", "Este vídeo ya no está"),
    "gone": (
        "It was removed, or its time here is over. Upload it again to have it dubbed.",
        "Se borró o se cumplió su plazo. Súbelo otra vez para doblarlo.",
    ),
    "no_target": ("Choose the language to translate into.", "Elige el idioma al que se traduce."),
    "too_long": (
        "{file} lasts {minutes} minutes, and this server takes at most {limit}: cut it into parts.",
        "{file} dura {minutes} minutos y este servidor acepta {limit} como máximo: divídelo en partes.",
    ),
    "too_large": (
        "{file} has {megabytes} MB, and this server takes at most {limit} (VT_MAX_UPLOAD_MB): cut it into parts, or "
        "save it with a smaller picture.",
        "{file} tiene {megabytes} MB y este servidor acepta {limit} como máximo (VT_MAX_UPLOAD_MB): divídelo en "
        "partes o guárdalo con una imagen más pequeña.",
    ),
    "language_gone": (
        "{language} cannot be had here any more: the choice shows what works now.",
        "{language} ya no está disponible aquí: la lista muestra lo que funciona ahora.",
    ),
    "connection_lost": (
        "Connection to the server was lost. Leave this page open: it goes on by itself once the server is back.",
        "Se perdió la conexión con el servidor. Deja la página abierta: sigue sola en cuanto el servidor vuelva.",
    ),
    "cancelled": ("You cancelled this. Start again whenever you like.", "Lo cancelaste. Puedes empezar de nuevo."),
    "cancelled_title": ("Cancelled", "Cancelado"),
    "try_again": ("Try again", "Intentar de nuevo"),
    "trouble_unexpected": (
        "Something unexpected happened here; the log of the server tells of it. Try again, or load the page anew.",
        "Ocurrió algo inesperado; el registro del servidor lo explica. Inténtalo de nuevo o recarga la página.",
    ),
    # Models
    "models_memory": ("Models in memory", "Modelos en memoria"),
    "models_none": (
        "None yet. A model is loaded when a video first needs it, and stays for the next one.",
        "Ninguno aún. Un modelo se carga cuando un vídeo lo necesita y se queda para el siguiente.",
    ),
    "models_used": ("{used} of {budget} MB for models", "{used} de {budget} MB para modelos"),
    "models_counts": (
        "{hits} hits, {misses} misses, {loads} loads, {evictions} evictions",
        "{hits} aciertos, {misses} fallos, {loads} cargas, {evictions} descargas",
    ),
    "column_key": ("Cache key", "Clave"),
    "column_kind": ("Kind", "Tarea"),
    "column_state": ("State", "Estado"),
    "column_mb": ("MB", "MB"),
    "column_leases": ("In use", "En uso"),
    "column_idle": ("Idle (s)", "Sin uso (s)"),
    "column_load": ("Load (s)", "Carga (s)"),
    "kind_stt": ("hears", "escucha"),
    "kind_translation": ("translates", "traduce"),
    "kind_tts": ("speaks", "habla"),
    "model_queued": ("queued", "en espera"),
    "model_loading": ("loading", "cargando"),
    "model_ready": ("ready", "listo"),
    "model_retiring": ("retiring", "saliendo"),
    "model_failed": ("failed", "falló"),
    "health_healthy": ("healthy", "todo en orden"),
    "health_degraded": ("degraded", "funciona con limitaciones"),
    "health_unhealthy": ("unhealthy", "no funciona"),
    "models_model": ("Model", "Modelo"),
    "models_unload": ("Unload this model", "Quitar este modelo de la memoria"),
    "models_preload": ("Preload the default models", "Cargar los modelos habituales"),
    "models_clear": ("Unload all", "Vaciar la memoria"),
    "models_token": ("Token (VT_ADMIN_TOKEN)", "Clave (VT_ADMIN_TOKEN)"),
    "models_preloading": ("Preloading: {models}", "Cargando: {models}"),
    "models_no_cache": (
        "Nothing is preloaded: MODEL_CACHE_ENABLED is false, so no model would stay.",
        "No se carga nada: MODEL_CACHE_ENABLED es false y ningún modelo se quedaría.",
    ),
    "models_gone": ("No such model is in memory any more.", "Ese modelo ya no está en la memoria."),
    "models_retiring": (
        "In use, goes with its last user: {models}.",
        "En uso, sale cuando nadie lo use: {models}.",
    ),
    "models_empty": ("No model was in memory.", "No había ningún modelo en la memoria."),
    "models_freed": ("Unloaded: {models}. {megabytes} MB came back.", "Fuera: {models}. Se liberaron {megabytes} MB."),
}
LANGUAGES = ("en", "es")


class Words:
    """The words in one language."""

    def __init__(self, language: str) -> None:
        self.language = language
        self._column = LANGUAGES.index(language)

    def __call__(self, key: str, **values: object) -> str:
        """Return the words of this key, with values in their places; the caller sees to it that they are safe."""
        return _TABLE[key][self._column].format(**values)

    def sentence(self, english: str) -> str:
        """Return what a floor below says, in this language where that is known, else as it is."""
        return spanish.sentence(english) if self.language == "es" else english

    def number(self, value: float, places: int) -> str:
        """Return a number with so many decimal places."""
        written = f"{value:.{places}f}"
        return written.replace(".", ",") if self.language == "es" else written

    def language_name(self, code: str) -> str:
        """Return what a language is called in this one."""
        return languages.get(code).name if self.language == "en" else languages.name_in(code, self.language)


ENGLISH = Words("en")
"""For scripts."""


def of(request: gr.Request | None) -> Words:
    """Return the words in the language that a browser asks for first."""
    asked = request.headers.get("accept-language", "") if request else ""
    return Words("es" if asked.strip().lower().startswith("es") else "en")


def label(key: str) -> I18nData:
    """Return a mark that the browser turns into the words of this key."""
    return I18nData(key)


def translations() -> gr.I18n:
    """Return all words, for the browser."""
    columns: dict[str, dict[str, str]] = {
        language: {key: row[column] for key, row in _TABLE.items()} for column, language in enumerate(LANGUAGES)
    }
    return gr.I18n(**columns)
