"""Reading what every broker's request says."""

from __future__ import annotations

import pytest

from reference_impl.errors import HeaderError
from reference_impl.frame import Command
from reference_impl.nameserver.state import broker_of
from reference_impl.route_table import Broker

FIELDS = {"clusterName": "C", "brokerName": "b", "brokerId": "1", "brokerAddr": "h:1"}


def test_who_a_request_speaks_of() -> None:
    assert broker_of(Command(code=103, fields=FIELDS)) == Broker("C", "b", 1, "h:1", "")
    with pytest.raises(HeaderError, match="brokerAddr"):
        broker_of(Command(code=103, fields={name: FIELDS[name] for name in FIELDS if name != "brokerAddr"}))
    with pytest.raises(HeaderError, match="<brokerId> is 'x'"):
        broker_of(Command(code=103, fields=FIELDS | {"brokerId": "x"}))
