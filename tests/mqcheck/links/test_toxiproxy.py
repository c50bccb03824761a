"""The adapter against the real server: found, started, checked, healed, stopped."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from mqcheck.errors import LinkError, MissingToolError, PortTakenError, SettingsError
from mqcheck.links import ports, toxiproxy
from mqcheck.links.toxiproxy import ProxyState, Toxic, ToxiproxyServer, find_binary

UPSTREAM = "127.0.0.1:9"

ALL = [
    Toxic("latency", "upstream", {"latency": 5, "jitter": 2}, 0.5),
    Toxic("bandwidth", "downstream", {"rate": 0}),
    Toxic("slow_close", "upstream", {"delay": 7}, 0.0),
    Toxic("timeout", "downstream", {"timeout": 0}),
    Toxic("reset_peer", "upstream", {"timeout": 3}),
    Toxic("slicer", "downstream", {"average_size": 10, "size_variation": 2, "delay": 4}),
    Toxic("limit_data", "upstream", {"bytes": 11}),
]


@pytest.fixture
def proxy(toxiproxy: ToxiproxyServer) -> Any:
    state = toxiproxy.create_proxy("adapter", f"127.0.0.1:{ports.free_port()}", UPSTREAM)
    yield state
    toxiproxy.delete_proxy("adapter")


@pytest.mark.e2e
def test_it_is_the_real_server(toxiproxy: ToxiproxyServer) -> None:
    assert tuple(map(int, toxiproxy.version().split("."))) >= (2, 5)
    assert Path(f"/proc/{toxiproxy.pid}/exe").resolve().name == "toxiproxy-server"


@pytest.mark.e2e
@pytest.mark.parametrize("toxic", ALL, ids=lambda toxic: toxic.type)
def test_every_toxic_with_direction_and_toxicity(toxiproxy: ToxiproxyServer, proxy: ProxyState, toxic: Toxic) -> None:
    assert toxiproxy.add_toxic("adapter", toxic) == toxic
    assert toxiproxy.proxy("adapter").toxics == (toxic,)
    other = Toxic(toxic.type, toxic.stream, {key: value + 20 for key, value in toxic.attributes.items()}, 0.25)
    assert toxiproxy.update_toxic("adapter", other) == other
    with pytest.raises(LinkError, match="toxic already exists"):
        toxiproxy.add_toxic("adapter", toxic)
    toxiproxy.remove_toxic("adapter", toxic.name)
    toxiproxy.remove_toxic("adapter", toxic.name)
    assert toxiproxy.proxy("adapter").toxics == ()


@pytest.mark.e2e
def test_settle_makes_a_proxy_what_it_is_told_to_be(toxiproxy: ToxiproxyServer, proxy: ProxyState) -> None:
    for toxic in ALL:
        toxiproxy.add_toxic("adapter", toxic)
    toxiproxy.set_enabled("adapter", False)
    assert toxiproxy.settle(proxy) is True
    assert toxiproxy.proxy("adapter") == proxy
    wanted = ProxyState(proxy.name, proxy.listen, proxy.upstream, False, (ALL[0],))
    assert toxiproxy.settle(wanted) is True
    assert toxiproxy.proxy("adapter") == wanted
    toxiproxy.delete_proxy("adapter")
    assert toxiproxy.settle(wanted) is False, "made anew"
    assert toxiproxy.proxy("adapter") == wanted


@pytest.mark.e2e
def test_a_taken_port_is_told_apart(toxiproxy: ToxiproxyServer, proxy: ProxyState) -> None:
    with pytest.raises(PortTakenError, match="address already in use"):
        toxiproxy.create_proxy("second", proxy.listen, UPSTREAM)
    with pytest.raises(LinkError, match="proxy already exists"):
        toxiproxy.create_proxy("adapter", f"127.0.0.1:{ports.free_port()}", UPSTREAM)
    toxiproxy.set_enabled("adapter", False)
    with socket.create_server(("127.0.0.1", int(proxy.listen.rpartition(":")[2]))), pytest.raises(PortTakenError):
        toxiproxy.settle(proxy)
    assert toxiproxy.settle(proxy) is True


@pytest.mark.e2e
def test_what_is_not_there_is_named(toxiproxy: ToxiproxyServer) -> None:
    with pytest.raises(LinkError, match="GET /proxies/nothing: there is no such proxy"):
        toxiproxy.proxy("nothing")
    toxiproxy.delete_proxy("nothing")
    with pytest.raises(LinkError, match="refused"):
        toxiproxy._call("post", "/proxies", {"name": ""})


@pytest.mark.e2e
def test_it_moves_and_counts_ended_connections(toxiproxy: ToxiproxyServer, proxy: ProxyState) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        upstream = f"127.0.0.1:{server.getsockname()[1]}"
        assert toxiproxy.set_upstream("adapter", upstream).upstream == upstream
        before = toxiproxy.accepted("adapter")
        host, _, port = proxy.listen.rpartition(":")
        with socket.create_connection((host, int(port)), timeout=10) as client:
            client.sendall(b"12345")
            served, _ = server.accept()
            assert served.recv(10) == b"12345"
            served.sendall(b"123")
            assert client.recv(10) == b"123"
            served.close()
            assert client.recv(10) == b""
    assert toxiproxy.accepted("adapter") == before + 1
    counted = {"up_received": 5, "up_sent": 5, "down_received": 3, "down_sent": 3}
    limit = time.monotonic() + 20
    while toxiproxy.metrics().get("adapter") != counted:
        assert time.monotonic() < limit, toxiproxy.metrics()


@pytest.mark.e2e
def test_several_servers_side_by_side_and_their_end() -> None:
    pids: list[int] = []
    first, second = ToxiproxyServer.start(on_start=pids.append), ToxiproxyServer.start()
    lane = first.lane(1)
    assert first.lane(0) is first
    assert first.lane(1) is lane
    assert pids == first.pids == [first.pid, lane.pid]
    for server in (first, second, lane):
        server.create_proxy("same", f"127.0.0.1:{ports.free_port()}", UPSTREAM)
    first.delete_proxy("same")
    assert second.proxy("same").enabled
    first.stop()
    first.stop()
    assert not first.running
    assert not lane.running
    assert second.running
    with pytest.raises(LinkError, match=r"no answer within .* the server ended with status"):
        first.version()
    second.stop()


@pytest.mark.e2e
def test_environment_proxies_are_not_used(monkeypatch: pytest.MonkeyPatch, toxiproxy: ToxiproxyServer) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert toxiproxy.version()


@pytest.mark.e2e
def test_a_stuck_server_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    server = ToxiproxyServer.start()
    try:
        os.kill(server.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, server.pid, os.WSTOPPED | os.WNOWAIT)  # until it has stopped, it may still answer
        with pytest.raises(LinkError, match=r"no answer within 0\.2 s"):
            server._request("get", "/version", seconds_max=0.2)
        monkeypatch.setattr(toxiproxy, "STOP_SECONDS_MAX", 0.2)
    finally:
        server.stop()
    assert not server.running


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("noise", "upstream"), "type 'noise' is unknown: use one of bandwidth"),
        (("latency", "sideways"), "stream 'sideways' is unknown"),
        (("latency", "upstream", {}, 1.5), "toxicity 1.5 is outside 0..1"),
        (("bandwidth", "upstream", {"rate": -1}), "rate=-1"),
        (("bandwidth", "upstream", {"latency": 1}), "latency=1: give numbers from 0 for rate"),
        (("slicer", "upstream", {"average_size": 0}), "average_size=0"),
        (("slicer", "upstream", {"average_size": 4, "size_variation": 4}), "size_variation=4"),
    ],
)
def test_toxics_that_the_server_would_choke_on_are_refused(options: Any, message: str) -> None:
    with pytest.raises(LinkError, match=message):
        Toxic(*options)


def _program(path: Path, text: str = "#!/bin/sh\nexit 3\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def test_found_by_setting_then_path_then_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    named, on_path = _program(tmp_path / "mine"), _program(tmp_path / "bin" / "toxiproxy-server")
    monkeypatch.setenv("PATH", str(on_path.parent))
    monkeypatch.setenv(toxiproxy.SETTING, str(named))
    assert find_binary() == named
    monkeypatch.delenv(toxiproxy.SETTING)
    assert find_binary() == on_path
    assert find_binary(str(named)) == named
    monkeypatch.setenv("PATH", str(tmp_path))
    bundled = _program(tmp_path / "package" / "_bin" / "toxiproxy-server")
    monkeypatch.setattr(toxiproxy, "__file__", str(tmp_path / "package" / "links" / "toxiproxy.py"))
    assert find_binary() == bundled


def test_not_found_says_where_it_looked_and_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(toxiproxy.SETTING, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(toxiproxy, "__file__", str(tmp_path / "links" / "toxiproxy.py"))
    with pytest.raises(MissingToolError, match=r"MQCHECK_TOXIPROXY.*_bin.*MQCHECK_BUILD_TOXIPROXY=require"):
        find_binary()
    with pytest.raises(SettingsError, match="'/no/such' is not a program"):
        find_binary("/no/such")


def test_a_program_that_ends_at_once_is_shown_with_its_words(tmp_path: Path) -> None:
    broken = _program(tmp_path / "broken", "#!/bin/sh\necho not today\nexit 3\n")
    with pytest.raises(LinkError, match="did not start on 5 ports; its last words: not today"):
        ToxiproxyServer.start(broken)
    with pytest.raises(MissingToolError, match="cannot be run"):
        ToxiproxyServer.start(_program(tmp_path / "garbage", "\0garbage"))


def test_the_bundled_server_is_static_and_licensed() -> None:
    folder = Path(toxiproxy.__file__).resolve().parent.parent / "_bin"
    if not (folder / "toxiproxy-server").exists():
        pytest.skip("built without the server: PATH has one")
    assert "MIT" in (folder / "LICENSE.toxiproxy").read_text(encoding="utf-8")
    answer = subprocess.run([folder / "toxiproxy-server", "-version"], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "toxiproxy-server version 2.5.0"
