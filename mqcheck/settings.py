"""Which value of a setting wins, and where it came from.

First match wins: command line, environment, files, default. Nothing here reads a command line or the environment:
callers hand in what they found.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

from mqcheck.disks.model import MODELS, Model
from mqcheck.errors import SettingsError
from mqcheck.options import SETTINGS, Setting

PROFILES: Final = ("quick", "full")
DISKS: Final[tuple[Literal["own", "fuse"], ...]] = ("own", "fuse")
SEED_MAX: Final = 2**32 - 1
"""Largest seed; ours, so that it stays readable and fits every generator."""
CONCURRENCY_MAX: Final = 64
"""Most scenarios at once in one process; ours: each one holds processes, ports and files."""
RETRIES: Final = 1
"""Repetitions where nobody says how many; ours: one tells a race from what always shows, and costs few seconds."""
RETRIES_MAX: Final = 20
"""Most repetitions; ours: ``benchmarks/soak.py`` is for more."""


@dataclass(frozen=True, slots=True)
class Resolved:
    """One setting's value and its origin, for ``mqcheck config``."""

    setting: Setting
    value: Any
    source: str
    """``command line``, ``environment``, the name of a file's table, or ``default``."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The values a run works with; made by ``settle``."""

    target: str
    """A name; the file of ``exec:FILE`` is a whole path."""
    rocketmq_home: Path | None
    """A release's folder for ``apache:VERSION``; None: ``ROCKETMQ_HOME``, or jars from Maven Central."""
    allow: tuple[str, ...]
    """What may be done to a cluster of others."""
    profile: str
    seed: int | None
    """None: the run draws one."""
    select: tuple[str, ...]
    report: Path | None
    sabotage: str | None
    odd: str | None
    specs: tuple[Path, ...]
    known: str | None
    """A file of known violations as a whole path, or ``none``; None: the project's own, where there is one."""
    strict: bool
    concurrency: int | None
    """None: three for each core."""
    retries: int = 0
    """How often a scenario with a violation that is news is run again."""
    baseline: str | None = None
    """A file of violations that were there before, as a whole path."""
    disk: Literal["own", "fuse"] = "own"
    """How the reference's disk fails: by itself, or by a file system of ours under it."""
    disk_model: Model = MODELS[0]
    """What a file system of ours keeps when the power fails."""


def resolve(
    command_line: Mapping[str, Any], environ: Mapping[str, str], files: Sequence[tuple[str, Mapping[str, Any]]]
) -> dict[str, Resolved]:
    """First match wins: command line, environment, then each of ``files`` (name, table) in order, then the default.

    None, an empty list and False on the command line mean "not given". Raises SettingsError for values that do not fit.
    """
    for where, table in files:
        _reject_unknown(where, table)
    return {setting.name: _resolve_one(setting, command_line, environ, files) for setting in SETTINGS}


def settle(resolved: Mapping[str, Resolved], base: Path, here: Path) -> Settings:
    """The values as one object. Raises SettingsError.

    Relative folders are taken from ``here`` when the command line or the environment gave them, from ``base`` when a
    file did.
    """

    def start(name: str) -> Path:
        return here if resolved[name].source.startswith(("command", "environment")) else base

    value = {name: one.value for name, one in resolved.items()}
    _one_of("profile", value["profile"], PROFILES)
    _check_range("seed", value["seed"], 0, SEED_MAX)
    _check_range("retries", value["retries"], 0, RETRIES_MAX)
    _check_range("concurrency", value["concurrency"], 1, CONCURRENCY_MAX)
    if value["sabotage"] and value["odd"]:
        raise SettingsError(
            f"sabotage {value['sabotage']!r} and odd {value['odd']!r} together: a run proves one of them, choose one"
        )
    return Settings(
        target=_whole(value["target"], start("target")),
        rocketmq_home=start("rocketmq_home") / value["rocketmq_home"] if value["rocketmq_home"] else None,
        allow=tuple(value["allow"]),
        profile=value["profile"],
        seed=value["seed"],
        select=tuple(value["select"]),
        report=start("report") / value["report"] if value["report"] else None,
        sabotage=value["sabotage"],
        odd=value["odd"],
        specs=tuple(start("specs") / folder for folder in value["specs"]),
        known=_known(value["known"], start("known")),
        baseline=str(start("baseline") / value["baseline"]) if value["baseline"] else None,
        retries=_retries(value["retries"], value["sabotage"]),
        strict=value["strict"],
        concurrency=value["concurrency"],
        disk=_one_of("disk", value["disk"], DISKS),
        disk_model=_one_of("disk_model", value["disk_model"], MODELS),
    )


def _whole(target: str, folder: Path) -> str:
    """``exec:FILE`` with its file as a whole path; other names as they are."""
    kind, _, file = target.partition(":")
    return f"{kind}:{folder / file}" if kind == "exec" and file else target


def _known(value: str | None, folder: Path) -> str | None:
    """A file of known violations as a whole path; ``none`` and nothing as they are."""
    return value if value in (None, "none") else str(folder / str(value))


def _retries(value: int | None, sabotage: str | None) -> int:
    """What a planted bug breaks needs no second look."""
    return value if value is not None else 0 if sabotage else RETRIES


def table_of(folder: Path) -> Mapping[str, Any]:
    """``[tool.mqcheck]`` of the folder's pyproject.toml, or empty. Raises SettingsError for bad TOML."""
    import tomllib

    path = folder / "pyproject.toml"
    if not path.is_file():
        return {}
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: {error}; mend the file or remove it") from error
    table = data.get("tool", {}).get("mqcheck", {})
    if not isinstance(table, dict):
        raise SettingsError(f"{path}: tool.mqcheck is {table!r}, not a table; write [tool.mqcheck]")
    return table


def _resolve_one(
    setting: Setting,
    command_line: Mapping[str, Any],
    environ: Mapping[str, str],
    files: Sequence[tuple[str, Mapping[str, Any]]],
) -> Resolved:
    given = command_line.get(setting.name)
    if given is not False and given not in (None, [], ()):
        return Resolved(setting, _convert(setting, given, "command line"), "command line")
    if environ.get(setting.environment):
        source = f"environment {setting.environment}"
        return Resolved(setting, _convert(setting, environ[setting.environment], source), source)
    for where, table in files:
        if table.get(setting.name) not in (None, "", []):
            return Resolved(setting, _convert(setting, table[setting.name], where), where)
    return Resolved(setting, setting.default, "default")


def _convert(setting: Setting, raw: Any, source: str) -> Any:
    if setting.kind == "list":
        return tuple(str(part) for part in (raw.split() if isinstance(raw, str) else raw))
    if setting.kind == "flag":
        return _flag(setting, raw, source)
    if setting.kind == "number":
        try:
            return int(raw)
        except (TypeError, ValueError) as error:
            raise SettingsError(f"{setting.name} = {raw!r} ({source}) is no whole number") from error
    return str(raw)


def _flag(setting: Setting, raw: Any, source: str) -> bool:
    if isinstance(raw, bool):
        return raw
    word = str(raw).lower()
    if word in {"1", "true", "yes", "on"}:
        return True
    if word in {"0", "false", "no", "off"}:
        return False
    raise SettingsError(f"{setting.name} = {raw!r} ({source}) is neither true nor false")


_Word = TypeVar("_Word", bound=str)


def _one_of(name: str, value: str, known: Sequence[_Word]) -> _Word:
    for word in known:
        if word == value:
            return word
    option = f"--mqcheck-{name.replace('_', '-')}"
    raise SettingsError(f"{name} {value!r} is none of {', '.join(known)}; say {option} {known[0]}")


def _check_range(name: str, value: int | None, least: int, most: int) -> None:
    if value is not None and not least <= value <= most:
        raise SettingsError(f"{name} = {value} is outside {least}…{most}; choose a number between")


def _reject_unknown(where: str, table: Mapping[str, Any]) -> None:
    known = [setting.name for setting in SETTINGS]
    for name in table:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            hint = f"; did you mean {near[0]!r}?" if near else f"; known are {', '.join(known)}"
            raise SettingsError(f"{where}: unknown setting {name!r}{hint}")


def joined(arguments: Sequence[str]) -> tuple[str, ...]:
    """The same command line with ``--mqcheck-report DIR`` written ``--mqcheck-report=DIR``, and so for every setting.

    pytest looks for its root before it knows a plugin's options, and takes the value of an unknown option for a test
    folder when it exists. xdist hands the plain command line to its workers, for which the report's folder exists
    already: without this they would have another root, and other ini options, than the run. Called by the plugin.
    """
    valued = {setting.option for setting in SETTINGS if setting.kind != "flag"}
    found: list[str] = []
    for argument in arguments:
        if found and found[-1] in valued:
            found[-1] += f"={argument}"
        else:
            found.append(argument)
    return tuple(found)
