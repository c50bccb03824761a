"""Consumer groups as configured."""

from __future__ import annotations

import pytest

from reference_impl.delivery.groups import GroupConfig, GroupTable


def test_groups_are_made_on_first_use_where_allowed() -> None:
    groups = GroupTable(auto_create=True)
    assert groups.find("G", 3) == GroupConfig("G")
    assert groups.unsaved
    assert groups.find("", 3) is None
    assert GroupTable(auto_create=False).find("G", 3) is None


def test_a_configured_group_stays_as_it_is() -> None:
    groups = GroupTable(auto_create=True)
    config = GroupConfig("G", retry_max=2, retry_queues=0, consume_enable=False, notify_changes=False)
    groups.put(config, 1)
    assert groups.find("G", 2) is config
    again = GroupTable(auto_create=False)
    again.load_json(groups.to_json())
    assert again.groups == groups.groups
    assert again.version == groups.version
    groups.reset()
    assert not list(groups)


def test_absent_members_get_defaults() -> None:
    assert GroupConfig.from_json({"groupName": "G"}) == GroupConfig("G")
    with pytest.raises(KeyError):
        GroupConfig.from_json({})
