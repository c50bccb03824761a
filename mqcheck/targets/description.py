"""A broker described by a TOML file: how its nodes are started, told and asked, and what they can take.

``docs/targets.md`` is the guide for whoever writes one. Nothing here starts anything; every mistake is a SettingsError
with the place in the file, the offending value, the rule and the way out.
"""

from __future__ import annotations

import difflib
import re
import signal
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Final

from mqcheck.errors import SettingsError
from mqcheck.targets import placeholders
from mqcheck.targets.base import CAPABILITIES, OWNED, Role, Setting
from mqcheck.targets.rules import UNITS, SettingRule
from mqcheck.targets.settings import DERIVED

FORMAT: Final = 1
"""Version of the file's format."""

POSSIBLE: Final = CAPABILITIES - OWNED
"""What a plain process can take: what hurts its links, what signals do, what a disk of ours under it does, and a clock
of its own by libfaketime."""

NODE_PLACEHOLDERS: Final = ("python", "here", "folder", "data", "logs", "name", "port", "settings")
BROKER_PLACEHOLDERS: Final = ("vip_port", "ha_port", "broker_name", "broker_id", "nameservers")
"""What every node's texts may hold, and a broker's beside it."""

READY_SECONDS_MAX: Final = 60.0
STOP_SECONDS_MAX: Final = 20.0
"""Defaults for how long a node may take to answer, and to end. Ours."""

READY_DEFAULT: Final[Mapping[Role, tuple[int, tuple[int, ...]]]] = {"nameserver": (105, (0, 17)), "broker": (28, (0,))}
"""GET_ROUTEINFO_BY_TOPIC of TBW102, GET_BROKER_RUNTIME_INFO: every RocketMQ has them from the start."""

REQUIRED_KEYS: Final[Mapping[Role, tuple[str, ...]]] = {
    "nameserver": tuple(DERIVED["nameserver"].values()),
    "broker": (*DERIVED["broker"].values(), "messageDelayLevel", "flushDiskType", "brokerClusterName"),
}
"""What verdicts are judged by: a description must say that it can be set, or what it is."""


@dataclass(frozen=True, slots=True)
class FileTemplate:
    """A file that is written before a node's every start."""

    path: str
    """Below the node's folder."""
    text: str


@dataclass(frozen=True, slots=True)
class Ready:
    """The question by which a node is known to be ready."""

    code: int
    answers: frozenset[int]
    """Response codes that mean yes."""
    seconds: float


@dataclass(frozen=True, slots=True)
class RoleDescription:
    """How one kind of node is run."""

    role: Role
    command: tuple[str, ...]
    files: tuple[FileTemplate, ...]
    settings: Mapping[str, SettingRule]
    """By mqcheck's name."""
    fixed: Mapping[str, str]
    """mqcheck's name → what cannot be set, and holds."""
    line: str
    """How one setting is written in ``{settings}``."""
    ready: Ready
    properties: int | None
    """The request whose answer's body holds the node's properties; None: nobody asks what it made of its settings."""
    stop_signal: signal.Signals
    stop_seconds: float
    stop_statuses: frozenset[int]

    def effective(self, given: Mapping[str, Setting]) -> dict[str, str]:
        """What holds in a node that is told `given`, by mqcheck's names. Raises SettingsError for what it has not."""
        found = {**self.fixed, **{key: rule.default for key, rule in self.settings.items()}}
        for key, value in given.items():
            if key in self.settings:
                found[key] = self.settings[key].effective(value)
            elif key not in self.fixed:
                raise SettingsError(
                    f"{key} = {value} is asked for, and the description of the {self.role} does not know it: add it to "
                    f"[{self.role}.settings] where it can be set, or its value to [{self.role}.fixed]"
                )
        return found

    def heard(self, told: Iterable[str], body: str) -> dict[str, str]:
        """What holds of these settings in a node that says this of itself. Raises SettingsError.

        A property that it does not name is one that it does not have: there the default holds, whatever it was told.
        """
        lines = (line.partition("=") for line in body.splitlines())
        said = {key.strip(): value.strip() for key, _, value in lines}
        rules = [rule for key in told if (rule := self.settings[key]).argument is None]
        return {rule.key: rule.heard(said[rule.name]) if rule.name in said else rule.default for rule in rules}


@dataclass(frozen=True, slots=True)
class Description:
    """A broker as a target."""

    name: str
    version: str
    image: str | None
    """The Docker image that every node runs in; None: nodes are processes of this host."""
    here: Path
    """The folder that relative things are looked for in: the file's own."""
    capabilities: frozenset[str]
    stops_at_end: bool
    """Whether nodes are stopped cleanly when a scenario has ended; otherwise they are killed, which is quicker."""
    at_once: int | None
    """Most scenarios at a time in one process, unless a user asks for more; None: as many as fit the cores."""
    environment: Mapping[str, str]
    constants: Mapping[str, str]
    """More placeholders, of the description's own."""
    commit_log: str | None
    """Folder in a broker's data that holds a log of records in RocketMQ's format; None: nobody knows of one."""
    nameserver: RoleDescription
    broker: RoleDescription

    def of(self, role: Role) -> RoleDescription:
        """The description of one kind of node."""
        return self.nameserver if role == "nameserver" else self.broker


def read_description(path: Path, constants: Mapping[str, str] | None = None) -> Description:
    """The description in a file; `constants` win over the file's own. Raises SettingsError."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror or error}; name a TOML file that describes a broker") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: {error}; mend the file") from error
    return parse_description(data, path, constants or {})


def parse_description(data: Mapping[str, Any], path: Path, constants: Mapping[str, str]) -> Description:
    """The description in a parsed file. Raises SettingsError."""
    top = Table(str(path), data)
    top.only(
        "format",
        "name",
        "version",
        "image",
        "capabilities",
        "at_end",
        "at_once",
        "environment",
        "constants",
        "commit_log",
        "nameserver",
        "broker",
    )
    if top.take("format", int) != FORMAT:
        raise top.wrong("format", f"this mqcheck reads format {FORMAT}")
    capabilities = frozenset(top.texts("capabilities"))
    if strange := sorted(capabilities - POSSIBLE):
        raise top.wrong("capabilities", f"{strange[0]!r} is none of {', '.join(sorted(POSSIBLE))}")
    at_end = top.take("at_end", str, "stop")
    if at_end not in ("stop", "kill"):
        raise top.wrong("at_end", "write stop or kill")
    at_once = top.take("at_once", int, None)
    if at_once is not None and at_once < 1:
        raise top.wrong("at_once", "must be 1 or more")
    own = {**top.table("constants", {}).strings(), **constants}
    environment = top.table("environment", {}).strings()
    for variable in environment:
        if variable.startswith("MQCHECK_"):
            raise top.wrong("environment", f"{variable} is mqcheck's own: choose another name")
    found = Description(
        name=top.take("name", str),
        version=top.take("version", str),
        image=top.take("image", str, None),
        here=path.resolve().parent,
        capabilities=capabilities,
        stops_at_end=at_end == "stop",
        at_once=at_once,
        environment=environment,
        constants=own,
        commit_log=_commit_log(top),
        nameserver=_role(top.table("nameserver"), "nameserver"),
        broker=_role(top.table("broker"), "broker"),
    )
    _check_texts(found, str(path))
    if "replication" in capabilities and "brokerRole" not in found.broker.settings:
        raise top.wrong("capabilities", "'replication' needs a brokerRole in [broker.settings]")
    return found


def _role(table: Table, role: Role) -> RoleDescription:
    table.only("command", "files", "settings", "fixed", "line", "ready", "properties", "stop")
    settings = {key: _rule(table.table("settings"), key) for key in table.table("settings", {}).data}
    fixed = table.table("fixed", {}).scalars()
    if both := sorted(settings.keys() & fixed.keys()):
        raise table.wrong("fixed", f"{both[0]} is among the settings too: either it can be set or it cannot")
    for key in REQUIRED_KEYS[role]:
        if key not in settings and key not in fixed:
            raise SettingsError(
                f"{table.where} says nothing of {key}, by which verdicts are judged: add it to [{role}.settings] "
                f"where it can be set, or its value to [{role}.fixed]"
            )
    code, answers = READY_DEFAULT[role]
    ready, stop = table.table("ready", {}), table.table("stop", {})
    ready.only("code", "answers", "seconds")
    stop.only("signal", "seconds", "statuses")
    return RoleDescription(
        role=role,
        command=tuple(table.texts("command", least=1)),
        files=tuple(_file(each) for each in table.tables("files")),
        settings=settings,
        fixed=fixed,
        line=table.take("line", str, "{key}={value}"),
        ready=Ready(
            ready.take("code", int, code),
            frozenset(ready.numbers("answers", answers)),
            ready.positive("seconds", READY_SECONDS_MAX),
        ),
        properties=table.take("properties", int, None),
        stop_signal=_signal(stop),
        stop_seconds=stop.positive("seconds", STOP_SECONDS_MAX),
        stop_statuses=frozenset(stop.numbers("statuses", (0,))),
    )


def _rule(table: Table, key: str) -> SettingRule:
    one = table.table(key)
    one.only("name", "unit", "default", "least", "most", "argument")
    unit = one.take("unit", str, "text")
    if unit not in UNITS:
        raise one.wrong("unit", f"units are {', '.join(UNITS)}")
    rule = SettingRule(
        key=key,
        name=one.take("name", str, key),
        unit=next(each for each in UNITS if each == unit),
        default="",
        least=one.take("least", int, None),
        most=one.take("most", int, None),
        argument=one.take("argument", str, None),
    )
    for limit in ("least", "most"):
        if limit in one.data and unit not in ("ms", "s"):
            raise one.wrong(limit, "only times (unit ms or s) have limits, in milliseconds")
    if rule.argument is not None:
        _checked(one.where, "argument", rule.argument, {"value"})
    default = one.scalars(only="default").get("default")
    if default is None:
        raise SettingsError(f"{one.where} has no default: say what holds when nothing is set, times in milliseconds")
    try:
        rule.effective(default)
    except SettingsError as error:
        raise one.wrong("default", str(error)) from error
    return SettingRule(rule.key, rule.name, rule.unit, default, rule.least, rule.most, rule.argument)


def _inside(path: str) -> bool:
    parts = PurePosixPath(path)
    return not parts.is_absolute() and ".." not in parts.parts and bool(parts.name)


def _commit_log(top: Table) -> str | None:
    found: str | None = top.take("commit_log", str, None)
    if found is not None and not _inside(found):
        raise top.wrong("commit_log", "the log lies below {data}: write a relative path without ..")
    return found


def _file(table: Table) -> FileTemplate:
    table.only("path", "text")
    path = table.take("path", str)
    if not _inside(path):
        raise table.wrong("path", "a file lies below its node's folder: write a relative path without ..")
    return FileTemplate(path, table.take("text", str))


def _signal(table: Table) -> signal.Signals:
    name = table.take("signal", str, "SIGTERM")
    try:
        return signal.Signals[name]
    except KeyError:
        raise table.wrong("signal", "write a signal's name, such as SIGTERM or SIGINT") from None


def _check_texts(found: Description, path: str) -> None:
    """Every placeholder must be known before anything is started."""
    for name in found.constants:
        if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or name in (*NODE_PLACEHOLDERS, *BROKER_PLACEHOLDERS):
            raise SettingsError(f"{path}: constant {name!r} is no new name of small letters, digits and underscores")
    node = {*NODE_PLACEHOLDERS, *found.constants}
    for variable, text in found.environment.items():
        _checked(f"{path} [environment]", variable, text, node - {"settings"})
    for role in (found.nameserver, found.broker):
        known = node | (set(BROKER_PLACEHOLDERS) if role.role == "broker" else set())
        where = f"{path} [{role.role}]"
        for word in role.command:
            _checked(where, "command", word, (known | {"arguments"} if word == "{arguments}" else known) - {"settings"})
        _checked(where, "line", role.line, {"key", "value"})
        asked = [rule.key for rule in role.settings.values() if rule.argument is not None]
        if asked and "{arguments}" not in role.command:
            raise SettingsError(
                f"{where} command has no word {{arguments}}, where that of {asked[0]} would stand: add it"
            )
        for file in role.files:
            _checked(where, file.path, file.text, known)
            _checked(where, "path", file.path, {"name"})


def _checked(where: str, what: str, text: str, known: set[str]) -> None:
    try:
        placeholders.check(text, known)
    except SettingsError as error:
        raise SettingsError(f"{where} {what}: {error}") from None


_NOTHING: Final = object()
"""No default: the key must be there."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table of the file, and where it stands; every reading of it is checked."""

    where: str
    data: Mapping[str, Any] = field(default_factory=dict)

    def wrong(self, key: str, rule: str) -> SettingsError:
        """The error for a value that does not fit."""
        return SettingsError(f"{self.where} {key} = {self.data.get(key)!r}: {rule}")

    def only(self, *known: str) -> None:
        """Refuse every other key."""
        for key in self.data:
            if key not in known:
                near = difflib.get_close_matches(key, known, 1)
                hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}"
                raise SettingsError(f"{self.where} has an unknown key {key!r}; {hint}")

    def take(self, key: str, kind: type, default: Any = _NOTHING) -> Any:
        """A value of one type; a key that is missing and has no default is an error."""
        value = self.data.get(key, default)
        if value is _NOTHING:
            raise SettingsError(f"{self.where} has no {key}: add it")
        if value is not default and (not isinstance(value, kind) or isinstance(value, bool)):
            raise self.wrong(key, f"must be {'a whole number' if kind is int else 'a text'}")
        return value

    def positive(self, key: str, default: float) -> float:
        """A number of seconds above zero."""
        value = self.data.get(key, default)
        if not isinstance(value, (int, float)) or isinstance(value, bool) or value <= 0:
            raise self.wrong(key, "must be a number of seconds above 0")
        return float(value)

    def texts(self, key: str, *, least: int = 0) -> list[str]:
        """A list of texts."""
        value = self.data.get(key, [])
        if not isinstance(value, list) or not all(isinstance(word, str) for word in value) or len(value) < least:
            raise self.wrong(key, f'must be a list of texts, such as ["broker", "-c", "{{folder}}/{key}"]')
        return value

    def numbers(self, key: str, default: tuple[int, ...]) -> list[int]:
        """A list of whole numbers."""
        value = self.data.get(key, list(default))
        if not isinstance(value, list) or not value or not all(type(number) is int for number in value):
            raise self.wrong(key, "must be a list of whole numbers, such as [0]")
        return value

    def table(self, key: str, default: Mapping[str, Any] | None = None) -> Table:
        """A table inside this one."""
        value = self.data.get(key, default)
        if not isinstance(value, Mapping):
            raise SettingsError(f"{self.where} has no table {key!r}: add [{key}]")
        return Table(f"{self.where} [{key}]", value)

    def tables(self, key: str) -> list[Table]:
        """A list of tables inside this one."""
        value = self.data.get(key, [])
        if not isinstance(value, list) or not all(isinstance(each, Mapping) for each in value):
            raise self.wrong(key, f"must be a list of tables: write [[…{key}]]")
        return [Table(f"{self.where} [{key} {number}]", each) for number, each in enumerate(value, 1)]

    def strings(self) -> dict[str, str]:
        """All of it, as texts."""
        for key in self.data:
            self.take(key, str)
        return {key: str(value) for key, value in self.data.items()}

    def scalars(self, *, only: str | None = None) -> dict[str, str]:
        """All of it (or one key), each a text, number or flag, as texts."""
        found = {}
        for key, value in self.data.items():
            if only not in (None, key):
                continue
            if not isinstance(value, (str, int)):
                raise self.wrong(key, "must be a text, a whole number, true or false")
            found[key] = str(value).lower() if isinstance(value, bool) else str(value)
        return found
