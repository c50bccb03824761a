"""Defects of the consumption promises."""

from __future__ import annotations

from typing import Any

from defects.base import History, a_message, excuse, never_answered, plant, stall
from mqcheck.judge.verdicts import INCONCLUSIVE


def undelivered(history: History, group: str, broker: str, offset: int) -> int:
    message = a_message(history, broker, offset)
    assert history.remove("deliveries", message=message, consumer_group=group)
    return message


@plant("con-alo")
def _(history: History) -> dict[str, Any]:
    return {"message": undelivered(history, "g1", "broker-b", 7), "consumer_group": "g1", "queue_offset": 7}


@excuse("con-alo")
def _(history: History) -> None:
    message = undelivered(history, "g1", "broker-b", 7)
    never_answered(history, message)
    history.remove("final_log", message=message)


def unfinished(history: History) -> Any:
    message = a_message(history, "broker-b", 7)
    (delivery,) = history.find("deliveries", message=message, consumer_group="g1")
    history.find("results", delivery=delivery.op)[0].set(result="later")
    return delivery


@plant("con-no-skip")
def _(history: History) -> dict[str, Any]:
    unfinished(history)
    return {"consumer_group": "g1", "broker": "broker-b", "queue": 0, "committed": 10, "unfinished_offset": 7}


@excuse("con-no-skip")
def _(history: History) -> None:
    delivery = unfinished(history)
    history.span("results", delivery.at + 2.5, delivery.at + 3, delivery=delivery.op, kind="send-back")


@plant("con-restart-resume")
def _(history: History) -> dict[str, Any]:
    (first,) = history.find("pulls", lambda row: row.at == 9_010, consumer_group="g2", queue=0)
    first.set(position=1_000)
    return {"op": first.op, "begins_at": 1_000}


@excuse("con-restart-resume")
def _(history: History) -> None:
    (first,) = history.find("pulls", lambda row: row.at == 9_010, consumer_group="g2", queue=0)
    first.set(position=1_000)
    history.commit(8_900, "g2", "c2@2", ("T", "broker-b", 0), 1_000).set(until=None)


def queried(history: History, group: str = "g1") -> Any:
    return history.find("offsets", kind="query", consumer_group=group, broker="broker-a", queue=0)[0]


@plant("con-offset-persist")
def _(history: History) -> dict[str, Any]:
    query = queried(history).set(position=5)
    return {"op": query.op, "seen": "5"}


@excuse("con-offset-persist")
def _(history: History) -> None:
    queried(history).set(position=5)
    history.commit(11_900, "g1", "c1@1", ("T", "broker-a", 0), 5).set(until=None)


@plant("con-group-indep")
def _(history: History) -> dict[str, Any]:
    history.remove("offsets", kind="commit", consumer_group="g1", broker="broker-a", queue=0)
    return {"op": queried(history).op, "answered": 60, "committed_at_most": 0}


@excuse("con-group-indep")
def _(history: History) -> None:
    history.remove("offsets", kind="commit", consumer_group="g1", broker="broker-a", queue=0)
    history.commit(11_000, "g1", "c1@1", ("T", "broker-a", 0), 60).set(until=None)


@plant("con-broadcast-all")
def _(history: History) -> dict[str, Any]:
    message = a_message(history, "broker-b", 7)
    assert history.remove("deliveries", message=message, member="cb2@7") == 1
    return {"message": message, "member": "cb2@7"}


@excuse("con-broadcast-all")
def _(history: History) -> None:
    message = a_message(history, "broker-b", 7)
    history.remove("deliveries", message=message, member="cb2@7")
    place = {"topic": "T", "broker": "broker-b", "queue": 0}
    history.point("members", 20_000, kind="revoked", consumer_group="gb", member="cb2@7", **place)


def slow_pull(history: History, by_ms: float) -> Any:
    (pull,) = history.find(
        "pulls", lambda row: row.get("suspend_ms") == 1500, broker="broker-b", queue=0, position=7, topic="T"
    )
    pull.until += by_ms
    return pull


@plant("con-longpoll-wake")
def _(history: History) -> dict[str, Any]:
    return {"op": slow_pull(history, 1_400).op, "message": a_message(history, "broker-b", 7)}


@excuse("con-longpoll-wake")
def _(history: History) -> None:
    pull = slow_pull(history, 1_400)
    stall(history, pull.at + 200, pull.at + 800)


@plant("con-longpoll-timeout")
def _(history: History) -> dict[str, Any]:
    pull = history.find("pulls", topic="EMPTY")[0]
    pull.until = pull.at + 3_500
    return {"op": pull.op, "seen": "3500 ms"}


@excuse("con-longpoll-timeout")
def _(history: History) -> None:
    pull = history.find("pulls", topic="EMPTY")[0]
    pull.until = pull.at + 3_500
    history.fault("latency", pull.at + 2_300, pull.at + 3_000, link="probe->broker-b")


def early_retry(history: History) -> tuple[Any, Any]:
    retry = history.find("deliveries", topic="%RETRY%gf", reconsume_times=1)[0]
    retry.set(at=retry.at - 200, received=retry.at - 200)
    (first,) = history.find("deliveries", topic="F", message=retry.get("message"))
    return retry, first


@plant("con-retry-delay")
def _(history: History) -> dict[str, Any]:
    retry, _ = early_retry(history)
    return {"op": retry.op, "message": retry.get("message")}


@excuse("con-retry-delay")
def _(history: History) -> None:
    _, first = early_retry(history)
    history.span("results", first.at - 200, None, delivery=first.op, consumer_group="gf", kind="send-back")


@plant("con-retry-max")
def _(history: History) -> dict[str, Any]:
    dead = history.find("final_log", topic="%DLQ%gf")[0]
    message = dead.get("message")
    history.remove("final_log", message=message, topic="%DLQ%gf")
    return {"message": message, "expected": "in %DLQ%gf"}


@excuse("con-retry-max")
def _(history: History) -> None:
    dead = history.find("final_log", topic="%DLQ%gf")[0]
    message = dead.get("message")
    history.remove("final_log", message=message, topic="%DLQ%gf")
    (last,) = history.find("deliveries", message=message, reconsume_times=2)
    (back,) = history.find("results", delivery=last.op, kind="send-back")
    back.until, back.end = None, {}


@plant("con-retry-identity")
def _(history: History) -> dict[str, Any]:
    retry = history.find("deliveries", topic="%RETRY%gf")[0].set(origin_topic="%RETRY%gf")
    return {"op": retry.op, "differs": "origin topic"}


@excuse("con-retry-identity")
def _(history: History) -> None:
    history.find("deliveries", topic="%RETRY%gf")[0].set(props_digest=None, unique_key=None)


def never_redelivered(history: History) -> int:
    message: int = history.find("deliveries", topic="F")[-1].get("message")
    history.remove("deliveries", topic="%RETRY%gf", message=message)
    return message


@plant("con-retry-alo")
def _(history: History) -> dict[str, Any]:
    return {"message": never_redelivered(history), "consumer_group": "gf"}


@excuse("con-retry-alo")
def _(history: History) -> None:
    message = never_redelivered(history)
    (first,) = history.find("deliveries", topic="F", message=message)
    (back,) = history.find("results", delivery=first.op, kind="send-back")
    back.until, back.end = None, {}


@plant("con-expire")
def _(history: History) -> dict[str, Any]:
    (listed,) = history.find("members", lambda row: row.at == 25_405, kind="listed")
    listed.set(members="c4@3,c5@4")
    return {"op": listed.op, "member": "c5@4"}


@excuse("con-expire")
def _(history: History) -> str:
    (listed,) = history.find("members", lambda row: row.at == 25_405, kind="listed")
    listed.set(members="c4@3,c5@4")
    history.fault("blackhole", 17_500, 25_000, link="c5->broker-b", direction="up")
    return INCONCLUSIVE  # the same fault excuses all that the silent member could show


def again(history: History, at: float) -> Any:
    (delivery,) = history.find("deliveries", message=a_message(history, "broker-b", 7), consumer_group="g1")
    return history.deliver(at, "g1", "c1@1", delivery.get("message"), ("T", "broker-b", 0), 7)


@plant("con-dup-cause")
def _(history: History) -> dict[str, Any]:
    repeat = again(history, 20_000)
    return {"op": repeat.op, "consumer_group": "g1"}


@excuse("con-dup-cause")
def _(history: History) -> None:
    repeat = again(history, 20_000).set(session=19_000)
    history.assign("g1", "c1@1", ("T", "broker-b", 0), 19_000)
    assert repeat.get("session") == 19_000
