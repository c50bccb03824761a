"""The table of settings: every spelling comes from one name."""

from __future__ import annotations

from mqcheck.options import SETTINGS


def test_every_spelling_comes_from_one_name() -> None:
    target = next(setting for setting in SETTINGS if setting.name == "target")
    assert (target.option, target.dest, target.environment) == ("--mqcheck-target", "mqcheck_target", "MQCHECK_TARGET")
    home = next(setting for setting in SETTINGS if setting.name == "rocketmq_home")
    assert (home.option, home.dest, home.environment) == (
        "--mqcheck-rocketmq-home",
        "mqcheck_rocketmq_home",
        "MQCHECK_ROCKETMQ_HOME",
    )


def test_the_table_is_complete_and_says_what_each_is_for() -> None:
    promised = {"target", "profile", "seed", "select", "report", "sabotage", "odd", "specs", "strict"}
    names = [setting.name for setting in SETTINGS]
    assert promised <= set(names)
    assert len(names) == len(set(names))
    assert all(setting.help.endswith(".") for setting in SETTINGS)
    assert all(setting.metavar or setting.kind == "flag" for setting in SETTINGS)
