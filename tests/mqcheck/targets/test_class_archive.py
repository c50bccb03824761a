"""The class data archive of a broker: made once, and done without where there can be none."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from mqcheck.targets.class_archive import class_archive

JAVA = """#!/bin/sh
echo started >> "{log}"
for word in "$@"; do case "$word" in -XX:ArchiveClassesAtExit=*) made="${{word#*=}}";; esac; done
test -f "$ROCKETMQ_HOME/conf/logback_broker.xml" && grep -q listenPort "$ROCKETMQ_HOME/broker.conf" || exit 9
trap '{at_end}; exit 143' TERM
{said}
while :; do sleep 0.05; done
"""


class Setup:
    """A make-believe Java and release, and how often that Java was started."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.log = folder, folder / "log"
        self.jars = folder / "jars"
        self.jars.mkdir()
        (self.jars / "rocketmq-broker-4.9.7.jar").write_text("one")

    def java(self, said: str = 'echo "The broker[vm] boot success."', at_end: str = 'echo classes > "$made"') -> str:
        path = self.folder / "java"
        path.write_text(JAVA.format(log=self.log, said=said, at_end=at_end))
        path.chmod(0o755)
        return str(path)

    def archive(self, java: str) -> Path:
        return class_archive(java, self.jars, self.folder / "cache", os.environ)

    @property
    def starts(self) -> int:
        return len(self.log.read_text().splitlines())


@pytest.fixture
def setup(tmp_path: Path) -> Setup:
    return Setup(tmp_path)


def test_it_is_made_once_for_all_who_ask(setup: Setup) -> None:
    java, found = setup.java(), []
    asking = [threading.Thread(target=lambda: found.append(setup.archive(java))) for _ in range(3)]
    for each in asking:
        each.start()
    for each in asking:
        each.join()
    assert {path.read_text() for path in found} == {"classes\n"}
    assert setup.starts == 1
    left = {path.suffix for path in (setup.folder / "cache").iterdir()}
    assert left == {".jsa", ".lock"}, "the folder of the broker is gone"


def test_other_jars_or_another_java_have_their_own(setup: Setup) -> None:
    java = setup.java()
    first = setup.archive(java)
    (setup.jars / "rocketmq-broker-4.9.7.jar").write_text("other")
    second = setup.archive(java)
    third = setup.archive(setup.java(said="echo boot success of another"))
    assert len({first, second, third}) == setup.starts == 3


@pytest.mark.parametrize(
    ("said", "at_end"),
    [
        ("echo Unrecognized option; exit 1", ":"),
        ('echo "no port"; echo part > "$made"; exit 253', ":"),
        ('echo "boot success"', ":"),
    ],
    ids=["an older Java", "a broker that does not come up", "nothing written"],
)
def test_without_one_there_is_no_file(setup: Setup, said: str, at_end: str) -> None:
    assert not setup.archive(setup.java(said, at_end)).exists()
    assert setup.starts == 1
