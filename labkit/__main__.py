"""`python -m labkit COMMAND`: the same commands on Linux, macOS and Windows."""

import sys

from .cli import main

if __name__ == "__main__":
    sys.exit(main())
