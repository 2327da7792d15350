"""`python -m vt`: the command line."""

import sys

from vt.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
