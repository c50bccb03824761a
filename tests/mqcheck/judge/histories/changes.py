"""Changes by request, looks at what they changed, and regular registrations."""

from __future__ import annotations

from typing import Final

from histories.requests import Requests
from histories.rows import Row

MADE: Final = (
    ("topic", "broker-b", "create", "r3 w3 p6"),
    ("topic", "broker-b", "update", "r5 w4 p4"),
    ("topic", "broker-b", "delete", None),
    ("topic", "broker-b", "refuse", None),
    ("route", "nameserver-1", "create", "r3 w3 p6"),
    ("route", "nameserver-1", "update", "r5 w4 p4"),
    ("route", "nameserver-1", "delete", None),
    ("route", "nameserver-1", "wipe", "r4 w4 p4"),
    ("route", "nameserver-1", "restore", "r4 w4 p6"),
    ("route", "nameserver-1", "refuse", None),
    ("route", "nameserver-1", "unregister", None),
    ("group", "broker-b", "create", "5"),
    ("group", "broker-b", "update", "7"),
    ("group", "broker-b", "delete", None),
    ("config", "broker-b", "update", "33"),
    ("offset", "broker-b", "update", "4"),
    ("bounds", "broker-b", "told", "0-6"),
    ("member", "broker-b", "told", "live"),
    ("cluster", "nameserver-1", "register", "C"),
    ("topic-list", "nameserver-1", "register", "listed"),
    ("kv", "nameserver-1", "put", "1"),
    ("kv", "nameserver-1", "drop", None),
    ("kv-list", "nameserver-1", "put", "1"),
    ("kv-list", "nameserver-1", "drop", None),
)
"""What, where, how, and what it is afterwards."""

CHANGED_MS: Final = 33_000
SEEN_MS: Final = 34_500


class Changes(Requests):
    """Each kind of change twice, under names of their own, and a look at it."""

    def changing(self) -> None:
        for about, node, kind, setting in MADE:
            for number in range(2):
                name = f"{kind}-{number}"
                self.state(CHANGED_MS, kind, about, node, name, setting)
                self.state(SEEN_MS, "seen", about, node, name, setting)
        for probe, changed in (("same", "false"), ("other", "true")):
            for number in range(2):
                self.told(f"version query: {probe}", 322, f'{{"changed":"{changed}"}}', number)
        for number in range(2):
            self.told("register: slave", 103, '{"haServerAddr":"h:9","masterAddr":"h:1"}', number)

    def state(self, at: float, kind: str, about: str, node: str, name: str, setting: str | None) -> Row:
        columns = {"kind": kind, "about": about, "node": node, "name": name, "setting": setting}
        return self.span("states", at, at + 5, {"code": 0}, **columns)

    def told(self, probe: str, request_code: int, detail: str, number: int) -> None:
        end = {"code": 0, "answers": 1, "response_flag": "1", "detail": detail}
        columns = {"probe": probe, "conn": 9_001, "node": "nameserver-1", "request_code": request_code}
        self.span("replies", SEEN_MS + number, SEEN_MS + number + 5, end, encoding="json", **columns)
