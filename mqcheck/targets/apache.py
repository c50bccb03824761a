"""The target `apache:VERSION`: real NameServers and brokers of Apache RocketMQ, as Java processes.

Descriptions such as anybody could write (``apache_files/``), and the resolution of the release they run.
"""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from mqcheck.errors import SettingsError
from mqcheck.targets.class_archive import class_archive
from mqcheck.targets.described import DescribedTarget
from mqcheck.targets.description import read_description
from mqcheck.targets.releases import cache_folder, jars_of_maven, jars_of_release, java_program

KIND: Final = "apache"
FILES: Final = Path(__file__).parent / "apache_files"
TRIED: Final = ("4.9.7", "5.4.0")
"""Versions that the descriptions were made from."""


class ApacheTarget(DescribedTarget):
    """Brings up deployments of one version of Apache RocketMQ."""

    def __init__(self, name: str, version: str, home: Path | None, environ: Mapping[str, str]) -> None:
        """`home`: a release's folder; without one the jars come from Maven Central. Raises UserError."""
        self._version = version
        self._home = home
        self._environ = environ
        self._jars: Path | None = jars_of_release(version, home) if home is not None else None
        self._java = java_program(environ)
        given = {"java": self._java, "classpath": f"{self._jars}/*"}
        found = read_description(description_file(version), given)
        super().__init__(name, dataclasses.replace(found, version=version))

    def prepare(self) -> None:
        """Fetch the jars and make their class data archive if need be. Raises UserError."""
        super().prepare()
        cache = cache_folder(self._environ)
        if self._jars is None:
            self._jars = jars_of_maven(self._version, cache, self._environ)
        archive = class_archive(self._java, self._jars, cache, self._environ)
        constants = {**self.description.constants, "classpath": f"{self._jars}/*", "archive": str(archive)}
        self.description = dataclasses.replace(self.description, constants=constants)


def apache_target(name: str, version: str, home: Path | None) -> ApacheTarget:
    """The target of a version; `home` is the release's folder, by default ``ROCKETMQ_HOME``'s. Raises UserError."""
    if home is None and os.environ.get("ROCKETMQ_HOME"):
        home = Path(os.environ["ROCKETMQ_HOME"])
    return ApacheTarget(name, version, home, os.environ)


def description_file(version: str) -> Path:
    """The description of the version's generation. Raises SettingsError."""
    if not re.fullmatch(r"\d+\.\d+\.\d+", version):
        raise SettingsError(f"{version!r} is no version of Apache RocketMQ: write apache:{TRIED[0]} or {TRIED[1]}")
    path = FILES / f"apache-{version.partition('.')[0]}.toml"
    if not path.is_file():
        raise SettingsError(f"Apache RocketMQ {version} is not known, only 4.x and 5.x: describe it with exec:FILE")
    return path
