"""The kit's faults by the words of an experiment: kind, what it is on, its numbers.

Every word is checked here, before anything is started: a wrong one is told with the words that are right.
"""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, get_args

from mqcheck.chaos.work import WHOLE
from mqcheck.errors import SettingsError
from mqcheck.faults.base import Fault
from mqcheck.faults.clock import ClockJump
from mqcheck.faults.disk import DiskFull, FsyncError, NearlyFull, SlowFsync, SlowWrite, WriteError
from mqcheck.faults.frame import DelayFrame, DropFrame, DuplicateFrame, FrameFault, HoldFrame
from mqcheck.faults.link import (
    Bandwidth,
    Blackhole,
    Down,
    Drop,
    Latency,
    LimitData,
    LinkFault,
    Reset,
    Slice,
    SlowClose,
)
from mqcheck.faults.power import PowerCut
from mqcheck.faults.process import Kill, Pause, Restart, Stop
from mqcheck.faults.store import BadTail, LostQueues
from mqcheck.links.base import Direction
from mqcheck.rocketmq.codes import RequestCode
from mqcheck.rocketmq.tail import Spoil

KINDS: Final[Mapping[str, type[Fault]]] = {
    fault.kind: fault
    for fault in (
        *(Latency, Bandwidth, Blackhole, Drop, Reset, SlowClose, Slice, LimitData, Down),
        *(DropFrame, DelayFrame, HoldFrame, DuplicateFrame),
        *(Kill, Stop, Restart, Pause, PowerCut),
        *(SlowFsync, FsyncError, SlowWrite, WriteError, DiskFull, NearlyFull),
        *(BadTail, LostQueues, ClockJump),
    )
}
"""Every fault that an experiment can name, by its kind in the history's table `faults`."""

PLACES: Final = ("pattern", "victim")
"""Fields of faults that say what they are on."""

RENAMED: Final = {"way": "direction"}
"""Fields that experiments know by another name."""

WORDS: Final = {"direction": get_args(Direction), "side": ("request", "response"), "how": get_args(Spoil)}
"""Parameters that are one of a few words."""

TRUTHS: Final = frozenset({"torn"})
"""Parameters that are true or false; all others but `codes` are numbers."""

ARROW: Final = "->"


@dataclass(frozen=True, slots=True)
class Parameter:
    """One number or word of a fault, as experiments write it."""

    name: str
    field: str
    """Of the fault's class."""
    required: bool
    default: object

    def __str__(self) -> str:
        return self.name if self.required else f"{self.name}={self.default!r}"


def parameters_of(kind: str) -> tuple[Parameter, ...]:
    """What a kind of fault takes beside what it is on. Raises SettingsError for an unknown kind."""
    fields = dataclasses.fields(_class_of(kind))  # type: ignore[arg-type]
    return tuple(
        Parameter(
            RENAMED.get(field.name, field.name),
            field.name,
            field.default is dataclasses.MISSING,
            None if field.default is dataclasses.MISSING else field.default,
        )
        for field in fields
        if field.init and field.name not in PLACES
    )


def on_links(kind: str) -> bool:
    """Whether a kind of fault is on links (`peer->server`), not on a node. Raises SettingsError for an unknown kind."""
    return issubclass(_class_of(kind), (LinkFault, FrameFault))


def make_faults(kind: str, where: str | Sequence[str], parameters: Mapping[str, Any]) -> tuple[Fault, ...]:
    """The faults of one `inject`, one for each place in `where`.

    Raises SettingsError that shows the offending word, the rule, and the words there are.
    """
    places = list(where) if isinstance(where, list | tuple) else [where]
    if not places or not all(isinstance(place, str) and place for place in places):
        raise SettingsError(f"fault {kind!r} is on {where!r}: name a node (broker-a) or links (producer-*->broker-a)")
    for place in places:
        if on_links(kind) != (ARROW in place):
            wanted = "links: PEER->SERVER, globs allowed" if on_links(kind) else "one node or client by its name"
            raise SettingsError(f"fault {kind!r} cannot be on {place!r}: it hits {wanted}")
    arguments = _arguments(kind, parameters)
    make: Callable[..., Fault] = _class_of(kind)
    return tuple(make(place, **arguments) for place in places)


def described() -> list[tuple[str, str, str]]:
    """Kind, parameters and first sentence of every fault, for ``mqcheck chaos faults``."""
    found = []
    for kind, fault in sorted(KINDS.items()):
        numbers = ", ".join(str(parameter) for parameter in parameters_of(kind))
        found.append((kind, numbers, (fault.__doc__ or "").split("\n", 1)[0]))
    return found


def frames_of(faults: Iterable[Fault]) -> tuple[str, ...]:
    """Patterns of links on which frames must be seen for these faults."""
    return tuple(dict.fromkeys(fault.pattern for fault in faults if isinstance(fault, FrameFault)))


def _class_of(kind: str) -> type[Fault]:
    try:
        return KINDS[kind]
    except (KeyError, TypeError):
        near = difflib.get_close_matches(str(kind), KINDS, 1)
        hint = f", perhaps {near[0]!r} is meant" if near else ""
        raise SettingsError(f"no fault is called {kind!r}{hint}; there are {', '.join(sorted(KINDS))}") from None


def _arguments(kind: str, given: Mapping[str, Any]) -> dict[str, Any]:
    known = {parameter.name: parameter for parameter in parameters_of(kind)}
    takes = ", ".join(map(str, known.values())) or "no parameter"
    for name in given:
        if name not in known:
            raise SettingsError(f"fault {kind!r} has no parameter {name!r}; it takes {takes}")
    for name, parameter in known.items():
        if parameter.required and name not in given:
            raise SettingsError(f"fault {kind!r} lacks {name!r}; it takes {takes}")
    return {known[name].field: _value(kind, name, value) for name, value in given.items()}


def _value(kind: str, name: str, value: Any) -> Any:
    if name == "codes":
        return tuple(_code(each) for each in (value if isinstance(value, list | tuple) else [value]))
    if name in WORDS:
        if value not in WORDS[name]:
            raise SettingsError(f"fault {kind!r}: {name} is {value!r}; it must be one of {', '.join(WORDS[name])}")
        return value
    if name in TRUTHS:
        if not isinstance(value, bool):
            raise SettingsError(f"fault {kind!r}: {name} is {value!r}; it must be true or false")
        return value
    found = int(value) if isinstance(value, str) and WHOLE.fullmatch(value) else value  # variables come as text
    if isinstance(found, bool) or not isinstance(found, int):
        raise SettingsError(f"fault {kind!r}: {name} is {value!r}; it must be a whole number")
    if found < 0 and kind != ClockJump.kind:
        raise SettingsError(f"fault {kind!r}: {name} is {value!r}; it must be 0 or more")
    return found


def _code(value: Any) -> int:
    """A request code by number or by RocketMQ's name."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    try:
        return int(RequestCode[value])
    except (KeyError, TypeError):
        names = ", ".join(code.name for code in RequestCode)
        raise SettingsError(f"no request is called {value!r}; write a code's number or one of {names}") from None
