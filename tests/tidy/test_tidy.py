"""Rules of the house that no linter knows: walls between rooms, purity of the cores, sizes, docstrings, twins.

Each rule is a function from one source to the places that break it; each is put to the whole repository and to the
canary, a file that breaks them all.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from conftest import Source
else:
    Source = Any

MODULE_LINES_MAX = 500
FUNCTION_LINES_MAX = 60
SHELL_LINES_MAX = 300

# Rooms of mqcheck in the order data flows; a room may import rooms of its own row or an earlier one.
MQCHECK_ROWS: tuple[tuple[str, ...], ...] = (
    ("errors", "clock", "exits"),
    ("specs", "known", "rocketmq", "sabotage", "history", "containers", "guard"),
    ("links", "timeline", "judge", "disks"),
    ("targets", "faults"),
    ("profile", "workloads", "scenarios"),
    ("plan", "runner", "report", "live", "settings", "options"),
    ("session", "machinery", "simulation", "collection", "scheduler", "hooks", "embedded", "fixtures"),
    ("conformance", "matrix", "selftest", "census", "repro", "baseline", "chaos"),
    ("plugin", "cli", "commands", "__main__"),
)
# reference_impl reads top to bottom: each module imports only to its left.
REFERENCE_ORDER = (
    "errors",
    "commands",
    "loose_json",
    "shapes",
    "frame",
    "headers",
    "message",
    "effects",
    "unexpected",
    "settings",
    "rocketmq_defaults",
    "disk",
    "store",
    "delivery",
    "redelivery",
    "transactions",
    "replication",
    "broker",
    "register_body",
    "route_table",
    "nameserver",
    "vip",
    "calls",
    "connection",
    "streams",
    "syncing",
    "server",
    "sabotage",
    "interference",
    "node",
    "deeds",
    "control",
    "ports",
    "fork_server",
    "command_line",
    "__main__",
)
# Files that may touch clocks, sockets, files and the event loop; everything else in reference_impl is a pure core.
REFERENCE_SHELLS = {
    "reference_impl.disk.real",
    "reference_impl.disk.faulty",
    "reference_impl.calls",
    "reference_impl.connection",
    "reference_impl.streams",
    "reference_impl.syncing",
    "reference_impl.server",
    "reference_impl.control",
    "reference_impl.ports",
    "reference_impl.fork_server",
    "reference_impl.node",
    "reference_impl.command_line",
    "reference_impl.__main__",
}
IMPURE_MODULES = {"time", "socket", "asyncio", "subprocess", "threading", "datetime", "uuid", "secrets"}
IMPURE_CALLS = {"open", "input", "print"}
# The simulation is the one place that joins the two packages.
JOINS = {"mqcheck.targets.sim"}


def imports_of(source: Source) -> Iterator[tuple[int, str]]:
    """Line and dotted name of every import, relative ones made absolute."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = source.module.split(".")
                is_package = source.path.name == "__init__.py"
                parent = parts if is_package else parts[:-1]
                parent = parent[: len(parent) - (node.level - 1)]
                base = ".".join([*parent, base] if base else parent)
            for alias in node.names:
                yield node.lineno, f"{base}.{alias.name}"


def type_checking_lines(source: Source) -> set[int]:
    """Lines inside ``if TYPE_CHECKING:``: names for the type checker make no dependency at run time."""
    lines: set[int] = set()
    for node in ast.walk(source.tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            lines.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return lines


def room(module: str) -> str:
    """Second part of a dotted name: the room."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else ""


def walls(source: Source) -> list[str]:
    """Neither package imports the other; rooms import only earlier rooms."""
    broken = []
    skip = type_checking_lines(source)
    for line, name in imports_of(source):
        top = name.split(".")[0]
        if top in {"mqcheck", "reference_impl"} and top != source.package and source.module not in JOINS:
            broken.append(f"{source.path}:{line}: {source.package} imports {name}; start it as a process instead")
        elif top == source.package and line not in skip:
            complaint = _row_complaint(source, name)
            if complaint:
                broken.append(f"{source.path}:{line}: {complaint}")
    return broken


def _row_complaint(source: Source, name: str) -> str | None:
    here, there = room(source.module), room(name)
    if not here or not there or here == there or there in {"__version__"}:
        return None
    if source.package == "reference_impl":
        if here not in REFERENCE_ORDER or there not in REFERENCE_ORDER:
            return f"module {here if here not in REFERENCE_ORDER else there} is not in the reading order of tests/tidy"
        if REFERENCE_ORDER.index(there) > REFERENCE_ORDER.index(here):
            return f"{here} imports {there}, which comes later in the reading order"
        return None
    rows = {name: index for index, row in enumerate(MQCHECK_ROWS) for name in row}
    if here not in rows or there not in rows:
        return f"room {here if here not in rows else there} is in no row of tests/tidy"
    if rows[there] > rows[here]:
        return f"{here} imports {there}, which comes later in the flow of data"
    return None


def purity(source: Source) -> list[str]:
    """Cores of the reference get time, randomness and bytes as arguments."""
    if source.package != "reference_impl" or source.module in REFERENCE_SHELLS:
        return []
    broken = []
    for line, name in imports_of(source):
        if name.split(".")[0] in IMPURE_MODULES and not name.startswith("datetime.timedelta"):
            broken.append(f"{source.path}:{line}: a core imports {name}; hand it in as an argument")
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Call):
            if isinstance(node.func, ast.Name) and node.func.id in IMPURE_CALLS:
                broken.append(f"{source.path}:{node.lineno}: a core calls {node.func.id}()")
            text = ast.unparse(node.func)
            if text.startswith("random.") and text != "random.Random":
                broken.append(f"{source.path}:{node.lineno}: a core calls {text}; take a random.Random as an argument")
    return broken


def sizes(source: Source) -> list[str]:
    """No file over 500 lines, no function over 60; the shell stays a shell."""
    broken = []
    lines = source.text.count("\n") + 1
    limit = SHELL_LINES_MAX if source.module == "reference_impl.server" else MODULE_LINES_MAX
    if lines > limit:
        broken.append(f"{source.path}: {lines} lines, more than {limit}: look for the seam")
    for node in ast.walk(source.tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > FUNCTION_LINES_MAX:
                broken.append(
                    f"{source.path}:{node.lineno}: {node.name} has {length} lines, more than {FUNCTION_LINES_MAX}"
                )
    return broken


def docstrings(source: Source) -> list[str]:
    """Every module, public class and public function says what it does."""
    broken = []
    if not ast.get_docstring(source.tree):
        broken.append(f"{source.path}: no module docstring")
    broken += [
        f"{source.path}:{node.lineno}: {node.name} has no docstring"
        for node in _public(source.tree)
        if not ast.get_docstring(node)
    ]
    return broken


def _public(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]:
    """Functions and classes without an underscore that are not inside a function or a private class."""
    for node in ast.iter_child_nodes(tree):
        function = isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        private = isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)) and node.name.startswith("_")
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)) and not private:
            yield node
        if not function and not (private and isinstance(node, ast.ClassDef)):
            yield from _public(node)


def dataclasses_frozen(source: Source) -> list[str]:
    """Dataclasses have slots; those of the cores' vocabulary are frozen."""
    broken = []
    for node in ast.walk(source.tree):
        if isinstance(node, ast.ClassDef):
            for decorator in node.decorator_list:
                text = ast.unparse(decorator)
                if text.split("(")[0] in {"dataclass", "dataclasses.dataclass"} and "slots=True" not in text:
                    broken.append(f"{source.path}:{node.lineno}: {node.name}: write @dataclass(slots=True)")
    return broken


def leftovers(source: Source) -> list[str]:
    """No notes to self, no dangerous calls, no paths of one machine."""
    broken = []
    for number, line in enumerate(source.text.splitlines(), 1):
        if re.search(r"\b(TODO|FIXME|XXX|HACK)\b(?!_)", line):
            broken.append(f"{source.path}:{number}: a note to self")
        if re.search(r"/home/\w|/root/", line):
            broken.append(f"{source.path}:{number}: a path of one machine")
        if "shell=True" in line:
            broken.append(f"{source.path}:{number}: a shell string")
    for line_number, name in imports_of(source):
        if name.split(".")[0] in {"pickle", "marshal", "shelve"}:
            broken.append(f"{source.path}:{line_number}: {name} reads code, not data")
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in {"eval", "exec"}:
            broken.append(f"{source.path}:{node.lineno}: {node.func.id}()")
    return broken


RULES: tuple[Callable[[Source], list[str]], ...] = (
    walls,
    purity,
    sizes,
    docstrings,
    dataclasses_frozen,
    leftovers,
)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_house_keeps_the_rule(rule: Callable[[Source], list[str]], sources: list[Source]) -> None:
    broken = [place for source in sources for place in rule(source)]
    assert not broken, "\n".join(broken)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_rule_bites(rule: Callable[[Source], list[str]], canary: Source) -> None:
    assert rule(canary), f"{rule.__name__} does not see the canary"


def test_every_module_is_imported_or_run(sources: list[Source]) -> None:
    names = {name for source in sources for _, name in imports_of(source)}
    used = names | {name.rsplit(".", 1)[0] for name in names}
    entry = {"mqcheck.plugin", "mqcheck.cli", "mqcheck.guard", "mqcheck.fixtures", "mqcheck.simulation"}
    entry |= {"mqcheck.chaos.actions", "mqcheck.chaos.control"}  # experiments name them
    lonely = [
        source.module
        for source in sources
        if source.path.name not in {"__init__.py", "__main__.py"}
        and source.module not in used | entry
        and not source.module.startswith(("mqcheck.scenarios.", "mqcheck.targets.sim"))
    ]
    assert not lonely, f"nobody imports {lonely}"


def test_every_module_has_a_twin(sources: list[Source], root: Path) -> None:
    tests = {path.stem.removeprefix("test_") for path in (root / "tests").rglob("test_*.py")}
    missing = []
    for source in sources:
        if source.path.name in {"__init__.py", "__main__.py"} or source.module.startswith("mqcheck.scenarios."):
            continue
        parts = source.module.split(".")[1:]
        stem = parts[-1].strip("_")
        names = {stem, "_".join(part.strip("_") for part in parts), f"{parts[0]}_{stem}"}
        if not names & tests:
            missing.append(f"{source.module}: write tests/…/test_{stem}.py")
    assert not missing, "\n".join(missing)


def test_only_the_adapter_knows_the_proxy_client(sources: list[Source]) -> None:
    users = {source.module for source in sources for _, name in imports_of(source) if name.split(".")[0] == "toxiproxy"}
    assert users <= {"mqcheck.links.toxiproxy"}, f"{users} import toxiproxy; go through mqcheck.links.toxiproxy"


def _tree_names(docstring: str) -> set[str]:
    return set(re.findall(r"\b[A-Z]\w*Error_?(?!\w)", docstring))


@pytest.mark.parametrize("package", ["mqcheck", "reference_impl"])
def test_the_drawn_error_tree_is_the_real_one(package: str, sources: list[Source]) -> None:
    source = next(source for source in sources if source.module == f"{package}.errors")
    drawn = _tree_names(ast.get_docstring(source.tree) or "")
    real = {node.name for node in ast.walk(source.tree) if isinstance(node, ast.ClassDef)}
    assert drawn == real, f"drawn but not there: {drawn - real}; there but not drawn: {real - drawn}"


def test_the_linter_bites(root: Path) -> None:
    canary = root / "tests" / "tidy" / "canary" / "reference_impl" / "canary.py"
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "ruff",
            "check",
            "--no-cache",
            "--config",
            str(root / "pyproject.toml"),
            "--config",
            "extend-exclude=[]",
            "--no-force-exclude",
            "--output-format",
            "concise",
            str(canary),
        ],
        capture_output=True,
        text=True,
        timeout=60,
    )
    for code in ("F401", "B006", "C901", "E722"):
        assert code in done.stdout, f"{code} does not bite:\n{done.stdout}\n{done.stderr}"


def test_the_linter_is_content(root: Path) -> None:
    for command in (["check"], ["format", "--check"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "."], cwd=root, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_types_are_strict_and_bite(root: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.py"
    bad.write_text("def f(x):\n    return x\n\n\ny: int = 'text'\n")
    config = ["--config-file", str(root / "pyproject.toml"), "--cache-dir", str(root / ".mypy_cache")]
    done = subprocess.run(
        [sys.executable, "-m", "mypy", *config, str(bad)], cwd=tmp_path, capture_output=True, text=True, timeout=300
    )
    assert "no-untyped-def" in done.stdout, done.stdout + done.stderr
    assert "assignment" in done.stdout, done.stdout + done.stderr
    done = subprocess.run(
        [sys.executable, "-m", "mypy", *config], cwd=root, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stdout + done.stderr
