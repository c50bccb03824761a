"""What the judge says of a made-up history."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import sqlglot
from sqlglot import exp

from histories.rows import Builder
from mqcheck.history.facts import STATEMENTS
from mqcheck.history.helpers import DIALECT, expanded_tree
from mqcheck.history.loader import load
from mqcheck.history.tables import TABLES
from mqcheck.judge.engine import judge_tables
from mqcheck.judge.plan_file import read_plan
from mqcheck.judge.verdicts import Verdict
from mqcheck.specs import Guarantee, Specs

KEPT = {"config", "faults", "nodes", "phases", "stalls"}
"""Small tables that the judge itself asks."""


@cache
def tables_of(guarantee: Guarantee) -> frozenset[str]:
    """The recorded tables that its queries read, themselves or through facts."""
    texts = (f"SELECT {guarantee.applies}", guarantee.exercised, guarantee.violations, guarantee.inconclusive)
    names: set[str] = set()
    for text in texts:
        if text:
            names |= {table.name for table in expanded_tree(text).find_all(exp.Table)}
    return _recorded(frozenset(names)) | KEPT


@cache
def _recorded(names: frozenset[str]) -> frozenset[str]:
    found: set[str] = set()
    for name in names:
        if name == "selected":
            found |= {"sends", "subscriptions"}
        elif name in STATEMENTS:
            trees = sqlglot.parse_one(STATEMENTS[name], dialect=DIALECT).find_all(exp.Table)
            found |= _recorded(frozenset(tree.name for tree in trees if tree.name != name))
        elif name in TABLES:
            found.add(name)
    return frozenset(found)


def judged(history: Builder, specs: Specs, folder: Path, guarantee: str, *, aimed: bool = True) -> Verdict:
    """The verdict of one guarantee over a history, written to a folder and loaded from there."""
    history.aims = [guarantee] if aimed else []
    history.write(folder)
    connection = load(folder)
    (verdict,) = judge_tables(connection, read_plan(folder), Specs((specs.get(guarantee),), specs.folders))
    connection.close()
    return verdict
