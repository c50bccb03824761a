"""Makes the pages `reference/` and `guarantees/` of the site out of the code, each time it is built: none can be stale."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import typer.main
from areas import TITLES, WHY

from mqcheck import exits, hooks
from mqcheck.commands import HELP, app
from mqcheck.history.tables import FACTS, TABLES, column_type
from mqcheck.options import SETTINGS
from mqcheck.scenarios.base import all_scenarios
from mqcheck.specs import AREAS, Guarantee, load_specs

ROOT = Path(__file__).parents[2]
FIXTURE_CLASSES = (
    ("mqcheck/embedded/cluster.py", "Nodes"),
    ("mqcheck/embedded/cluster.py", "RocketMQServer"),
    ("mqcheck/embedded/cluster.py", "RocketMQCluster"),
    ("mqcheck/embedded/looks.py", "Looks"),
    ("mqcheck/embedded/faults.py", "RocketMQFaults"),
    ("mqcheck/embedded/faults.py", "Injected"),
)
"""What fixtures give to a test, by file and class."""
STATUSES = (
    (exits.HELD, "everything selected is held"),
    (exits.VIOLATED, "something is violated, or another test of the session failed"),
    (exits.INTERRUPTED, "interrupted"),
    (exits.INTERNAL, "internal error"),
    (exits.USAGE, "usage: an unknown name, a tool that is missing"),
    (exits.NOTHING_COLLECTED, "nothing selected"),
    (exits.INCONCLUSIVE, "nothing is violated, and something aimed at could not be decided"),
    (exits.HARNESS_ERROR, "the kit itself failed: no verdict on the broker"),
)


def pages() -> dict[str, str]:
    """Every page that is made, by its path below `docs/`."""
    return {
        "reference/cli.md": cli(),
        "reference/options.md": options(),
        "reference/fixtures.md": fixtures(),
        "reference/specs.md": specs(),
        "reference/history.md": history(),
        "reference/hooks.md": hook_page(),
        "reference/scenarios.md": scenarios(),
        "guarantees/index.md": guarantee_index(),
        **{f"guarantees/{area}.md": guarantee_page(area) for area in AREAS},
    }


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    cells = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell(text) for text in row) + " |" for row in cells)


def cell(text: str) -> str:
    """Text that stays in its cell."""
    return " ".join(text.split()).replace("|", r"\|")


# --- command line and options -------------------------------------------------------------------------------------


def cli() -> str:
    """The commands, their arguments and options, and the exit statuses."""
    parts = ["# Command line", "## mqcheck", prose(HELP)]
    for name, command in commands(typer.main.get_command(app), "mqcheck"):
        parts += [f"## {name}", prose(command.help or ""), arguments(command)]
    status = table(["status", "meaning"], [(str(number), text) for number, text in STATUSES])
    parts += ["## Exit status", "Of `pytest --mqcheck` and `mqcheck run`; other commands say theirs above.", status]
    return "\n\n".join(part for part in parts if part)


def commands(group: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Every command below a group, by its words."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, f"{path} {name}")
        else:
            yield f"{path} {name}", command


def arguments(command: Any) -> str:
    """What a command takes."""
    rows = []
    for each in command.params:
        if each.name == "help":
            continue
        is_option = each.param_type_name == "option"
        names = ", ".join(f"`{name}`" for name in each.opts) if is_option else ""
        value = "" if getattr(each, "is_flag", False) else f"`{each.metavar or each.name.upper()}`"
        rows.append((f"{names} {value}".strip(), each.help or ""))
    return table(["takes", "what"], rows) if rows else ""


def prose(text: str) -> str:
    r"""Paragraphs as they are; those that begin with ``\b``, whose lines must stay lines, as blocks."""
    parts = []
    for part in re.split(r"\n\s*\n", inspect.cleandoc(text)):
        lines = part.strip("\n").splitlines()
        if lines and lines[0].strip() == "\b":
            parts.append("```text\n" + textwrap.dedent("\n".join(lines[1:])) + "\n```")
        else:
            parts.append(escaped(part))
    return "\n\n".join(parts)


def escaped(text: str) -> str:
    """``literals`` as Markdown has them, and nothing taken for a tag."""
    return re.sub(r"``(.+?)``", r"`\1`", text).replace("<", "&lt;")


def options() -> str:
    """Every setting with its four spellings."""
    rows = []
    for each in SETTINGS:
        default = "" if each.default in (None, (), False) else f"`{each.default}`"
        value = f" {each.metavar}" if each.metavar else ""
        rows.append((f"`{each.option}{value}`", f"`{each.environment}`", f"`{each.name}`", default, each.help))
    return "\n\n".join(
        [
            "# Options",
            "Each has four spellings. For `mqcheck run` the option's prefix is left out: `--target`. First match wins: command "
            "line, environment, `[tool.mqcheck]` of pyproject.toml, pytest's ini options (the key with `mqcheck_` before it), "
            "default. `mqcheck config` prints every value and where it came from.",
            table(["option of pytest", "environment", "key", "default", "meaning"], rows),
            "`--mqcheck` itself switches the suite on; without it the plugin adds nothing but fixtures.",
        ]
    )


# --- fixtures, hooks, specs, history --------------------------------------------------------------------------------


def fixtures() -> str:
    """The plugin's fixtures, and the members of what they give."""
    parts = ["# Fixtures", "From the plugin; they need nothing beyond `pip install mqcheck`."]
    for node in ast.parse((ROOT / "mqcheck" / "plugin.py").read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_") and (scope := fixture_scope(node)):
            parts += [f"## {node.name}", f"Scope: {scope}.", escaped(inspect.cleandoc(ast.get_docstring(node) or ""))]
    for file, name in FIXTURE_CLASSES:
        tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
        (found,) = [node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == name]
        parts += [f"## {name}", escaped(ast.get_docstring(found) or ""), table(["member", "what"], members(found))]
    return "\n\n".join(parts)


def fixture_scope(function: ast.FunctionDef) -> str:
    """Of a fixture; empty for any other function."""
    for each in function.decorator_list:
        text = ast.unparse(each)
        if text.startswith("pytest.fixture"):
            found = re.search(r"scope='(\w+)'", text)
            return found[1] if found else "function"
    return ""


def members(found: ast.ClassDef) -> Iterator[tuple[str, str]]:
    """Public attributes, properties and methods with the first paragraph of their docstrings."""
    for node, after in zip(found.body, [*found.body[1:], None], strict=True):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and isinstance(after, ast.Expr):
            text = ast.literal_eval(after.value) if isinstance(after.value, ast.Constant) else ""
            yield f"`{node.target.id}`", escaped(str(text))
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and not node.name.startswith("_"):
            is_property = any("property" in ast.unparse(each) for each in node.decorator_list)
            words = [each.arg for each in [*node.args.posonlyargs, *node.args.args][1:] + node.args.kwonlyargs]
            words += [f"*{node.args.vararg.arg}"] if node.args.vararg else []
            name = node.name if is_property else f"{node.name}({', '.join(words)})"
            yield f"`{name}`", escaped((ast.get_docstring(node) or "").split("\n\n")[0])


def hook_page() -> str:
    """Each hook's docstring; their examples are run by the hooks' own tests."""
    parts = ["# Hooks", escaped(inspect.cleandoc(hooks.__doc__ or "").split("\n\n")[0])]
    for name, hook in vars(hooks).items():
        if name.startswith("pytest_mqcheck_"):
            signature = ", ".join(inspect.signature(hook).parameters)
            text = inspect.getdoc(hook) or ""
            told, _, example = text.partition("::\n\n")
            parts += [f"## {name}({signature})", escaped(told.rstrip())]
            if example:
                parts[-1] = parts[-1].removesuffix(":") + ":"
                parts += [f"```python\n{textwrap.dedent(example).strip()}\n```"]
    return "\n\n".join(parts)


def specs() -> str:
    """``specs/README.md``, which lies where the promises lie."""
    text = (ROOT / "specs" / "README.md").read_text(encoding="utf-8")
    return text.replace("# The promises, as data", "# The form of guarantees", 1)


def history() -> str:
    """Tables of a recorded history with their columns."""
    shapes = {
        "span": "`op`, `process`, `invoked`, `returned`, `outcome`",
        "point": "`op`, `process`, `t`",
        "life": "`op`, `process`",
    }
    parts = [
        "# History tables",
        "A scenario's history is `history/<scenario>/events/*.jsonl` in the run's folder: one append-only file per process and "
        "life, one JSON object a line, written before an operation begins and after it ended. The judge loads them into these "
        "tables. Times are nanoseconds of CLOCK_MONOTONIC. `outcome` is `unknown` for an operation that has no end.",
        "Shapes: a **span** has a begin and at most one end; a **point** happened once; a **life** has its own stamps and may "
        "be added to.",
    ]
    for each in TABLES.values():
        columns = [(f"`{column}`", column_type(column)) for column in each.columns]
        parts += [f"## {each.name}", f"A {each.shape}: {shapes[each.shape]}, and", table(["column", "type"], columns)]
    parts += [
        "## Facts",
        "Derived once per history, for queries to build on ([what each holds](specs.md#what-a-query-can-read)): "
        + ", ".join(f"`{name}`" for name in FACTS)
        + ".",
    ]
    return "\n\n".join(parts)


def scenarios() -> str:
    """Every scenario: what it would catch, what it needs, what it aims at."""
    areas = {guarantee.id: guarantee.area for guarantee in load_specs()}
    parts = [
        "# Scenarios",
        "A deployment, a workload and a timetable of faults. Every history is judged by every guarantee that applies; `aims at` "
        "names those for which too little evidence makes the scenario inconclusive.",
    ]
    for each in all_scenarios().values():
        needs = f"Needs: {', '.join(f'`{need}`' for need in sorted(each.needs))}. " if each.needs else ""
        alone = " Runs alone." if each.alone else ""
        aims = ", ".join(f"[{aim}](../guarantees/{areas[aim]}.md#{aim})" for aim in each.aims)
        about = f"{needs}About {each.seconds:.0f} s in `quick`.{alone}"
        parts += [f"## {each.name}", escaped(each.summary), about, f"Aims at {aims or 'nothing'}."]
    return "\n\n".join(parts)


# --- guarantees -----------------------------------------------------------------------------------------------------


def guarantee_index() -> str:
    """All guarantees in one table."""
    loaded = load_specs()
    parts = [
        "# What is promised",
        "Each guarantee is one sentence, one source and one SQL query. MUST fails a run; SHOULD does so with `--mqcheck-strict`; "
        "what is NOT-PROMISED is counted when it is seen and never judged.",
    ]
    for area in AREAS:
        rows = [
            (f"[{each.id}]({area}.md#{each.id})", each.level, each.subject, escaped(each.title))
            for each in loaded
            if each.area == area
        ]
        parts += [f"## [{TITLES[area]}]({area}.md)", table(["id", "level", "whose", "title"], rows)]
    return "\n\n".join(parts)


def guarantee_page(area: str) -> str:
    """The guarantees of one area: statement, conditions, exceptions, sources, query."""
    parts = [f"# {TITLES[area]}", f"**Why it matters.** {WHY[area]}"]
    for each in load_specs():
        if each.area == area:
            parts += [f"## {each.id}", f"**{escaped(each.title)}**", escaped(each.statement), conditions(each)]
            query = each.violations or each.seen
            title = "Violated by any row of" if each.violations else "Seen when there is a row of"
            parts += [f'??? note "{title}"\n\n' + textwrap.indent(f"```sql\n{query.strip()}\n```", "    ")]
    return "\n\n".join(parts)


def conditions(each: Guarantee) -> str:
    """What a guarantee depends on, as a list."""
    lines = [f"Level: {each.level}. Whose: {each.subject}. Since: {each.since or 'always'}."]
    lines += [f"Until: {each.until}."] if each.until else []
    lines += [f"Needs one of the faults: {', '.join(f'`{need}`' for need in each.needs)}."] if each.needs else []
    lines += [f"About: {', '.join(f'`{name}`' for name in each.features)}."] if each.features else []
    lines += [f"Exception: {escaped(text)}" for text in each.exceptions]
    lines += [f"Source: {linked(text)}" for text in each.sources]
    lines += [f"Planted bug it must catch: `{name}`." for name in each.sabotage]
    lines += [f"Legal oddity it must not flag: `{name}`." for name in each.legal_odd]
    return "\n".join(f"- {line}" for line in lines)


def linked(text: str) -> str:
    """A source with its issues and addresses as links."""
    if text.startswith("https://"):
        return f"<{text}>"
    found = re.compile(r"\b([A-Za-z][\w.-]*/[\w.-]+)#(\d+)\b")
    return found.sub(r"[\1#\2](https://github.com/\1/issues/\2)", escaped(text))
