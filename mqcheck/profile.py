"""The numbers of a run: how long heartbeats, expiries, phases and waits take.

`full` uses RocketMQ's own numbers (``rocketmq.md`` §4, §5.2, §7.1), so it proves the real ones and takes their time.
`quick` shortens every number the reference lets be shortened, keeping RocketMQ's proportions: a heartbeat of at
least one second and expiries of more than four heartbeats. Guarantees never read this file: they read `config`,
which the nodes and the kit write into the history.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from mqcheck.errors import SettingsError
from mqcheck.rocketmq.models import ClientSettings
from mqcheck.targets.base import Setting, Target
from mqcheck.targets.settings import delay_levels_ms


@dataclass(frozen=True, slots=True)
class Profile:
    """One set of numbers; milliseconds unless a name says otherwise."""

    name: str
    nameserver: Mapping[str, Setting]
    """Properties of every NameServer."""
    broker: Mapping[str, Setting]
    """Properties of every broker."""
    client: ClientSettings
    """Numbers of every client of the kit."""
    max_reconsume: int
    """maxReconsumeTimes of the kit's consumers; the whole ladder of 16 takes hours and belongs to the simulation."""
    load_ms: int
    """How long a workload runs before faults, and how long a fault lasts that has no deadline of its own."""
    expiry_ms: int
    """Longest time until a NameServer forgets a silent broker: its expiry, one scan and a register period to spare."""
    client_expiry_ms: int
    """Longest time until a broker forgets a silent client: its expiry, one scan and a heartbeat to spare."""
    recover_ms: int
    """Liveness deadline of the phase `recover`; grows while there is progress, up to three times this."""
    backlog: int
    """Messages that wait for a slow consumer."""
    still_ms: int
    """Maximum offsets that did not move for so long stand still."""
    ready_ms: int = 30_000
    """Deadline for a node to be ready and for a route to be known everywhere."""
    scenario_ms: int = 180_000
    """A scenario that takes longer is broken off: a harness error."""

    def client_config(self) -> dict[str, int]:
        """The kit's own numbers as `config` has them."""
        return config_of(self.client, self.max_reconsume, self.recover_ms)


def config_of(client: ClientSettings, max_reconsume: int, recover_ms: int) -> dict[str, int]:
    """One client's numbers under the keys that guarantees read."""
    return {
        "heartbeat_ms": client.heartbeat_ms,
        "route_poll_ms": client.route_poll_ms,
        "rebalance_ms": client.rebalance_ms,
        "persist_ms": client.persist_ms,
        "send_timeout_ms": client.send_timeout_ms,
        "send_retries": client.send_retries,
        "relock_ms": client.relock_ms,
        "lock_life_ms": client.lock_life_ms,
        "suspend_ms": client.suspend_ms,
        "threshold_messages": client.threshold_messages,
        "threshold_bytes": client.threshold_bytes,
        "threshold_span": client.threshold_span,
        "flow_control_ms": client.flow_control_ms,
        "orderly_suspend_ms": client.orderly_suspend_ms,
        "max_reconsume": max_reconsume,
        "recover_ms": recover_ms,
    }


QUICK_DELAY_LEVELS_MS: Final = (
    *(200, 500, 700, 1_000, 1_500, 2_000, 2_500, 3_000, 3_500),
    *(4_000, 4_500, 5_000, 5_500, 6_000, 6_500, 7_000, 8_000, 9_000),
)
"""RocketMQ's eighteen levels in small; the reference takes milliseconds where RocketMQ's smallest unit is a second."""

QUICK: Final = Profile(
    name="quick",
    nameserver={"reference.brokerExpiryMs": 5_000, "reference.brokerScanMs": 500},
    broker={
        "reference.registerPeriodMs": 1_000,
        "reference.clientExpiryMs": 4_500,
        "reference.clientScanMs": 500,
        "reference.holdScanMs": 500,
        "reference.delayScanMs": 50,
        "reference.lockExpiryMs": 8_000,
        "flushConsumerOffsetInterval": 500,
        "flushDelayOffsetInterval": 500,
        "messageDelayLevel": " ".join(f"{ms}ms" for ms in QUICK_DELAY_LEVELS_MS),
    },
    client=ClientSettings(
        heartbeat_ms=1_000,
        route_poll_ms=1_000,
        rebalance_ms=1_000,
        persist_ms=500,
        send_timeout_ms=1_500,
        suspend_ms=2_000,
        pull_timeout_ms=4_000,
        relock_ms=1_000,
        lock_life_ms=4_000,
        request_timeout_ms=1_500,
        connect_timeout_ms=1_500,
        pull_retry_ms=200,
        local_retry_ms=500,
        orderly_suspend_ms=200,
        lock_retry_ms=500,
        delay_levels_ms=QUICK_DELAY_LEVELS_MS,
    ),
    max_reconsume=2,
    load_ms=2_000,
    expiry_ms=6_500,
    client_expiry_ms=6_000,
    recover_ms=8_000,
    backlog=1_200,
    still_ms=200,
)
"""Seconds instead of minutes; the default."""

FULL: Final = Profile(
    name="full",
    nameserver={},
    broker={},
    client=ClientSettings(),
    max_reconsume=2,
    load_ms=10_000,
    expiry_ms=160_000,
    client_expiry_ms=160_000,
    recover_ms=120_000,
    backlog=100_000,
    still_ms=1_000,
    scenario_ms=1_800_000,
)
"""RocketMQ's own numbers."""

PROFILES: Final[Mapping[str, Profile]] = {profile.name: profile for profile in (QUICK, FULL)}
"""Every profile by the name that ``--mqcheck-profile`` takes."""


ANSWER_MS: Final = 1_500
"""What a held pull's answer may take beyond its hold and one scan, before the client gives up. Ours."""

REGISTERED_MS: Final = 3_000
"""What a cluster may take to settle once every broker has registered again and every held pull has ended. Ours."""


SYNCS: Final = 4
"""As many periods of a slave's copying as a scenario of slaves takes at most: it waits for one of them. Ours."""


def fitted(profile: Profile, target: Target) -> Profile:
    """The profile with those of its waits lengthened that follow from what the target cannot be told.

    A broker that looks at held pulls each five seconds keeps a client waiting longer than the profile's own would.
    Nothing becomes shorter; what the nodes are told stays the same.
    """
    nameserver = target.effective("nameserver", profile.nameserver)
    broker = target.effective("broker", profile.broker)

    def number(settings: Mapping[str, str], key: str) -> int:
        return int(settings.get(key, 0))

    client, scan_ms = profile.client, number(broker, "reference.holdScanMs")
    register_ms = number(broker, "reference.registerPeriodMs")
    expiry_ms = number(nameserver, "reference.brokerExpiryMs") + number(nameserver, "reference.brokerScanMs")
    client_expiry_ms = number(broker, "reference.clientExpiryMs") + number(broker, "reference.clientScanMs")
    levels = tuple(delay_levels_ms(broker.get("messageDelayLevel", "")))
    return replace(
        profile,
        client=replace(
            client,
            pull_timeout_ms=max(client.pull_timeout_ms, client.suspend_ms + scan_ms + ANSWER_MS),
            delay_levels_ms=levels or client.delay_levels_ms,
        ),
        expiry_ms=max(profile.expiry_ms, expiry_ms + register_ms),
        client_expiry_ms=max(profile.client_expiry_ms, client_expiry_ms + client.heartbeat_ms),
        recover_ms=max(profile.recover_ms, register_ms + scan_ms + REGISTERED_MS),
        scenario_ms=max(profile.scenario_ms, SYNCS * number(broker, "reference.slaveSyncMs")),
    )


def profile_named(name: str) -> Profile:
    """The profile of that name; raises SettingsError that lists them."""
    try:
        return PROFILES[name]
    except KeyError:
        raise SettingsError(f"no profile {name!r}; there are {', '.join(PROFILES)}") from None
