"""The commands of ``mqcheck``: the conformance suite and its histories without knowing pytest.

Every command is a few lines over the plugin's own parts: ``run`` is pytest with ``--mqcheck``, so both mean the same.
Imported by ``cli`` alone, because typer is not part of the bare package.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mqcheck import exits
from mqcheck.chaos.command_line import chaos
from mqcheck.embedded.command_line import serve

if TYPE_CHECKING:
    from mqcheck.report.outcomes import Outcome

HELP = """Puts a RocketMQ-compatible broker to the test: real faults, recorded histories, a verdict for each promise.

\b
First steps:
  mqcheck run                                   judge the reference broker (about a minute)
  mqcheck run --select 'dur-*' --seed 7         only what concerns durability, with a plan that can be repeated
  mqcheck check .mqcheck/latest                 judge the recorded run again
  mqcheck report .mqcheck/before .mqcheck/latest
                                                two runs side by side; with one folder: its page made again
  mqcheck repro .mqcheck/latest power-cut dur-ack-power-sf --out DIR
                                                a violation as a folder for whoever can mend it
  mqcheck baseline .mqcheck/latest --out FILE   from then on only new violations fail (run --baseline FILE)
  mqcheck show dur-ack-kill                     what is promised, who says so, how it is judged
  mqcheck run --target apache:4.9.7             judge real Apache RocketMQ (needs Java)
  mqcheck run --target exec:my-broker.toml      judge any broker, described by a file (docs/targets.md)
  mqcheck matrix reference apache:4.9.7         judge several targets, and put them side by side (docs/matrix.md)
  mqcheck run --target external:10.0.0.5:9876   judge a cluster that runs already
  mqcheck selftest                              see that the kit notices: every planted bug must be caught
  mqcheck serve                                 a RocketMQ for clients and tests in any language (docs/fixtures.md)
  mqcheck chaos new experiment.yaml             a chaos experiment to begin with; `mqcheck chaos run FILE` runs it

\b
Exit status: 0 all held, 1 violated, 2 interrupted, 3 internal, 4 usage, 5 nothing selected,
             6 nothing violated but something undecided, 7 the kit itself failed.
"""

app = typer.Typer(help=HELP, no_args_is_help=True, add_completion=False, rich_markup_mode=None)

app.add_typer(chaos, name="chaos")
app.command("serve")(serve)
external = typer.Typer(help="A cluster that somebody else runs.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(external, name="external")

Address = Annotated[str, typer.Argument(metavar="ADDRESS", help="Its NameServers: HOST:PORT, several as HOST:PORT;….")]
Folder = Annotated[Path, typer.Argument(metavar="DIR", help="A run's folder, its history/, or one history in it.")]
Json = Annotated[bool, typer.Option("--json", help="Print what report.json would hold.")]
Events = Annotated[bool, typer.Option("--json", help="Print events: one JSON object a line.")]
Known = Annotated[
    str | None,
    typer.Option(
        "--known", metavar="FILE|none", help="Known violations (default: the project's own of apache:VERSION)."
    ),
]
Baseline = Annotated[str | None, typer.Option("--baseline", metavar="FILE", help="Violations that were there before.")]
SpecFolders = Annotated[list[Path] | None, typer.Option("--specs", metavar="DIR", help="More guarantees; repeatable.")]
Targets = Annotated[
    list[str] | None, typer.Argument(metavar="TARGET", help="As for run: reference, apache:VERSION, exec:FILE.")
]
MatrixFolder = Annotated[
    Path, typer.Option(metavar="DIR", help="Where the page goes, and a run's folder for each target.")
]
Finished = Annotated[
    list[Path] | None,
    typer.Option("--from", metavar="DIR…", help="Folders of finished runs: nothing is run. Repeatable."),
]
GuaranteeId = Annotated[str, typer.Argument(metavar="GUARANTEE", help="An id as `mqcheck list` prints it.")]


@app.command("run", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def run(context: typer.Context, as_json: Events = False) -> int:
    """Run the suite and judge it: pytest --mqcheck, with --target for --mqcheck-target and so on.

    A terminal shows the run as it happens: what each scenario is doing, its active faults, operations per second, send
    latency, verdicts, and about how long it will take yet; a log gets a line every few seconds. -q shows none of it.
    With --json standard output is one JSON object a line, the last one with the exit status (docs/live.md), and
    pytest's own output goes to standard error.

    Options: --target reference|apache:VERSION|docker:IMAGE|exec:FILE|external:HOST:PORT, --rocketmq-home DIR,
    --allow destructive, --profile quick|full, --seed N, --select GLOB (repeatable), --report DIR, --sabotage NAME,
    --odd NAME, --specs DIR (repeatable), --known FILE|none, --baseline FILE, --retries N, --strict, --concurrency N.
    Anything else goes to pytest: -n 2, -x, -v, -q, --lf, --junitxml FILE.
    """
    from mqcheck.live.run import run as run_live

    return run_live(["--mqcheck", *plugin_arguments(), *translate(context.args)], as_json=as_json)


@app.command("check")
def check(
    folder: Folder,
    as_json: Json = False,
    specs: SpecFolders = None,
    known: Known = None,
    baseline: Baseline = None,
) -> int:
    """Judge a recorded run again: a run's folder, its history/, or one history in it.

    Reads nothing but the history. Prints the summary, or with --json what report.json would hold.
    """
    from mqcheck.report.json_ import dump
    from mqcheck.report.summary import conditions
    from mqcheck.report.terminal import totals, verdict_line, worth_a_line

    report, status = judge_again(folder, specs or [], known, baseline)
    if as_json:
        sys.stdout.write(dump(report))
        return status
    bad = [verdict for verdict in report["verdicts"] if worth_a_line(verdict)]
    everything = {(verdict["scenario"], verdict["guarantee"]) for verdict in report["verdicts"]}
    gone = [each["told"] for each in report["known_gone"]]
    for line in [*(verdict_line(verdict, everything) for verdict in bad), *gone, *totals(report), conditions(report)]:
        print(line)
    return status


@app.command("matrix")
def matrix(
    targets: Targets = None,
    report: MatrixFolder = Path(".mqcheck/matrix"),
    finished: Finished = None,
    profile: Annotated[str | None, typer.Option(metavar="quick|full", help="Times of all runs.")] = None,
    seed: Annotated[int | None, typer.Option(metavar="N", help="Plan of all runs (default: drawn once).")] = None,
    select: Annotated[list[str] | None, typer.Option(metavar="GLOB", help="As for run; repeatable.")] = None,
    processes: Annotated[str | None, typer.Option("-n", metavar="N", help="Processes of each run.")] = None,
    specs: SpecFolders = None,
    known: Known = None,
    rocketmq_home: Annotated[Path | None, typer.Option(metavar="DIR", help="As for run.")] = None,
    concurrency: Annotated[int | None, typer.Option(metavar="N", help="As for run.")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Let broken SHOULD promises fail too.")] = False,
) -> int:
    """Run the suite on several targets and put their verdicts side by side.

    \b
      mqcheck matrix reference apache:4.9.7 apache:5.4.0 --report DIR
      mqcheck matrix reference exec:my-broker.toml --select 'dur-*' --seed 7
      mqcheck matrix --from .mqcheck/latest /elsewhere/run

    The targets are run one after the other with the same profile, seed and selection, each in a process of its own:
    one that fails leaves the others. Ctrl-C ends the run that is on and makes the page of what there is.

    DIR gets matrix.html (one file; open it), matrix.json and matrix.md: a row for each guarantee, a cell for each
    target, what differs first; every cell is a verdict or the reason why there is none, and leads to the evidence in
    DIR/<target>/report.html. --from makes them of runs that were made earlier, and takes what follows as such too.

    Exit status: 1 if any target broke a promise, else 7 if any run failed, else 6 if anything is undecided, else 0.
    """
    from mqcheck.matrix import make

    options: dict[str, Any] = {"profile": profile, "seed": seed, "select": select, "-n": processes, "specs": specs}
    options |= {"known": known, "rocketmq_home": rocketmq_home, "concurrency": concurrency, "strict": strict}
    made = make(targets or [], finished or [], report, options, plugin_arguments())
    print(made.told())
    return made.status


@app.command("selftest")
def selftest(
    report: Annotated[Path, typer.Option(metavar="DIR", help="Where the table and the runs go.")] = Path(
        ".mqcheck/selftest"
    ),
    select: Annotated[
        list[str] | None, typer.Option(metavar="GLOB", help="Bugs, oddities or guarantees; repeatable.")
    ] = None,
    at_once: Annotated[
        int | None, typer.Option("-n", metavar="N", min=1, help="Runs at a time (default: one for each core).")
    ] = None,
    profile: Annotated[str | None, typer.Option(metavar="quick|full", help="Times of all runs.")] = None,
    seed: Annotated[int | None, typer.Option(metavar="N", help="Plan of all runs (default: drawn for each).")] = None,
) -> int:
    """Prove that the kit notices: run the reference with each planted bug, and with each legal oddity.

    \b
      mqcheck selftest                              all of them: some ten minutes on two cores
      mqcheck selftest --select 'rep-*' -n 1        the bugs that break promises of replication, one after the other

    A bug is tried in the scenarios that aim at what it breaks, the shortest first, until that guarantee is violated.
    An oddity is tried in every scenario that aims at a guarantee near it, and must violate nothing.

    DIR gets selftest.md (the detection table and the score), selftest.json, and a run's folder for each trial.

    Exit status: 1 if a bug was missed or an oddity flagged, else 7 if a run failed, else 0. After Ctrl-C it is 2.
    """
    from mqcheck.selftest import make

    options = {"profile": profile, "seed": seed, "plugin": plugin_arguments()}
    made = make(report, select or [], at_once, options)
    print(f"{made.score}\nself-test: {made.page}")
    return made.status


@app.command("repro")
def repro(
    run_folder: Annotated[Path, typer.Argument(metavar="RUN-FOLDER", help="A run's folder, as for check.")],
    scenario: Annotated[str, typer.Argument(metavar="SCENARIO", help="One of its scenarios.")],
    guarantee: GuaranteeId,
    out: Annotated[Path, typer.Option(metavar="DIR", help="The folder to write.")],
    specs: SpecFolders = None,
) -> int:
    """Write a folder about one violation that a maintainer can use without this kit.

    \b
      mqcheck repro .mqcheck/latest power-cut dur-ack-power-sf --out lost-after-power-cut

    In it: README.md (what was promised, what happened, how to see it by hand), the plan, the nodes' configuration, the
    operations that matter (at most 20) and the faults with their times, the logs around them, and the query.
    """
    from mqcheck.repro import make_repro

    told = make_repro(run_folder, scenario, guarantee, out, specs or [])
    print(f"{told}: {out / 'README.md'}")
    return exits.HELD


@app.command("baseline")
def baseline(
    run_folder: Annotated[Path, typer.Argument(metavar="RUN-FOLDER", help="A finished run's folder.")],
    out: Annotated[Path, typer.Option(metavar="FILE", help="The file to write, or to renew.")],
    specs: SpecFolders = None,
) -> int:
    """Take the violations of a run as they are: from then on only new ones fail.

    \b
      mqcheck run --target exec:my-broker.toml
      mqcheck baseline .mqcheck/latest --out my-broker.known.toml
      mqcheck run --target exec:my-broker.toml --baseline my-broker.known.toml

    A violation of the file stays a violation in every report, marked as known. One that was put to the test and held is
    fixed, and fails the run until the file is renewed: this command over the same file. What the run did not decide
    stays in it as it is, and so do the words of its entries (specs/README.md), which are meant to be edited.
    """
    from mqcheck.baseline import make
    from mqcheck.specs import load_specs

    told = make(run_folder, out, load_specs(specs or []))
    print(f"{told}: {out}")
    return exits.HELD


@app.command("report")
def report(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A finished run's folder.")],
    other: Annotated[
        Path | None, typer.Argument(metavar="[DIR]", help="A later run's folder, to compare with.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the comparison there (Markdown) instead of printing it.")
    ] = None,
    specs: SpecFolders = None,
) -> int:
    """Make the page of a recorded run again, or compare two runs.

    \b
      mqcheck report .mqcheck/latest                     report.html and summary.md again
      mqcheck report .mqcheck/before .mqcheck/latest     new and gone violations, changed verdicts, speed

    Exit status of a comparison: 1 if the later run violates a MUST promise that the earlier did not, else 0.
    """
    from mqcheck.report.again import compare_runs, make_again
    from mqcheck.report.compare import markdown, worse

    if other is None:
        from mqcheck.specs import load_specs

        print(f"report: {make_again(folder, load_specs(specs or []))}")
        return exits.HELD
    comparison = compare_runs(folder, other)
    text = markdown(comparison)
    if out is None:
        sys.stdout.write(text)
    else:
        out.write_text(text, encoding="utf-8")
        print(f"comparison: {out}")
    return exits.VIOLATED if worse(comparison) else exits.HELD


@app.command("list")
def list_(specs: SpecFolders = None) -> int:
    """List every guarantee and every scenario with what it aims at, then count them.

    The counts are by area, level and subject; after them come the promises that wait for something: those that are
    aimed at only under full, by no scenario, and those that no target of the kit can be tested for, with the reason.
    """
    from mqcheck.census import told
    from mqcheck.machinery import choose_target, known_targets
    from mqcheck.scenarios.base import all_scenarios
    from mqcheck.specs import load_specs

    loaded = load_specs(specs or [])
    print(f"{len(loaded)} guarantees")
    for guarantee in loaded:
        print(f"  {guarantee.id:<24} {guarantee.level:<12} {guarantee.subject:<10} {guarantee.title}")
    scenarios = all_scenarios()
    print(f"\n{len(scenarios)} scenarios")
    for scenario in scenarios.values():
        print(f"  {scenario.name:<24} {scenario.summary}\n{'':<27}aims at {', '.join(scenario.aims)}")
    print("\n" + "\n".join(told(loaded, scenarios, choose_target(known_targets({}), "reference"))))
    return exits.HELD


@app.command("show")
def show(guarantee: GuaranteeId, specs: SpecFolders = None) -> int:
    """Show one guarantee: what is promised, under which conditions, who says so, and the queries that judge it."""
    from mqcheck.specs import FEATURES, load_specs

    found = load_specs(specs or []).get(guarantee)
    print(
        f"{found.id}: {found.title}\n{found.level}, {found.subject}, since {found.since or 'always'}\n"
        f"\n{found.statement}"
    )
    for title, texts in (
        ("needs one of the faults", found.needs),
        ("needs of its target", [FEATURES[name] for name in found.features]),
        ("exceptions", found.exceptions),
        ("sources", found.sources),
        ("planted bugs it must catch", found.sabotage),
        ("oddities it must not flag", found.legal_odd),
    ):
        if texts:
            print(f"\n{title}:\n" + "\n".join(f"  {text}" for text in texts))
    queries = (
        ("applies when", found.applies),
        (f"evidence (at least {found.enough} where a scenario aims at it)", found.exercised),
        ("violated by any row of", found.violations),
        ("undecidable by any row of", found.inconclusive),
        ("seen", found.seen),
    )
    for title, query in queries:
        if query:
            print(f"\n{title}:\n{query}")
    print(f"\n{found.path}")
    return exits.HELD


@app.command("plan")
def plan(
    seed: Annotated[int, typer.Option(metavar="N", help="As a run prints it.")],
    profile: Annotated[str, typer.Option(metavar="quick|full", help="As for run.")] = "quick",
    target: Annotated[str, typer.Option(metavar="TARGET", help="As for run.")] = "reference",
) -> int:
    """Print what the scenario `mixed` does with a seed: its workload, and its timetable of faults.

    The plan is the same for the same seed, profile and kind of target; the interleaving over real sockets is not.
    """
    from mqcheck.machinery import choose_target, known_targets
    from mqcheck.profile import fitted, profile_named
    from mqcheck.scenarios.mixed import plan_of

    chosen = choose_target(known_targets({}), target)
    for line in plan_of(seed, fitted(profile_named(profile), chosen), chosen.capabilities).lines():
        print(line)
    return exits.HELD


@external.command("clean")
def external_clean(address: Address) -> int:
    """Remove every topic and group that runs of mqcheck have left in a cluster, such as after kill -9.

    Runs remove their own at their end; one that goes on at this moment loses them.
    """
    from mqcheck.targets.leavings import clean, of_any_run
    from mqcheck.targets.survey import addresses_of, survey

    async def cleaned() -> frozenset[str]:
        return await clean(await survey(addresses_of(address)), of_any_run)

    removed = sorted(asyncio.run(cleaned()))
    for name in removed:
        print(name)
    print(f"{len(removed)} topics and groups removed")
    return exits.HELD


@app.command("config")
def config() -> int:
    """Print every setting with its value and where it came from.

    First match wins: command line (for run), environment (MQCHECK_SEED and so on), [tool.mqcheck] of pyproject.toml,
    default.
    """
    import os

    from mqcheck.settings import resolve, settle, table_of

    resolved = resolve({}, os.environ, [("[tool.mqcheck] of pyproject.toml", table_of(Path.cwd()))])
    settle(resolved, Path.cwd(), Path.cwd())
    for one in resolved.values():
        value = " ".join(one.value) if isinstance(one.value, tuple) else "" if one.value is None else one.value
        print(f"{one.setting.name:<13} {value!s:<20} {one.source}")
    return exits.HELD


def translate(arguments: Sequence[str]) -> list[str]:
    """``--target`` and its like become ``--mqcheck-target``; everything else is left to pytest."""
    from mqcheck.options import SETTINGS

    names = {setting.option.replace("--mqcheck-", "--"): setting.option for setting in SETTINGS}
    translated = []
    for argument in arguments:
        name, equals, value = argument.partition("=")
        translated.append(f"{names.get(name, name)}{equals}{value}")
    return translated


def plugin_arguments() -> list[str]:
    """``-p mqcheck.plugin`` where the package is on the path but not installed."""
    from importlib.metadata import entry_points

    installed = any(point.value == "mqcheck.plugin" for point in entry_points(group="pytest11"))
    return [] if installed else ["-p", "mqcheck.plugin"]


def judge_again(
    folder: Path, specs: Sequence[Path], known: str | None = None, baseline: str | None = None
) -> tuple[dict[str, Any], int]:
    """The report of a recorded run and the exit status it gives. Raises HistoryError and SpecsError."""
    from mqcheck.known import load_known
    from mqcheck.report.summary import History, failures_of, histories_in, make_report, read_plan, run_of
    from mqcheck.specs import load_specs

    loaded = load_specs(specs)
    folders = histories_in(folder)
    plans = [read_plan(each) for each in folders]
    outcomes = asyncio.run(_judge_all(folders, plans, specs))
    histories = [History(plan, outcome) for plan, outcome in zip(plans, outcomes, strict=True)]
    run = run_of(plans)
    violations = load_known(known, run["target"], run["target_version"], loaded, baseline)
    report = make_report(histories, loaded, run, violations)
    return report, exits.status(exits.HELD, failures_of(report))


async def _judge_all(
    folders: Sequence[Path], plans: Sequence[Mapping[str, Any]], specs: Sequence[Path]
) -> list[Outcome]:
    from mqcheck.judge.process import JudgeProcess
    from mqcheck.report.outcomes import Outcome, attempt_of, undecided

    judge = JudgeProcess(specs)
    try:
        await judge.start()
        outcomes = []
        for folder, plan in zip(folders, plans, strict=True):
            verdicts, trouble = await judge.judge(folder), plan.get("harness_error")
            if trouble is not None:
                verdicts = undecided(verdicts, plan["scenario"], plan["aims"], trouble)
            seconds = float(plan.get("seconds") or 0)
            outcomes.append(Outcome(plan["scenario"], attempt_of(folder), folder, seconds, tuple(verdicts), trouble))
        return outcomes
    finally:
        await judge.close()
