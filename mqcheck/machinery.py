"""What a run is made of: its identity and folder, its target, scenarios, guarantees, runner and judge.

The one place that joins the plugin to the rest of the kit; imported only when a run is asked for.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import shlex
import sys
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mqcheck.errors import MissingToolError, MqcheckError, SettingsError
from mqcheck.options import SETTINGS
from mqcheck.plan import Planned, plan
from mqcheck.session import CORES_PER_KIT, SCENARIOS_PER_CORE, Machinery, RunOne
from mqcheck.settings import SEED_MAX, Settings
from mqcheck.specs import FAULT_KINDS, Specs, load_specs

if TYPE_CHECKING:
    from mqcheck.faults.base import Fault
    from mqcheck.live.feed import Feed
    from mqcheck.runner import Stage
    from mqcheck.scenarios.base import Scenario
    from mqcheck.targets.base import Target

KIT_MODULES: Final = ("duckdb", "sqlglot", "faker", "toxiproxy", "jinja2")
"""What a run imports beyond the bare package."""
TARGET_KINDS: Final = ("apache:VERSION", "docker:IMAGE", "exec:FILE", "external:HOST:PORT")
"""Targets that are named with something of the user's."""
OWN_NAMES: Final = frozenset(
    {
        "report.json",
        "report.html",
        "summary.md",
        "junit.xml",
        "history",
        "alone.lock",
        "assigned",
        "crashed",
        "work",
        "live",
        "journal.json",
        "numbers.json",
        "experiment.md",
    }
)
"""Everything a run leaves in its folder; a folder with anything else in it is not ours to clear."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run's identity; the controller makes it, workers are told it."""

    id: str
    folder: Path
    seed: int
    started: str
    """ISO 8601, UTC."""
    live: bool = False
    """Whether somebody looks on: then processes with scenarios tell their events."""


@dataclass(frozen=True, slots=True)
class Kit:
    """Everything a session needs, made by ``load``."""

    specs: Specs
    planned: tuple[Planned, ...]
    machinery: Machinery
    target_version: str
    at_once: int | None = None
    """The target's own limit on scenarios at a time."""


def require_kit() -> None:
    """Raises MissingToolError that names what to install when the bare package stands alone."""
    missing = [name for name in KIT_MODULES if find_spec(name) is None]
    if missing:
        raise MissingToolError(
            f'--mqcheck needs the kit, and {", ".join(missing)} cannot be imported: pip install "mqcheck[kit]"'
        )


def new_run(settings: Settings, base: Path, *, live: bool = False) -> Run:
    """A fresh identity: the seed given or drawn, the folder given or ``base/.mqcheck/<id>``. Makes nothing."""
    return identity(settings.seed, settings.report, base, live=live)


def identity(seed: int | None, folder: Path | None, base: Path, *, live: bool = False) -> Run:
    """A fresh identity of a run, with a seed and a folder where these are given; see `new_run`."""
    now = datetime.now(UTC)
    run_id = f"{now:%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
    drawn = draw_seed() if seed is None else seed
    return Run(run_id, folder or base / ".mqcheck" / run_id, drawn, now.isoformat(timespec="seconds"), live)


def draw_seed() -> int:
    """A seed for a run whose user has no opinion."""
    return secrets.randbelow(SEED_MAX + 1)


def prepare_folder(run: Run, base: Path) -> None:
    """Makes the run's folder; an earlier run's leavings are cleared.

    Raises SettingsError for anybody else's files and for a folder that cannot be made or written to.
    """
    try:
        _prepare(run.folder, base)
    except OSError as error:
        raise SettingsError(
            f"the run's folder {run.folder} cannot be used ({error.strerror or error}): "
            "name one that can be written to with --mqcheck-report DIR"
        ) from error


def _prepare(folder: Path, base: Path) -> None:
    import shutil

    if folder.resolve() == base.resolve():
        raise SettingsError(
            f"--mqcheck-report {folder} is also pytest's root folder; pytest takes a folder that exists for the place "
            f"of the tests unless it is joined to its option: write --mqcheck-report={folder}"
        )
    if folder.exists():
        strange = sorted(path.name for path in folder.iterdir() if path.name not in OWN_NAMES)
        if strange:
            raise SettingsError(
                f"--mqcheck-report {folder} holds {strange[0]!r}, which no run of mqcheck made: name an empty folder"
            )
        for path in folder.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "assigned").mkdir()
    home = base / ".mqcheck"
    if folder.parent == home:
        (home / ".gitignore").write_text("*\n", encoding="utf-8")
        point_latest(home, folder)


def point_latest(home: Path, folder: Path) -> None:
    """``.mqcheck/latest`` becomes a link to the run's folder; skipped where the system has no links."""
    link = home / f"latest.{os.getpid()}"
    try:
        link.symlink_to(folder.name, target_is_directory=True)
        link.replace(home / "latest")
    except OSError:
        link.unlink(missing_ok=True)


def sharing(settings: Settings, workers: int, at_once: int | None = None) -> tuple[int, int]:
    """How many of ``workers`` run scenarios, and how many scenarios at once each; pure but for the number of cores.

    A process with scenarios keeps `CORES_PER_KIT` cores busy, with its nodes, proxies and judge: more processes than
    that only wait for each other. ``at_once`` is the target's limit for a process, where the user sets none; with
    either, all workers take their share.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if limit := settings.concurrency or at_once:
        return workers, limit
    sharers = max(1, min(workers, cores // CORES_PER_KIT))
    return sharers, max(2, SCENARIOS_PER_CORE * cores // sharers)


def known_targets(extra: Mapping[str, Target]) -> dict[str, Target]:
    """The kit's own targets and those of plugins, by name; a plugin's may not take a name of ours."""
    from mqcheck.targets.reference import ReferenceTarget

    targets: dict[str, Target] = {"reference": ReferenceTarget()}
    for name, target in extra.items():
        if name in targets:
            raise SettingsError(f"target {name!r} of a plugin has the name of one of mqcheck's own: choose another")
        targets[name] = target
    return targets


def check_faults(extra: Sequence[type[Fault]]) -> tuple[str, ...]:
    """Kinds of fault that plugins add; each must be new: a history has one meaning for it. Raises SettingsError."""
    kinds: list[str] = []
    for fault in extra:
        if fault.kind in FAULT_KINDS or fault.kind in kinds:
            raise SettingsError(f"fault {fault.__name__} has the kind {fault.kind!r}, which is taken: choose another")
        kinds.append(fault.kind)
    return tuple(kinds)


def choose_target(
    targets: Mapping[str, Target], name: str, rocketmq_home: Path | None = None, allow: Sequence[str] = ()
) -> Target:
    """The target of that name. Raises SettingsError that lists all, or says what is wrong with a description."""
    if name in targets:
        return targets[name]
    kind, _, rest = name.partition(":")
    if kind == "exec" and rest:
        from mqcheck.targets.docker import described_target

        return described_target(name, Path(rest))
    if kind == "docker" and rest:
        from mqcheck.targets.docker import docker_target

        return docker_target(name, rest)
    if kind == "external" and rest:
        from mqcheck.targets.external import external_target

        return external_target(name, rest, allow)
    if kind == "apache" and rest:
        from mqcheck.targets.apache import apache_target

        return apache_target(name, rest, rocketmq_home)
    raise SettingsError(f"no target is called {name!r}; there are {', '.join((*sorted(targets), *TARGET_KINDS))}")


def load(settings: Settings, run: Run, target: Target, feed: Feed | None = None) -> Kit:
    """The real kit for one target, which tells ``feed`` what happens; starts nothing.

    Raises UserError for anything that cannot be used.
    """
    from mqcheck.judge.process import JudgeProcess
    from mqcheck.links.toxiproxy import find_binary
    from mqcheck.profile import fitted, profile_named
    from mqcheck.runner import run_scenario
    from mqcheck.scenarios.base import all_scenarios
    from mqcheck.targets.base import DiskChoice

    find_binary()
    _check_fit(settings, target)
    specs = load_specs(settings.specs)
    profile = fitted(profile_named(settings.profile), target)

    @asynccontextmanager
    async def open_runner() -> AsyncIterator[RunOne]:
        await asyncio.to_thread(target.prepare)
        with open_stage() as stage:

            async def run_one(scenario: Scenario, folder: Path) -> None:
                await run_scenario(
                    scenario,
                    target,
                    profile,
                    run.seed,
                    folder,
                    run=run.id,
                    stage=stage,
                    sabotage=settings.sabotage,
                    odd=settings.odd,
                    replay=replay(settings, run, scenario.name),
                    disk=DiskChoice(settings.disk, settings.disk_model),
                    on_row=feed.scenario(scenario.name, folder) if feed is not None else None,
                )

            try:
                yield run_one
            finally:
                try:
                    await target.finish()
                except MqcheckError as error:
                    print(f"mqcheck: {error}", file=sys.__stderr__)  # no scenario is left to tell it

    return Kit(
        specs=specs,
        planned=plan(all_scenarios().values(), specs, settings.select),
        machinery=Machinery(open_runner, lambda: JudgeProcess(settings.specs)),
        target_version=target.version,
        at_once=target.at_once,
    )


def _check_fit(settings: Settings, target: Target) -> None:
    """Raises UserError for settings that do not go with the target, or with this machine."""
    from mqcheck.disks.tools import missing_disk

    if target.name.startswith("external:") and (settings.concurrency or 1) > 1:
        raise SettingsError(
            f"concurrency = {settings.concurrency} with {target.name}: one process can tell apart what passes one "
            f"scenario's links to a cluster, not several; leave it out, and say -n {settings.concurrency} for as many "
            f"processes"
        )
    if settings.disk == "fuse" and (why := missing_disk()):
        raise MissingToolError(f"--mqcheck-disk fuse: {why}")


def replay(settings: Settings, run: Run, scenario: str) -> str:
    """The command that repeats one scenario with the same plan."""
    words = ["pytest --mqcheck", f"--mqcheck-target {shlex.quote(settings.target)}"]
    if settings.rocketmq_home is not None:
        words.append(f"--mqcheck-rocketmq-home {shlex.quote(str(settings.rocketmq_home))}")
    words.extend(f"--mqcheck-allow {shlex.quote(word)}" for word in settings.allow)
    words += [f"--mqcheck-profile {settings.profile}", f"--mqcheck-seed {run.seed}"]
    if settings.sabotage:
        words.append(f"--mqcheck-sabotage {settings.sabotage}")
    if settings.odd:
        words.append(f"--mqcheck-odd {settings.odd}")
    if settings.known is not None:
        words.append(f"--mqcheck-known {shlex.quote(settings.known)}")
    if settings.baseline is not None:
        words.append(f"--mqcheck-baseline {shlex.quote(settings.baseline)}")
    defaults = {setting.name: setting.default for setting in SETTINGS}
    words += [
        f"{option} {value}"
        for option, name, value in (
            ("--mqcheck-disk", "disk", settings.disk),
            ("--mqcheck-disk-model", "disk_model", settings.disk_model),
        )
        if value != defaults[name]
    ]
    words.extend(f"--mqcheck-specs {shlex.quote(str(folder))}" for folder in settings.specs)
    return " ".join([*words, f"--mqcheck-select {shlex.quote(scenario)}"])


@contextmanager
def open_stage() -> Iterator[Stage]:
    """What scenarios share: the guard process and the Toxiproxy server; nothing of them is left at the end."""
    from mqcheck.guard import Guard
    from mqcheck.links.toxiproxy import ToxiproxyServer
    from mqcheck.runner import real_stage

    guard = Guard()
    try:
        server = ToxiproxyServer.start(on_start=guard.process)
        try:
            yield real_stage(server, guard)
        finally:
            server.stop()
    finally:
        guard.close()


def as_input(run: Run, workers: int) -> dict[str, Any]:
    """What a worker is told, in types that travel."""
    told = {"id": run.id, "folder": str(run.folder), "seed": run.seed, "started": run.started, "live": run.live}
    return {**told, "workers": workers}


def from_input(data: Mapping[str, Any]) -> Run:
    """The run that ``as_input`` described."""
    return Run(data["id"], Path(data["folder"]), data["seed"], data["started"], data["live"])
