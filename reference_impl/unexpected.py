"""What becomes of an exception that nobody expected: the request fails as in RocketMQ, and the log has it.

Such an exception is a mistake of the reference, whatever the peer has sent: what a peer may get wrong is a WireError.
Source: RocketMQ NettyRemotingAbstract.processRequestCommand (a processor that throws is answered with SYSTEM_ERROR).
"""

from __future__ import annotations

import traceback

from reference_impl.commands import ResponseCode
from reference_impl.effects import Report
from reference_impl.frame import Command


def failed(command: Command, error: Exception) -> tuple[Command, Report]:
    """The answer to a request whose handler raised ``error``, and the report; call it while handling the error."""
    answer = command.reply(ResponseCode.SYSTEM_ERROR, remark=f"{type(error).__name__}: {error}")
    return answer, Report(f"request {command.code} was not expected to fail:\n{traceback.format_exc()}")
