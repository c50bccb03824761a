"""``mqcheck chaos …``: run an experiment, write an example, list what can be broken."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Final

import typer

from mqcheck import exits
from mqcheck.errors import MissingToolError, SettingsError

HELP: Final = """Chaos experiments: Chaos Toolkit is the engine, load, faults, history and judge are the kit's.

\b
  mqcheck chaos new experiment.yaml             write a commented example that runs as it is
  mqcheck chaos run experiment.yaml             run it against the reference
  mqcheck chaos run experiment.yaml --target apache:5.4.0
  mqcheck chaos faults                          what can be broken, and by which words

The same file runs with `chaos run experiment.yaml`, where Chaos Toolkit's own command line is installed.
More: docs/chaos.md; ready experiments: docs/experiments/.
"""

EXAMPLE: Final = Path(__file__).parent / "example.yaml"

chaos = typer.Typer(help=HELP, no_args_is_help=True, rich_markup_mode=None)


@chaos.command("run")
def run(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="An experiment, .yaml or .json.")],
    target: Annotated[
        str | None, typer.Option(metavar="TARGET", help="As for mqcheck run; wins over the file's.")
    ] = None,
    var: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="A variable of the file's configuration; repeatable.")
    ] = None,
    seed: Annotated[int | None, typer.Option(metavar="N", help="Plan of load and faults (default: drawn).")] = None,
    report: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where everything goes (default: .mqcheck/<run>/).")
    ] = None,
    every: Annotated[
        float, typer.Option(metavar="SECONDS", min=0.05, help="Between two askings of a continuous steady state.")
    ] = 0.5,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Only what came out.")] = False,
) -> int:
    """Run an experiment, judge its history, and compute its numbers (RTO, RPO, availability, latency, backlog).

    \b
    DIR gets   journal.json      Chaos Toolkit's journal, with the key `mqcheck`
               numbers.json      what was computed from the history; experiment.md: the same to read
               report.html       every verdict with its evidence
               history/…         the history; `mqcheck check DIR` judges it again

    Exit status: 0 steady state and promises held; 1 deviated, a promise violated, an activity or a rollback failed;
    2 interrupted; 4 the file or target cannot be used; 6 a promise aimed at is undecided; 7 the kit itself failed.
    Rollbacks are always played, unless the file's runtime.rollbacks.strategy says otherwise.
    """
    _require()
    from mqcheck.chaos.experiment import Choice, run_file

    return run_file(file, Choice(tuple(var or ()), target, seed, report, every, quiet))


@chaos.command("new")
def new(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The file to write; must not be there yet.")] = Path(
        "experiment.yaml"
    ),
) -> int:
    """Write a commented example that runs as it is."""
    if file.exists():
        raise SettingsError(f"{file} is there already: name another file")
    if file.suffix not in (".yaml", ".yml"):
        raise SettingsError(f"{file}: the example has comments, so its name must end in .yaml or .yml")
    try:
        file.write_text(EXAMPLE.read_text(encoding="utf-8"), encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"{file} cannot be written: {error.strerror or error}") from error
    print(f"{file}: run it with `mqcheck chaos run {file}`")
    return exits.HELD


@chaos.command("faults")
def faults() -> int:
    """List every fault that `inject` knows: its parameters, and what it does."""
    from mqcheck.chaos.vocabulary import described, on_links

    for kind, numbers, what in described():
        place = "links" if on_links(kind) else "a node"
        print(f"{kind:<18} on {place}{': ' + numbers if numbers else ''}\n{'':<18} {what}")
    return exits.HELD


def _require() -> None:
    """Raises MissingToolError that names what to install."""
    from mqcheck.machinery import require_kit

    require_kit()
    if find_spec("chaoslib") is None:
        raise MissingToolError('experiments need Chaos Toolkit\'s library: pip install "mqcheck[kit,chaos]"')
