"""The helper that runs a real Apache RocketMQ does so."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest
from clients import WHOLE, WHOLE_REASON
from java_broker import java_cluster, missing

from reference_impl.frame import Command, FrameReader, encode

pytestmark = [
    pytest.mark.interop,
    pytest.mark.slow,
    pytest.mark.skipif(not WHOLE, reason=WHOLE_REASON),
    pytest.mark.skipif(missing("java", "mvn") is not None, reason=str(missing("java", "mvn"))),
]


def test_a_real_cluster_serves(tmp_path: Path) -> None:
    with java_cluster("4.9.7", tmp_path / "home", {"brokerName": "real"}) as cluster:
        host, port = cluster.namesrv.split(":")
        with socket.create_connection((host, int(port)), timeout=10) as connection:
            connection.sendall(encode(Command(code=105, fields={"topic": "SELF_TEST_TOPIC"}, version=407)))
            reader = FrameReader()
            answers: list[Command] = []
            while not answers:
                answers += reader.feed(connection.recv(65536))
    route = json.loads(answers[0].body)
    assert route["brokerDatas"][0]["brokerAddrs"] == {"0": cluster.broker}
    assert route["brokerDatas"][0]["brokerName"] == "real"
