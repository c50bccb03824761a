"""What a user can set: the one table behind pytest's options, ini options, environment variables and ``mqcheck run``.

pytest loads this file at every start, used or not: it imports next to nothing. Which value wins is in ``settings``.
"""

from __future__ import annotations

from typing import Any, Final, Literal, NamedTuple


class Setting(NamedTuple):
    """One thing a user can have an opinion on."""

    name: str
    kind: Literal["text", "flag", "list", "number"]
    default: Any
    metavar: str
    help: str

    @property
    def option(self) -> str:
        """The command line's spelling."""
        return f"--mqcheck-{self.name.replace('_', '-')}"

    @property
    def dest(self) -> str:
        """Attribute of pytest's options, and name of the ini option."""
        return f"mqcheck_{self.name}"

    @property
    def environment(self) -> str:
        """Name of the environment variable."""
        return f"MQCHECK_{self.name.upper()}"


SETTINGS: Final = (
    Setting(
        "target",
        "text",
        "reference",
        "TARGET",
        "What is judged: reference (default), apache:VERSION (such as 4.9.7), docker:IMAGE (an image of Apache "
        "RocketMQ), exec:FILE.toml (any broker), external:HOST:PORT (a cluster that runs already, by its NameServers), "
        "or a target of a plugin.",
    ),
    Setting(
        "rocketmq_home",
        "text",
        None,
        "DIR",
        "Folder of a release of Apache RocketMQ for apache:VERSION (default: ROCKETMQ_HOME, or jars fetched by mvn).",
    ),
    Setting(
        "allow",
        "list",
        (),
        "WHAT",
        "What may be done to external:… beyond reading it and making topics and groups of the run's own, which are "
        "removed again: destructive (scenarios and faults that change the cluster for everybody in it).",
    ),
    Setting("profile", "text", "quick", "quick|full", "quick (default): shortened times; full: RocketMQ's real times."),
    Setting("seed", "number", None, "N", "Seed of the plan: operations, payloads, fault times (default: drawn)."),
    Setting(
        "select", "list", (), "GLOB", "Only pairs whose guarantee or scenario matches; may be given several times."
    ),
    Setting("report", "text", None, "DIR", "Where report and histories go (default: .mqcheck/<run id>)."),
    Setting(
        "sabotage",
        "text",
        None,
        "NAME",
        "Plant a bug that breaks one promise: in the reference's nodes, or in the kit's own clients (any target).",
    ),
    Setting("odd", "text", None, "NAME", "Start a broker that behaves oddly but legally (reference target)."),
    Setting("specs", "list", (), "DIR", "A folder with more guarantees; may be given several times."),
    Setting(
        "known",
        "text",
        None,
        "FILE|none",
        "Known violations of the target, which do not fail the run (default: the project's own for apache:VERSION).",
    ),
    Setting(
        "baseline",
        "text",
        None,
        "FILE",
        "Violations of a target of one's own that were there before, as `mqcheck baseline` wrote them: only new ones "
        "fail, and fixed ones until the file is renewed.",
    ),
    Setting(
        "retries",
        "number",
        None,
        "N",
        "How often a scenario with a violation that is no known one is run again with the same plan; 0: never "
        "(default: 1, with a planted bug 0).",
    ),
    Setting("strict", "flag", False, "", "Let broken SHOULD promises fail too."),
    Setting(
        "disk",
        "text",
        "own",
        "own|fuse",
        "How the reference's disk fails and loses power: own (default): by its record of what it synced; fuse: by a "
        "file system of ours, as for any other broker.",
    ),
    Setting(
        "disk_model",
        "text",
        "ext4-like",
        "MODEL",
        "What that file system keeps when the power fails: ext4-like (default), strict-size, strict-posix.",
    ),
    Setting(
        "concurrency",
        "number",
        None,
        "N",
        "Scenarios running at once in one process (default: 3 for each core; 2 with apache:VERSION and docker:IMAGE); "
        "with -n, every worker then takes a share, else one for every two cores.",
    ),
)
"""Every setting, in the order of the documentation."""
