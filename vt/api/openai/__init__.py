"""OpenAI's audio routes: the same paths, fields, answers and errors, on the models of this server."""

from vt.api.openai.errors import shape
from vt.api.openai.routes import make

__all__ = ["make", "shape"]
