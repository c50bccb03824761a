"""Apache RocketMQ 4.9.7 and the reference asked the same by hand: transactions, replies, packed bodies, VIP port."""

from __future__ import annotations

import itertools
import json
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest
from clients import WHOLE, WHOLE_REASON, reference
from java_broker import java_cluster, missing
from same_answers import GIVEN_UP_TOPIC, HALF_TOPIC, QUIET_S, Talk, pull_fields, records_of, send_fields

from reference_impl.frame import Command
from reference_impl.message import BatchItem, decode_offset_message_id, encode_batch

pytestmark = [
    pytest.mark.interop,
    pytest.mark.slow,
    pytest.mark.skipif(not WHOLE, reason=WHOLE_REASON),
    pytest.mark.skipif(missing("java", "mvn") is not None, reason=str(missing("java", "mvn"))),
]
SETTINGS: dict[str, object] = {"transactionCheckInterval": 1500, "transactionTimeOut": 500, "transactionCheckMax": 3}
OP_TOPIC = "RMQ_SYS_TRANS_OP_HALF_TOPIC"
REPLY_TOPIC = "DefaultCluster_REPLY_TOPIC"
COMMIT, ROLLBACK = 8, 12
HALF = {"TRAN_MSG": "true", "PGROUP": "P", "UNIQ_KEY": "u", "WAIT": "true", "KEYS": "k", "TAGS": "t"}


@pytest.fixture(scope="module")
def brokers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Addresses of a real broker and of the reference."""
    settings = {f"broker.{key}": value for key, value in SETTINGS.items()}
    home = tmp_path_factory.mktemp("real") / "home"
    with (
        java_cluster("4.9.7", home, SETTINGS) as java,
        reference(tmp_path_factory.mktemp("reference"), settings) as ours,
    ):
        yield {"java": java.broker, "ours": ours.broker}


def ended(talk: Talk, sent: Command, decision: object, **more: Any) -> Command | None:
    """END_TRANSACTION with an answer, if there is one."""
    _, position = decode_offset_message_id(sent.fields["msgId"])
    fields = {"producerGroup": "P", "tranStateTableOffset": sent.fields["queueOffset"], "commitLogOffset": position}
    fields |= {"commitOrRollback": decision, "fromTransactionCheck": "false", "msgId": "u", "transactionId": "u"}
    return talk.wait(talk.begin(37, fields | more), QUIET_S if decision == 0 else 5)


def decisions(talk: Talk) -> None:
    """Halves, commits, rollbacks and every refusal."""
    talk.topic("Decided")
    ops = int(talk.ask(30, topic=OP_TOPIC, queueId=0).fields["offset"])
    half = talk.send("Decided", b"half", 1, HALF, f=4, h=7)
    talk.note("half", half.code, half.remark, sorted(half.fields), half.fields["queueId"])
    talk.note_record("half", talk.record_of(half))
    for name, decision in (("commit", COMMIT), ("again", COMMIT), ("rollback", ROLLBACK), ("unknown", 0)):
        talk.note_command(name, ended(talk, half, decision))
    for message in talk.pull("Decided", 1, at_least=2):
        talk.note_record("committed", message)
        talk.note("of this half", message.prepared_offset == talk.record_of(half).physical_offset)
    wrong: list[dict[str, object]] = [
        {"producerGroup": "Q"}, {"tranStateTableOffset": 99}, {"commitLogOffset": 1 << 40}, {"commitLogOffset": -1}
    ]  # fmt: skip
    for more in wrong:
        talk.note_command(f"wrong {more}", ended(talk, half, COMMIT, **more))
    plain = talk.send("Decided", b"plain", 0, {"PGROUP": "P"})
    for decision in (COMMIT, 4, "x"):
        answer = ended(talk, plain, decision)
        talk.note("no half message", answer is not None and answer.code)
    talk.note("settled", int(talk.ask(30, topic=OP_TOPIC, queueId=0).fields["offset"]) - ops)
    talk.note_command("op queue", talk.ask(11, **pull_fields(OP_TOPIC)))
    for topic in (OP_TOPIC, HALF_TOPIC, GIVEN_UP_TOPIC):
        talk.note_command("by hand", talk.send(topic, b"x"))


def who_is_prepared(talk: Talk) -> None:
    """The property makes a half message; bits alone make one that is in no queue; a delay comes first."""
    talk.topic("Bits")
    delays, times = ({}, {"DELAY": "2"}), (0, 1)
    for flag, said, delay, times_ in itertools.product((0, 4, 8, 12), ("", "true", "false", "TRUE"), delays, times):
        properties = {"PGROUP": "P", "UNIQ_KEY": "u"} | ({"TRAN_MSG": said} if said else {}) | delay
        sent = talk.send("Bits", b"x", 1, properties, f=flag, j=times_)
        talk.note_record(f"{flag} {said} {delay} {times_}", talk.record_of(sent))
    talk.note("queue", [(hex(record.sys_flag), record.queue_offset) for record in talk.pull("Bits", 1, at_least=8)])


def waits_and_batches(talk: Talk) -> None:
    """Where WAIT is stored, and what a batch may say."""
    talk.topic("Waits")
    more: tuple[dict[str, str], ...] = ({}, {"DELAY": "2"}, {"TRAN_MSG": "true", "PGROUP": "P"})
    for wait, extra in itertools.product(("true", "false", "x"), more):
        talk.note_record(f"{wait} {extra}", talk.record_of(talk.send("Waits", b"x", 0, {"WAIT": wait} | extra)))
    for flag, said in itertools.product((0, 4, 8, 12, 0x301), ({"WAIT": "true"}, {"TRAN_MSG": "true"}, {"DELAY": "1"})):
        body = encode_batch([BatchItem(3, b"1", {"UNIQ_KEY": "b"}), BatchItem(3, b"2", {"DELAY": "1", "WAIT": "x"})])
        talk.note_command(f"batch {flag} {said}", talk.send("Waits", body, 1, said, code=320, f=flag, m="true"))
    for record in talk.pull("Waits", 1, at_least=8):
        talk.note_record("of a batch", record)


def checks(talk: Talk) -> None:
    """Three checks, given up, resumed, asked about again, committed."""
    talk.topic("Checked")
    producer = talk.another()
    producer.heartbeat("checked@1", ("checked",))
    producer.send("Checked", b"asked", 2, HALF | {"PGROUP": "checked", "UNIQ_KEY": "checked"}, f=4)
    for _ in range(3):
        note_check(talk, producer.pushed(39))
    (given_up,) = talk.pull(GIVEN_UP_TOPIC, 0, at_least=1, key="checked")
    talk.note_record("given up", given_up)
    talk.note("asked a fourth time", producer.pushed(39, QUIET_S))
    talk.note_command("resumed", talk.ask(323, msgId=given_up.offset_message_id, topic=GIVEN_UP_TOPIC))
    asked = producer.pushed(39)
    note_check(talk, asked)
    assert asked is not None
    fields = {"producerGroup": "checked", "commitOrRollback": COMMIT, "fromTransactionCheck": "true", "msgId": "u"}
    places = {name: asked.fields[name] for name in ("tranStateTableOffset", "commitLogOffset")}
    talk.note_command("commit", producer.ask(37, **fields, **places))
    (message,) = talk.pull("Checked", 2, at_least=1)
    talk.note_record("committed", message)
    talk.note("asked again", producer.pushed(39, 2.0))
    producer.close()


def note_check(talk: Talk, asked: Command | None) -> None:
    """What the producer is asked, and the copy of the half message that it names."""
    talk.note("asked", asked is not None)
    assert asked is not None
    (seen,) = records_of(asked.body)
    talk.note("names", sorted(asked.fields), asked.fields["msgId"], asked.fields["transactionId"], asked.flag)
    talk.note(
        "places",
        int(asked.fields["commitLogOffset"]) == seen.physical_offset,
        int(asked.fields["tranStateTableOffset"]) == seen.queue_offset,
    )
    talk.note_record("seen", seen, "WAIT")
    stored = talk.ask(33, offset=seen.physical_offset)
    talk.note_record("copy", records_of(stored.body)[0])


def replies(talk: Talk) -> None:
    """Answers that are taken, refused, ignored, for nobody."""
    requester = talk.another()
    requester.heartbeat("asker@1", ("P",))
    kept = {"CORRELATION_ID": "c", "REPLY_TO_CLIENT": "asker@1", "MSG_TYPE": "reply", "UNIQ_KEY": "u", "WAIT": "true"}
    for code in (0, 1):
        opaque = talk.begin(325, send_fields(REPLY_TOPIC, 0, kept), b"answer")
        pushed = requester.pushed(326)
        talk.note_command("pushed", pushed)
        assert pushed is not None
        talk.note("body", pushed.body)
        requester.answer(pushed, code)
        talk.note_command(f"requester says {code}", talk.wait(opaque))
    for to in ({"REPLY_TO_CLIENT": "nobody"}, {"REPLY_TO_CLIENT": ""}):
        properties = {name: value for name, value in (kept | to).items() if value}
        talk.note_command(f"to {to}", talk.ask(325, b"answer", **send_fields(REPLY_TOPIC, 0, properties)))
    talk.note_command("no such queue", talk.ask(325, b"answer", **send_fields(REPLY_TOPIC, 9, kept)))
    for record in talk.pull(REPLY_TOPIC, 0, at_least=4):
        talk.note_record("stored", record)
    requester.close()


def compressed(talk: Talk) -> None:
    """Bodies are stored as they come, through transactions and send-backs too."""
    talk.topic("Packed")
    body = zlib.compress(b"x" * 5000)
    for flag in (1, 0x101, 0x201, 0x301, 0x700, 0x2, 0x40, 0x80, 0x1000):
        talk.send("Packed", body, 0, {"UNIQ_KEY": "u"}, f=flag)
    talk.heartbeat("packed@1", (), ("packed",))
    found = talk.pull("Packed", 0, at_least=9)
    for record in found:
        talk.note_record("stored", record)
    back = {"offset": found[3].physical_offset, "group": "packed", "delayLevel": 1, "originMsgId": "u"}
    talk.note_command("back", talk.ask(36, **back, originTopic="Packed", unitMode="false", maxReconsumeTimes=16))
    (retry,) = talk.pull("%RETRY%packed", 0, at_least=1)
    talk.note_record("retry", retry)
    ended(talk, talk.send("Packed", body, 1, HALF, f=0x305), COMMIT)
    (message,) = talk.pull("Packed", 1, at_least=1)
    talk.note_record("committed", message)


def vip(talk: Talk) -> None:
    """The port two below serves everything but pulls."""
    small = talk.another(port_distance=-2)
    small.topic("Vip")
    talk.note_command("send", small.send("Vip", b"x"))
    half = small.send("Vip", b"half", 1, HALF, f=4)
    talk.note_command("commit", ended(small, half, COMMIT))
    talk.note_command("pull", small.ask(11, **pull_fields("Vip")))
    talk.note_command("heartbeat", small.heartbeat("vip@1", ("P",), ("vip",)))
    for one in (small, talk):
        talk.note("members", one.ask(38, consumerGroup="vip").body)
    talk.note_command("commit offset", small.ask(15, consumerGroup="vip", topic="Vip", queueId=0, commitOffset=1))
    talk.note_command("offset", talk.ask(14, consumerGroup="vip", topic="Vip", queueId=0))
    queues = {"consumerGroup": "vip", "clientId": "vip@1", "mqSet": [{"topic": "Vip", "brokerName": "b", "queueId": 0}]}
    locked = json.loads(small.ask(41, json.dumps(queues).encode()).body)["lockOKMQSet"]
    talk.note("lock", json.dumps(locked, sort_keys=True))
    talk.note_command("unknown", small.ask(9999))
    talk.note_command("leave", small.ask(35, clientID="vip@1", producerGroup="P", consumerGroup="vip"))
    small.close()


def pulled_and_found(talk: Talk) -> None:
    """How much one pull is answered; by key and by time."""
    talk.topic("Pulled")
    sent = [talk.send("Pulled", b"s", 0, {"KEYS": "same", "UNIQ_KEY": f"p{number}"}) for number in range(40)]
    for _ in range(40):
        talk.send("Pulled", bytes(9000), 1, {"KEYS": "other"})
    for queue, size in ((0, 40), (1, 40)):
        talk.pull("Pulled", queue, at_least=size)
        for wanted in (0, 1, 31, 32, 33, 64, 1000):
            answer = talk.ask(11, **pull_fields("Pulled", queue) | {"maxMsgNums": wanted})
            found = [record.queue_offset for record in records_of(answer.body)]
            talk.note(f"{wanted} of queue {queue}", answer.code, answer.fields["nextBeginOffset"], found)
    first, last = (talk.record_of(sent[at]).store_time_ms for at in (0, -1))
    for key, most, unique, begin, end in (
        ("same", 10, "false", 0, last), ("same", 1000, "false", 0, last), ("p7", 10, "true", 0, last),
        ("same", 10, "false", 0, 1000), ("none", 10, "false", 0, last),
    ):  # fmt: skip
        fields = {"topic": "Pulled", "key": key, "maxNum": most, "beginTimestamp": begin, "endTimestamp": end}
        answer = talk.ask(12, **fields, _UNIQUE_KEY_QUERY=unique)
        found = [record.queue_offset for record in records_of(answer.body)]
        talk.note(f"{most} of {key} from {begin}", answer.code, answer.remark, found, sorted(answer.fields))
    for when in (0, first - 1000, last + 1000):
        talk.note("by time", talk.ask(29, topic="Pulled", queueId=0, timestamp=when).fields)


STORIES = (decisions, checks, waits_and_batches, who_is_prepared, replies, compressed, vip, pulled_and_found)


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
def test_both_are_seen_to_do_the_same(brokers: dict[str, str], story: Callable[[Talk], None]) -> None:
    notes: dict[str, list[str]] = {}
    for name, address in brokers.items():
        with closing(Talk(address)) as talk:
            story(talk)
            notes[name] = talk.notes
    assert notes["java"], "a story without notes compares nothing"
    assert notes["ours"] == notes["java"]
