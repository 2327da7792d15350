"""The service's own sentences in Spanish: what a file, a language or the disk lacks, and what a dub is noted for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache

from vt import languages
from vt.errors import LanguageError

SENTENCES: Mapping[str, str] = {
    # Files
    "{file} is not a video or audio file that vt can read (such as {kinds}), or it is damaged.":
        "{file} no es un archivo de vídeo o audio que vt pueda leer (como {kinds}), o está dañado.",
    "{file} is not a video or audio file that vt opens (such as {kinds}): playlists and scripts are not.":
        "{file} no es un archivo de vídeo o audio que vt abra (como {kinds}): las listas y los guiones no lo son.",
    "{file} is incomplete: its end is missing. Copy or download it again.":
        "{file} está incompleto: le falta el final. Cópialo o descárgalo otra vez.",
    "{file} is incomplete: it promises {promised} s, but only {there} s are there. Copy or download it again.":
        "{file} está incompleto: promete {promised} s, pero solo hay {there} s. Cópialo o descárgalo otra vez.",
    "{file} is empty: copy or download it again.": "{file} está vacío: cópialo o descárgalo otra vez.",
    "{file} has no audio track: there is nothing to translate.":
        "{file} no tiene pista de sonido: no hay nada que traducir.",
    "{file} has no audio track {wanted}: it has {count}.": "{file} no tiene pista de sonido {wanted}: tiene {count}.",
    "{file}: no speech found, so there is nothing to translate.":
        "{file}: no se encontró habla, así que no hay nada que traducir.",
    "{file} is too long: it lasts {minutes} minutes, and this server takes at most {limit} (VT_MAX_DURATION_MINUTES).":
        "{file} es demasiado largo: dura {minutes} minutos y este servidor acepta {limit} como máximo "
        "(VT_MAX_DURATION_MINUTES).",
    "The film is too large: this server takes at most {limit} MB (VT_MAX_UPLOAD_MB).":
        "El vídeo es demasiado grande: este servidor acepta {limit} MB como máximo (VT_MAX_UPLOAD_MB).",
    "The sound of {file} cannot be decoded: the file is damaged.":
        "El sonido de {file} no se puede decodificar: el archivo está dañado.",
    "The uploaded file is no longer here: upload it again.": "El archivo subido ya no está aquí: súbelo otra vez.",
    # Subtitles
    "{file} holds no words: there is nothing to translate.": "{file} no contiene palabras: no hay nada que traducir.",
    "The subtitles hold no times: an SRT or WebVTT file is needed, from its line 1 on.":
        "Los subtítulos no contienen tiempos: hace falta un archivo SRT o WebVTT, desde su línea 1.",
    'Line {line} of the subtitles cannot be read: "{text}". It should look like 00:01:02,500 --> 00:01:04,000.':
        "No se puede leer la línea {line} de los subtítulos: «{text}». Debería ser como 00:01:02,500 --> 00:01:04,000.",
    'The subtitles do not belong to this film: it ends after {seconds} s, but the line "{text}" begins at {start} s.':
        "Los subtítulos no son de este vídeo: termina a los {seconds} s, pero la línea «{text}» empieza a los "
        "{start} s.",
    # Languages
    "The film speaks {language} already: choose another target language.":
        "El vídeo ya habla {language}: elige otro idioma de destino.",
    "Nobody here translates {language} to {language_to}: a package apertium-* for the pair would be needed.":
        "Aquí nadie traduce de {language} a {language_to}: haría falta un paquete apertium-* para esa pareja.",
    "{language} cannot be spoken here: espeak-ng has no voice for it.":
        "Aquí no se puede hablar en {language}: espeak-ng no tiene voz para ese idioma.",
    "{language} cannot be heard here: the recognition model {model} hears English only. A multilingual Whisper model, "
    "such as small, would be needed.":
        "Aquí no se puede escuchar en {language}: el modelo de reconocimiento {model} solo entiende inglés. Haría "
        "falta un modelo Whisper multilingüe, como small.",
    # Work
    "Too many jobs are waiting already: try again in some minutes.":
        "Ya hay demasiados trabajos en espera: inténtalo de nuevo dentro de unos minutos.",
    "The lines have been changed by somebody else meanwhile: load them again, then edit.":
        "Entretanto alguien cambió las líneas: cárgalas otra vez y después edítalas.",
    "The job is {state}, so this cannot be done with it now.":
        "El estado del trabajo es «{state}», así que ahora no se puede hacer esto con él.",
    "There is no such job: the address is wrong, or the job has been removed.":
        "No existe ese trabajo: la dirección está mal o el trabajo se borró.",
    "The server died {times} times in a row while working on this, without finishing one more piece of it, so it was "
    "given up. Perhaps it needs more memory than there is: try a smaller model or a shorter film.":
        "El servidor se cayó {times} veces seguidas con este trabajo sin terminar ni una parte más, así que se "
        "abandonó. Quizá necesite más memoria de la que hay: prueba con un modelo más pequeño o un vídeo más corto.",
    "The disk is full: free some space and try again.": "El disco está lleno: libera espacio e inténtalo de nuevo.",
    "The disk has no room for this: about {needed} MB are needed, and {free} MB are free for it. Remove jobs that are "
    "over, or try a smaller film.":
        "En el disco no hay sitio para esto: hacen falta unos {needed} MB y quedan {free} MB libres. Borra trabajos "
        "terminados o prueba con un vídeo más pequeño.",
    "The results have been removed from the disk: dub the film again.":
        "Los resultados se borraron del disco: dobla el vídeo otra vez.",
    "An unexpected error, which the server's log tells of. Please report it.":
        "Un error inesperado, que consta en el registro del servidor. Por favor, comunícalo.",
    "Line {line} is too long: {most} characters are the most.":
        "La línea {line} es demasiado larga: {most} caracteres como máximo.",
    "The lines did not come through as they should: load the page anew and try again.":
        "Las líneas no llegaron como debían: recarga la página e inténtalo de nuevo.",
    # Models
    "The token is not the one that VT_ADMIN_TOKEN holds.": "La clave no es la que contiene VT_ADMIN_TOKEN.",
    "Managing models needs the token that VT_ADMIN_TOKEN holds.":
        "Para gestionar los modelos hace falta la clave que contiene VT_ADMIN_TOKEN.",
    "Managing models from elsewhere needs the token that VT_ADMIN_TOKEN holds.":
        "Para gestionar los modelos desde fuera hace falta la clave que contiene VT_ADMIN_TOKEN.",
    "Models cannot be managed {where} without a token: whoever runs this server can set VT_ADMIN_TOKEN.":
        "Los modelos no se pueden gestionar desde aquí sin una clave: quien lleva este servidor puede fijar "
        "VT_ADMIN_TOKEN.",
    "The {model} cannot be downloaded: {why}.": "No se puede descargar ({model}): {why}.",
    "Downloading the model {model} from {hub}: {size}{had}, into {folder}. To avoid it, set VT_ENGINES=embedded, or "
    "run `python -m vt fetch` ahead of time.":
        "Descargando el modelo {model} de {hub}: {size}. Para evitarlo, fija VT_ENGINES=embedded o ejecuta antes "
        "`python -m vt fetch`.",
    "{model}: {done} of {whole} ({percent} %).": "{model}: {done} de {whole} ({percent} %).",
    "Converting {model} ({size} GB) to {form}: once, in a minute or so.":
        "Convirtiendo {model} ({size} GB) a {form}: una sola vez, en un minuto más o menos.",
    # What a dub is noted for
    "Apertium translates by rules: fair, not good. Read the subtitles through before you publish.":
        "Apertium traduce con reglas: pasable, no bien. Repasa los subtítulos antes de publicar.",
    "The voice is espeak-ng's: clear, but plainly a machine's.":
        "La voz es de espeak-ng: clara, pero claramente de máquina.",
    "The voice is MMS-TTS's: its licence (CC-BY-NC-4.0) allows no commercial use.":
        "La voz es de MMS-TTS: su licencia (CC-BY-NC-4.0) no permite el uso comercial.",
    "NLLB's weights are for non-commercial use only (CC-BY-NC-4.0).":
        "Los pesos de NLLB son solo para uso no comercial (CC-BY-NC-4.0).",
    "The language was not detected: the recognition model hears {language} only.":
        "No se detectó el idioma: el modelo de reconocimiento solo entiende {language}.",
    "The film speaks {language}, as far as was heard (probability {probability}).":
        "El vídeo habla {language}, según lo escuchado (probabilidad {probability}).",
    "The subtitles are {language}, by their text (probability {probability}).":
        "Los subtítulos están en {language}, a juzgar por su texto (probabilidad {probability}).",
    "The picture was {codec}, which cannot live in mp4: it was encoded again as H.264.":
        "La imagen era {codec}, que no cabe en mp4: se volvió a codificar como H.264.",
    "An original sound track was {codec}: it was encoded again as AAC.":
        "Una pista de sonido original era {codec}: se volvió a codificar como AAC.",
    "A subtitle track ({codec}) was left out: mp4 holds only text.":
        "Se dejó fuera una pista de subtítulos ({codec}): mp4 solo admite texto.",
}  # fmt: skip
"""English, as the rooms below say it, and Spanish; each value of the one has its place in the other."""

_PLACE = re.compile(r"\\{(\w+)\\}")


def told(sentence: str) -> str:
    """Return a sentence in Spanish, or as it is where nobody has translated it."""
    for pattern, spanish in _patterns():
        if found := pattern.fullmatch(sentence):
            values = {name: _value(name, said) for name, said in found.groupdict().items()}
            return spanish.format(**values)
    return sentence


@cache
def _patterns() -> tuple[tuple[re.Pattern[str], str], ...]:
    return tuple(
        (re.compile(_PLACE.sub(r"(?P<\1>.*?)", re.escape(english)), re.DOTALL), spanish)
        for english, spanish in SENTENCES.items()
    )


def _value(name: str, said: str) -> str:
    """Return what stands in a sentence's place; the name of a language is another one in Spanish."""
    if not name.startswith("language"):
        return said
    import langcodes

    try:
        return langcodes.Language.get(languages.get(said).code).display_name("es")
    except LanguageError:
        return said
