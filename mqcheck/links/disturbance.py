"""Each verb that hurts a link, as Toxiproxy's toxics. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from mqcheck.links.base import Direction
from mqcheck.links.toxiproxy import Toxic

_STREAMS: dict[Direction, tuple[str, ...]] = {
    "up": ("upstream",),
    "down": ("downstream",),
    "both": ("upstream", "downstream"),
}


@dataclass(frozen=True, slots=True)
class Disturbance:
    """What one verb puts on every proxy of a link."""

    verb: str
    """The verb's name in `NetworkLike`."""
    toxics: tuple[Toxic, ...] = ()
    """Named after verb and stream, so that verbs of one toxic type do not meet."""
    down: bool = False
    """The proxy is disabled."""


def _toxics(verb: str, kind: str, direction: Direction, **attributes: int) -> Disturbance:
    streams = _STREAMS[direction]
    return Disturbance(verb, tuple(Toxic(kind, stream, attributes, name=f"{verb}_{stream}") for stream in streams))


def latency(ms: int, jitter_ms: int, direction: Direction) -> Disturbance:
    """Delay chunks, order kept."""
    return _toxics("latency", "latency", direction, latency=ms, jitter=jitter_ms)


def bandwidth(kb_per_s: int, direction: Direction) -> Disturbance:
    """Limit the rate."""
    return _toxics("bandwidth", "bandwidth", direction, rate=kb_per_s)


def blackhole(direction: Direction) -> Disturbance:
    """Hold everything: a rate of nothing keeps bytes and connections, as a partition does."""
    return _toxics("blackhole", "bandwidth", direction, rate=0)


def drop(after_ms: int, direction: Direction) -> Disturbance:
    """Lose everything; close after a time, or when healed."""
    return _toxics("drop", "timeout", direction, timeout=after_ms)


def reset(after_ms: int, direction: Direction) -> Disturbance:
    """Reset connections with their next byte.

    Server 2.5.0 sends a RST only on connections opened while this holds; one that was there before is closed (FIN),
    and what it carried at that moment is lost.
    """
    return _toxics("reset", "reset_peer", direction, timeout=after_ms)


def slow_close(ms: int, direction: Direction) -> Disturbance:
    """Delay closing."""
    return _toxics("slow_close", "slow_close", direction, delay=ms)


def slice_(average_bytes: int, variation_bytes: int, delay_us: int, direction: Direction) -> Disturbance:
    """Cut into pieces."""
    sizes = {"average_size": average_bytes, "size_variation": variation_bytes}
    return _toxics("slice", "slicer", direction, **sizes, delay=delay_us)


def limit_data(limit_bytes: int, direction: Direction) -> Disturbance:
    """Close after so many bytes."""
    return _toxics("limit_data", "limit_data", direction, bytes=limit_bytes)


def down() -> Disturbance:
    """Close and refuse."""
    return Disturbance("down", down=True)
