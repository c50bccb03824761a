"""Every error the kit raises, in one tree.

::

    MqcheckError
    ├── UserError            somebody gave us something we cannot use: exit status 4
    │   ├── SpecsError       an entry of specs/ breaks the rules of specs/README.md
    │   ├── SettingsError    an unknown option, target, scenario or value
    │   │   └── RefusedError     a node refused what it was started with, in its own words
    │   ├── MissingToolError a program or package that is needed is not there
    │   └── HistoryError     a folder that is not a history, or one of another format
    ├── HarnessError         the kit itself failed: never a verdict on the broker, exit status 7
    │   ├── LinkError        Toxiproxy or the frame proxy did not do as told, or traffic went round a link
    │   │   └── PortTakenError   somebody else listens where a proxy was to
    │   ├── FaultError       a fault could not be injected or healed
    │   ├── NodeError        a node did not start, or ended when nobody asked it to
    │   │   └── NodeEndedError   it ended by itself before it was ready, and not in its first life
    │   └── StreamError      a history stream could not be written or holds a bad line
    └── SubjectError         what the broker did, as the recording client saw it
        ├── RemotingError    no connection, a broken one, or no answer in time
        │   ├── UnsentError      nothing left this process: certainly without effect
        │   └── UnansweredError  sent, at least in part, and not answered: the effect is unknown
        └── FrameError       bytes that are not a remoting frame or a stored record

Messages show the offending value, the rule, and the way out.
"""

from __future__ import annotations


class MqcheckError(Exception):
    """Root of the kit's errors."""


class UserError(MqcheckError):
    """Somebody gave us something we cannot use; exit status 4."""


class SpecsError(UserError):
    """An entry of ``specs/`` breaks the rules of ``specs/README.md``."""


class SettingsError(UserError):
    """An unknown option, target, scenario or value."""


class RefusedError(SettingsError):
    """A node refused what it was started with: an unknown planted bug, an impossible property."""


class MissingToolError(UserError):
    """A program or package that is needed is not installed."""


class HistoryError(UserError):
    """A folder that is not a history, or a history of another format."""


class HarnessError(MqcheckError):
    """The kit itself failed; never a verdict on the broker; exit status 7."""


class LinkError(HarnessError):
    """Toxiproxy or the frame proxy did not do as told, or traffic went round a link."""


class PortTakenError(LinkError):
    """Somebody else listens where a proxy was to."""


class FaultError(HarnessError):
    """A fault could not be injected or healed."""


class NodeError(HarnessError):
    """A node did not start, or ended when nobody asked it to."""


class NodeEndedError(NodeError):
    """A node that had lived before ended by itself before it was ready again."""


class StreamError(HarnessError):
    """A history stream could not be written or holds a bad line."""


class SubjectError(MqcheckError):
    """What the broker did, as the recording client saw it."""


class RemotingError(SubjectError):
    """No connection, a broken one, or no answer in time."""


class UnsentError(RemotingError):
    """Nothing left this process: certainly without effect."""


class UnansweredError(RemotingError):
    """Sent, at least in part, and not answered: the effect is unknown."""


class FrameError(SubjectError):
    """Bytes that are not a remoting frame or a stored record."""
