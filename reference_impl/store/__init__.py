"""The store: what the broker keeps, and how it finds it again.

Reading order: ``scan`` (what recovery reads of a record) → ``commit_log`` (bytes, files, syncs, recovery) →
``consume_queue`` (where each queue's messages are), ``index`` (where each key's are) → ``snapshot`` (both, as a
clean stop leaves them) → ``reads`` (of one
queue) → ``store`` (the facade); ``tables`` (JSON tables) stands beside.
What must not live here: acknowledgement rules, groups, held pulls, anything that knows a connection.
"""

from __future__ import annotations

from reference_impl.store.reads import Read
from reference_impl.store.scan import Scanned
from reference_impl.store.store import Appended, Store

__all__ = ["Appended", "Read", "Scanned", "Store"]
