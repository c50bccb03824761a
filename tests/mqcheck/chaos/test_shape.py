"""Files in which something is a text where a table must be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mqcheck.chaos.shape import check_shape
from mqcheck.errors import SettingsError

Make = Callable[..., dict[str, Any]]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"title": 3}, "title is 3; it must be a text"),
        ({"configuration": ["rate"]}, "configuration is ['rate']; it must be a table of names and values"),
        ({"runtime": "always"}, "runtime is 'always'; it must be a table"),
        ({"runtime": {"rollbacks": "always"}}, "runtime.rollbacks is 'always'; it must be a table"),
        ({"steady-state-hypothesis": {"probes": {"a": 1}}}, "steady-state-hypothesis.probes is {'a': 1}; it must be a"),
        ({"method": "inject"}, "method is 'inject'; it must be a list, or be left out"),
        ({"rollbacks": [None]}, "rollbacks[0] is None; it must be a table"),
        ({"controls": [{"provider": "mqcheck"}]}, "controls[0].provider is 'mqcheck'; it must be a table"),
        ({"method": [{"provider": {"type": "python", "arguments": None}}]}, "method[0].provider.arguments is None; it"),
        ({"method": [{"provider": {"type": "python", "arguments": {True: 1}}}]}, "method[0].provider.arguments is {Tr"),
    ],
)
def test_what_has_the_wrong_shape_is_told_with_its_place(
    make_experiment: Make, change: dict[str, Any], told: str
) -> None:
    check_shape(make_experiment())
    with pytest.raises(SettingsError) as caught:
        check_shape({**make_experiment(), **change})
    assert told in str(caught.value)


def test_what_chaos_toolkit_takes_is_taken(make_experiment: Make) -> None:
    process = {"type": "action", "name": "a", "provider": {"type": "process", "path": "ls", "arguments": "-l"}}
    made = {**make_experiment({"ref": "a"}, process), "steady-state-hypothesis": None, "configuration": None}
    check_shape({**made, "runtime": None, "secrets": {}})
