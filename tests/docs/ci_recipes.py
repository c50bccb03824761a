"""The recipes of docs/how-to/ci/ as jobs: their environment, their lines for a shell, and the paths they publish."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parents[2] / "docs" / "how-to" / "ci"
GITHUB, GITHUB_NIGHTLY, GITLAB = (FOLDER / f"{name}.yml" for name in ("github", "github-nightly", "gitlab"))
SCHEMAS = {GITHUB: "github-workflows", GITHUB_NIGHTLY: "github-workflows", GITLAB: "gitlab-ci"}
"""Names that check-jsonschema has for the forges' own schemas."""

PUBLISHED = {"path", "report_paths"}
"""Inputs of GitHub's actions that name what is published; `actions/download-artifact` has its `path` the other way."""
EXPRESSION = re.compile(r"\$\{\{ *(.*?) *\}\}")


@dataclass(frozen=True, slots=True)
class Job:
    """One job, for one cell of its matrix."""

    name: str
    environment: Mapping[str, str]
    lines: tuple[str, ...]
    """What a shell gets, in order."""
    last: tuple[str, ...]
    """What a shell gets in the end, whatever became of the rest."""
    published: tuple[str, ...]
    """Paths and patterns that are kept or shown."""


def jobs(recipe: Path) -> dict[str, Job]:
    """By name, and by name and the cell's NAME where a job has a matrix."""
    data = yaml.safe_load(recipe.read_text(encoding="utf-8"))
    found = _gitlab(data) if recipe == GITLAB else _github(data)
    return {job.name: job for job in found}


def _github(data: Mapping[str, Any]) -> Iterator[Job]:
    for name, job in data["jobs"].items():
        for cell in job.get("strategy", {}).get("matrix", {}).get("include", [{}]):
            environment = {**data.get("env", {}), **job.get("env", {})}
            lines, published = [], []
            for step in job["steps"]:
                environment |= step.get("env", {})
                lines += [step["run"]] if "run" in step else []
                if "download" not in step.get("uses", ""):
                    published += [
                        path for key, told in step.get("with", {}).items() if key in PUBLISHED for path in told.split()
                    ]
            values = {f"matrix.{key}": value for key, value in cell.items()}
            yield Job(
                f"{name} {cell['name']}" if cell else name,
                {key: _filled(value, values) for key, value in environment.items()},
                tuple(lines),
                (),
                tuple(_filled(path, values) for path in published),
            )


def _filled(text: str, values: Mapping[str, str]) -> str:
    """Expressions that only GitHub can know are `known-to-github`."""
    return EXPRESSION.sub(lambda found: values.get(found[1], "known-to-github"), text)


def _gitlab(data: Mapping[str, Any]) -> Iterator[Job]:
    for name, told in data.items():
        if name.startswith(".") or "script" not in told:
            continue
        job = {**data[told["extends"]], **told}
        for cell in job.get("parallel", {}).get("matrix", [{}]):
            kept = job["artifacts"]
            yield Job(
                f"{name} {cell['NAME']}" if cell else name,
                {**data["variables"], **job.get("variables", {}), **cell},
                (*job["before_script"], *job["script"]),
                tuple(job.get("after_script", ())),
                (*kept["paths"], *kept.get("reports", {}).values()),
            )
