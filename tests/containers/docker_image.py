"""A Docker image of Apache RocketMQ made of what is on this machine: no registry, no base image.

A Java runtime cut down by jlink, the jars of `apache:VERSION`, the shared libraries that both need, a shell and
`sleep`. Its environment is that of the images apache/rocketmq.
"""

from __future__ import annotations

import io
import re
import shutil
import subprocess
import tarfile
import zipfile
from pathlib import Path

MODULES = (
    "java.base,java.logging,java.management,java.naming,java.sql,java.xml,jdk.unsupported,java.desktop,jdk.management"
)
UNUSED = re.compile(r"lib(awt|font|splash|jsound|lcms|javajpeg|mlib|jawt|freetype|jaas|j2)")
"""Libraries for screens and sounds, which would ask for fifty more."""


def import_command(version: str) -> list[str]:
    """What `docker import` is told of the image."""
    home = f"/home/rocketmq/rocketmq-{version}"
    return [
        f"ENV ROCKETMQ_VERSION={version}",
        f"ENV ROCKETMQ_HOME={home}",
        "ENV PATH=/opt/java/bin:/bin",
        # The kit must not run what an image would run by itself.
        'ENTRYPOINT ["/bin/sh", "-c", "exit 99"]',
        "VOLUME /home/rocketmq/logs",
    ]


def make_root(work: Path, version: str, jars: Path) -> Path:
    """The root file system as a tar file in `work`; takes half a minute."""
    java = work / "java"
    jlink = shutil.which("jlink")
    assert jlink is not None
    options = ["--strip-debug", "--no-man-pages", "--no-header-files", "--compress=2"]
    subprocess.run([jlink, "--add-modules", MODULES, *options, "--output", str(java)], check=True, timeout=300)
    programs = [Path(found).resolve() for name in ("sh", "sleep") if (found := shutil.which(name))]
    binaries = [java / "bin" / "java", *programs, *(java / "lib").rglob("*.so")]
    with tarfile.open(work / "root.tar", "w") as root:
        binaries += unpacked(jars, work / "native")
        root.add(java, "opt/java")
        for name, program in zip(("sh", "sleep"), programs, strict=True):
            root.add(program, f"bin/{name}")
        for library in libraries([path for path in binaries if not UNUSED.match(path.name)], java):
            root.add(library.resolve(), str(library).lstrip("/"))
        for jar in sorted(jars.glob("*.jar")):
            root.add(jar, f"home/rocketmq/rocketmq-{version}/lib/{jar.name}")
        _file(root, "etc/passwd", b"root:x:0:0::/:/bin/sh\nrocketmq:x:3000:3000::/home/rocketmq:/bin/sh\n")
        temporary = tarfile.TarInfo("tmp")
        temporary.type, temporary.mode = tarfile.DIRTYPE, 0o1777
        root.addfile(temporary)
    return work / "root.tar"


def unpacked(jars: Path, folder: Path) -> list[Path]:
    """The native libraries that RocketMQ's jars unpack for themselves when they run."""
    found = []
    for jar in jars.glob("*rocksdb*.jar"):
        with zipfile.ZipFile(jar) as content:
            wanted = [name for name in content.namelist() if re.fullmatch(r"librocksdbjni-linux(64|-aarch64).so", name)]
            found += [Path(content.extract(name, folder)) for name in wanted]
    return found


def libraries(binaries: list[Path], own: Path) -> list[Path]:
    """The system's libraries that these binaries load, by the paths they are looked for; not those below `own`."""
    found: set[Path] = set()
    for binary in binaries:
        done = subprocess.run(["ldd", str(binary)], capture_output=True, text=True, check=False, timeout=30)
        found |= {Path(path) for path in re.findall(r"(?:=> |^\s*)(/\S+) \(0x", done.stdout, re.MULTILINE)}
    return sorted(path for path in found if not path.resolve().is_relative_to(own))


def _file(root: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    root.addfile(entry, io.BytesIO(content))
