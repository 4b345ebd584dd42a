"""The ports: what the engine asks of the world. `crm` and `procession.transports` implement them.

Terms. A *unit* is one transaction: everything done through it is committed together or not at all.
An *event* is one saved change, written in the transaction of the change. An *instance* is one run of a
process. Its *position* says where it is; a *step run* is the evidence of one step in one round. An *engine*
is a process that works on this store; each claim of an instance makes a new *fencing token*, and an engine writes
nothing for an instance that was claimed again since (`Journal.fence`). One engine at a time is the *planner*.
Moments are aware datetimes in UTC. Everything takes many at a time; one is the case N = 1.
"""

from procession.ports.bulk import MOST_BULK, Import
from procession.ports.bursts import Burst, BurstKey
from procession.ports.entries import (
    LIVE,
    Actor,
    Checkpoint,
    Definition,
    Delivery,
    End,
    EngineProcess,
    EngineRow,
    Envelope,
    Event,
    EventType,
    Glance,
    HistoryRow,
    Identity,
    Instance,
    InstanceState,
    ListedMail,
    MailState,
    Mode,
    Pace,
    Publication,
    QueuedMail,
    Released,
    SentMail,
    Settlement,
    Standing,
    Start,
    StepRun,
    StepState,
)
from procession.ports.journal import Journal
from procession.ports.store import HasNews, History, Outbox, Records, Store, Unit
from procession.ports.waits import ANY_FIELD, ANY_KEY, Arrival, Correlation, Sought, Wait, WaitKind
from procession.ports.world import BreaksOff, Clock, MailOut, Ports, Rendered, Renderer, ThisEngine

__all__ = [
    "ANY_FIELD",
    "ANY_KEY",
    "LIVE",
    "MOST_BULK",
    "Actor",
    "Arrival",
    "BreaksOff",
    "Burst",
    "BurstKey",
    "Checkpoint",
    "Clock",
    "Correlation",
    "Definition",
    "Delivery",
    "End",
    "EngineProcess",
    "EngineRow",
    "Envelope",
    "Event",
    "EventType",
    "Glance",
    "HasNews",
    "History",
    "HistoryRow",
    "Identity",
    "Import",
    "Instance",
    "InstanceState",
    "Journal",
    "ListedMail",
    "MailOut",
    "MailState",
    "Mode",
    "Outbox",
    "Pace",
    "Ports",
    "Publication",
    "QueuedMail",
    "Records",
    "Released",
    "Rendered",
    "Renderer",
    "SentMail",
    "Settlement",
    "Sought",
    "Standing",
    "Start",
    "StepRun",
    "StepState",
    "Store",
    "ThisEngine",
    "Unit",
    "Wait",
    "WaitKind",
]
