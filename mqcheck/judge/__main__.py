"""``python -m mqcheck.judge serve --specs DIR …``: the judging child; speaks JSON lines on stdin and stdout."""

from __future__ import annotations

import gc

gc.disable()  # nothing becomes garbage while modules are imported and queries are prepared: a sixth of the start

import argparse  # noqa: E402
import os  # noqa: E402
import signal  # noqa: E402
import sys  # noqa: E402
from pathlib import Path  # noqa: E402

from mqcheck.errors import SpecsError  # noqa: E402
from mqcheck.judge.queries import cache_folder, warm_up  # noqa: E402
from mqcheck.judge.serve import serve  # noqa: E402
from mqcheck.specs import load_specs  # noqa: E402


def main(arguments: list[str] | None = None) -> int:
    """Serve until the end of input; exit status 4 when the guarantees cannot be loaded."""
    parser = argparse.ArgumentParser(prog="python -m mqcheck.judge", description=__doc__)
    parser.add_argument(
        "command", choices=["serve"], help="answer one line of verdicts per line that names a history folder"
    )
    parser.add_argument("--specs", nargs="*", type=Path, default=[], help="further folders of guarantees")
    options = parser.parse_args(arguments)
    try:
        specs = load_specs(options.specs)
    except SpecsError as error:
        sys.stderr.write(f"{error}\n")
        return 4
    warm_up(specs, cache_folder(os.environ))
    gc.freeze()
    gc.enable()
    serve(sys.stdin, sys.stdout, specs)
    return 0


if __name__ == "__main__":
    # Ctrl-C goes to the whole terminal group; the session ends this child by closing its input.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.exit(main())
