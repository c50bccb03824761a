"""For all tests: the same signals, however the run was started.

A shell that starts something in the background has it ignore Ctrl-C, and every process that the tests start inherits
that; tests that interrupt a run need it to listen.
"""

from __future__ import annotations

import signal

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
