"""Names of topics and groups in a cluster that others use too: each begins with the run's own prefix. Pure.

A scenario says ``orders``; what the cluster has is ``<prefix>orders``, and ``%RETRY%<prefix>billing`` for a group's
retry topic. Without a prefix names are as they are given.
"""

from __future__ import annotations

from mqcheck.rocketmq.codes import DLQ_PREFIX, RETRY_PREFIX


def owned(prefix: str, name: str) -> str:
    """The name with its prefix; one that has it keeps it once."""
    bare = without_kind(name)
    return name if bare.startswith(prefix) else name.removesuffix(bare) + prefix + bare


def is_owned(prefix: str, name: str) -> bool:
    """Whether a topic or group of the cluster is one of those with this prefix."""
    return without_kind(name).startswith(prefix)


def without_kind(name: str) -> str:
    """A retry or dead letter topic's group; other names as they are."""
    return name.removeprefix(RETRY_PREFIX).removeprefix(DLQ_PREFIX)
