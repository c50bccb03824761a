"""Raw requests by probe: what each was answered."""

from __future__ import annotations

from typing import Any, Final

from histories.requests import Requests
from histories.rows import Row

ZERO: Final = '{"offset":"0"}'
ANSWERS: Final[dict[str, dict[str, tuple[int, int, int, str | None]]]] = {
    "broker-b": {
        "either encoding": (12, 30, 0, ZERO),
        "in flight": (100, 30, 0, ZERO),
        "field missing": (6, 30, 1, None),
        "after a bad request": (6, 30, 0, ZERO),
        "unknown fields": (4, 30, 0, ZERO),
        "heartbeat": (2, 34, 0, None),
        "heartbeat: no body": (2, 34, 1, None),
        "send: no such topic": (2, 310, 17, None),
        "send: no such queue": (2, 310, 1, None),
        "send: system topic": (2, 310, 16, None),
        "committed offset: none": (2, 14, 0, ZERO),
        "bounds: no such topic": (6, 30, 0, ZERO),
        "members: no such group": (2, 38, 1, None),
        "consumer connections: no such group": (2, 203, 206, None),
        "producer connections: no such group": (2, 204, 1, None),
        "topic statistics: no such topic": (2, 202, 17, None),
        "view: no such message": (2, 33, 1, None),
        "query: no such key": (2, 12, 22, None),
        "send back: no such message": (2, 36, 1, None),
        "end transaction: no such message": (2, 37, 1, None),
        "vip: pull": (4, 11, 3, None),
        "vip: served": (4, 30, 0, ZERO),
        "vip: send": (4, 310, 17, None),
    },
    "nameserver-1": {
        "either encoding": (12, 105, 0, None),
        "in flight": (100, 105, 0, None),
        "field missing": (2, 105, 17, None),
        "after a bad request": (2, 105, 0, None),
        "unknown request": (2, 9999, 3, None),
        "kv: no such key": (2, 101, 22, None),
        "kv: no such namespace": (2, 219, 22, None),
    },
}
"""Node → probe → how many, request code, answer's code and header."""

ASKED_MS: Final = 31_000
BAD_FRAMES_MS: Final = 32_000


class Wire(Requests):
    """Requests by hand."""

    def asking(self) -> None:
        for node, probes in ANSWERS.items():
            for probe, (count, request_code, code, detail) in probes.items():
                for number in range(count):
                    end = {"code": code, "answers": 1, "response_flag": "1", "detail": detail}
                    self.asked(
                        ASKED_MS, ASKED_MS + 20, end, node, probe, request_code, "json" if number % 2 else "binary"
                    )
            for number in range(3):
                end = {"outcome": "closed", "answers": 0, "closed_by": "peer"}
                at = BAD_FRAMES_MS + 10 * number
                self.beside(at, node, number)
                row = self.asked(at, at + 5, end, node, f"bad frame: {number}", None, "garbage")
                self.entry(
                    "connections",
                    conn=row.get("conn"),
                    link=f"admin->{node}",
                    node=node,
                    opened=at,
                    closed=at + 4,
                    closed_by="peer",
                )

    def beside(self, at: float, node: str, number: int) -> None:
        """Three connections that are asked before and after a bad frame."""
        for each in range(3):
            conn = 8_000 + 100 * number + 10 * each + (node == "broker-b")
            answer = {"code": 0, "answers": 1, "response_flag": "1"}
            where = {"probe": "beside a bad frame", "conn": conn, "node": node, "encoding": "json"}
            for asked in (at - 2, at + 6):
                self.span("replies", asked, asked + 1, answer, request_code=30, **where)
            life = {"opened": at - 3, "closed": at + 8, "closed_by": "us"}
            self.entry("connections", conn=conn, link=f"admin->{node}", node=node, **life)

    def asked(
        self,
        at: float,
        until: float,
        end: dict[str, Any],
        node: str,
        probe: str,
        request_code: int | None,
        encoding: str,
    ) -> Row:
        conn = 10_000 + self.next_op if encoding == "garbage" else 9_000
        columns = {"probe": probe, "conn": conn, "node": node, "request_code": request_code, "encoding": encoding}
        return self.span("replies", at, until, end, **columns)
