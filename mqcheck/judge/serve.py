"""The judging child's loop: a history folder in, its verdicts out, one JSON line each.

It runs in a process of its own so that judging cannot stall what is still being recorded; see ``process`` for the
other side.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TextIO

from mqcheck.errors import MqcheckError
from mqcheck.judge.engine import judge_history
from mqcheck.specs import Specs


def serve(lines: Iterable[str], out: TextIO, specs: Specs) -> None:
    """Answer each line ``{"folder": …}`` by ``{"folder", "verdicts"}`` or ``{"folder", "error"}`` until input ends.

    A line with ``only``, a list of ids, asks for these guarantees alone, and leaves no tables: the history may still be
    being written.
    """
    for line in lines:
        if not line.strip():
            continue
        asked = json.loads(line)
        folder, only = str(asked["folder"]), asked.get("only")
        try:
            chosen = specs if only is None else Specs(tuple(specs.get(each) for each in only), specs.folders)
            verdicts = judge_history(Path(folder), chosen, parquet=only is None)
            answer: dict[str, object] = {"folder": folder, "verdicts": [verdict.as_dict() for verdict in verdicts]}
        except MqcheckError as error:
            answer = {"folder": folder, "error": f"{type(error).__name__}: {error}"}
        except Exception as error:
            # A judge never answers with a stack trace: whatever broke is the kit's failure, told in one line.
            answer = {"folder": folder, "error": f"{type(error).__name__} while judging: {error}"}
        out.write(json.dumps(answer) + "\n")
        out.flush()
