"""Defects of the storage promises."""

from __future__ import annotations

from typing import Any

from defects.base import History, a_message, cut_power, excuse, never_answered, plant
from mqcheck.judge.verdicts import INCONCLUSIVE


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
    history.remove("surveyed", message=message)
    return {"message": message, "broker": "broker-s", "ms_before_cut": 10_500 - 1_325}


@excuse("dur-ack-power-sf")
def _(history: History) -> None:
    message = a_message(history, "broker-s", 9, topic="P")
    history.remove("surveyed", message=message)
    history.find("sends", message=message)[0].set(wait_store=False)


@plant("dur-power-start")
def _(history: History) -> dict[str, Any]:
    history.find("nodes", node="broker-s", life=1)[0].set(ready=None, ended=11_400, how="crash", exit_code=253)
    return {"node": "broker-s", "nth_life": 1, "exit_code": 253}


@excuse("dur-power-start")
def _(history: History) -> None:
    history.find("nodes", node="broker-a", life=1)[0].set(ready=None, ended=14_900, how="crash", exit_code=253)


@plant("dur-power-readable")
def _(history: History) -> dict[str, Any]:
    message = a_message(history, "broker-s", 9, topic="P")
    history.remove("final_log", message=message)
    return {"message": message, "broker": "broker-s", "queue_offset": 9}


@excuse("dur-power-readable")
def _(history: History) -> None:
    message = a_message(history, "broker-s", 9, topic="P")
    history.remove("final_log", message=message)
    history.remove("surveyed", message=message)


def acked_under(history: History, broker: str) -> int:
    """A message is acknowledged while the broker's disk fails, and gone after the cut."""
    message = a_message(history, broker, 5, topic="E")
    for table in ("attempts", "sends"):
        history.find(table, message=message)[0].end.update(outcome="ok", code=0)
    for table in ("surveyed", "final_log"):
        history.remove(table, message=message)
    return message


def acked_before(history: History, broker: str) -> None:
    """The message that is gone was acknowledged before the disk failed: dur-ack-power-sf judges it."""
    message = a_message(history, broker, 0, topic="E")
    for table in ("surveyed", "final_log"):
        history.remove(table, message=message)


@plant("dur-ack-fsync-error")
def _(history: History) -> dict[str, Any]:
    return {"message": acked_under(history, "broker-e"), "broker": "broker-e"}


@excuse("dur-ack-fsync-error")
def _(history: History) -> None:
    acked_before(history, "broker-e")


@plant("dur-ack-disk-full")
def _(history: History) -> dict[str, Any]:
    return {"message": acked_under(history, "broker-f"), "broker": "broker-f"}


@excuse("dur-ack-disk-full")
def _(history: History) -> None:
    acked_before(history, "broker-f")


def is_gone(history: History, kind: str) -> None:
    """A name is not listed any more after the cut of broker-s."""
    history.find("inventory", node="broker-s", reading="after", kind=kind)[0].set(listed=False)


@plant("dur-meta-power")
def _(history: History) -> dict[str, Any]:
    is_gone(history, "topic")
    return {"node": "broker-s", "kind": "topic", "name": "archive", "seen": "gone"}


@excuse("dur-meta-power")
def _(history: History) -> None:
    is_gone(history, "offsets")


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
    refused = history.find("attempts", outcome="refused", topic="K")[0]
    history.record(refused.get("message"), ("K", "broker-b", 0), 6, 0)
    return {"message": refused.get("message"), "code": 13}


@excuse("dur-reject-absent")
def _(history: History) -> None:
    refused = history.find("attempts", outcome="refused", topic="K")[0]
    refused.set(code=1)
    history.record(refused.get("message"), ("K", "broker-b", 0), 6, 0)


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
