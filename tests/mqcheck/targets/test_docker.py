"""What is in an image, and which target a description makes; with real containers: tests/containers."""

from __future__ import annotations

from pathlib import Path

import pytest

from mqcheck.errors import SettingsError
from mqcheck.targets.apache import FILES
from mqcheck.targets.described import DescribedTarget
from mqcheck.targets.docker import contents, described_target


def test_an_image_of_apache_says_what_is_in_it() -> None:
    environment = [
        "PATH=/bin",
        "ROCKETMQ_VERSION=5.3.2",
        "ROCKETMQ_HOME=/home/rocketmq/rocketmq-5.3.2",
        "JAVA_OPT= -a=b",
    ]
    assert contents("apache/rocketmq:5.3.2", {"Env": environment}) == ("5.3.2", "/home/rocketmq/rocketmq-5.3.2/lib/*")


@pytest.mark.parametrize(
    ("environment", "missing"),
    [
        (None, "ROCKETMQ_VERSION"),
        (["ROCKETMQ_HOME=/rocketmq"], "ROCKETMQ_VERSION"),
        (["ROCKETMQ_VERSION=", "ROCKETMQ_HOME=/rocketmq"], "ROCKETMQ_VERSION"),
        (["ROCKETMQ_VERSION=5.4.0"], "ROCKETMQ_HOME"),
    ],
)
def test_any_other_image_is_to_be_described(environment: list[str] | None, missing: str) -> None:
    with pytest.raises(SettingsError, match=rf"'mine:1' has no {missing} .* file with image = .mine:1., and run exec"):
        contents("mine:1", {"Env": environment})


def test_a_description_without_an_image_makes_processes(tmp_path: Path) -> None:
    text = (FILES / "apache-5.toml").read_text(encoding="utf-8")
    (tmp_path / "mine.toml").write_text(text.replace("{java}", "java").replace("{classpath}", "lib/*"))
    target = described_target("exec:mine.toml", tmp_path / "mine.toml")
    assert type(target) is DescribedTarget
    assert target.description.image is None
