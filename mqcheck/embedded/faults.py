"""Faults for an application under test: what goes wrong with the RocketMQ it talks to.

Each method breaks something and returns when it is broken; what it returns mends it, by ``heal()`` or at the end of a
``with``. A fault that did nothing by then raises: a test whose fault never happened has shown nothing. Faults of links
need `mqcheck[kit]`, all others the bare package.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Literal, Self, get_args

from mqcheck.errors import FaultError, SettingsError

if TYPE_CHECKING:
    from mqcheck.embedded.cluster import Nodes
    from mqcheck.embedded.links import Links
    from mqcheck.embedded.node import Node
    from mqcheck.faults.link import LinkFault

REQUESTS: Final[Mapping[str, tuple[int, ...]]] = {
    "send": (10, 310, 320),
    "pull": (11,),
    "commit_offset": (15,),
    "query_offset": (14,),
    "heartbeat": (34,),
    "send_back": (36,),
    "end_transaction": (37,),
    "members": (38,),
    "lock": (41,),
    "route": (105,),
}
"""Requests by the names that faults give them, and their codes; "route" goes to NameServers, all others to brokers."""

SYSTEM_BUSY: Final = 2
POLL_SECONDS: Final = 0.01
"""Between two looks at what a fault has done. Ours."""

Way = Literal["up", "down", "both"]
"""`up`: what the application sends; `down`: what it is answered."""


class Injected:
    """A fault that is in force until it is healed."""

    def __init__(
        self,
        what: str,
        heal: Callable[[], Mapping[str, Any]],
        *,
        must_act: bool = True,
        look: Callable[[], Mapping[str, int]] | None = None,
    ) -> None:
        self.what = what
        """In words."""
        self.healed = False
        self.effect: Mapping[str, Any] = {}
        """What it did, once it is healed."""
        self._heal = heal
        self._must_act = must_act
        self._look = look

    @property
    def acted(self) -> int:
        """How many requests or answers a fault of single ones has dealt with so far; SettingsError for any other."""
        if self.healed:
            return int(self.effect.get("acted", 0))
        if self._look is None:
            raise SettingsError(f"{self.what} is not counted while it lasts: look at its effect once it is healed")
        return self._look()["acted"]

    def wait_acted(self, times: int = 1, timeout_s: float = 10.0) -> None:
        """Wait until it has dealt with so many requests or answers; FaultError after `timeout_s` seconds."""
        end = time.monotonic() + timeout_s
        while (acted := self.acted) < times:
            if time.monotonic() > end:
                raise FaultError(f"{self.what} did {acted} of {times} in {timeout_s} s")
            time.sleep(POLL_SECONDS)

    def heal(self) -> Mapping[str, Any]:
        """Mend it; what it did. Once is enough. FaultError when it did nothing, unless it was begun with
        ``must_act=False``, and when it cannot be mended.
        """
        if not self.healed:
            self.effect = self._heal()
            self.healed = True
            if self._must_act and not _did_anything(self.effect):
                raise FaultError(
                    f"{self.what} did nothing ({_told(self.effect).strip()}): a test whose fault never happened has "
                    f"shown nothing. Heal it later, after wait_acted() for example, or allow it: must_act=False"
                )
        return self.effect

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if kind is not None:
            self._must_act = False  # the test has failed already, and says why
        self.heal()


class RocketMQFaults:
    """What can go wrong with one server or cluster; every fault is healed by `heal_all` at the latest.

    `node` names one process: of a cluster "broker-a", "broker-a-slave", "nameserver-1", …; a server is only one. Raises
    SettingsError for what makes no sense, FaultError for what cannot be done, LinkError, NodeError.
    """

    def __init__(self, nodes: Nodes, links: Links) -> None:
        self._nodes = nodes
        self._links = links
        self._injected: list[Injected] = []

    # --- single requests and answers: bare package ------------------------------------------------------------------

    def lose_reply(self, request: str = "send", **which: Any) -> Injected:
        """The request is served and its answer is lost: the application does not know. As a cut line after the work.

        `request` is a name out of `REQUESTS`. Of those, `which` says: ``topic``, ``group``, and of a send ``keys`` and
        ``tags``, as texts that must be equal; ``nth`` (1: the next one), ``every`` (from there on each so-many-th),
        ``times`` (1; None: until it is healed), counted by each broker for itself; ``node``; ``must_act``.
        """
        return self._frames("drop", "response", f"the lost reply to {request}", request, which)

    def lose_request(self, request: str = "send", **which: Any) -> Injected:
        """The request never arrives; nothing is answered. `request` and `which` as in `lose_reply`."""
        return self._frames("drop", "request", f"the lost {request}", request, which)

    def delay_reply(self, ms: int, request: str = "send", **which: Any) -> Injected:
        """The answer comes `ms` milliseconds later, others pass it. `request` and `which` as in `lose_reply`."""
        return self._frames("delay", "response", f"the late reply to {request}", request, {**which, "delay_ms": ms})

    def hold_reply(self, request: str = "send", **which: Any) -> Injected:
        """The answer comes when this is healed. `request` and `which` as in `lose_reply`."""
        return self._frames("hold", "response", f"the held reply to {request}", request, which)

    def close_instead_of_reply(self, request: str = "send", **which: Any) -> Injected:
        """The request is served, and in place of its answer the connection ends. Arguments as in `lose_reply`."""
        return self._frames("close", "response", f"the connection closed at {request}", request, which)

    def deliver_twice(self, **which: Any) -> Injected:
        """A message that is sent is stored twice, and so delivered twice: one id, two offsets, as after a send that was
        repeated because its answer was lost. `which` as in `lose_reply`.
        """
        return self._frames("duplicate", "request", "the doubled message", "send", which)

    def answer_busy(self, request: str = "send", **which: Any) -> Injected:
        """The broker refuses with SYSTEM_BUSY, as under flow control; nothing is done. Arguments as in `lose_reply`."""
        remark = "[TIMEOUT_CLEAN_QUEUE]broker busy, start flow control for a while"
        return self.refuse(SYSTEM_BUSY, request, remark=remark, **which)

    def refuse(self, code: int, request: str = "send", *, remark: str = "", **which: Any) -> Injected:
        """The broker refuses with a response code of RocketMQ. Arguments as in `lose_reply`."""
        told = {**which, "code": code, "remark": remark}
        return self._frames("refuse", "request", f"the refusal of {request}", request, told)

    # --- processes, power and disks: bare package -------------------------------------------------------------------

    def kill(self, node: str | None = None) -> Injected:
        """A process ends at once (SIGKILL); what it had written stays. Healed by starting it again.

        A NameServer comes back knowing no broker, until each registers again: every 30 s, or as often as the setting
        ``reference.registerPeriodMs`` of brokers says.
        """
        return self._end(self._nodes.node(node), "kill", lambda its: its.kill())

    def stop(self, node: str | None = None) -> Injected:
        """A process is shut down as by an operator. Healed by starting it again."""
        return self._end(self._nodes.node(node), "stop", lambda its: its.stop())

    def restart(self, node: str | None = None) -> None:
        """A process is killed and started again; nothing is left to heal."""
        self.kill(node).heal()

    def power_cut(self, node: str | None = None, *, torn: bool = True, seed: int | None = None) -> Injected:
        """A broker's machine loses power: what was not synced is gone. Healed by starting it again.

        Its effect counts what was lost; with flush="SYNC_FLUSH" no acknowledged message is among it.
        `torn`: half-written records may be left, drawn by `seed`.
        """
        rng = random.Random(seed)  # noqa: S311 - no secret
        return self._end(self._nodes.node(node, broker=True), "power cut", lambda its: its.power_cut(rng, torn=torn))

    def pause(self, node: str | None = None) -> Injected:
        """A process stands still (SIGSTOP): connections are accepted, nobody answers. Healed by letting it go on."""
        its = self._nodes.node(node)
        its.pause()

        def heal() -> Mapping[str, Any]:
            its.resume()
            return {"processes": 1}

        return self._begun(Injected(f"the pause of {its.name}", heal))

    def disk(self, node: str | None = None, *, must_act: bool = True, **switches: int | bool) -> Injected:
        """The disk under a broker's log works badly: ``fsync_delay_ms``, ``fsync_error``, ``write_delay_ms``,
        ``write_error``, ``disk_full`` (true or false), ``used_percent``.
        """
        its = self._nodes.node(node, broker=True)
        before = _numbers(its.ask(do="disk", **switches))
        life = its.life

        def heal() -> Mapping[str, Any]:
            if its.life != life or not its.running:
                return {"lives": 1}
            after = _numbers(its.ask(do="disk"))
            return {key: value - before.get(key, 0) for key, value in after.items()}

        return self._begun(Injected(f"the bad disk of {its.name} ({switches})", heal, must_act=must_act))

    # --- links: mqcheck[kit] ----------------------------------------------------------------------------------------

    def linked_address(self, peer: str = "application") -> str:
        """NameServers for a client whose traffic is to go through links: its own, called "PEER->broker-a" and so on.

        The same address for the same peer as long as the server or cluster lives. Raises MissingToolError without the
        kit.
        """
        return self._links.nameserver_address(peer)

    def latency(self, ms: int, *, jitter_ms: int = 0, link: str = "*", way: Way = "both", **more: bool) -> Injected:
        """Everything takes `ms` ± `jitter_ms` milliseconds longer, on its way up and down alike."""
        from mqcheck.faults.link import Latency

        return self._link(Latency(link, way, ms=ms, jitter_ms=jitter_ms), more)

    def bandwidth(self, kb_per_s: int, *, link: str = "*", way: Way = "both", **more: bool) -> Injected:
        """Only so many kilobytes pass per second."""
        from mqcheck.faults.link import Bandwidth

        return self._link(Bandwidth(link, way, kb_per_s=kb_per_s), more)

    def partition(self, *, link: str = "*", way: Way = "both", **more: bool) -> Injected:
        """Nothing passes, and no connection ends; what was sent meanwhile arrives when it is healed."""
        from mqcheck.faults.link import Blackhole

        return self._link(Blackhole(link, way), more)

    def reset(self, *, link: str = "*", way: Way = "both", **more: bool) -> Injected:
        """Every connection ends with the next byte that it carries: `up` before the work is done, `down` after it."""
        from mqcheck.faults.link import Reset

        return self._link(Reset(link, way), more)

    def down(self, *, link: str = "*", **more: bool) -> Injected:
        """Connections end, and new ones are refused."""
        from mqcheck.faults.link import Down

        return self._link(Down(link), more)

    # --- the end ----------------------------------------------------------------------------------------------------

    @property
    def active(self) -> tuple[Injected, ...]:
        """What is not healed, the oldest first."""
        return tuple(each for each in self._injected if not each.healed)

    def heal_all(self) -> None:
        """Heal what is not healed, the newest first; all of it, whatever one says. Then raises what the first said.

        What cannot be healed ends with the processes that it is about.
        """
        troubles: list[Exception] = []
        for _ in range(2):  # what stands still answers once what has stopped it is healed
            told = [error for injected in reversed(self.active) if (error := _healed(injected)) is not None]
            troubles = [error for error in troubles if isinstance(error, FaultError)] + told
        if self.active:
            self._nodes.stop()
        self._injected.clear()
        if troubles:
            raise troubles[0]

    def _begun(self, injected: Injected) -> Injected:
        self._injected.append(injected)
        return injected

    def _end(self, node: Node, how: str, end: Callable[[Node], Mapping[str, Any] | None]) -> Injected:
        if not node.running:
            raise FaultError(f"the {how} of {node.name} hits nothing: it is not running; start it first")
        effect = {"processes": 1, **(end(node) or {})}

        def heal() -> Mapping[str, Any]:
            node.start()
            return effect

        return self._begun(Injected(f"the {how} of {node.name}", heal))

    def _frames(self, verb: str, side: str, what: str, request: str, which: Mapping[str, Any]) -> Injected:
        told = dict(which)
        name, must_act = told.pop("node", None), told.pop("must_act", True)
        if request not in REQUESTS:
            raise SettingsError(f"request is {request!r}: one of {', '.join(REQUESTS)}")
        known = {"topic", "group", "keys", "tags", "nth", "every", "times", "delay_ms", "code", "remark"}
        if unknown := told.keys() - known:
            raise SettingsError(
                f"{what} knows no {', '.join(sorted(unknown))}: there are {', '.join(sorted(known))}, node, must_act"
            )
        of = "namesrv" if request == "route" else "broker"
        rule = {"verb": verb, "side": side, "codes": list(REQUESTS[request]), **told}
        begun: list[tuple[Node, int, int]] = []

        def counts(question: str) -> dict[str, int]:
            living = [(node, rule) for node, life, rule in begun if node.life == life and node.running]
            told = [node.ask(do="frames", of=of, **{question: number}) for node, number in living]
            found = {key: sum(each[key] for each in told) for key in ("seen", "acted")}
            return found if len(living) == len(begun) else {**found, "lives": 1}

        try:
            for node in self._victims(name, of):
                begun.append((node, node.life, node.ask(do="frames", of=of, begin=rule)["rule"]))
        except BaseException:
            counts("end")  # one that cannot take it leaves no other with a fault that nobody heals
            raise
        return self._begun(
            Injected(f"{what}{_told(told)}", lambda: counts("end"), must_act=must_act, look=lambda: counts("counts"))
        )

    def _victims(self, name: str | None, of: str) -> list[Node]:
        """The node that is named, or all that serve the request."""
        if name is not None:
            return [self._nodes.node(name)]
        nodes = self._nodes.nodes.values()
        return [node for node in nodes if node.role in ("all", of) and not node.name.partition("-slave")[1]]

    def _link(self, fault: LinkFault, more: Mapping[str, bool]) -> Injected:
        if unknown := more.keys() - {"must_act"}:
            raise SettingsError(f"{fault} knows no {', '.join(sorted(unknown))}: there are link, way, must_act")
        if fault.way not in get_args(Way):
            raise SettingsError(f"{fault}: way is {fault.way!r}: one of {', '.join(get_args(Way))}")
        for name, value in fault.parameters().items():
            if not isinstance(value, int) or isinstance(value, bool) or value < 0:
                raise SettingsError(f"{fault}: {name} is {value!r}: a whole number from 0")
        self._links.inject(fault)
        return self._begun(Injected(str(fault), lambda: self._links.heal(fault), must_act=more.get("must_act", True)))


def _healed(injected: Injected) -> Exception | None:
    try:
        injected.heal()
    except Exception as error:
        return error
    return None


def _did_anything(effect: Mapping[str, Any]) -> bool:
    """What matched and was let be is no effect."""
    return any(isinstance(value, (int, float)) and value > 0 for key, value in effect.items() if key != "seen")


def _numbers(answer: Mapping[str, Any]) -> dict[str, int]:
    return {key: value for key, value in answer.items() if type(value) is int}


def _told(values: Mapping[str, Any]) -> str:
    return "".join(f" {key}={value!r}" for key, value in values.items())
