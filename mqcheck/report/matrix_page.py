"""matrix.html, matrix.json and matrix.md: one matrix in three forms.

What is in it is decided in ``matrix``; here it is only shown.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any, Final

from mqcheck.judge.verdicts import HELD, VIOLATED
from mqcheck.report.html import MARKS, plain, template
from mqcheck.report.json_ import dump
from mqcheck.report.matrix import BROKEN, COUNTED, DIFFERENT, GROUPS, LEVELS, clash

REASON_CHARACTERS_MAX: Final = 220
"""Of a reason in a cell of the page; ours: the report behind the link has it whole."""
OWN_FILES: Final = ("matrix.html", "matrix.json", "matrix.md")
UNTESTED: Final = ("not_applicable", "not_exercised")


def write_matrix(matrix: Mapping[str, Any], folder: Path) -> None:
    """Writes the three files into a folder that is there. Raises OSError."""
    texts = (render(matrix), dump(matrix), markdown(matrix))
    for name, text in zip(OWN_FILES, texts, strict=True):
        temporary = folder / f"{name}.new"
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(folder / name)


def render(matrix: Mapping[str, Any]) -> str:
    """The page as text."""
    page = template("matrix.html.j2").render(
        matrix=matrix,
        columns=matrix["columns"],
        headline=headline(matrix),
        unlike=unlike(matrix),
        parts=[(group, title, list(_areas(matrix, group))) for group, title in GROUPS.items()],
        marks=MARKS,
        cut=_cut,
        counts=[(column, {level: tally(column["levels"][level]) for level in LEVELS}) for column in matrix["columns"]],
    )
    return page + "\n"


def headline(matrix: Mapping[str, Any]) -> str:
    """``2 targets, 50 guarantees: 3 differ (1 with different verdicts), 1 violated or undecided alike, …``."""
    count = {"rows": len(matrix["rows"]), **matrix["summary"]}
    clashes = sum(clash(row) for row in matrix["rows"])
    tested = f" ({clashes} with different verdicts)" if count["different"] else ""
    return (
        f"{_many(len(matrix['columns']), 'target')}, {_many(count['rows'], 'guarantee')}: "
        f"{count['different']} differ{tested}, "
        f"{count['violated']} violated or undecided alike, {count['same']} the same"
    )


def unlike(matrix: Mapping[str, Any]) -> list[str]:
    """In what the runs differ beside their targets; a comparison may be one of that."""
    ran = [column for column in matrix["columns"] if column["scenarios"]]
    found = {"profile": "profile", "seed": "seed", "scenarios": "number of scenarios"}
    return [text for key, text in found.items() if len({column[key] for column in ran}) > 1]


def tally(counts: Mapping[str, int]) -> str:
    """``held 40, violated 1, not tested 3``; words without a count are left out."""
    untested = sum(counts[name] for name in UNTESTED)
    parts = [f"{name.replace('_', ' ')} {counts[name]}" for name in COUNTED if counts[name] and name not in UNTESTED]
    if counts["known"]:
        parts = [f"{part} ({counts['known']} known)" if part.startswith(VIOLATED) else part for part in parts]
    parts += [f"not tested {untested}"] if untested else []
    return ", ".join(parts) or "none"


def markdown(matrix: Mapping[str, Any]) -> str:
    """The same as tables of Markdown; what a cell has to say is a numbered note below."""
    notes: dict[str, int] = {}
    lines = ["# mqcheck: guarantees × targets", "", f"{headline(matrix)}. Made {matrix['made']}.", ""]
    if found := unlike(matrix):
        lines += [f"These runs had not the same {', '.join(found)}: what differs may differ for that.", ""]
    lines += list(_summary(matrix))
    head = ["guarantee", "level", *(_md(column["title"]) for column in matrix["columns"])]
    for group, title in GROUPS.items():
        rows = [row for row in matrix["rows"] if row["group"] == group]
        if not rows:
            continue
        lines += ["", f"## {title}", "", _line(head), _line(["---"] * len(head))]
        for row in rows:
            level = row["level"] if row["subject"] != "client" else f"{row['level']}, client's"
            lines.append(_line([f"`{row['id']}`", level, *(_md_cell(cell, notes) for cell in row["cells"])]))
    if notes:
        lines += ["", "## Notes", "", *(f"{number}. {_md(text)}" for text, number in notes.items())]
    return "\n".join(lines) + "\n"


def _summary(matrix: Mapping[str, Any]) -> Iterator[str]:
    columns = matrix["columns"]
    yield _line(["", *(_md(column["title"]) for column in columns)])
    yield _line(["---"] * (1 + len(columns)))
    for level in LEVELS:
        yield _line([level, *(tally(column["levels"][level]) for column in columns)])
    yield _line(["version", *(_md(column["target_version"] or "?") for column in columns)])
    yield _line(["profile, seed", *(f"{column['profile'] or '?'}, {column['seed']}" for column in columns)])
    yield _line(["time", *(f"{column['seconds']:.0f} s" for column in columns)])
    yield _line(["largest process", *(f"{column['peak_rss_bytes'] / 1048576:.0f} MiB" for column in columns)])
    yield _line(["file-system model", *(_md(column["file_system_model"] or "?") for column in columns)])
    if any(column["gone"] for column in columns):
        yield _line(["to be removed", *(_md("; ".join(column["gone"])) for column in columns)])
    if any(column["trouble"] for column in columns):
        yield _line(["trouble", *(_md(column["trouble"]) for column in columns)])


def _md_cell(cell: Mapping[str, Any] | None, notes: dict[str, int]) -> str:
    if cell is None:
        return "not run"
    sign, word = MARKS[cell["verdict"]][1], cell["verdict"] or f"not promised, seen {cell['exercised']} times"
    note = " known" if cell["known"] else ""
    if cell["reason"] and cell["verdict"] not in (None, HELD):
        told = "; ".join([cell["reason"], *(f"known: {known['what']} ({known['see']})" for known in cell["known"])])
        note += f" ({notes.setdefault(told, len(notes) + 1)})"
    bold = "**" if cell["verdict"] == VIOLATED else ""
    return f"{bold}[{sign} {word}]({cell['link']}){bold}{note}"


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _md(text: str) -> str:
    """Text that is text in a table's cell, whatever stands in it."""
    return re.sub(r"([\\`*_\[\]<>|])", r"\\\1", " ".join(plain(text).split()))


def _areas(matrix: Mapping[str, Any], group: str) -> Iterator[tuple[str, list[Mapping[str, Any]]]]:
    """A part's rows under titles: what is the same by area, what differs by whether it was tested everywhere."""
    rows = [row for row in matrix["rows"] if row["group"] == group]
    if group == DIFFERENT:
        clashes = [row for row in rows if clash(row)]
        yield from ([("tested, with different verdicts", clashes)] if clashes else [])
        rest = [row for row in rows if not clash(row)]
        yield from ([("tested on some targets only", rest)] if rest else [])
        return
    if group == BROKEN:
        yield from ([("", rows)] if rows else [])
        return
    for area, mine in groupby(sorted(rows, key=_place(rows)), key=lambda row: str(row["area"])):
        yield area, list(mine)


def _place(rows: list[Mapping[str, Any]]) -> Any:
    order = list(dict.fromkeys(row["area"] for row in rows))
    return lambda row: order.index(row["area"])


def _cut(text: str) -> str:
    return text if len(text) <= REASON_CHARACTERS_MAX else f"{text[:REASON_CHARACTERS_MAX].rstrip()}…"


def _many(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"
