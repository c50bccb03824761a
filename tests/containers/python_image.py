"""A base image with Python made of what is on this machine, without any registry; it stands in for `python:…-slim`.

This interpreter and its standard library, the packages that building and running `mqcheck serve` asks for, the shared
libraries of both, and the programs that the Dockerfile names. Pip in it takes what is there and asks nobody.
"""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
import tarfile
from importlib.metadata import Distribution, distribution
from pathlib import Path

from docker_image import libraries
from packaging.requirements import Requirement

PROGRAMS = ("sh", "mkdir", "chown")
PACKAGES = ("pip", "hatchling", "typer", "mqcheck")
DEPENDENCIES = "/opt/dependencies"
CHANGES = [
    "ENV PATH=/bin",
    f"ENV PYTHONPATH={DEPENDENCIES}",
    "ENV PIP_NO_INDEX=1",
    "ENV PIP_NO_BUILD_ISOLATION=0",  # which means: none
    "ENV PIP_BREAK_SYSTEM_PACKAGES=1",
]
UNUSED = {"test", "idlelib", "tkinter", "turtledemo", "ensurepip", "site-packages", "dist-packages", "__pycache__"}
"""Of the standard library's folder."""


def make_root(work: Path) -> Path:
    """The root file system as a tar file in `work`: some 50 MB, in a second or two."""
    interpreter = Path(sys.executable).resolve()
    programs = {name: Path(found).resolve() for name in PROGRAMS if (found := shutil.which(name))}
    files = {f"bin/{name}": program for name, program in programs.items()}
    files[str(interpreter)] = interpreter
    for folder in {sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib", vars={"platbase": sys.base_prefix})}:
        files |= {str(file): file for file in used(Path(folder))}
    for each in closure(PACKAGES):
        for path in each.files or ():
            file = Path(str(each.locate_file(path)))
            if ".." not in path.parts and path.suffix != ".pyc" and file.is_file():
                files[f"{DEPENDENCIES}/{path}"] = file
    binaries = [interpreter, *programs.values(), *(file for file in files.values() if file.suffix == ".so")]
    files |= {str(library): library for library in libraries(binaries, work)}
    with tarfile.open(work / "root.tar", "w", dereference=True) as root:
        for name, file in files.items():
            root.add(file, name.lstrip("/"))
        _special(root, "bin/python3", tarfile.SYMTYPE, str(interpreter))
        for name in ("tmp", "proc"):
            _special(root, name, tarfile.DIRTYPE)
    return work / "root.tar"


def used(folder: Path) -> list[Path]:
    """The standard library's files; not packages that are installed beside it, nor what it does not need here."""
    found = []
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name not in UNUSED and not name.startswith("config-")]
        found += [Path(place, name) for name in names if name != "EXTERNALLY-MANAGED" and Path(place, name).is_file()]
    return found


def closure(names: tuple[str, ...]) -> list[Distribution]:
    """These packages without `mqcheck` itself, and all that they ask for without extras."""
    found: dict[str, Distribution] = {}
    waiting = list(names)
    while waiting:
        name = waiting.pop().lower().replace("_", "-")
        if name in found:
            continue
        found[name] = distribution(name)
        wanted = [Requirement(each) for each in found[name].requires or ()]
        waiting += [each.name for each in wanted if each.marker is None or each.marker.evaluate({"extra": ""})]
    return [each for name, each in found.items() if name != "mqcheck"]


def _special(root: tarfile.TarFile, name: str, kind: bytes, target: str = "") -> None:
    """A folder that anybody may write, or a link."""
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname, entry.mode = kind, target, 0o1777
    root.addfile(entry)
