"""Apache RocketMQ 4.9.7 and the reference put to requests with a bad field: both answer with the same code, or the
difference is meant.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest
from bad_requests import BROKER, NAMESRV, Good, answers, prepare, undeclared, unneeded
from clients import WHOLE, WHOLE_REASON, reference
from java_broker import java_cluster, missing
from same_answers import Talk

Found = dict[str, int | None]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Found]]:
    """The codes of all answers, of a real cluster and of the reference."""
    codes: dict[str, Found] = {}
    with (
        java_cluster("4.9.7", tmp_path_factory.mktemp("real") / "home") as java,
        reference(tmp_path_factory.mktemp("reference"), {}) as ours,
    ):
        for name, cluster in (("java", java), ("ours", ours)):
            with closing(Talk(cluster.broker)) as broker, closing(Talk(cluster.namesrv)) as namesrv:
                prepare(broker)
                codes[name] = answers(broker, BROKER) | answers(namesrv, NAMESRV)
        yield codes


@pytest.mark.interop
@pytest.mark.slow
@pytest.mark.skipif(not WHOLE, reason=WHOLE_REASON)
@pytest.mark.skipif(missing("java", "mvn") is not None, reason=str(missing("java", "mvn")))
def test_both_answer_with_the_same_code(found: dict[str, Found]) -> None:
    assert len(found["java"]) > 1500
    assert undeclared(found["java"], found["ours"]) == []
    assert unneeded(found["java"], found["ours"]) == [], "these differences are gone: take them off the list"


def test_differences_are_told_unless_they_are_meant() -> None:
    java: Found = {"30 queueId='x'": 1, "36 group=''": 0, "31": 0}
    ours: Found = {"30 queueId='x'": 0, "36 group=''": 26, "31": 0}
    assert undeclared(java, ours) == ["30 queueId='x': RocketMQ 1, the reference 0"]
    assert r"(11 consumerGroup|36 group)=''" not in unneeded(java, ours)
    assert r"33 offset='\+1'" in unneeded(java, ours)


def test_each_field_goes_bad_in_each_way() -> None:
    codes = [good.code for good in (*BROKER, *NAMESRV)]
    assert len(set(codes)) == len(codes)
    good = Good(1, {"n": ("int", "5"), "t": ("text", "x"), "s": ("int", "1")}, spared=("s",))
    bad = dict(good.bad())
    assert bad["1 n=''"] == {"n": "", "t": "x", "s": "1"}
    assert bad["1 t=(missing)"] == {"n": "5", "s": "1"}
    assert not [name for name in bad if name.startswith("1 s=")]
