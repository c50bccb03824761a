"""Which daemon is asked, and which cannot be used; with real containers: tests/containers."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from mqcheck.errors import MissingToolError, SettingsError
from mqcheck.targets.container_life import connect, elsewhere


def test_without_the_sdk_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "docker", None)
    with pytest.raises(MissingToolError, match=r'need the Docker SDK.* pip install "mqcheck\[docker\]"'):
        connect({})


@pytest.mark.slow
def test_a_daemon_that_does_not_answer_or_is_not_here(tmp_path: Path) -> None:
    pytest.importorskip("docker", reason='needs the Docker SDK: pip install "mqcheck[docker]"')
    with pytest.raises(
        MissingToolError, match=r"no Docker daemon answers at unix:///.*/none .*DOCKER_HOST=unix://PATH"
    ):
        connect({"DOCKER_HOST": f"unix://{tmp_path}/none"})
    with pytest.raises(SettingsError, match=r"DOCKER_HOST is tcp://10\.0\.0\.1:2375, .* name the Unix socket"):
        connect({"DOCKER_HOST": "tcp://10.0.0.1:2375"})


@pytest.mark.parametrize(
    ("about", "reason"),
    [
        ({"SecurityOptions": ["name=seccomp,profile=default"], "OperatingSystem": "Debian GNU/Linux 12"}, None),
        ({"SecurityOptions": None}, None),
        ({"SecurityOptions": ["name=seccomp", "name=rootless"]}, "is rootless, with a network of its own"),
        ({"OperatingSystem": "Docker Desktop"}, "runs in a virtual machine (Docker Desktop)"),
    ],
)
def test_containers_must_be_in_this_hosts_network(
    about: dict[str, Any], reason: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    assert elsewhere(about) == reason
    monkeypatch.setattr(sys, "platform", "darwin")
    assert elsewhere(about) == "is asked from darwin, where containers run in a virtual machine"
