"""Releases: what is taken from a folder, what mvn fetches, and what is said where either is missing."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from mqcheck.errors import MissingToolError, SettingsError
from mqcheck.targets.releases import cache_folder, jars_of_maven, jars_of_release, java_program

MVN = """#!/bin/sh
echo asked >> "{log}"
for word in "$@"; do
    case "$word" in -DoutputDirectory=*) out="${{word#*=}}";; -f) ;; *pom.xml) pom="$word";; esac
done
if grep -q "<version>0" "$pom"; then echo "no such artifact"; exit 1; fi
mkdir "$out" && grep -o "rocketmq-[a-z]*" "$pom" | while read -r name; do touch "$out/$name.jar"; done
"""


def program(folder: Path, name: str, text: str = "#!/bin/sh\n") -> dict[str, str]:
    """An environment with this program on its PATH, before the tools of the system."""
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)
    return {"PATH": f"{folder}:{os.defpath}"}


@pytest.fixture
def mvn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """A make-believe mvn that makes empty jars; the versions that begin with 0 it does not find."""
    return program(tmp_path / "bin", "mvn", MVN.format(log=tmp_path / "mvn.log"))


def test_java_is_that_of_java_home_or_of_the_path(tmp_path: Path) -> None:
    environ = program(tmp_path / "bin", "java")
    assert java_program(environ) == str(tmp_path / "bin" / "java")
    home = tmp_path / "home"
    home.mkdir()
    program(home / "bin", "java")
    assert java_program({**environ, "JAVA_HOME": str(home)}) == str(home / "bin" / "java")
    assert java_program({**environ, "JAVA_HOME": str(tmp_path)}) == str(tmp_path / "bin" / "java")
    with pytest.raises(MissingToolError, match="needs Java, and there is none in JAVA_HOME or on PATH: install"):
        java_program({"PATH": str(tmp_path)})


def test_a_releases_folder_must_hold_the_version(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"holds no lib/rocketmq-broker-….jar, so it is no release"):
        jars_of_release("4.9.7", tmp_path)
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "rocketmq-broker-5.1.0.jar").touch()
    assert jars_of_release("5.1.0", tmp_path) == tmp_path / "lib"
    with pytest.raises(SettingsError, match=r"holds Apache RocketMQ 5\.1\.0, not 4\.9\.7: say .*apache:5\.1\.0"):
        jars_of_release("4.9.7", tmp_path)


def test_jars_are_kept_below_the_users_cache(tmp_path: Path) -> None:
    assert cache_folder({"XDG_CACHE_HOME": str(tmp_path)}) == tmp_path / "mqcheck" / "rocketmq"
    assert cache_folder({}) == Path.home() / ".cache" / "mqcheck" / "rocketmq"


def test_jars_are_fetched_once_for_all_who_ask(tmp_path: Path, mvn: dict[str, str]) -> None:
    cache = tmp_path / "cache"
    askers = [threading.Thread(target=jars_of_maven, args=("4.9.7", cache, mvn)) for _ in range(4)]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join()
    found = sorted(path.name for path in jars_of_maven("4.9.7", cache, mvn).iterdir())
    assert found == ["rocketmq-broker.jar", "rocketmq-namesrv.jar"]
    assert (tmp_path / "mvn.log").read_text() == "asked\n"
    assert sorted(path.name for path in cache.iterdir()) == ["4.9.7", "4.9.7.lock"]


def test_what_cannot_be_fetched_is_told_with_what_mvn_said_and_leaves_nothing(
    tmp_path: Path, mvn: dict[str, str]
) -> None:
    with pytest.raises(SettingsError, match=r"cannot fetch Apache RocketMQ 0\.1\.0: .*It said: no such artifact"):
        jars_of_maven("0.1.0", tmp_path / "cache", mvn)
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["0.1.0.lock"]
    with pytest.raises(MissingToolError, match=r"there is no mvn on PATH: install it, or give --mqcheck-rocketmq-home"):
        jars_of_maven("4.9.7", tmp_path / "cache", {"PATH": str(tmp_path)})
