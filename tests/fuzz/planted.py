"""The reference with one mistake planted in a handler or a timer: ``python tests/fuzz/planted.py NAME all -p …``.

For the test that shows that fuzzing notices such mistakes: each is of a kind that is easily made, and most need a
request that is wrong in one certain way.
"""

from __future__ import annotations

import json
import os
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

sys.path[:0] = [str(Path(__file__).parents[2])]

from reference_impl.broker import core as broker_core  # noqa: E402 - after the path
from reference_impl.command_line import main  # noqa: E402
from reference_impl.frame import Command  # noqa: E402
from reference_impl.nameserver import core as nameserver_core  # noqa: E402

Mistake = Callable[[Command], object]
OF_BROKER: Final[dict[str, tuple[int, Mistake]]] = {
    "a field that may be missing": (30, lambda command: command.fields["queueId"]),
    "a number that may be none": (29, lambda command: int(command.fields.get("timestamp", "0"))),
    "a number that may be too long": (
        15,
        lambda command: struct.pack(">q", _number(command, "commitOffset")),
    ),
    "a name that may be empty": (14, lambda command: command.fields.get("topic", "x")[0]),
    "a body that may be a list": (34, lambda command: _json(command.body).get("clientID")),
    "a list that may be null": (41, lambda command: list(_object(command.body).get("mqSet", []))),
    "members that may be null": (200, lambda command: len(_object(command.body).get("groupName", ""))),
    "a text that may be no ASCII": (46, lambda command: str(_object(command.body).get("group")).encode("ascii")),
    "a message that may be cut": (320, lambda command: struct.unpack_from(">iiiii", command.body)),
    "a place that no file has": (33, lambda command: os.pread(0, 1, _number(command, "offset") - (1 << 62))),
    "a rule that may not hold": (11, lambda command: _claim(_number(command, "maxMsgNums") >= 0)),
}
"""Code and mistake by name."""
OF_NAMESRV: Final[dict[str, tuple[int, Mistake]]] = {
    "a topic that may be missing": (105, lambda command: command.fields["topic"]),
    "a table that may be none": (103, lambda command: _tables(command.body)),
}
"""The same in a NameServer."""
TIMER: Final = "a timer"
NAMES: Final = (*OF_BROKER, *OF_NAMESRV, TIMER)


def _number(command: Command, name: str) -> int:
    text = command.fields.get(name, "")
    return int(text) if text.lstrip("-").isdecimal() and not text.startswith("--") else 0


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return {}


def _object(body: bytes) -> dict[str, Any]:
    found = _json(body)
    return found if isinstance(found, dict) else {}


def _tables(body: bytes) -> object:
    return _object(body).get("topicConfigSerializeWrapper", {}).get("topicConfigTable", {}).items()


def _claim(holds: bool) -> None:
    assert holds


def plant(name: str) -> None:
    """Put a mistake in, for the rest of this process."""
    if name == TIMER:
        _plant_timer()
    elif name in OF_BROKER:
        code, mistake = OF_BROKER[name]
        handler = broker_core.HANDLERS[code]

        def served(state: Any, request: Any) -> Any:
            mistake(request.command)
            return handler(state, request)

        broker_core.HANDLERS[code] = served
    else:
        code, mistake = OF_NAMESRV[name]
        answered = nameserver_core.HANDLERS[code]

        def answers(state: Any, conn: int, command: Command) -> Any:
            mistake(command)
            return answered(state, conn, command)

        nameserver_core.HANDLERS[code] = answers


def _plant_timer() -> None:
    tick = broker_core.BrokerCore.tick

    def ticks(self: Any, now_ms: int) -> Any:
        if self.state.offsets.offsets:
            raise RuntimeError("planted")
        return tick(self, now_ms)

    broker_core.BrokerCore.tick = ticks  # type: ignore[method-assign]


if __name__ == "__main__":
    plant(sys.argv.pop(1))
    raise SystemExit(main())
