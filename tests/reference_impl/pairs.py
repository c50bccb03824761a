"""A master and its slave, to be talked to by hand."""

from __future__ import annotations

from typing import Any

from reference_impl.effects import StreamOpen, StreamSend

HA = "10.0.0.9:10912"
MASTER = "10.0.0.9:10911"


class Pair:
    """A master and a slave on disks in memory, and the HA connection between them."""

    def __init__(self, bench: Any, master: dict[str, Any] | None = None, slave: dict[str, Any] | None = None) -> None:
        self.master = bench(**{"brokerRole": "SYNC_MASTER", **(master or {})})
        self.slave = bench(**{"brokerRole": "SLAVE", "brokerId": 1, **(slave or {})})
        self.number = 0
        self.slave.answer_calls(fields={"haServerAddr": HA, "masterAddr": MASTER})

    def connect(self) -> None:
        """Carry out the slave's wish for a connection."""
        (opened,) = [effect for effect in self.slave.streamed if isinstance(effect, StreamOpen)]
        assert opened.address == HA
        self.number = -opened.stream
        self.slave.streamed.clear()
        self.master.stream(self.number, b"")
        self.slave.stream(-self.number, b"")
        self.carry()

    def carry(self) -> None:
        """Carry bytes both ways until there are none."""
        while self.to_slave() or self.to_master():
            pass

    def to_slave(self) -> int:
        """Give the slave what the master sent; how much it was."""
        return self._move(self.master, self.slave, -self.number)

    def to_master(self) -> int:
        """Give the master what the slave sent; how much it was."""
        return self._move(self.slave, self.master, self.number)

    def tables(self) -> list[int]:
        """Let the master answer what the slave asks of it; the codes."""
        codes = []
        calls, self.slave.calls = self.slave.calls, []
        for call in calls:
            if call.address == MASTER:
                codes.append(call.command.code)
                answer = self.master.ask(call.command.code)
                self.slave.carry(self.slave.core.response(self.slave.now_ms, call.token, answer))
        return codes

    @staticmethod
    def _move(sender: Any, receiver: Any, number: int) -> int:
        data = b"".join(effect.data for effect in sender.streamed if isinstance(effect, StreamSend))
        sender.streamed.clear()
        if data:
            receiver.carry(receiver.core.stream(receiver.now_ms, number, data))
        return len(data)
