"""Deployments and what is written of their settings."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from mqcheck.errors import SettingsError
from mqcheck.targets.base import Deployment, node_named, setting_text


@pytest.mark.parametrize(("value", "text"), [(True, "true"), (False, "false"), (12, "12"), ("1s 5s", "1s 5s")])
def test_a_setting_is_written_as_properties_have_it(value: Any, text: str) -> None:
    assert setting_text(value) == text


def test_nameservers_are_numbered_from_one() -> None:
    assert Deployment(nameservers=2).nameserver_names() == ("nameserver-1", "nameserver-2")


def test_an_unknown_node_is_named_with_those_there_are() -> None:
    cluster = cast("Any", SimpleNamespace(nodes={"broker-a": "it"}))
    assert node_named(cluster, "broker-a") == "it"
    with pytest.raises(SettingsError, match=r"'broker-b'.*broker-a"):
        node_named(cluster, "broker-b")
