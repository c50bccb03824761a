"""mqcheck: proves what message brokers promise.

A conformance and chaos-testing kit: it runs workloads against a broker under real faults, records every operation,
judges the history against numbered guarantees (``specs/``), and reports a verdict for each. ``docs/architecture.md``
shows the rooms of this package in reading order.
"""

__version__ = "0.1.0"
