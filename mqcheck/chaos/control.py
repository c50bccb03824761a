"""The control of an experiment: brings the cluster up before the steady state is asked for, judges after the rollbacks.

In a file::

    controls:
    - name: mqcheck
      provider:
        type: python
        module: mqcheck.chaos.control
        arguments: {target: reference, load: [{topic: orders}], consumers: [{group: billing}]}

Chaos Toolkit calls these functions by their names. It hides what a control raises, but for its own interruption; so a
cluster that does not come up interrupts the experiment, and what fails at the end is written into the journal.
"""

from __future__ import annotations

import logging
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any, Final

from chaoslib import substitute
from chaoslib.exceptions import InterruptExecution, InvalidActivity

from mqcheck.chaos import current
from mqcheck.chaos.ending import abandoned, conclude, reason_of
from mqcheck.chaos.order import wishes_of
from mqcheck.chaos.told import lines
from mqcheck.errors import MqcheckError, UserError

LOGGER: Final = logging.getLogger("chaostoolkit")
"""Chaos Toolkit's own: what is said here stands among what it says."""


def validate_control(control: MutableMapping[str, Any]) -> None:
    """Look at the arguments before anything runs. Raises InvalidActivity, as Chaos Toolkit wants it."""
    arguments = control["provider"].get("arguments") or {}
    fixed = {name: value for name, value in arguments.items() if "${" not in str(value) and name != "bring_up"}
    try:
        wishes_of(fixed)
    except UserError as error:
        raise InvalidActivity(str(error)) from error


def before_experiment_control(
    context: MutableMapping[str, Any],
    configuration: MutableMapping[str, Any] | None = None,
    secrets: MutableMapping[str, Any] | None = None,
    bring_up: bool = True,
    **arguments: Any,
) -> None:
    """Bring up what the file asks for. Raises InterruptExecution, which ends the experiment, when that is not to be."""
    parts = ("title", "method", "rollbacks", "steady-state-hypothesis")
    current.announce({key: substitute(context[key], configuration, secrets) for key in parts if key in context})
    if not bring_up:
        return
    try:
        here = current.begin(wishes_of(arguments), Path.cwd())
    except Exception as error:
        raise InterruptExecution(f"mqcheck: {reason_of(error)}") from error
    LOGGER.info(
        "mqcheck: %s is up, seed %d, recording into %s", here.order.target.name, here.order.seed, here.run.folder
    )


def after_experiment_control(
    context: MutableMapping[str, Any], state: MutableMapping[str, Any], **arguments: Any
) -> None:
    """Heal, recover, read back, judge, compute; the journal says what came out. Never raises."""
    here = current.under_way()
    if here is None:
        return
    try:
        if state["status"] == "interrupted":
            current.end()
            abandoned(here, state, "interrupted before its end")
        else:
            conclude(here, state)
    except Exception as error:
        abandoned(here, state, reason_of(error))
    except (KeyboardInterrupt, SystemExit):  # while the history is read back or judged
        state["status"] = "interrupted"
        abandoned(here, state, "interrupted before it was judged")
    finally:
        _close(state)
    for line in lines(state):
        LOGGER.info("mqcheck: %s", line)


def cleanup_control() -> None:
    """Whatever happened: nothing of the experiment is left."""
    try:
        current.end()
    except MqcheckError as error:
        LOGGER.critical("mqcheck: %s", error)


def _close(journal: MutableMapping[str, Any]) -> None:
    try:
        current.end()
    except MqcheckError as error:
        journal["status"] = "failed"
        LOGGER.critical("mqcheck: %s", error)
