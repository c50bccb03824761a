"""Registering at every NameServer: at the start, every period, and at once when topics change.

NameServers do not know each other, so each is told by itself, and one that does not answer holds up nobody but the
request that waits for it (17, as in RocketMQ, answers only when all have answered or failed). Must not open
connections: it makes Call effects. Sources: RocketMQ BrokerOuterAPI.registerBrokerAll, RegisterBrokerBody.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct, field

from reference_impl.commands import PERM_READ, PERM_WRITE, RequestCode
from reference_impl.delivery.topics import TopicTable
from reference_impl.effects import Call, Effect, Reply
from reference_impl.frame import Command
from reference_impl.loose_json import dumps
from reference_impl.message import body_crc
from reference_impl.settings import BrokerSettings

REGISTER_TIMEOUT_MS = 6000
"""How long one NameServer may take; RocketMQ 4.9: registerBrokerTimeoutMills."""
UNREGISTER_TIMEOUT_MS = 1000
"""How long a clean stop waits for a NameServer; ours."""
ORDER_ROUND = "order"
"""Begins the token of each call of a round of registrations whose answer may change which topics are ordered."""
WAITING_MAX = 10_000
"""Answers that wait for a registration at once; ours. Further ones do not wait."""


def of_registration(token: str) -> bool:
    """Whether a call is a registration."""
    return token.startswith(("register-", f"{ORDER_ROUND}-"))


class _Waiting(Struct):
    outstanding: set[str]
    """Tokens of calls without an answer."""
    answers: list[Effect]


class Registrar(Struct):
    """Makes registrations and remembers which answers wait for them."""

    settings: BrokerSettings
    count: int = 0
    """Registrations made in this life; part of the token."""
    waiting: dict[int, _Waiting] = field(default_factory=dict)

    def register(
        self, topics: TopicTable, then: list[Effect] | None = None, *, follow_order: bool = False
    ) -> list[Effect]:
        """Tell every NameServer all topics; ``then`` is answered when each has answered or failed.

        With ``follow_order`` the broker takes over what the answers say of ordered topics.
        """
        self.count += 1
        command = self._register_command(topics)
        calls: list[Effect] = []
        tokens = set()
        for index, address in enumerate(self.settings.nameservers):
            token = f"{ORDER_ROUND if follow_order else 'register'}-{self.count}-{index}"
            tokens.add(token)
            calls.append(Call(address, command, token, REGISTER_TIMEOUT_MS))
        if not then:
            return calls
        if not tokens or len(self.waiting) >= WAITING_MAX:
            return calls + then
        self.waiting[self.count] = _Waiting(tokens, then)
        return calls

    def answered(self, token: str) -> list[Effect]:
        """A NameServer answered or failed; the answers that waited for the last of its round."""
        if not of_registration(token):
            return []
        parts = token.split("-")
        waiting = self.waiting.get(int(parts[1]))
        if waiting is None:
            return []
        waiting.outstanding.discard(token)
        if waiting.outstanding:
            return []
        del self.waiting[int(parts[1])]
        return waiting.answers

    def unregister(self) -> list[Effect]:
        """A clean stop: tell every NameServer. Source: RocketMQ UnRegisterBrokerRequestHeader."""
        command = Command(code=RequestCode.UNREGISTER_BROKER, fields=self._identity())
        return [
            Call(address, command, f"unregister-0-{index}", UNREGISTER_TIMEOUT_MS)
            for index, address in enumerate(self.settings.nameservers)
        ]

    def closed(self, conn: int) -> None:
        """A connection ended: nobody is left to be answered there."""
        for waiting in self.waiting.values():
            waiting.answers = [
                effect for effect in waiting.answers if not (isinstance(effect, Reply) and effect.conn == conn)
            ]

    def _identity(self) -> dict[str, str]:
        settings = self.settings
        return {
            "brokerName": settings.brokerName,
            "brokerAddr": f"{settings.brokerIP1}:{settings.listenPort}",
            "clusterName": settings.brokerClusterName,
            "brokerId": str(settings.brokerId),
        }

    def _register_command(self, topics: TopicTable) -> Command:
        settings = self.settings
        body = dumps({"topicConfigSerializeWrapper": self._wrapper(topics), "filterServerList": []})
        ha_port = settings.haListenPort or settings.listenPort + 1
        fields = {
            **self._identity(),
            "haServerAddr": f"{settings.brokerIP1}:{ha_port}",
            "compressed": "false",
            "bodyCrc32": str(body_crc(body)),
        }
        return Command(code=RequestCode.REGISTER_BROKER, fields=fields, body=body)

    def _wrapper(self, topics: TopicTable) -> dict[str, Any]:
        wrapper = topics.to_json()
        # A broker that is not readable or writable as a whole says so in each of its topics.
        if self.settings.brokerPermission != PERM_READ | PERM_WRITE:
            for entry in wrapper["topicConfigTable"].values():
                entry["perm"] &= self.settings.brokerPermission
        return wrapper
