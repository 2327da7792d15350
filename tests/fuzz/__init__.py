"""Files that nobody wrote on purpose, and what the service makes of them; `python -m tests.fuzz` runs it by hand."""

from tests.fuzz.harness import Case, Summary, run

__all__ = ["Case", "Summary", "run"]
