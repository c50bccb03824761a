"""Administration of consumer groups: make, change and forget them (200, 207), list them (201, 352), and all
producers (328).

What a client may rely on: after SUCCESS of 200 and 207 the change survives a power cut. After a refusal nothing was
changed. Source: RocketMQ AdminBrokerProcessor.
"""

from __future__ import annotations

from typing import Final

from reference_impl.broker.members import json_body
from reference_impl.broker.persistence import save_groups, save_offsets
from reference_impl.broker.request import RefusalError, Request
from reference_impl.broker.state import BrokerState, Handler
from reference_impl.commands import RequestCode, ResponseCode
from reference_impl.delivery.groups import GroupConfig
from reference_impl.effects import Effect
from reference_impl.headers import flag, text
from reference_impl.loose_json import dumps


def update_group(state: BrokerState, request: Request) -> list[Effect]:
    """200: create or change a consumer group. Codes 0, 1."""
    # DECODE
    config = GroupConfig.from_json(json_body(request))
    # CHECK
    if not config.name:
        raise RefusalError(ResponseCode.SYSTEM_ERROR, "groupName is blank")
    # APPLY
    state.groups.put(config, request.now_ms)
    save_groups(state, durable=True)
    # REPLY
    return request.reply()


def group_config(state: BrokerState, request: Request) -> list[Effect]:
    """352, from 5.0 on: one consumer group. Codes 0, 26."""
    # DECODE
    name = text(request.command.fields, "group")
    # CHECK
    group = state.groups.groups.get(name)
    if group is None:
        raise RefusalError(ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST, f"No group in this broker. group: {name}")
    # APPLY: nothing changes
    # REPLY
    return request.reply(body=dumps({**group.to_json(), "attributes": {}}))


def all_groups(state: BrokerState, request: Request) -> list[Effect]:
    """201: every consumer group. Code 0."""
    # DECODE, CHECK, APPLY: nothing asked for, nothing to refuse, nothing changes
    # REPLY
    return request.reply(body=dumps(state.groups.to_json()))


def delete_group(state: BrokerState, request: Request) -> list[Effect]:
    """207: forget a consumer group and, with ``removeOffset``, its offsets. Code 0, also where it is not there.

    Members that are still connected make it anew by their next heartbeat, where groups are made on first use.
    """
    # DECODE
    fields = request.command.fields
    name, with_offsets = text(fields, "groupName"), flag(fields, "removeOffset")
    # CHECK: nothing to refuse
    # APPLY
    state.groups.remove(name, request.now_ms)
    save_groups(state, durable=True)
    if with_offsets:
        state.offsets.forget_group(name)
        save_offsets(state, durable=True)
    if state.settings.autoDeleteUnusedStats:
        state.statistics.forget_group(name)
    # REPLY
    return request.reply()


def all_producers(state: BrokerState, request: Request) -> list[Effect]:
    """328: every producer of every group. Code 0."""
    # DECODE, CHECK, APPLY: nothing asked for, nothing to refuse, nothing changes
    # REPLY
    data = {
        group: [
            {
                "clientId": client.client_id,
                "language": client.language,
                "lastUpdateTimestamp": state.members.producers_seen_ms[group, conn],
                "remoteIP": "/{}:{}".format(*client.peer),
                "version": client.version,
            }
            for conn, client in clients.items()
        ]
        for group, clients in state.members.producers.items()
    }
    return request.reply(body=dumps({"data": data}))


HANDLERS: Final[dict[int, Handler]] = {
    RequestCode.UPDATE_AND_CREATE_SUBSCRIPTIONGROUP: update_group,
    RequestCode.GET_ALL_SUBSCRIPTIONGROUP_CONFIG: all_groups,
    RequestCode.GET_SUBSCRIPTIONGROUP_CONFIG: group_config,
    RequestCode.DELETE_SUBSCRIPTIONGROUP: delete_group,
    RequestCode.GET_ALL_PRODUCER_INFO: all_producers,
}
"""What this module serves, by code."""
