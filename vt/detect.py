"""Which language a text is written in."""

from __future__ import annotations

from functools import cache
from typing import Any

from vt import languages
from vt.errors import LanguageError
from vt.languages import Language

_SURE = 0.9
_ENOUGH = 50_000
"""Characters from which a language can be told: more of them tell no more."""


def language_of(text: str) -> tuple[Language, float]:
    """Return the language of a text and the probability that the detector (py3langid) gives it.

    Raises:
        LanguageError: it is too short or too mixed to tell.
    """
    code, probability = _identifier().classify(text[:_ENOUGH])
    if probability < _SURE:
        raise LanguageError("The language of the subtitles cannot be told from their text: name it with --from.")
    return languages.get(code), float(probability)


@cache
def _identifier() -> Any:  # noqa: ANN401 (py3langid is untyped)
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
