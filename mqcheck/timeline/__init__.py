"""What a report draws of one history: throughput, latency, lanes, order, and the lives of some messages.

Aggregated by SQL when the history is judged, so that a report need not read it again; kept as ``timeline.json``.
"""
