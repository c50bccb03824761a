"""The tables that a history becomes, as data: names, shapes, columns, types and defaults.

Source: the line format that the recorder writes. No SQL, no file access and no judgement lives here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Shape = Literal["span", "point", "life"]
"""span: one ``b`` line and at most one ``e`` line, gives ``invoked``, ``returned``, ``outcome``.
point: one line, gives ``t``.
life: explicit stamps, may be extended by several ``e`` lines, later non-null values win."""

OP_ENDED_NEVER: Final = "unknown"
"""The outcome of an operation without an end line: neither happened nor did not happen."""

BIGINTS: Final = frozenset(
    [
        "t",
        "op",
        "invoked",
        "returned",
        "received",
        "asked",
        "began",
        "active",
        "healing",
        "healed",
        "ended",
        "spawned",
        "ready",
        "ending",
        "opened",
        "closed",
        "parent",
        "message",
        "delivery",
        "pull",
        "session",
        "batch",
        "conn",
        "check_op",
        "queue_offset",
        "position",
        "value",
        "next_offset",
        "min_offset",
        "max_offset",
        "first_offset",
        "last_offset",
        "physical_offset",
        "half_offset",
        "delay_ms",
        "suspend_ms",
        "invisible_ms",
        "store_time",
        "born_time",
        "argument_ms",
        "body_digest",
        "props_digest",
        "record_digest",
        "offset_ns",
        "error_ns",
        "wall_ns",
        "lines",
        "payload_bytes",
    ]
)
"""Columns of 64 bits: times in ns, ids, offsets, milliseconds, digests."""

INTEGERS: Final = frozenset(
    [
        "attempt",
        "queue",
        "code",
        "request_code",
        "delay_level",
        "reconsume_times",
        "batch_index",
        "batch_size",
        "max_num",
        "records",
        "broker_id",
        "perm",
        "flag",
        "life",
        "answers",
        "strays",
        "check_times",
        "size",
        "props_size",
        "body_size",
        "read_queues",
        "write_queues",
        "suggested_broker_id",
        "max_reconsume",
        "exit_code",
        "format",
        "number",
        "pid",
    ]
)
"""Columns of 32 bits."""

BOOLEANS: Final = frozenset(
    [
        "transactional",
        "wait_store",
        "granted",
        "listed",
        "ascending",
        "complete",
        "master",
        "orderly",
        "oneway",
        "crc_ok",
        "parsed",
        "from_check",
        "confirmed",
        "strict",
    ]
)
"""Columns that are true, false or unknown."""

DEFAULTS: Final[dict[str, str]] = {
    "transactional": "FALSE",
    "wait_store": "TRUE",
    "delay_level": "0",
    "delay_ms": "0",
    "orderly": "FALSE",
    "oneway": "FALSE",
    "complete": "FALSE",
    "master": "FALSE",
    "parsed": "TRUE",
    "crc_ok": "TRUE",
    "confirmed": "FALSE",
    "from_check": "FALSE",
    "reconsume_times": "0",
    "flag": "0",
    "strays": "0",
}
"""SQL literals for columns that a stream leaves out when they have their usual value."""


@dataclass(frozen=True, slots=True)
class Table:
    """One table of the history."""

    name: str
    shape: Shape
    columns: tuple[str, ...]
    """Columns beyond ``op``, ``process`` and those of the shape."""

    def stream_columns(self) -> tuple[str, ...]:
        """Columns that a stream line of this table may carry, besides ``w``, ``t`` and ``op``."""
        return (*self.columns, "outcome") if self.shape == "span" else self.columns

    def all_columns(self) -> tuple[str, ...]:
        """Columns of the finished table, in order."""
        if self.shape == "span":
            return ("op", "process", "invoked", "returned", "outcome", *self.columns)
        if self.shape == "point":
            return ("op", "process", "t", *self.columns)
        return ("op", "process", *self.columns)


def column_type(column: str) -> str:
    """SQL type of a column; a name has one type in every table."""
    if column in BIGINTS:
        return "BIGINT"
    if column in INTEGERS:
        return "INTEGER"
    if column in BOOLEANS:
        return "BOOLEAN"
    return "VARCHAR"


def _table(name: str, shape: Shape, columns: str) -> Table:
    return Table(name, shape, tuple(columns.split()))


TABLES: Final[dict[str, Table]] = {
    table.name: table
    for table in (
        _table(
            "sends",
            "span",
            "message topic mode producer producer_group worker unique_key tag keys sharding_key delay_level delay_ms "
            "transactional wait_store batch batch_index size flag body_digest props_digest properties code broker "
            "queue queue_offset",
        ),
        _table(
            "attempts",
            "span",
            "parent message attempt topic conn node broker queue batch batch_size body_size props_size code "
            "queue_offset offset_msg_id physical_offset transaction_id remark",
        ),
        _table(
            "deliveries",
            "point",
            "pull consumer_group member session message attempt unique_key topic origin_topic broker node queue "
            "queue_offset tag reconsume_times flag crc_ok body_digest props_digest store_time born_time received",
        ),
        _table("results", "span", "delivery consumer_group member kind result delay_level code"),
        _table(
            "pulls",
            "span",
            "kind consumer_group member session conn node broker topic queue position max_num suspend_ms invisible_ms "
            "sub_version expression expression_type code records first_offset last_offset ascending next_offset "
            "min_offset max_offset suggested_broker_id",
        ),
        _table("lookups", "span", "kind node topic name max_num code records"),
        _table(
            "found",
            "point",
            "parent node topic queue queue_offset physical_offset message attempt unique_key tag keys store_time",
        ),
        _table("offsets", "span", "kind consumer_group member node broker topic queue value argument_ms code position"),
        _table(
            "subscriptions",
            "point",
            "consumer_group topic expression_type expression mode orderly from_where max_reconsume node",
        ),
        _table(
            "members",
            "point",
            "kind consumer_group member node topic broker queue session members producer_group conn asked code",
        ),
        _table(
            "routes",
            "span",
            "nameserver topic member listed broker broker_id address perm read_queues write_queues code strict",
        ),
        _table("registrations", "span", "kind nameserver node broker broker_id code master_address ha_address"),
        _table("locks", "span", "kind consumer_group member node broker topic queue granted"),
        _table(
            "transactions",
            "span",
            "message producer producer_group kind decision from_check check_op node half_offset physical_offset code "
            "remark",
        ),
        _table(
            "checks",
            "point",
            "message unique_key producer producer_group member node half_offset physical_offset check_times "
            "body_digest",
        ),
        _table(
            "replies",
            "span",
            "probe conn node request_code encoding oneway payload_bytes code answers response_flag closed "
            "closed_by remark detail strays",
        ),
        _table("connections", "life", "conn link node opened closed closed_by"),
        _table(
            "readings",
            "span",
            "reading node broker broker_id master topic queue min_offset max_offset complete",
        ),
        _table(
            "final_log",
            "point",
            "reading node broker topic queue queue_offset physical_offset message attempt unique_key parsed crc_ok "
            "body_digest props_digest record_digest flag store_time born_time reconsume_times tag keys prepared_offset",
        ),
        _table(
            "surveys",
            "span",
            "node broker life records",
        ),
        _table(
            "surveyed",
            "point",
            "parent node broker topic queue queue_offset physical_offset message attempt unique_key store_time",
        ),
        _table("states", "span", "kind about node name setting code"),
        _table("inventory", "span", "reading node broker kind name listed"),
        _table(
            "faults",
            "life",
            "kind node link direction began active healing healed confirmed effect parameters",
        ),
        _table(
            "nodes", "life", "node role broker broker_id life spawned ready ending ended how exit_code version address"
        ),
        _table("phases", "life", "name began ended"),
        _table("stalls", "life", "part began ended"),
        _table("config", "point", "node key setting"),
        _table("clocks", "point", "boot offset_ns error_ns"),
        _table("late_answers", "point", "code"),
    )
}
"""Every table that a stream may write, by name; ``streams`` (headers) is the loader's own."""

STREAM_COLUMNS: Final = (
    "process",
    "number",
    "life",
    "run",
    "format",
    "pid",
    "boot",
    "wall_ns",
    "t",
    "lines",
    "complete",
)
"""Columns of the table ``streams``; ``complete`` is true when the closing line is there."""

TIMES: Final = frozenset(
    [
        "t",
        "invoked",
        "returned",
        "received",
        "asked",
        "began",
        "active",
        "healing",
        "healed",
        "ended",
        "spawned",
        "ready",
        "ending",
        "opened",
        "closed",
    ]
)
"""Columns in ns of CLOCK_MONOTONIC: shifted when a stream comes from another host."""

FACTS: Final = (
    "selected",
    "rejected",
    "sent",
    "logged",
    "handled",
    "got",
    "got_at",
    "prefix_done",
    "sightings",
    "node_trouble",
    "survival",
    "owned",
    "meddled",
    "expected",
    "answered",
    "shown",
)
"""Tables derived once per history, in the order in which they are made."""
