"""Rules: what a broker is told in its own unit, and what then holds."""

from __future__ import annotations

import pytest

from mqcheck.errors import SettingsError
from mqcheck.targets.base import Setting
from mqcheck.targets.rules import SettingRule, Unit


def rule(unit: Unit, least: int | None = None, most: int | None = None) -> SettingRule:
    return SettingRule("key", "theirKey", unit, "0", least, most)


@pytest.mark.parametrize(
    ("it", "value", "told", "effective"),
    [
        (rule("text"), True, "true", "true"),
        (rule("text"), "SYNC_FLUSH", "SYNC_FLUSH", "SYNC_FLUSH"),
        (rule("ms"), 500, "500", "500"),
        (rule("ms", least=10_000), 500, "10000", "10000"),
        (rule("ms", most=60_000), "90000", "60000", "60000"),
        (rule("s"), 1_500, "2", "2000"),
        (rule("s", least=5_000), 1_500, "5", "5000"),
        (rule("delay-levels"), "200ms 1000ms 1500ms 2m", "1s 1s 2s 120s", "1s 1s 2s 120s"),
    ],
)
def test_times_are_never_shorter_than_asked_for(it: SettingRule, value: Setting, told: str, effective: str) -> None:
    assert (it.told(value), it.effective(value)) == (told, effective)


@pytest.mark.parametrize(
    ("unit", "value"), [("ms", "soon"), ("s", "1s"), ("delay-levels", "1x"), ("delay-levels", "s")]
)
def test_what_is_no_time_is_refused(unit: Unit, value: str) -> None:
    with pytest.raises(SettingsError, match=f"key is '{value}': write"):
        rule(unit).effective(value)


@pytest.mark.parametrize(
    ("it", "said", "effective"),
    [
        (rule("text"), "SYNC_FLUSH", "SYNC_FLUSH"),
        (rule("ms", least=10_000), "500", "10000"),
        (rule("s"), "2", "2000"),
        (rule("delay-levels"), "1s 2m", "1s 120s"),
    ],
)
def test_what_a_broker_says_is_understood_in_its_own_unit(it: SettingRule, said: str, effective: str) -> None:
    assert it.heard(said) == effective


def test_what_a_broker_says_must_be_a_number_where_it_is_a_time() -> None:
    with pytest.raises(SettingsError, match=r"key is 'soon'.*: a whole number is needed"):
        rule("ms").heard("soon")
