"""The entry point of a server in a clone: `python app.py`, `uvicorn app:app`, and Hugging Face Spaces."""

from __future__ import annotations

import sys

from vt import server

made = server.make()
app = made.app

if __name__ == "__main__":
    sys.exit(server.serve(made))
