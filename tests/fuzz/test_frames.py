"""Recorded frames damaged at random, and valid requests with something wrong in them, thrown at a live NameServer and
broker: nothing crashes, hangs, or grows, and no handler raises what it should not.

Run as a program it goes on for as long as it is told: ``python tests/fuzz/test_frames.py [--seconds 600] [--seed 1]``.
After each round another connection must still be served, and the node may not have complained of itself: a handler
that fails unexpectedly is answered with code 1 like a bad request, but it is an error in the log.
"""

from __future__ import annotations

import argparse
import json
import random
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import planted
import pytest
import valid

from reference_impl.errors import FrameError
from reference_impl.frame import Command, FrameReader, decode, encode

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "golden" / "frames.jsonl"
ROUND_FRAMES = 40
PLANTED_CONNECTIONS_MAX = 40
"""Connections within which a planted mistake is to be noticed."""
PROBE_S_MAX = 20.0
"""Longest wait for the other connection; generous, since the machine may be busy."""
GROWTH_KIB_MAX = 160 * 1024
"""What a node may grow by, with all that the frames have stored in it."""
CONNECTION_REQUESTS = 12
"""Valid requests with something wrong that one connection brings."""
WARM_ROUNDS = 30
"""Rounds before its memory is looked at."""
UNKNOWN_CODE = 9999
WILD_TEXTS = (
    "",
    "-1",
    "0",
    "2147483648",
    "99999999999999999999",
    "x" * 5000,
    "\x01\x02",
    "é漢😀",
    "null",
    "true",
    "1e9",
)


def recorded() -> list[bytes]:
    """All recorded frames, requests and answers."""
    return [bytes.fromhex(json.loads(line)["hex"]) for line in GOLDEN.read_text(encoding="utf-8").splitlines()]


def reworded(frame: bytes, rng: random.Random) -> bytes:
    """The same request with something else in its header or body."""
    try:
        command = decode(frame[4:])
    except FrameError:
        return frame
    fields = dict(command.fields)
    for _ in range(rng.randint(1, 3)):
        name = rng.choice([*fields, "a", "topic", "queueId", "offset"])
        if rng.random() < 0.3:
            fields.pop(name, None)
        else:
            fields[name] = rng.choice(WILD_TEXTS)
    body = command.body
    if body and rng.random() < 0.5:
        at = rng.randrange(len(body))
        body = rng.choice([body[:at], body[at:], body[:at] + rng.randbytes(3) + body[at:], b"", b"{}", b"[" * 3000])
    code = command.code if rng.random() < 0.8 else rng.choice([*range(10, 50), *range(100, 110), *range(200, 370)])
    return encode(replace_command(command, code=code, fields=fields, body=body))


def replace_command(command: Command, **changes: Any) -> Command:
    from msgspec.structs import replace as replaced

    return replaced(command, **changes)


def damaged(frame: bytes, rng: random.Random) -> bytes:
    """The frame's bytes with something wrong in them."""
    at = rng.randrange(len(frame))
    how = rng.randrange(6)
    if how == 0:
        return frame[:at] + bytes([frame[at] ^ 1 << rng.randrange(8)]) + frame[at + 1 :]
    if how == 1:
        return frame[:at]
    if how == 2:
        return rng.randbytes(4) + frame[4:]
    if how == 3:
        return frame[:at] + rng.randbytes(rng.randint(1, 20)) + frame[at:]
    if how == 4:
        return frame[:4] + bytes([rng.randrange(256)]) + frame[5:]
    return rng.randbytes(rng.randint(1, 400))


def mutated(frames: list[bytes], rng: random.Random) -> bytes:
    """What one connection gets to read."""
    parts = []
    for _ in range(rng.choice([1, 1, 2, 5])):
        frame = rng.choice(frames)
        how = rng.random()
        parts.append(frame if how < 0.15 else reworded(frame, rng) if how < 0.65 else damaged(frame, rng))
    return b"".join(parts)


def requests(goods: Sequence[valid.Good], rng: random.Random) -> bytes:
    """Good frames with requests that are wrong somewhere, and, seldom, with answers to nothing."""
    commands = [valid.mutated(good, rng) for good in goods]
    return b"".join(encode(valid.as_answer(one) if rng.random() < 0.02 else one) for one in commands)


@dataclass
class Node:
    """NameServer and broker in one process of their own."""

    process: subprocess.Popen[str]
    addresses: tuple[str, str]
    said: Path
    os_errors: bool = False
    """Whether an answer has blamed a disk that has nothing."""

    @property
    def rss_kib(self) -> int:
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * 4

    def throw(self, data: bytes, address: str, *, patient: bool = False) -> None:
        """Send bytes over a connection of their own and take what comes back, for a moment or, when ``patient``, until
        all of them have been served.
        """
        host, _, port = address.rpartition(":")
        with socket.create_connection((host, int(port)), timeout=PROBE_S_MAX) as connection:
            try:
                connection.sendall(data)
                if patient:
                    # What the node has read before the end it serves before it closes.
                    connection.shutdown(socket.SHUT_WR)
                connection.settimeout(PROBE_S_MAX if patient else 0.005)
                while data := connection.recv(1 << 16):
                    self.os_errors |= b"OSError" in data
            except OSError:
                return

    def probe(self) -> None:
        """Another connection to the broker is served."""
        host, _, port = self.addresses[1].rpartition(":")
        with socket.create_connection((host, int(port)), timeout=PROBE_S_MAX) as connection:
            connection.sendall(encode(Command(code=UNKNOWN_CODE, opaque=77)))
            reader, answers = FrameReader(), []
            while not answers:
                data = connection.recv(1 << 16)
                assert data, "the broker closed the connection of a good client"
                answers = reader.feed(data)
        assert (answers[0].code, answers[0].opaque) == (3, 77)

    def check(self) -> None:
        assert self.process.poll() is None, f"the node has ended: {self.said.read_text()[-2000:]}"
        assert not self.os_errors, "Traceback: none, but an answer tells of an OSError"
        assert not self.complained, self.said.read_text()[:4000]

    @property
    def complained(self) -> bool:
        """Whether a request failed unexpectedly, or a timer, which asyncio tells, or the disk is said to fail."""
        if self.os_errors:
            return True
        said = self.said.read_text(errors="replace")
        return "ERROR " in said or "Traceback" in said


@contextmanager
def node(folder: Path, program: Sequence[str] = ("-m", "reference_impl")) -> Iterator[Node]:
    """Run one, with limits that keep what the frames store small; ``program`` may be a variant of the reference."""
    settings = {"namesrv.listenPort": 0, "broker.listenPort": 0, "storePathRootDir": folder / "store"}
    settings |= {"messageDelayLevel": "1s 1s 1s", "transactionCheckInterval": 1000, "transactionTimeOut": 200}
    settings |= {"enablePropertyFilter": "true", "mappedFileSizeCommitLog": 64 << 20}
    command = [sys.executable, *program, "all"]
    for key, value in settings.items():
        command += ["-p", f"{key}={value}"]
    said = folder / "stderr"
    with (
        said.open("w") as errors,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True, cwd=ROOT) as process,
    ):
        try:
            assert process.stdout is not None
            ready = json.loads(process.stdout.readline())
            yield Node(process, (ready["namesrv"]["address"], ready["broker"]["address"]), said)
        finally:
            process.terminate()
            process.wait(30)


def play(under_test: Node, rng: random.Random, frames: list[bytes]) -> None:
    """One round: damaged frames and valid requests with something wrong in them, by turns."""
    for number in range(ROUND_FRAMES):
        side = rng.randrange(2)
        if number % 2:
            data = mutated(frames, rng)
        else:
            goods = (valid.OF_NAMESRV, valid.OF_BROKER)[side]
            data = requests([rng.choice(goods) for _ in range(CONNECTION_REQUESTS)], rng)
        under_test.throw(data, under_test.addresses[side], patient=number % 2 == 0 and rng.random() < 0.9)
    under_test.probe()
    under_test.check()


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_damaged_frames_harm_nobody(tmp_path: Path, seed: int) -> None:
    rng, frames = random.Random(seed), recorded()
    with node(tmp_path) as under_test:
        for _ in range(5):
            play(under_test, rng, frames)


def test_every_recorded_frame_is_among_them() -> None:
    assert len(recorded()) == 298


@pytest.mark.slow
@pytest.mark.parametrize("mistake", planted.NAMES)
def test_planted_mistakes_are_noticed(tmp_path: Path, mistake: str) -> None:
    rng = random.Random(mistake)
    code, _ = (planted.OF_BROKER | planted.OF_NAMESRV).get(mistake, (15, None))
    of_namesrv = mistake in planted.OF_NAMESRV
    goods = [good for good in (valid.OF_NAMESRV if of_namesrv else valid.OF_BROKER) if good.code == code]
    with node(tmp_path, [str(Path(planted.__file__)), mistake]) as under_test:
        under_test.check()
        for _ in range(PLANTED_CONNECTIONS_MAX):
            address = under_test.addresses[0 if of_namesrv else 1]
            under_test.throw(requests(goods * CONNECTION_REQUESTS, rng), address, patient=True)
            if under_test.complained:
                break
        if mistake == planted.TIMER:
            wait_for(lambda: under_test.complained)
        with pytest.raises(AssertionError, match="Traceback"):
            under_test.check()


def wait_for(seen: Callable[[], bool]) -> None:
    """Until it is seen, or for PROBE_S_MAX."""
    end = time.monotonic() + PROBE_S_MAX
    while not seen() and time.monotonic() < end:
        time.sleep(0.02)


def test_every_served_code_is_among_the_valid_requests() -> None:
    from reference_impl.broker.core import HANDLERS as OF_BROKER
    from reference_impl.nameserver.core import HANDLERS as OF_NAMESRV

    assert sorted(good.code for good in valid.OF_BROKER) == sorted(OF_BROKER)
    assert sorted(good.code for good in valid.OF_NAMESRV) == sorted(OF_NAMESRV)


def main() -> None:
    """Fuzz for a time and say how it went."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    frames, rounds, before = recorded(), 0, 0
    began = told = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mqcheck-fuzz-") as folder, node(Path(folder)) as under_test:
        while time.monotonic() - began < options.seconds:
            try:
                play(under_test, random.Random(f"{options.seed}-{rounds}"), frames)
            except AssertionError:
                print(f"round {rounds} of seed {options.seed}")
                raise
            rounds += 1
            if rounds == WARM_ROUNDS:
                before = under_test.rss_kib
            if time.monotonic() - told > 30:
                told = time.monotonic()
                print(f"{rounds} rounds, {under_test.rss_kib // 1024} MiB", flush=True)
        grown = under_test.rss_kib - before if before else 0
        print(f"{rounds} rounds of {ROUND_FRAMES} connections in {time.monotonic() - began:.0f} s, no crash, no hang")
        print(f"memory: {under_test.rss_kib // 1024} MiB, {grown // 1024} MiB more than after {WARM_ROUNDS} rounds")
        assert grown < GROWTH_KIB_MAX, "the node grows"


if __name__ == "__main__":
    main()
