"""The ports: what the engine asks of the world. `crm` and `procession.transports` implement them.

Terms. A *unit* is one transaction: everything done through it is committed together or not at all.
An *event* is one saved change, written in the transaction of the change. An *instance* is one run of a
process; a *step run* is the journal row of one step in one round. A *lease* says which engine works on
an instance; an engine writes nothing for an instance whose lease it lost (`Journal.fence`).
Moments are aware datetimes in UTC. Everything takes many at a time; one is the case N = 1.
"""

from procession.ports.entries import (
    LIVE,
    Actor,
    Definition,
    Delivery,
    End,
    Envelope,
    Event,
    EventType,
    HistoryRow,
    Instance,
    InstanceState,
    MailState,
    Mode,
    QueuedMail,
    Start,
    StepRun,
    StepState,
)
from procession.ports.store import History, Journal, Outbox, Records, Store, Unit
from procession.ports.world import Clock, MailOut, Ports, Rendered, Renderer

__all__ = [
    "LIVE",
    "Actor",
    "Clock",
    "Definition",
    "Delivery",
    "End",
    "Envelope",
    "Event",
    "EventType",
    "History",
    "HistoryRow",
    "Instance",
    "InstanceState",
    "Journal",
    "MailOut",
    "MailState",
    "Mode",
    "Outbox",
    "Ports",
    "QueuedMail",
    "Records",
    "Rendered",
    "Renderer",
    "Start",
    "StepRun",
    "StepState",
    "Store",
    "Unit",
]
