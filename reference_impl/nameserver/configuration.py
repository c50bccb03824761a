"""Configuration: key-value pairs that tools and brokers read (100, 101, 102, 219) and the NameServer's own settings
(318, 319).

What a client may rely on: a pair that was put is on the disk before the answer, where ``kvConfigPath`` is set.
Sources: RocketMQ KVConfigManager, DefaultRequestProcessor, Configuration.
"""

from __future__ import annotations

from typing import Final

from reference_impl.commands import RequestCode, ResponseCode
from reference_impl.errors import SettingsError, StoreDamagedError
from reference_impl.frame import Command
from reference_impl.headers import text
from reference_impl.loose_json import dumps
from reference_impl.nameserver.state import Handler, NameServerState
from reference_impl.rocketmq_defaults import nameserver_defaults
from reference_impl.settings import changed, parse_properties, properties_text

_PATHS: Final = ("kvConfigPath", "configStorePath")


def load_values(state: NameServerState) -> None:
    """Fill in what an earlier life saved. StoreDamagedError when the file cannot be read."""
    if state.disk is None:
        return
    from reference_impl.store.tables import load_table

    name = _file_name(state)
    saved = (load_table(state.disk, name) or {}).get("configTable", {})
    if not isinstance(saved, dict) or not all(isinstance(values, dict) for values in saved.values()):
        raise StoreDamagedError(f"{name}: configTable is no table of tables; restore it from a copy, or delete it")
    state.values = {space: {key: str(value) for key, value in values.items()} for space, values in saved.items()}


def put_value(state: NameServerState, _: int, command: Command) -> Command:
    """100: keep a value. Codes 0, 1."""
    # DECODE
    namespace, key, value = (text(command.fields, name) for name in ("namespace", "key", "value"))
    # CHECK: any names will do
    # APPLY
    state.values.setdefault(namespace, {})[key] = value
    save_values(state)
    # REPLY
    return command.reply(ResponseCode.SUCCESS)


def get_value(state: NameServerState, _: int, command: Command) -> Command:
    """101: tell a value. Codes 0, 1, 22."""
    # DECODE
    namespace, key = text(command.fields, "namespace"), text(command.fields, "key")
    # CHECK
    value = state.values.get(namespace, {}).get(key)
    if value is None:
        remark = f"No config item, Namespace: {namespace} Key: {key}"
        return command.reply(ResponseCode.QUERY_NOT_FOUND, remark=remark)
    # APPLY: nothing changes
    # REPLY
    return command.reply(ResponseCode.SUCCESS, {"value": value})


def delete_value(state: NameServerState, _: int, command: Command) -> Command:
    """102: forget a value; one that is not there is no mistake. Codes 0, 1."""
    # DECODE
    namespace, key = text(command.fields, "namespace"), text(command.fields, "key")
    # CHECK: nothing to refuse
    # APPLY
    if state.values.get(namespace, {}).pop(key, None) is not None:
        save_values(state)
    # REPLY
    return command.reply(ResponseCode.SUCCESS)


def list_values(state: NameServerState, _: int, command: Command) -> Command:
    """219: every value of a namespace. Codes 0, 1, 22."""
    # DECODE
    namespace = text(command.fields, "namespace")
    # CHECK
    values = state.values.get(namespace)
    if values is None:
        return command.reply(ResponseCode.QUERY_NOT_FOUND, remark=f"No config item, Namespace: {namespace}")
    # APPLY: nothing changes
    # REPLY
    return command.reply(ResponseCode.SUCCESS, body=dumps({"table": values}))


def update_config(state: NameServerState, _: int, command: Command) -> Command:
    """318: change settings while running; unknown names are left out. Codes 0, 1, 16.

    A setting that is read at the start alone is refused, where RocketMQ answers SUCCESS and waits for the next start.
    """
    # DECODE, CHECK
    try:
        properties = parse_properties(command.body.decode("utf-8", "replace"))
        if any(name in properties for name in _PATHS):
            return command.reply(ResponseCode.NO_PERMISSION, remark="Can not update config path")
        settings = changed(state.settings, properties)
    except SettingsError as error:
        return command.reply(ResponseCode.SYSTEM_ERROR, remark=str(error))
    # APPLY
    state.settings = settings
    # REPLY
    return command.reply(ResponseCode.SUCCESS)


def get_config(state: NameServerState, _: int, command: Command) -> Command:
    """319: every property of RocketMQ and ours with its value, as properties text. Code 0."""
    # DECODE, CHECK, APPLY: nothing asked for, nothing to refuse, nothing changes
    # REPLY
    values = {**nameserver_defaults(), **state.settings.effective()}
    return command.reply(ResponseCode.SUCCESS, body=properties_text(values))


def save_values(state: NameServerState) -> None:
    """Write every value to ``kvConfigPath``, in RocketMQ's shape. OSError when the disk refuses."""
    if state.disk is not None:
        from reference_impl.store.tables import save_table

        save_table(state.disk, _file_name(state), {"configTable": state.values}, durable=True)


def _file_name(state: NameServerState) -> str:
    return state.settings.kvConfigPath.rpartition("/")[2]


HANDLERS: Final[dict[int, Handler]] = {
    RequestCode.PUT_KV_CONFIG: put_value,
    RequestCode.GET_KV_CONFIG: get_value,
    RequestCode.DELETE_KV_CONFIG: delete_value,
    RequestCode.GET_KVLIST_BY_NAMESPACE: list_values,
    RequestCode.UPDATE_NAMESRV_CONFIG: update_config,
    RequestCode.GET_NAMESRV_CONFIG: get_config,
}
"""What this module serves, by code."""
