"""The entry point of the service; for now it says how to use the command line."""

import sys


def main() -> int:
    """Say what there is."""
    sys.stdout.write("Dub a film with: .venv/bin/python -m vt translate VIDEO --to es\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
