"""LibreTranslate's routes: the same paths, fields, answers and errors, on the translators of this server."""

from vt.api.libre.routes import make, shape

__all__ = ["make", "shape"]
