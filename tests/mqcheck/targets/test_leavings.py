"""What mqcheck has made in a cluster of others goes, and nothing else does."""

from __future__ import annotations

import asyncio
from pathlib import Path

from mqcheck.cli import main
from mqcheck.rocketmq.names import is_owned
from mqcheck.targets.leavings import clean, of_any_run, prefix_of
from mqcheck.targets.ready import ask
from mqcheck.targets.survey import Survey
from tests.mqcheck.targets.running import running_cluster

RUN = "20261128-225620-ab12"
PREFIX = prefix_of(RUN, "broker-kill~2")
TOPICS = (f"{PREFIX}orders", f"%RETRY%{PREFIX}billing", f"%DLQ%{PREFIX}billing")
OTHERS = ("orders", f"mqcheck_{RUN}", "%RETRY%billing", "mqcheck-guide")


def test_names_are_the_runs_and_the_scenarios_own() -> None:
    assert PREFIX == "mqcheck_20261128-225620-ab12_broker-kill-2_"
    assert all(of_any_run(name) for name in TOPICS)
    assert not any(of_any_run(name) for name in OTHERS)


async def fill(cluster: Survey) -> None:
    """Topics and groups of ours and of somebody else's, on every broker."""
    for master in cluster.masters:
        for topic in (*TOPICS, *OTHERS):
            fields = {
                "topic": topic,
                "defaultTopic": "TBW102",
                "readQueueNums": "1",
                "writeQueueNums": "1",
                "perm": "6",
            }
            answer = await ask(master.address, 17, 5, {**fields, "topicFilterType": "SINGLE_TAG", "order": "false"})
            assert answer is not None
            assert answer.code == 0, answer
        for group in (f"{PREFIX}billing", "billing"):
            place = {"consumerGroup": group, "topic": "orders", "queueId": "0", "commitOffset": "0"}
            answer = await ask(
                master.address,
                11,
                5,
                {
                    **place,
                    "queueOffset": "0",
                    "maxMsgNums": "1",
                    "sysFlag": "4",
                    "suspendTimeoutMillis": "0",
                    "subscription": "*",
                    "subVersion": "0",
                    "expressionType": "TAG",
                },
            )
            assert answer is not None


async def told(cluster: Survey) -> str:
    """All that brokers and NameServers say of their topics and groups."""
    answers = [await ask(node.address, code, 5, {}) for node in cluster.masters for code in (21, 201)]
    answers += [await ask(node.address, 206, 5, {}) for node in cluster.nameservers]
    return "\n".join(answer.body.decode() for answer in answers if answer is not None)


def test_topics_and_groups_of_a_scenario_go_and_others_stay(tmp_path: Path) -> None:
    with running_cluster(tmp_path, ["alpha", "beta"]) as running:
        cluster = running.look()
        asyncio.run(fill(cluster))
        before = asyncio.run(told(cluster))
        assert all(f'"{name}"' in before for name in (*TOPICS, *OTHERS, f"{PREFIX}billing"))
        removed = asyncio.run(clean(cluster, lambda name: is_owned(PREFIX, name)))
        assert removed == {*TOPICS, f"{PREFIX}billing"}
        after = asyncio.run(told(cluster))
        assert PREFIX not in after
        assert all(f'"{name}"' in after for name in OTHERS)
        assert asyncio.run(clean(cluster, of_any_run)) == frozenset()


def test_the_command_takes_away_what_any_run_has_left(tmp_path: Path, capsys: object) -> None:
    with running_cluster(tmp_path, ["alpha"]) as running:
        asyncio.run(fill(running.look()))
        assert main(["external", "clean", running.address]) == 0
        assert main(["external", "clean", "127.0.0.1:1"]) == 4
        after = asyncio.run(told(running.look()))
        assert "mqcheck_20261128-225620-ab12_" not in after
        assert '"mqcheck-guide"' in after
