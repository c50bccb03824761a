"""A pytest that has everything imported: each run that is asked for is a process forked from it.

Starting Python and importing pytest and the kit takes most of the time of a test that looks at one line of a run.
Tests of the start itself, of signals and of whole runs start pytest as a user does.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, NoReturn

import pytest

RUN_SECONDS_MAX = 60
ROOT = Path(__file__).parents[2]


class WarmPytest:
    """The tests' side of it; its runs are made one after the other."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(
        self, arguments: Sequence[str], folder: Path, environment: Mapping[str, str]
    ) -> subprocess.CompletedProcess[str]:
        """``pytest ARGUMENTS`` in a folder, to its end."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
            streams = [f"/proc/{os.getpid()}/fd/{file.fileno()}" for file in (out, err)]
            asked = {"arguments": list(arguments), "folder": str(folder), "environment": dict(environment)}
            print(json.dumps({**asked, "streams": streams}), file=self._process.stdin, flush=True)
            status = self._process.stdout.readline()
            assert status, f"it ended with status {self._process.wait()}"
            return subprocess.CompletedProcess(list(arguments), int(status), _read(out), _read(err))

    def close(self) -> None:
        """End it."""
        self._process.communicate()


def _read(file: IO[str]) -> str:
    file.seek(0)
    return file.read()


def _serve() -> None:
    """Make each run that a line asks for; its exit status is the answer."""
    import mqcheck.conformance  # noqa: F401
    from mqcheck.machinery import known_targets
    from mqcheck.scenarios.base import all_scenarios

    known_targets({})
    all_scenarios()
    gc.collect()
    gc.freeze()
    for line in sys.stdin:
        child = os.fork()
        if not child:
            _run(**json.loads(line))
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


def _run(arguments: list[str], folder: str, environment: dict[str, str], streams: list[str]) -> NoReturn:
    status = 70
    try:
        signal.alarm(RUN_SECONDS_MAX)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        for number, stream in enumerate(streams, 1):
            os.dup2(os.open(stream, os.O_WRONLY), number)
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environment)
        sys.path[0] = folder
        sys.argv = ["pytest", *arguments]
        status = int(pytest.main(arguments))
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    _serve()
