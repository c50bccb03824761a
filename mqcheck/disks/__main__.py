"""``python -m mqcheck.disks``: the process that shows a node its disk.

``serve ROOT MOUNTPOINT MODEL PREFIX --control FD`` mounts, writes one JSON line when that is done, and takes orders on
an inherited socket, one JSON line each: ``disk`` (set the faults), ``halt`` (nothing gets durable any more), ``cut``.
After a cut, or an unmount, what is durable is in ``ROOT/tree``. ``probe`` mounts and unmounts once, to see whether it
can be done.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

from mqcheck.disks.model import MODELS
from mqcheck.disks.switches import Switches
from mqcheck.guard import unmount


def main(words: list[str] | None = None) -> int:
    """Entry point; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m mqcheck.disks", description="A disk whose power can be cut.")
    commands = parser.add_subparsers(dest="command", required=True)
    serving = commands.add_parser("serve", help="mount a disk")
    serving.add_argument("root", type=Path, help="folder of the durable part")
    serving.add_argument("mountpoint", type=Path)
    serving.add_argument("model", choices=MODELS)
    serving.add_argument("prefix", help="absolute path below which the faults of a disk are put")
    serving.add_argument("--control", type=int, required=True, metavar="FD", help="inherited socket for orders")
    commands.add_parser("probe", help="see whether a disk can be mounted here")
    arguments = parser.parse_args(words)
    try:
        if arguments.command == "probe":
            _probe()
        else:
            _serve(arguments)
    except (OSError, RuntimeError, ImportError) as error:
        print(f"no disk can be mounted: {error!r}", file=sys.stderr)
        return 1
    return 0


def _serve(arguments: argparse.Namespace) -> None:
    from mqcheck.disks.mount import HeldFiles, serve

    channel = socket.socket(fileno=arguments.control)
    switches = Switches(arguments.prefix)
    files = HeldFiles(arguments.root, arguments.model, switches, lambda: _say({"mounted": str(arguments.mountpoint)}))
    threading.Thread(target=_obey, args=(channel, files), name="orders", daemon=True).start()
    serve(files, arguments.mountpoint)
    files.save()


def _probe() -> None:
    from mqcheck.disks.mount import HeldFiles, serve

    with tempfile.TemporaryDirectory(prefix="mqcheck-disk-") as folder:
        point = Path(folder, "point")
        point.mkdir()

        def leave() -> None:
            threading.Thread(target=unmount, args=(point,), name="leave").start()

        files = HeldFiles(Path(folder, "disk"), MODELS[0], Switches(), leave)
        serve(files, point)
        files.save()


def _obey(channel: socket.socket, files: Any) -> None:
    """The thread of the control channel; its end is the runner's, and the guard's business."""
    with channel.makefile("rwb") as lines:
        for line in lines:
            lines.write(json.dumps(_answer(line, files)).encode() + b"\n")
            lines.flush()


def _answer(line: bytes, files: Any) -> dict[str, Any]:
    try:
        asked = json.loads(line)
        deed = asked.pop("do")
        told = {"disk": files.order_disk, "halt": files.order_halt, "cut": files.order_cut}[deed](**asked)
    except (ValueError, KeyError, TypeError, OSError) as error:
        return {"ok": False, "error": repr(error)}
    return {"ok": True, **told}


def _say(line: dict[str, Any]) -> None:
    print(json.dumps(line), flush=True)


if __name__ == "__main__":
    # libfuse answers from threads of its own; nothing is left to do for the interpreter once it has unmounted.
    status = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
