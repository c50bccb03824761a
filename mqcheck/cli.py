"""Entry point of the command ``mqcheck``: says what to install without the kit, and turns errors into exit statuses."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from mqcheck import exits
from mqcheck.errors import HarnessError, UserError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit status. ``arguments`` default to the process's own."""
    try:
        from mqcheck.commands import app
    except ImportError as error:
        if error.name != "typer":
            raise
        print('mqcheck: the command line needs the kit: pip install "mqcheck[kit]"', file=sys.stderr)
        return exits.USAGE
    try:
        result = app(None if arguments is None else list(arguments), standalone_mode=False, prog_name="mqcheck")
    except UserError as error:
        print(f"mqcheck: {error}", file=sys.stderr)
        return exits.USAGE
    except HarnessError as error:
        print(f"mqcheck: harness error: {error}", file=sys.stderr)
        return exits.HARNESS_ERROR
    except Exception as error:
        if not hasattr(error, "show"):
            raise
        error.show()  # typer's own: an unknown command, a missing argument
        return exits.USAGE
    return int(result or 0)
