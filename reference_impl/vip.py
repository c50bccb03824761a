"""What the VIP port (listenPort - 2) serves: everything but pulls. Source: BrokerController.fastRemotingServer.

Holds that one rule; the shell asks it for each command that comes in on that port.
"""

from __future__ import annotations

from reference_impl.commands import RequestCode, ResponseCode, unsupported_remark
from reference_impl.frame import Command


def refuse_on_vip(command: Command) -> Command | None:
    """Answer a two-way pull with REQUEST_CODE_NOT_SUPPORTED; None leaves a command to the core."""
    pulls = (RequestCode.PULL_MESSAGE, RequestCode.LITE_PULL_MESSAGE)
    if command.code not in pulls or command.is_response or command.is_oneway:
        return None
    return command.reply(ResponseCode.REQUEST_CODE_NOT_SUPPORTED, remark=unsupported_remark(command.code))
