"""``python -m mqcheck.workloads``: a client process; what it does is `client_process`'s."""

from __future__ import annotations

import asyncio

from mqcheck.workloads.client_process import run

if __name__ == "__main__":
    asyncio.run(run())
