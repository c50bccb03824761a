"""``python -m mqcheck``: the same as the command ``mqcheck``."""

import sys

from mqcheck.cli import main

if __name__ == "__main__":
    sys.exit(main())
