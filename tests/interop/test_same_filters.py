"""Apache RocketMQ 4.9.7 and the reference deliver the same under tags and SQL92.

Their own settings are switched while they run, so one broker of each is enough. Fast twins that need no Java:
``tests/reference_impl/test_broker_pulls.py``, ``test_delivery_filters.py`` and ``test_delivery_sql92.py``.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from clients import WHOLE, WHOLE_REASON, reference
from java_broker import java_cluster, missing
from same_answers import Talk, pull_fields, records_of

from reference_impl.frame import Command
from reference_impl.message import java_hash

pytestmark = [
    pytest.mark.interop,
    pytest.mark.slow,
    pytest.mark.skipif(not WHOLE, reason=WHOLE_REASON),
    pytest.mark.skipif(missing("java", "mvn") is not None, reason=str(missing("java", "mvn"))),
]
RECORDED: dict[str, Any] = json.loads((Path(__file__).parents[1] / "golden" / "sql92.json").read_text())
TAGS = ("Aa", "BB", "C", "a b", "", None, "*", " C", "a||b", "|", "C")
EXPRESSIONS = (
    *("*", "", None, "Aa", "Aa||C", "Aa || C", " Aa ||  C ", "Aa||Aa||C", "a b", " * ", "*||C", "C||*", "||", "|"),
    *("||||", "|| ||", " ", "Aa|C", "Aa|||C", "||C", "C||", "c", "a||b", "**", "'Aa'", "\tC\n", "\u00a0C"),
)
ABSENT = "(absent)"
HELD = 15_000


@pytest.fixture(scope="module")
def brokers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Addresses of a real broker and of the reference."""
    home = tmp_path_factory.mktemp("real") / "home"
    with (
        java_cluster("4.9.7", home, {"enablePropertyFilter": "true"}) as java,
        reference(tmp_path_factory.mktemp("reference"), {"broker.enablePropertyFilter": "true"}) as ours,
    ):
        yield {"java": java.broker, "ours": ours.broker}


def switched(talk: Talk, **settings: str) -> None:
    """Change settings of the broker while it runs."""
    answer = talk.ask(25, "".join(f"{name}={value}\n" for name, value in settings.items()).encode())
    assert answer.code == 0, answer.remark


def filled(talk: Talk, topic: str) -> None:
    """A topic with a message for each tag, numbered by a property."""
    talk.topic(topic)
    for number, tag in enumerate(TAGS):
        tagged = {} if tag is None else {"TAGS": tag}
        talk.send(topic, f"{number}{tag}".encode(), 0, tagged | {"a": str(number)})
    talk.pull(topic, 0, at_least=len(TAGS))


def wanted(topic: str, text: str | None, version: int = 1, kind: str | None = "TAG", **more: Any) -> dict[str, Any]:
    """SubscriptionData as the Java client makes it, but for ``more``."""
    parts = [] if kind == "SQL92" or text in ("*", None) else str(text).split("||")
    tags = [part.strip() for part in parts if part.strip()]
    shape = {"topic": topic, "subString": text, "subVersion": version, "expressionType": kind, "tagsSet": tags}
    shape |= {"codeSet": [java_hash(tag) for tag in tags], "classFilterMode": False}
    return {name: value for name, value in (shape | more).items() if value != ABSENT}


def beat(talk: Talk, client: str, group: str, *subscriptions: dict[str, Any], model: str = "CLUSTERING") -> Command:
    """A consumer's heartbeat."""
    consumer = {"groupName": group, "consumeType": "CONSUME_PASSIVELY", "messageModel": model, "unitMode": False}
    consumer |= {"consumeFromWhere": "CONSUME_FROM_LAST_OFFSET", "subscriptionDataSet": list(subscriptions)}
    return talk.ask(34, json.dumps({"clientID": client, "producerDataSet": [], "consumerDataSet": [consumer]}).encode())


def note_pull(talk: Talk, label: str, topic: str, **more: Any) -> None:
    """Remember what a pull is answered."""
    fields = {name: value for name, value in (pull_fields(topic) | more).items() if value is not None}
    note_answer(talk, label, talk.ask(11, **fields))


def note_answer(talk: Talk, label: str, answer: Command | None) -> None:
    """Remember the answer to a pull; the texts of failures are left out."""
    if answer is None:
        talk.note(label, "nothing")
        return
    places = [answer.fields.get(name) for name in ("nextBeginOffset", "minOffset", "maxOffset", "suggestWhichBrokerId")]
    bodies = [record.body for record in records_of(answer.body)] if answer.code == 0 else []
    talk.note(label, answer.code, "" if answer.code == 1 else answer.remark, places, bodies)


def subscriptions_of_pulls(talk: Talk) -> None:
    """Every text and kind that a pull may bring, with and without enablePropertyFilter; 46."""
    filled(talk, "Own")
    for text, kind in itertools.product(EXPRESSIONS, ("TAG", None, "")):
        note_pull(talk, f"{kind!r} {text!r}", "Own", subscription=text, expressionType=kind)
    expressions = ("a > 5", "*", "", None, "a >> 5", "TAGS = 'C'", "TAGS IS NULL", "TAGS IN ('Aa','C') AND a < 9")
    for kind, text in itertools.product(("SQL92", "sql92", "tag", "XXX", " TAG"), expressions):
        note_pull(talk, f"{kind!r} {text!r}", "Own", subscription=text, expressionType=kind)
    for flag in (12, 8, 20, 14):
        note_pull(talk, f"flag {flag}", "Own", subscription="C", sysFlag=flag)
    beat(talk, "own@1", "own", wanted("Own", "a > 5", 1, "SQL92"))
    for enabled in ("false", "true"):
        switched(talk, enablePropertyFilter=enabled)
        for kind, text in itertools.product(("SQL92", "XXX", "", "TAG"), ("a > 5", "a >>", "")):
            note_pull(talk, f"{enabled} {kind!r} {text!r}", "Own", subscription=text, expressionType=kind)
        note_pull(talk, f"{enabled}, heartbeat", "Own", sysFlag=0, consumerGroup="own")
        for kind, text in itertools.product(("SQL92", "XXX", "TAG", "", None), ("a >", "||", "", None, "a > 0.0")):
            body = {"clientId": "x", "group": "own", "subscriptionData": wanted("Own", text, 1, kind)}
            talk.note(f"{enabled} 46 {kind!r} {text!r}", talk.ask(46, json.dumps(body).encode()).code)


def subscriptions_of_heartbeats(talk: Talk) -> None:
    """A heartbeat is taken at its word: codes, not texts."""
    filled(talk, "Beat")
    shapes = [
        wanted("Beat", "C", codeSet=codes) for codes in (ABSENT, [], None, [2112], ["2112"], [67, 2112])
    ]  # fmt: skip
    shapes += [wanted("Beat", text) for text in ("C", "*", "", None, " * ", "||", "Aa || C")]
    shapes += [wanted("Beat", text, codeSet=[67], tagsSet=ABSENT) for text in ("*", "", None)]
    shapes += [wanted("Beat", "C", 1, kind) for kind in (ABSENT, None, "", "SQL92", "XXX")]
    shapes += [wanted("Beat", text, 1, "SQL92") for text in ("a > 5", "a >> 5", "", None, "*")]
    shapes += [wanted("Beat", text, 1, kind, classFilterMode=True) for text, kind in (("C", "TAG"), ("a > 5", "SQL92"))]
    shapes += [wanted("Beat", "*", subString=ABSENT), wanted("Beat", "a > 5", 1, "SQL92", codeSet=[67])]
    for number, shape in enumerate(shapes):
        group = f"beat{number}"
        with closing(talk.another()) as member:
            talk.note(f"{shape}", beat(member, f"{number}@1", group, shape).code)
            for version in (0, 1, 2):
                note_pull(talk, f"{version}", "Beat", sysFlag=0, consumerGroup=group, subVersion=version)
            shown = json.loads(member.ask(203, consumerGroup=group).body)["subscriptionTable"]["Beat"]
            shown["codeSet"] = sorted(shown.get("codeSet", ()))
            talk.note("shown", json.dumps({name: shown.get(name) for name in shape}, sort_keys=True))


def versions(talk: Talk) -> None:
    """Subscriptions change while messages wait; two members disagree; a group goes and comes back."""
    filled(talk, "Age")
    steps: list[tuple[int, int, int, str, str]] = [
        (1, 5, 0, "TAG", "C"), (1, 5, 0, "TAG", "Aa"), (1, 4, 0, "TAG", "Aa"), (1, 6, 0, "TAG", "Aa"),
        (2, 7, 0, "TAG", "C"), (1, 6, 0, "TAG", "Aa"), (1, 6, 6, "TAG", "Aa"), (1, 8, 0, "SQL92", "a > 5"),
        (1, 8, 0, "SQL92", "a < 5"), (1, 7, 0, "SQL92", "a < 5"), (1, 9, 0, "SQL92", "a < 5"),
        (1, 10, 0, "SQL92", "a >>"), (1, 10, 9, "SQL92", "a >>"), (1, 9, 9, "SQL92", "a < 5"),
        (1, 11, 11, "SQL92", "a < 5"), (1, 12, 11, "SQL92", ""), (1, 12, 12, "SQL92", ""), (1, 13, 12, "TAG", "C"),
        (1, 14, 14, "SQL92", "a = 1"), (2, 15, 15, "SQL92", "a = 2"), (1, 14, 14, "SQL92", "a = 1"),
        (0, 0, 0, "", ""), (1, 3, 3, "SQL92", "a = 3"), (1, 2, 2, "SQL92", "a >>"), (1, 16, 3, "SQL92", "a = 4"),
        (0, 0, 0, "", ""), (1, 2, 1, "TAG", "C"), (1, 2, 9, "TAG", "C"),
    ]  # fmt: skip
    members = {1: talk.another(), 2: talk.another()}
    for member, version, asked, kind, text in steps:
        if not member:
            beat(members[1], "1@1", "age", wanted("Other", "*"))
            note_pull(talk, "nobody wants it", "Age", sysFlag=0, consumerGroup="age")
            for number, connection in members.items():
                connection.ask(35, clientID=f"{number}@1", consumerGroup="age")
            note_pull(talk, "nobody there", "Age", sysFlag=0, consumerGroup="age")
            continue
        beat(members[member], f"{member}@1", "age", wanted("Age", text, version, kind))
        label = f"{member} says {text} v{version}, asks v{asked}"
        note_pull(talk, label, "Age", sysFlag=0, consumerGroup="age", subVersion=asked)
    note_pull(talk, "the pull's own wins", "Age", consumerGroup="age", subscription="Aa", subVersion=99)
    note_pull(talk, "without the flag it is not read", "Age", consumerGroup="age", subscription="Aa", sysFlag=0)
    for connection in members.values():
        connection.close()


def broadcasting(talk: Talk) -> None:
    """Where broadcasting is forbidden, only a pull that brings no subscription is refused."""
    filled(talk, "Cast")
    group = {"groupName": "cast", "consumeEnable": True, "consumeBroadcastEnable": False, "retryQueueNums": 1}
    talk.ask(200, json.dumps(group).encode())
    for name in ("cast", "broad"):
        beat(talk, f"{name}@1", name, wanted("Cast", "C", 5), model="BROADCASTING")
        for flag, text, version in ((0, "*", 0), (0, "*", 9), (4, "*", 0), (4, "||", 0)):
            label = f"{name} {flag} {text} {version}"
            note_pull(
                talk, label, "Cast", consumerGroup=name, sysFlag=flag, subscription=text, subVersion=version
            )  # fmt: skip
        note_pull(talk, f"{name} retries", f"%RETRY%{name}")


def retries(talk: Talk) -> None:
    """A retry topic is filtered like others; filterSupportRetry asks the expression of the topic before, too."""
    talk.topic("Tried")
    topic = "%RETRY%tried"
    own = wanted(topic, "*")
    beat(talk, "tried@1", "tried", wanted("Tried", "a > 5", 1, "SQL92"), own)
    for number in range(3, 8):
        properties = {"a": str(number), "RETRY_TOPIC": "Tried", "TAGS": "yx"[number % 2]}
        talk.send(topic, str(number).encode(), 0, properties)
    talk.send(topic, b"unknown", 0, {"RETRY_TOPIC": "Unknown"})
    talk.send(topic, b"nothing", 0, {"RETRY_TOPIC": "Tried"})
    talk.pull(topic, 0, at_least=7)
    headers = (("*", "TAG"), ("x", "TAG"), ("x", ""), ("a < 5", "SQL92"), ("a <<", "SQL92"))
    changes = [("a > 5", 1, "SQL92"), ("x", 3, "TAG"), ("a >>", 4, "SQL92"), ("a = 4", 5, "SQL92")]
    for support in ("false", "true", "false"):
        switched(talk, filterSupportRetry=support)
        for group, (text, kind) in itertools.product(("tried", "stranger"), headers):
            label = f"{support} {group} {text} {kind}"
            note_pull(talk, label, topic, consumerGroup=group, subscription=text, expressionType=kind)
        for text, version, kind in changes if support == "true" else ():
            beat(talk, "tried@1", "tried", wanted("Tried", text, version, kind), own)
            note_pull(talk, f"now {text}", topic, consumerGroup="tried", sysFlag=0)
        for version, text in enumerate(("y", "x"), 2):
            beat(talk, "tried@1", "tried", wanted("Tried", "a = 4", 5, "SQL92"), wanted(topic, text, version))
            note_pull(talk, f"{support}, retries with {text}", topic, consumerGroup="tried", sysFlag=0)


def skipping(talk: Talk) -> None:
    """How far one pull looks, and which limits count what it skips."""
    talk.topic("Skip")
    for number in range(900):
        talk.send("Skip", b"%d" % number, 0, {"TAGS": "C" if number >= 850 or number in (3, 5) else "D"})
    for number in range(60):
        talk.send("Skip", bytes(9000) + b"%d" % number, 1, {"TAGS": "DC"[number % 2]})
    for queue, count in ((0, 900), (1, 60)):
        talk.pull("Skip", queue, at_least=count)
    texts = (("C", "TAG"), ("E", "TAG"), ("TAGS = 'C'", "SQL92"), ("TAGS = 'E'", "SQL92"), ("*", "TAG"))
    places = [(0, 0, most) for most in (0, 1, 2, 3, 32, 64, 801, 1000)]
    places += [(0, at, 32) for at in (4, 6, 49, 50, 51, 99, 100, 101, 840, 850, 899, 900, 901, -1)]
    places += [(1, at, 32) for at in (0, 1, 58, 59, 60)]
    for (queue, at, most), (text, kind) in itertools.product(places, texts):
        more = {"queueId": queue, "queueOffset": at, "maxMsgNums": most, "subscription": text, "expressionType": kind}
        answer = talk.ask(11, **pull_fields("Skip") | more)
        found = [record.queue_offset for record in records_of(answer.body)] if answer.code == 0 else []
        where = [answer.fields[name] for name in ("nextBeginOffset", "minOffset", "maxOffset")]
        talk.note(f"{most} of {queue} from {at} {text}", answer.code, answer.remark, where, found)


def held(talk: Talk) -> None:
    """A wanted message wakes a held pull at once; unwanted ones let it go on at a scan, behind them."""
    talk.topic("Held")
    talk.send("Held", b"first", 0, {"TAGS": "D"})
    talk.pull("Held", 0, at_least=1)
    at_once: list[dict[str, Any]] = [
        {"queueOffset": 0, "subscription": "C"}, {"queueOffset": 2}, {"queueOffset": -1},
        {"queueId": 1, "queueOffset": 5}, {"queueOffset": 1, "sysFlag": 4},
    ]  # fmt: skip
    for more in at_once:
        note_answer(talk, f"{more}", talk.ask(11, **pull_fields("Held") | {"sysFlag": 6} | more))
    waiting = {"sysFlag": 6, "suspendTimeoutMillis": HELD, "queueOffset": 1}
    wants = (
        ("C", "TAG"), ("*", "TAG"), ("a > 5", "SQL92"), ("a >> 5", "SQL92"), ("a = 7", "SQL92"),
        ("C", ""), ("E", "TAG"),
    )  # fmt: skip
    for body, properties in ((b"one", {"TAGS": "C", "a": "1"}), (b"two", {"TAGS": "D", "a": "9"})):
        at = talk.ask(30, topic="Held", queueId=0).fields["offset"]
        opened = []
        for text, kind in wants:
            other = talk.another()
            fields = pull_fields("Held") | waiting | {"queueOffset": at, "subscription": text, "expressionType": kind}
            opened.append((text, other, other.begin(11, fields)))
        for _, other, _ in opened:
            other.ask(30, topic="Held", queueId=0)  # what came before it has been seen
        talk.send("Held", body, 0, properties)
        for text, other, opaque in opened:
            # Woken, or answered by a scan that found the queue grown: either way what the pull finds is the same.
            note_answer(talk, f"{text} and {body!r}", other.wait(opaque, HELD / 1000))
            other.close()


STORIES = (
    *(subscriptions_of_pulls, subscriptions_of_heartbeats, versions, broadcasting, retries, skipping, held),
)  # fmt: skip


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
def test_both_deliver_the_same(brokers: dict[str, str], story: Callable[[Talk], None]) -> None:
    notes: dict[str, list[str]] = {}
    for name, address in brokers.items():
        with closing(Talk(address)) as talk:
            story(talk)
            notes[name] = talk.notes
    assert notes["java"], "a story without notes compares nothing"
    assert notes["ours"] == notes["java"]


def delivered(talk: Talk, topic: str, expression: str) -> str:
    """Which messages an expression delivers, one letter for each."""
    found: set[int] = set()
    offset = 0
    fields = {"subscription": expression, "expressionType": "SQL92"}
    while (answer := talk.ask(11, **pull_fields(topic, 0, offset) | fields)).code in (0, 20):
        found |= {record.queue_offset for record in records_of(answer.body)} if answer.code == 0 else set()
        offset = int(answer.fields["nextBeginOffset"])
    if answer.code == 23:
        return "23"
    assert answer.code == 19, answer.remark
    return "".join("T" if number in found else "." for number in range(offset))


def test_recorded_expressions_deliver_the_same(brokers: dict[str, str]) -> None:
    found: dict[str, dict[str, str]] = {}
    for name, address in brokers.items():
        with closing(Talk(address)) as talk:
            talk.topic("Recorded")
            for properties in RECORDED["properties"]:
                assert talk.send("Recorded", b"x", 0, properties).code == 0
            talk.pull("Recorded", 0, at_least=len(RECORDED["properties"]))
            found[name] = {text: delivered(talk, "Recorded", text) for text in RECORDED["expressions"]}
    assert found["ours"] == found["java"]
    for text, letters in RECORDED["expressions"].items():
        # A property with a short name and an empty value does not come through the wire.
        kept = [at for at, one in enumerate(RECORDED["properties"]) if "" not in one.values()]
        expected = "T" * len(kept) if letters is None else "".join("T" if letters[at] == "T" else "." for at in kept)
        assert not text or "".join(found["java"][text][at] for at in kept) == expected, text
