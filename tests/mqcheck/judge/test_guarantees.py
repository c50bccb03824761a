"""Every guarantee: held on the healthy run, violated by a minimal defect, silent where a circumstance excuses it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from mqcheck.history.loader import load
from mqcheck.judge.engine import judge_tables
from mqcheck.judge.plan_file import read_plan
from mqcheck.judge.verdicts import HELD, INCONCLUSIVE, NOT_APPLICABLE, VIOLATED, Verdict
from mqcheck.specs import Specs, load_specs

History = Any
Mutation = Callable[[History], Any]

PLANTS: dict[str, Mutation] = {}
EXCUSES: dict[str, Mutation] = {}
GUARANTEES = [guarantee.id for guarantee in load_specs() if guarantee.promised]


def plant(guarantee: str) -> Callable[[Mutation], Mutation]:
    """A minimal defect that the guarantee must see; returns a part of the first evidence row."""

    def add(mutation: Mutation) -> Mutation:
        PLANTS[guarantee] = mutation
        return mutation

    return add


def excuse(guarantee: str) -> Callable[[Mutation], Mutation]:
    """The same defect in a circumstance that excuses it, or one that only looks like it."""

    def add(mutation: Mutation) -> Mutation:
        EXCUSES[guarantee] = mutation
        return mutation

    return add


def judged(history: History, specs: Specs, folder: Path, guarantee: str, *, aimed: bool = True) -> Verdict:
    history.aims = [guarantee] if aimed else []
    history.write(folder)
    connection = load(folder)
    (verdict,) = judge_tables(connection, read_plan(folder), Specs((specs.get(guarantee),), specs.folders))
    connection.close()
    return verdict


def test_every_guarantee_has_a_plant_and_an_excuse(specs: Specs) -> None:
    promised = {guarantee.id for guarantee in specs if guarantee.promised}
    assert set(PLANTS) == promised
    assert set(EXCUSES) == promised


def test_a_healthy_run_holds_everything(builder: ModuleType, specs: Specs, tmp_path: Path) -> None:
    history = builder.Healthy()
    history.aims = list(specs.ids())
    history.write(tmp_path)
    connection = load(tmp_path)
    wrong = []
    for verdict in judge_tables(connection, read_plan(tmp_path), specs):
        wanted = HELD if specs.get(verdict.guarantee).promised else NOT_APPLICABLE
        if verdict.verdict != wanted or (wanted == HELD and verdict.exercised < verdict.enough):
            wrong.append(f"{verdict.guarantee}: {verdict.verdict} {verdict.exercised} {verdict.reason}")
    assert wrong == []


@pytest.mark.parametrize("guarantee", GUARANTEES)
@pytest.mark.slow
def test_a_planted_defect_is_seen(builder: ModuleType, specs: Specs, tmp_path: Path, guarantee: str) -> None:
    history = builder.Healthy()
    named = PLANTS[guarantee](history)
    verdict = judged(history, specs, tmp_path, guarantee)
    assert verdict.verdict == VIOLATED, verdict.reason
    assert verdict.evidence_total >= 1
    assert any(named.items() <= row.items() for row in verdict.evidence), verdict.evidence
    assert all(row["life"] for row in verdict.evidence if "message" in row or "op" in row)
    assert len([name for name in verdict.evidence[0] if name != "life"]) <= 8


@pytest.mark.parametrize("guarantee", GUARANTEES)
@pytest.mark.slow
def test_an_excused_look_alike_is_not_flagged(
    builder: ModuleType, specs: Specs, tmp_path: Path, guarantee: str
) -> None:
    history = builder.Healthy()
    wanted = EXCUSES[guarantee](history) or HELD
    verdict = judged(history, specs, tmp_path, guarantee)
    assert verdict.verdict == wanted, (verdict.reason, verdict.evidence[:1])


def never_answered(history: History, message: int) -> None:
    """The send of this message gets no answer: what became of it is unknown."""
    (attempt,) = history.find("attempts", message=message)
    attempt.until, attempt.end = None, {}
    (send,) = history.find("sends", message=message)
    send.end = {"outcome": "error"}


def a_message(history: History, broker: str, offset: int, queue: int = 0, topic: str = "T") -> int:
    (attempt,) = history.find("attempts", topic=topic, broker=broker, queue=queue, queue_offset=offset)
    message: int = attempt.get("message")
    return message


def cut_power(history: History, broker: str, at: float = 30_000) -> None:
    history.fault("power-cut", at, at + 100, node=broker)


def stall(history: History, began: float, ended: float) -> None:
    history.entry("stalls", began=began, ended=ended)


# --- storage ----------------------------------------------------------------------------------------------------------


@plant("dur-ack-kill")
def _(history: History) -> dict[str, Any]:
    message = a_message(history, "broker-a", 3)
    assert history.remove("final_log", message=message) == 1
    return {"message": message, "broker": "broker-a", "queue_offset": 3}


@excuse("dur-ack-kill")
def _(history: History) -> None:
    message = a_message(history, "broker-a", 3)
    history.remove("final_log", message=message)
    never_answered(history, message)


@plant("dur-ack-power-sf")
def _(history: History) -> dict[str, Any]:
    message = a_message(history, "broker-s", 9, topic="P")
    history.remove("final_log", message=message)
    return {"message": message, "broker": "broker-s"}


@excuse("dur-ack-power-sf")
def _(history: History) -> None:
    message = a_message(history, "broker-s", 9, topic="P")
    history.remove("final_log", message=message)
    history.find("sends", message=message)[0].set(wait_store=False)


@plant("dur-body-intact")
def _(history: History) -> dict[str, Any]:
    message = a_message(history, "broker-b", 4)
    history.find("final_log", message=message)[0].set(body_digest=-1)
    return {"message": message, "differs": "body"}


@excuse("dur-body-intact")
def _(history: History) -> None:
    message = a_message(history, "broker-b", 4)
    history.find("final_log", message=message)[0].set(body_digest=None, props_digest=None, parsed=False)


@plant("dur-crc-valid")
def _(history: History) -> dict[str, Any]:
    message = a_message(history, "broker-b", 4)
    history.find("deliveries", message=message)[0].set(crc_ok=False)
    return {"message": message}


@excuse("dur-crc-valid")
def _(history: History) -> None:
    history.find("final_log", broker="broker-b")[0].set(crc_ok=False, parsed=False)


@plant("dur-notok-stored")
def _(history: History) -> dict[str, Any]:
    message = a_message(history, "broker-b", 2, topic="K")
    history.remove("final_log", message=message)
    return {"message": message, "code": 10}


@excuse("dur-notok-stored")
def _(history: History) -> str:
    message = a_message(history, "broker-b", 2, topic="K")
    history.remove("final_log", message=message)
    for broker in ("broker-b", "broker-m"):
        cut_power(history, broker)
    return INCONCLUSIVE


@plant("dur-reject-absent")
def _(history: History) -> dict[str, Any]:
    refused = history.find("attempts", outcome="refused")[0]
    history.record(refused.get("message"), ("K", "broker-b", 0), 6, 0)
    return {"message": refused.get("message"), "code": 13}


@excuse("dur-reject-absent")
def _(history: History) -> str:
    refused = history.find("attempts", outcome="refused")[0]
    refused.set(code=1)
    history.record(refused.get("message"), ("K", "broker-b", 0), 6, 0)
    return INCONCLUSIVE


@plant("sto-offset-dense")
def _(history: History) -> dict[str, Any]:
    history.remove("final_log", topic="T", broker="broker-b", queue=0, queue_offset=5)
    return {"broker": "broker-b", "missing_from": 5, "missing_to": 5}


@excuse("sto-offset-dense")
def _(history: History) -> None:
    history.remove("final_log", topic="T", broker="broker-b", queue=0, queue_offset=5)
    history.find("readings", topic="T", broker="broker-b", queue=0)[0].set(complete=False)


@plant("sto-offset-unique")
def _(history: History) -> dict[str, Any]:
    other = a_message(history, "broker-b", 9)
    history.find("deliveries", message=a_message(history, "broker-b", 5))[0].set(message=other)
    return {"broker": "broker-b", "queue_offset": 5, "other_message": other}


@excuse("sto-offset-unique")
def _(history: History) -> None:
    other = a_message(history, "broker-b", 9)
    history.find("deliveries", message=a_message(history, "broker-b", 5))[0].set(message=other)
    cut_power(history, "broker-b")


def swap_in_log(history: History) -> tuple[int, int]:
    first, second = a_message(history, "broker-b", 5), a_message(history, "broker-b", 6)
    history.find("final_log", message=first)[0].set(queue_offset=6)
    history.find("final_log", message=second)[0].set(queue_offset=5)
    return first, second


@plant("sto-fifo-queue")
def _(history: History) -> dict[str, Any]:
    _, second = swap_in_log(history)
    return {"message": second, "log_offset": 5, "earlier_message_at": 6}


@excuse("sto-fifo-queue")
def _(history: History) -> None:
    for message in swap_in_log(history):
        history.find("sends", message=message)[0].set(mode="async")


@plant("sto-recover-no-ghost")
def _(history: History) -> dict[str, Any]:
    record = history.find("final_log", broker="broker-a")[0]
    record.set(parsed=False)
    return {"broker": "broker-a", "seen": "cannot be decoded"}


@excuse("sto-recover-no-ghost")
def _(history: History) -> None:
    history.find("final_log", broker="broker-b")[0].set(parsed=False)


# --- replication ------------------------------------------------------------------------------------------------------


def ok_while_cut(history: History) -> int:
    message = a_message(history, "broker-m", 25, topic="S")
    for table in ("attempts", "sends"):
        history.find(table, message=message)[0].end.update(outcome="ok", code=0)
    return message


@plant("rep-sync-ack")
def _(history: History) -> dict[str, Any]:
    return {"message": ok_while_cut(history), "seen": "SEND_OK"}


@excuse("rep-sync-ack")
def _(history: History) -> None:
    history.find("sends", message=ok_while_cut(history))[0].set(wait_store=False)


@plant("rep-offset-same")
def _(history: History) -> dict[str, Any]:
    message = a_message(history, "broker-m", 7, topic="S")
    history.find("final_log", node="broker-m-slave", message=message)[0].set(record_digest=-1)
    return {"message": message, "queue_offset": 7}


@excuse("rep-offset-same")
def _(history: History) -> None:
    message = a_message(history, "broker-m", 7, topic="S")
    history.find("final_log", node="broker-m-slave", message=message)[0].set(record_digest=-1)
    history.find("readings", node="broker-m-slave")[0].end.update(complete=False)
    healthy_copies(history)


def healthy_copies(history: History) -> None:
    """Another queue of the slave, read to its end."""
    for offset in range(60):
        message = a_message(history, "broker-m", offset, topic="S")
        history.record(message, ("S", "broker-m", 1), offset, 0).set(node="broker-m-slave")
    place = {"broker": "broker-m", "broker_id": 1, "master": False, "topic": "S", "queue": 1}
    end = {"min_offset": 0, "max_offset": 60, "complete": True}
    history.span("readings", 36_400, 36_600, end, reading="final", node="broker-m-slave", **place)


@plant("rep-resume")
def _(history: History) -> dict[str, Any]:
    message = a_message(history, "broker-m", 30, topic="S")
    assert history.remove("final_log", node="broker-m-slave", message=message) == 1
    return {"message": message, "queue_offset": 30}


@excuse("rep-resume")
def _(history: History) -> None:
    message = a_message(history, "broker-m", 2, topic="S")
    history.remove("final_log", node="broker-m-slave", message=message)
    history.find("readings", node="broker-m-slave")[0].end.update(min_offset=3)


# --- routing ----------------------------------------------------------------------------------------------------------


def unlist(history: History, nameserver: str, broker: str, at: float) -> None:
    assert history.remove("routes", lambda row: row.at == at, nameserver=nameserver, broker=broker) == 1


@plant("ns-register-visible")
def _(history: History) -> dict[str, Any]:
    unlist(history, "nameserver-1", "broker-b", 5_300)
    return {"nameserver": "nameserver-1", "broker": "broker-b"}


@excuse("ns-register-visible")
def _(history: History) -> None:
    unlist(history, "nameserver-1", "broker-b", 5_300)
    history.fault("latency", 5_200, 5_400, link="broker-b->nameserver-1")


def still_listed(history: History, nameserver: str, broker: str, at: float) -> None:
    columns = {"nameserver": nameserver, "topic": "T"}
    history.span("routes", at, at + 2, {"code": 0, "listed": True, "broker": broker, "broker_id": 0}, **columns)


@plant("ns-expire")
def _(history: History) -> dict[str, Any]:
    still_listed(history, "nameserver-2", "broker-b", 25_301)
    return {"nameserver": "nameserver-2", "broker": "broker-b", "limit_ms": 4500}


@excuse("ns-expire")
def _(history: History) -> None:
    still_listed(history, "nameserver-2", "broker-b", 25_301)
    stall(history, 18_500, 20_000)


@plant("ns-close")
def _(history: History) -> dict[str, Any]:
    still_listed(history, "nameserver-1", "broker-a", 14_301)
    return {"nameserver": "nameserver-1", "broker": "broker-a"}


@excuse("ns-close")
def _(history: History) -> None:
    still_listed(history, "nameserver-1", "broker-a", 14_301)
    history.fault("blackhole", 11_900, 14_600, link="broker-a->nameserver-1", direction="both")


@plant("ns-no-early-expire")
def _(history: History) -> dict[str, Any]:
    unlist(history, "nameserver-1", "broker-b", 5_800)
    return {"nameserver": "nameserver-1", "broker": "broker-b"}


@excuse("ns-no-early-expire")
def _(history: History) -> None:
    unlist(history, "nameserver-1", "broker-b", 5_800)
    history.find("connections", conn=3)[0].set(closed=5_700)
    history.entry("connections", conn=33, link="broker-b->nameserver-1", opened=5_810)


@plant("ns-empty-17")
def _(history: History) -> dict[str, Any]:
    history.span("routes", 30_100, 30_102, {"code": 0}, nameserver="nameserver-1", topic="none")
    return {"nameserver": "nameserver-1", "topic": "none", "seen": 0}


@excuse("ns-empty-17")
def _(history: History) -> None:
    history.span("routes", 30_100, None, nameserver="nameserver-1", topic="none")


@plant("ns-restart-heal")
def _(history: History) -> dict[str, Any]:
    unlist(history, "nameserver-2", "broker-a", 21_300)
    return {"nameserver": "nameserver-2", "broker": "broker-a"}


@excuse("ns-restart-heal")
def _(history: History) -> None:
    unlist(history, "nameserver-2", "broker-a", 21_300)
    history.fault("down", 20_000, 21_500, link="broker-a->nameserver-2")


@plant("ns-isolated")
def _(history: History) -> dict[str, Any]:
    unlist(history, "nameserver-1", "broker-b", 16_300)
    return {"nameserver": "nameserver-1", "broker": "broker-b"}


@excuse("ns-isolated")
def _(history: History) -> str:
    unlist(history, "nameserver-1", "broker-b", 16_300)
    history.fault("down", 15_500, 16_350, link="broker-b->nameserver-1")
    return HELD


# --- consumption ------------------------------------------------------------------------------------------------------


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
    history.fault("latency", pull.at + 100, pull.at + 3_000, link="probe->broker-b")


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
def _(history: History) -> None:
    (listed,) = history.find("members", lambda row: row.at == 25_405, kind="listed")
    listed.set(members="c4@3,c5@4")
    history.fault("blackhole", 17_500, 25_000, link="c5->broker-b", direction="up")


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


# --- order, delay, protocol, flow -------------------------------------------------------------------------------------


@plant("ord-queue-lock")
def _(history: History) -> dict[str, Any]:
    (lock,) = history.find("locks", lambda row: row.at == 2_500)
    lock.set(granted=True)
    return {"op": lock.op, "owner": "co@5", "granted_to": "cx@10"}


@excuse("ord-queue-lock")
def _(history: History) -> str:
    (lock,) = history.find("locks", lambda row: row.at == 2_500)
    lock.set(granted=True)
    history.lock(2_400, "co@5", True, kind="unlock").set(until=None)
    history.lock(2_900, "cx@10", True, kind="unlock")
    return INCONCLUSIVE  # what an unlock may have freed is no evidence: too little is left


@plant("ord-queue-fifo")
def _(history: History) -> dict[str, Any]:
    (early,) = history.find("deliveries", message=a_message(history, "broker-b", 6), consumer_group="go")
    (late,) = history.find("deliveries", message=a_message(history, "broker-b", 7), consumer_group="go")
    early.at = late.at + 1
    return {"message": late.get("message"), "queue_offset": 7}


@excuse("ord-queue-fifo")
def _(history: History) -> None:
    message = a_message(history, "broker-b", 6)
    history.deliver(20_000, "go", "co@5", message, ("T", "broker-b", 0), 6)


def delayed_by(history: History, ms: float) -> Any:
    delivery = history.find("deliveries", topic="D")[0]
    (send,) = history.find("sends", message=delivery.get("message"))
    return delivery.set(at=send.at + ms, received=send.at + ms)


@plant("dly-not-early")
def _(history: History) -> dict[str, Any]:
    return {"message": delayed_by(history, 990).get("message"), "not_before_ms": 1000, "seen_after_ms": 990}


@excuse("dly-not-early")
def _(history: History) -> None:
    delayed_by(history, 999.2)


@plant("dly-alo")
def _(history: History) -> dict[str, Any]:
    message = history.find("deliveries", topic="D")[0].get("message")
    history.remove("deliveries", message=message)
    return {"message": message, "consumer_group": "gd"}


@excuse("dly-alo")
def _(history: History) -> None:
    message = history.find("deliveries", topic="D")[0].get("message")
    history.remove("deliveries", message=message)
    never_answered(history, message)


@plant("prt-opaque")
def _(history: History) -> dict[str, Any]:
    reply = history.find("replies", probe="known")[0].set(answers=2)
    return {"op": reply.op, "seen": "2 responses"}


@excuse("prt-opaque")
def _(history: History) -> None:
    history.find("replies", probe="known")[0].set(answers=0, outcome="none", code=None, response_flag=None)


@plant("prt-oneway")
def _(history: History) -> dict[str, Any]:
    return {"op": history.find("replies", probe="oneway")[0].set(answers=1, code=3).op}


@excuse("prt-oneway")
def _(history: History) -> None:
    history.find("replies", probe="oneway")[0].set(outcome="unsent")


@plant("prt-unknown-code")
def _(history: History) -> dict[str, Any]:
    return {"op": history.find("replies", probe="unknown-code")[0].set(code=0).op, "seen": "code 0"}


@excuse("prt-unknown-code")
def _(history: History) -> None:
    history.find("replies", probe="unknown-code")[0].set(answers=0, outcome="closed", code=None)
    history.fault("kill", 28_900, 29_500, node="broker-b")


@plant("prd-retry")
def _(history: History) -> dict[str, Any]:
    first = history.find("attempts", topic="R", attempt=0)[0].set(broker="broker-b")
    return {"message": first.get("message"), "expected": "another broker than broker-b"}


@excuse("prd-retry")
def _(history: History) -> None:
    history.find("attempts", topic="R", attempt=0)[0].set(broker="broker-b")
    columns = {"nameserver": "nameserver-1", "topic": "R"}
    history.span("routes", 9_000, 9_002, {"code": 0, "listed": True, "broker": "broker-b"}, **columns)


@plant("prd-no-false-ok")
def _(history: History) -> dict[str, Any]:
    message = a_message(history, "broker-b", 7)
    history.find("attempts", message=message)[0].set(outcome="refused", code=1)
    return {"message": message, "seen": "absent"}


@excuse("prd-no-false-ok")
def _(history: History) -> None:
    never_answered(history, a_message(history, "broker-b", 7))
