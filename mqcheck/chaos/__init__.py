"""Chaos experiments: actions, probes and a control for Chaos Toolkit, which is the engine.

An experiment file names functions of `actions` and `probes`, and the module `control`; `experiment` runs a file.
Chaos Toolkit is synchronous, the kit is not: `bridge` is the one place where they meet. `stand` is what an experiment
acts on: a scenario of the kit like any other, that is told from outside what to do next. Needs ``mqcheck[chaos]``.
"""
