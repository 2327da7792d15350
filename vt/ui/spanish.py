"""What the floors below say in English, in Spanish: those of their sentences that people meet on the page."""

from __future__ import annotations

import re
import string
from collections.abc import Mapping
from contextlib import suppress
from functools import cache

from vt import languages
from vt.errors import LanguageError

SENTENCES: Mapping[str, str] = {
    # Films
    "{file} is not a video or audio file that vt can read (such as {kinds}), or it is damaged.": (
        "{file} no es un archivo de vídeo o audio que se pueda leer (como {kinds}), o está dañado."
    ),
    "{file} is not a video or audio file that vt opens (such as {kinds}): playlists and scripts are not.": (
        "{file} no es un archivo de vídeo o audio que se pueda abrir (como {kinds}): listas y guiones no lo son."
    ),
    "{file} is empty: copy or download it again.": "{file} está vacío: cópialo o descárgalo otra vez.",
    "{file} is incomplete: its end is missing. Copy or download it again.": (
        "{file} está incompleto: le falta el final. Cópialo o descárgalo otra vez."
    ),
    "{file} is incomplete: it promises {promised} s, but only {there} s are there. Copy or download it again.": (
        "{file} está incompleto: promete {promised} s, pero solo hay {there} s. Cópialo o descárgalo otra vez."
    ),
    "{file} cannot be written anew with its dub: it is damaged, or holds what no mp4 can.": (
        "{file} no se puede volver a escribir con su doblaje: está dañado, o contiene algo que no cabe en un mp4."
    ),
    "The sound of {file} cannot be decoded: the file is damaged.": (
        "El sonido de {file} no se puede leer: el archivo está dañado. Cópialo o descárgalo otra vez."
    ),
    "{file} cannot be used: it is damaged, or takes more than vt gives to one film. {reason}": (
        "{file} no se puede usar: está dañado o pide más de lo que se da a un solo vídeo. ({reason})"
    ),
    "{file} has more tracks and attachments than the {count} that vt takes.": (
        "{file} tiene más pistas y adjuntos que los {count} que se aceptan."
    ),
    "{file} is too long: it promises {minutes} minutes, but it holds more than {limit}, and longer films are not taken "
    "here (VT_MAX_DURATION_MINUTES).": (
        "{file} es demasiado largo: promete {minutes} minutos, pero contiene más de {limit}, y aquí no se aceptan "
        "vídeos más largos (VT_MAX_DURATION_MINUTES)."
    ),
    "{program} was ended by the system ({signal}), probably because memory ran out: free some, or try again later.": (
        "El sistema detuvo {program} ({signal}), probablemente por falta de memoria: inténtalo de nuevo más tarde."
    ),
    "Nothing went on for {minutes} minutes, so the job was stopped: try it again.": (
        "No hubo avance durante {minutes} minutos y el trabajo se detuvo: inténtalo de nuevo."
    ),
    "The job took longer than {hours} hours and was stopped: try a shorter film.": (
        "El trabajo tardó más de {hours} horas y se detuvo: prueba con un vídeo más corto."
    ),
    "Too much is at work here at this moment: try again in a while.": (
        "Ahora mismo hay demasiado trabajo aquí: inténtalo de nuevo dentro de un rato."
    ),
    "{file} has no audio track: there is nothing to translate.": (
        "{file} no tiene sonido: no hay nada que traducir. Añade subtítulos y se doblará con ellos."
    ),
    "{file} has no audio track {number}: it has {count}.": "{file} no tiene la pista {number}: tiene {count}.",
    "{file}: no speech found, so there is nothing to translate.": (
        "{file}: no se oyó hablar a nadie, así que no hay nada que traducir."
    ),
    "{file} is too long: it lasts {minutes} minutes, and this server takes at most {limit} "
    "(VT_MAX_DURATION_MINUTES).": (
        "{file} es demasiado largo: dura {minutes} minutos y este servidor acepta {limit} como máximo "
        "(VT_MAX_DURATION_MINUTES)."
    ),
    "The film is too large: this server takes at most {limit} MB (VT_MAX_UPLOAD_MB).": (
        "El archivo es demasiado grande: este servidor acepta {limit} MB como máximo (VT_MAX_UPLOAD_MB)."
    ),
    "The uploaded file is no longer here: upload it again.": "El archivo subido ya no está: súbelo otra vez.",
    # Subtitles
    "{file} holds no words: there is nothing to translate.": "{file} no contiene palabras: no hay nada que traducir.",
    "The subtitles hold no times: an SRT or WebVTT file is needed, from its line 1 on.": (
        "Los subtítulos no tienen tiempos: hace falta un archivo SRT o WebVTT, desde su primera línea."
    ),
    'Line {number} of the subtitles cannot be read: "{line}". It should look like 00:01:02,500 --> 00:01:04,000.': (
        "La línea {number} de los subtítulos no se puede leer: «{line}». Debería ser como "
        "00:01:02,500 --> 00:01:04,000."
    ),
    "The subtitles are too large: {limit} MB are the most.": (
        "Los subtítulos ocupan demasiado: {limit} MB como máximo."
    ),
    "The subtitles are too long: {limit} cues are the most.": (
        "Los subtítulos son demasiado largos: {limit} rótulos como máximo."
    ),
    "The subtitles are too long: {limit} words are the most.": (
        "Los subtítulos son demasiado largos: {limit} palabras como máximo."
    ),
    "The cue at line {number} of the subtitles is too long: {limit} characters are the most.": (
        "El rótulo de la línea {number} de los subtítulos es demasiado largo: {limit} caracteres como máximo."
    ),
    'The subtitles do not belong to this film: it ends after {seconds} s, but the line "{line}" begins at {start} s.': (
        "Los subtítulos no son de este vídeo: acaba a los {seconds} s, pero la línea «{line}» empieza a los {start} s."
    ),
    "The language of the subtitles cannot be told from their text: name it with --from.": (
        "El idioma de los subtítulos no se reconoce por su texto: elígelo en «Idioma del vídeo»."
    ),
    # Languages
    "Nobody here translates {language_from} to {language_to}: a package apertium-* for the pair would be needed.": (
        "Aquí nadie traduce del {language_from} al {language_to}: elige otro idioma."
    ),
    "Nobody here translates {language_from} to {language_to}: a package apertium-* for the pair would be needed. "
    "VT_LICENCES=commercial leaves out {engines}.": (
        "Aquí nadie traduce del {language_from} al {language_to}: elige otro idioma. No se permite lo que excluye "
        "el uso comercial: {engines}."
    ),
    "{language} cannot be spoken here: espeak-ng has no voice for it. VT_LICENCES=commercial leaves out {engines}.": (
        "Aquí ninguna voz habla {language}: elige otro idioma. No se permite lo que excluye el uso comercial: "
        "{engines}."
    ),
    "{engine} may not be used: VT_LICENCES=commercial leaves out {engines}.": (
        "{engine} no se puede usar. No se permite lo que excluye el uso comercial: {engines}."
    ),
    "{engine} does not translate {language_from} to {language_to} here.": (
        "{engine} no traduce aquí de {language_from} a {language_to}."
    ),
    "{language} cannot be spoken here: espeak-ng has no voice for it.": (
        "Aquí ninguna voz habla {language}: elige otro idioma."
    ),
    "The film speaks {language} already: choose another target language.": (
        "El vídeo ya está en {language}: elige otro idioma de destino."
    ),
    "The sound of {file} is tagged {language_tag}, but the recognition model hears {language_heard} only: choose "
    "another track with --audio-track, or say --from {code} if the tag is wrong.": (
        "El sonido de {file} dice estar en {language_tag}, pero el modelo solo entiende {language_heard}: elige otra "
        "pista o, si no es cierto, elige el idioma en «Idioma del vídeo»."
    ),
    # Voices
    "The voice {voice} cannot be heard yet: its model has not been downloaded here.": (
        "La voz {voice} aún no se puede escuchar: su modelo no se ha descargado en este servidor."
    ),
    "The voice {voice} cannot be heard now: too much else is at work here.": (
        "La voz {voice} no se puede escuchar ahora: hay demasiado trabajo aquí."
    ),
    "The voice {voice} cannot be heard: it gave no sound.": "La voz {voice} no se puede escuchar: no dio sonido.",
    "No voice goes by the name {voice} here. Near are: {near}.": (
        "Aquí no hay ninguna voz llamada {voice}. Se parecen: {near}."
    ),
    "The voice {voice} speaks {language_spoken}, not {language_wanted}. Voices for {language_again}: {near}.": (
        "La voz {voice} habla {language_spoken}, no {language_wanted}. Voces para {language_again}: {near}."
    ),
    "The voice {voice} is one of {own}, not of {other}: name only one of them.": (
        "La voz {voice} es de {own}, no de {other}: elige solo una de las dos cosas."
    ),
    # Jobs
    "Too many jobs are waiting already: try again in some minutes.": (
        "Ya hay demasiados trabajos esperando: inténtalo de nuevo en unos minutos."
    ),
    "Too many of your jobs are waiting or running ({count} are the most at a time): wait for one to end, or cancel "
    "one, then try again.": (
        "Tienes demasiados trabajos a la vez (como máximo, {count}): espera a que termine uno, o cancela alguno, e "
        "inténtalo de nuevo."
    ),
    "The films of your jobs take too much room ({count} MB are the most that this server keeps of one visitor): remove "
    "jobs that are over, or wait until the server does, then try again.": (
        "Los vídeos de tus trabajos ocupan demasiado (como máximo, {count} MB por visitante): borra trabajos que ya "
        "hayan terminado, o espera a que lo haga el servidor, e inténtalo de nuevo."
    ),
    "Too many of your uploads wait here already: start the jobs that they are for.": (
        "Tienes demasiados archivos subidos que aún esperan: empieza los trabajos para los que son."
    ),
    "Too many {what} at a time come from your address ({count} are the most): wait for one to end, then try again.": (
        "Llegan demasiadas peticiones a la vez desde tu dirección ({count} como máximo): espera a que termine una e "
        "inténtalo de nuevo."
    ),
    "This server has too many {what} at once: try again in a moment.": (
        "El servidor tiene demasiado que hacer en este momento: inténtalo de nuevo dentro de poco."
    ),
    "There is no such job: the address is wrong, or the job has been removed.": (
        "Ese trabajo no existe: se borró o se cumplió su plazo."
    ),
    "The job is {state}, so this cannot be done with it now.": (
        "El trabajo no lo permite ahora: recarga la página para ver cómo está."
    ),
    "The lines have been changed by somebody else meanwhile: load them again, then edit.": (
        "Alguien más cambió las líneas entretanto: recarga la página y vuelve a editarlas."
    ),
    "Line {number} holds a character that cannot be written or spoken: type its text anew.": (
        "La línea {number} contiene un carácter que no se puede escribir ni pronunciar: vuelve a escribir su texto."
    ),
    "Line {number} is too long: {most} characters are the most.": (
        "La línea {number} es demasiado larga: {most} caracteres como máximo."
    ),
    "The disk has no room for this: about {needed} MB are needed, and {free} MB are free for it. "
    "Remove jobs that are over, or try a smaller film.": (
        "No hay sitio en el disco: se necesitan unos {needed} MB y quedan {free} MB. "
        "Borra trabajos terminados o prueba con un vídeo más pequeño."
    ),
    "The disk is full: free some space and try again.": (
        "El disco está lleno: borra trabajos terminados e inténtalo de nuevo."
    ),
    "The server died {count} times in a row while working on this, without finishing one more piece of it, so it "
    "was given up. Perhaps it needs more memory than there is: try a smaller model or a shorter film.": (
        "El servidor se cayó {count} veces seguidas mientras trabajaba en esto, sin avanzar, así que se abandonó. "
        "Quizá falte memoria: prueba con un modelo más pequeño o un vídeo más corto."
    ),
    "The memory did not suffice for the work of the model {model}, nor for that of {other}, which stood in for it: "
    "try a shorter film, or give vt more memory.": (
        "La memoria no bastó para el modelo {model}, ni para {other}, que lo sustituyó: prueba con un vídeo más corto "
        "o dale más memoria al servidor."
    ),
    "The memory did not suffice for this: try a smaller model or a shorter film, or give vt more memory.": (
        "La memoria no bastó: prueba con un modelo más pequeño o un vídeo más corto, o dale más memoria al servidor."
    ),
    "The results are damaged: dub the film again.": "Los resultados están dañados: dobla el vídeo otra vez.",
    "The results cannot be read ({reason}): check the disk.": (
        "Los resultados no se pueden leer ({reason}): revisa el disco del servidor."
    ),
    "An unexpected error, which the server's log tells of. Please report it.": (
        "Un error inesperado, que el registro del servidor explica. Avisa a quien lo administra."
    ),
    # Remarks in a report
    "Apertium translates by rules: fair, not good. Read the subtitles through before you publish.": (
        "Apertium traduce con reglas: pasable, no bien. Lee los subtítulos antes de publicar."
    ),
    "Whisper translated what it heard, without a text translator: the English is rough. Read it through before you "
    "publish.": (
        "Whisper tradujo lo que oyó, sin traductor de textos: el inglés es aproximado. Léelo antes de publicar."
    ),
    "No text translator here knows {language_from} to {language_to}.": (
        "Aquí ningún traductor de textos sabe pasar de {language_from} a {language_to}."
    ),
    "1 sentence is in {language} already and was kept.": "1 frase ya está en {language} y se dejó como está.",
    "{count} sentences are in {language} already and were kept.": (
        "{count} frases ya están en {language} y se dejaron como están."
    ),
    "1 sentence could not be translated and stays silent: write what is to be said.": (
        "1 frase no se pudo traducir y queda en silencio: escribe lo que hay que decir."
    ),
    "{count} sentences could not be translated and stay silent: write what is to be said.": (
        "{count} frases no se pudieron traducir y quedan en silencio: escribe lo que hay que decir."
    ),
    "Nothing here translates {language_from} text to {language_to}, for this film was translated from its sound: "
    "change what is spoken instead of what was said.": (
        "Aquí nada traduce texto en {language_from} a {language_to}, pues el vídeo se tradujo de su sonido: cambia lo "
        "que se dice en el doblaje, no lo que se dijo."
    ),
    "A better translation is one download away: python -m vt fetch {models}.": (
        "Hay una traducción mejor a una descarga de distancia, para quien administra el servidor: "
        "python -m vt fetch {models}."
    ),
    "The voice is espeak-ng's: clear, but plainly a machine's.": (
        "La voz es de espeak-ng: clara, pero se nota que es una máquina."
    ),
    "NLLB's weights are for non-commercial use only (CC-BY-NC-4.0).": (
        "NLLB solo se puede usar sin fines comerciales (CC-BY-NC-4.0)."
    ),
    "The voice is MMS-TTS's: its licence (CC-BY-NC-4.0) allows no commercial use.": (
        "La voz es de MMS-TTS: su licencia (CC-BY-NC-4.0) no permite el uso comercial."
    ),
    "The language was not detected: the recognition model hears {language} only.": (
        "El idioma no se averiguó: el modelo solo entiende {language}."
    ),
    "The film speaks {language}, as far as was heard (probability {probability}).": (
        "El vídeo está en {language}, por lo que se oyó (probabilidad {probability})."
    ),
    "The subtitles are {language}, by their text (probability {probability}).": (
        "Los subtítulos están en {language}, por su texto (probabilidad {probability})."
    ),
    "The subtitles look like {language_seen}, but --from says {language_said}: check the dub.": (
        "Los subtítulos parecen estar en {language_seen}, pero se eligió {language_said}: revisa el doblaje."
    ),
    "The picture was {codec}, which cannot live in mp4: it was encoded again as H.264.": (
        "La imagen era {codec}, que no cabe en un mp4: se volvió a codificar como H.264."
    ),
    "An original sound track was {codec}: it was encoded again as AAC.": (
        "Una pista de sonido original era {codec}: se volvió a codificar como AAC."
    ),
    "A cover was left out: it is too large, or damaged.": (
        "Se dejó fuera una carátula: es demasiado grande o está dañada."
    ),
    "A subtitle track ({codec}) was left out: mp4 holds only text.": (
        "Se dejó fuera una pista de subtítulos ({codec}): un mp4 solo admite texto."
    ),
    # The management of models
    "The token is not the one that VT_ADMIN_TOKEN holds.": "La clave no es la que guarda VT_ADMIN_TOKEN.",
    "Managing models needs the token that VT_ADMIN_TOKEN holds.": (
        "Para manejar los modelos hace falta la clave que guarda VT_ADMIN_TOKEN."
    ),
    "Managing models from elsewhere needs the token that VT_ADMIN_TOKEN holds.": (
        "Para manejar los modelos desde otro sitio hace falta la clave que guarda VT_ADMIN_TOKEN."
    ),
}
"""By the English sentence. A field whose name begins with `language` holds a language's English name."""
_QUOTED = ("file", "line")
"""Fields that stay as somebody wrote them."""


def sentence(english: str) -> str:
    """Return an English sentence in Spanish, or as it is where nobody has translated it."""
    for known, spanish in SENTENCES.items():
        if (found := fields(known, english)) is not None:
            return spanish.format(**{name: _value(name, value) for name, value in found.items()})
    return english


def fields(known: str, english: str) -> dict[str, str] | None:
    """Return what stands in the fields of a known sentence, the first ones as short as may be; None for another."""
    texts, names = _parts(known)
    if not names:
        return {} if known == english else None
    here, end = len(texts[0]), len(english) - len(texts[-1])
    if not (english.startswith(texts[0]) and english.endswith(texts[-1]) and here + len(names) <= end):
        return None
    found: dict[str, str] = {}
    for name, text in zip(names, texts[1:], strict=True):
        at = end if name == names[-1] else english.find(text, here + 1, end)
        if at < here + 1:
            return None
        found[name], here = english[here:at], at + len(text)
    return found


@cache
def _parts(known: str) -> tuple[list[str], list[str]]:
    """Return the names of a sentence's fields, and the texts before, between and behind them."""
    parts = list(string.Formatter().parse(known))
    names = [name for _, name, *_ in parts if name]
    texts = [text for text, *_ in parts]
    return (texts if len(texts) > len(names) else [*texts, ""]), names


def _value(name: str, value: str) -> str:
    if name.startswith("language"):
        with suppress(LanguageError):
            return languages.name_in(languages.get(value).code, "es")
    is_number = name not in _QUOTED and re.fullmatch(r"\A\d++\.\d+", value)
    return value.replace(".", ",") if is_number else value
