"""One request, one answer: and what is said when there is none."""

from __future__ import annotations

import socket
import threading

import pytest

from mqcheck.embedded.asking import Line
from mqcheck.embedded.cluster import RocketMQServer
from mqcheck.errors import NodeError


def test_answers_come_one_after_the_other(rocketmq_server: RocketMQServer) -> None:
    with Line(rocketmq_server.broker_address) as line:
        assert line.ask(30, {"topic": "nothing", "queueId": 0}).fields == {"offset": "0"}
        assert "TBW102" in line.table(21, "topicConfigTable")
        with pytest.raises(NodeError, match="refused request 9999"):
            line.table(9999, "x")


def test_nobody_there() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(NodeError, match="is it running"):
            Line(address)


@pytest.mark.parametrize(("said", "told"), [(b"", "closed the connection"), (b"\xff" * 64, "no answer")])
def test_somebody_who_does_not_answer(said: bytes, told: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            peer, _ = server.accept()
            with peer:
                peer.recv(1024)
                peer.sendall(said)

        thread = threading.Thread(target=serve)
        thread.start()
        with Line(f"127.0.0.1:{server.getsockname()[1]}") as line, pytest.raises(NodeError, match=told):
            line.ask(105)
        thread.join()
