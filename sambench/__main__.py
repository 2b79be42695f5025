"""``python -m sambench``."""

import sys

from sambench.cli import main

if __name__ == "__main__":
    sys.exit(main())
