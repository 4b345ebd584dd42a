"""The shapes of a process file around its steps: what a key may hold. Those of the steps are in `procession.steps`.

The JSON Schema for editors is made from the same classes (`procession.editor_schema`).
"""

from typing import Annotated, Any, Literal

from pydantic import Field, WithJsonSchema

from procession.steps.fields import FixedDuration, RecordValue, TextValue, Wants, Word
from procession.steps.kind import Condition, LiteralMark, Shape, Steps

NAME = "^[a-z][a-z0-9_]*$"
"""What ids, inputs and the names of values look like."""

Name = Annotated[str, LiteralMark(), Field(pattern=NAME)]

InputType = Literal[
    "text", "int", "number", "bool", "date", "datetime", "duration", "select", "list", "record", "user", "template"
]  # fmt: skip


class InputShape(Shape):
    """One typed input; a record is read anew whenever the process goes on."""

    type: InputType = Field(title="Type", description="Such as `text`, `date` or `record`.")
    of: Word = Field("", title="Of", description="With `record`: the kind of record, such as `activity`.")
    options: list[str] = Field(
        default_factory=list, title="Options", description="With `select`: the choices."
    )
    title: Word = Field("", title="Title", description="What people see; made from the name if left out.")
    description: Word = Field("", title="Description", description="What people read beside it.")
    required: bool = Field(
        True, title="Required", description="Whether it must be given; yes, if there is no default."
    )
    default: Any = Field(None, title="Default", description="Stands in where it is not given.")
    min: Any = Field(None, title="At least", description="Of numbers, dates and durations.")
    max: Any = Field(None, title="At most", description="Of numbers, dates and durations.")
    pattern: Word = Field(
        "", title="Pattern", description="A regular expression that the whole text must match."
    )


class RecordTrigger(Shape):
    """Starts the process when a record was saved."""

    id: Name = Field("", title="Id", description="What messages and `trigger.id` call it.")
    record: Word = Field(title="Record", description="The kind of record, such as `activity`.")
    events: list[Literal["added", "modified", "deleted"]] = Field(
        min_length=1, title="Events", description="Any of `[added, modified, deleted]`."
    )
    changed: list[str] = Field(
        default_factory=list,
        title="Changed",
        description="With `modified`: at least one of these fields changed.",
    )
    if_: Condition = Field("", alias="if", title="If", description="A condition on `record` and `event`.")
    debounce: FixedDuration | None = Field(
        None,
        title="Debounce",
        description="Such as `2m`: saves of a record that follow each other within it are one start.",
    )
    inputs: dict[str, Any] = Field(
        default_factory=dict,
        title="Inputs",
        description="May be left out for the one record input of that kind.",
    )


class MessageTrigger(Shape):
    """Starts the process when a message of this name is sent."""

    id: Name = Field("", title="Id", description="What messages and `trigger.id` call it.")
    message: Word = Field(
        min_length=1, title="Message", description="The name of a message, such as `order paid`."
    )
    about: Word = Field(
        "", title="About", description="The kind of record that it is about; others start nothing."
    )
    if_: Condition = Field("", alias="if", title="If", description="A condition on `record` and `event`.")
    inputs: dict[str, Any] = Field(
        default_factory=dict,
        title="Inputs",
        description="The value of each input, such as `{{ event.data.order }}`.",
    )


class SignalTrigger(Shape):
    """Starts the process when a signal of this name is thrown."""

    id: Name = Field("", title="Id", description="What messages and `trigger.id` call it.")
    signal: Word = Field(min_length=1, title="Signal", description="The name of a signal.")
    about: Word = Field(
        "", title="About", description="The kind of record that it is about; others start nothing."
    )
    if_: Condition = Field("", alias="if", title="If", description="A condition on `record` and `event`.")
    inputs: dict[str, Any] = Field(
        default_factory=dict,
        title="Inputs",
        description="The value of each input, such as `{{ event.data.order }}`.",
    )


class Every(Shape):
    """A schedule that goes by a fixed pause."""

    every: FixedDuration = Field(title="Every", description="Such as `15m`.")


class ScheduleTrigger(Shape):
    """Starts the process at set times."""

    id: Name = Field("", title="Id", description="What messages and `trigger.id` call it.")
    schedule: str | Every = Field(
        title="Schedule", description="A cron expression in quotes, or `{every: 1h}`."
    )
    timezone: Word = Field(
        "",
        title="Time zone",
        description="Of the cron expression, such as `Europe/Berlin`; else that of the process if it is written out, else UTC.",
    )
    inputs: dict[str, Any] = Field(
        default_factory=dict, title="Inputs", description="The value of each input, by its name."
    )


class Manual(Shape):
    """What a person starts the process on."""

    on: Word = Field("", title="On", description="The kind of record; empty if it is started on none.")


class ManualTrigger(Shape):
    """A person may start the process."""

    id: Name = Field("", title="Id", description="What messages and `trigger.id` call it.")
    manual: Manual = Field(title="By hand", description="`{on: opportunity}`, or `{}`.")
    title: Word = Field("", title="Title", description="What starting it by hand does; lists show it.")


class HistoryShape(Shape):
    on: RecordValue = Field(title="On", description="The record whose History gets a line for every effect.")


class RetryShape(Shape):
    """How often a step is tried again, and when."""

    max_attempts: int = Field(3, ge=1, le=100, title="At most", description="Tries in all.")
    interval: FixedDuration = Field("30s", title="First pause", description="Before the second try.")
    backoff: float = Field(2.0, ge=1, le=100, title="Growth", description="How much longer each pause is.")
    max_interval: FixedDuration = Field("1h", title="Longest pause", description="No pause grows beyond it.")
    jitter: float = Field(0.1, ge=0, le=1, title="Jitter", description="How far a pause may vary, 0 to 1.")
    on: list[Literal["temporary", "permanent"]] = Field(
        ["temporary"], min_length=1, title="On", description="The errors worth another try."
    )


RETRY_WORDS = ("transient", "none")
Retry = Annotated[
    Any,
    WithJsonSchema({"anyOf": [{"enum": list(RETRY_WORDS)}, {"title": "RetryShape"}]}),
    Field(title="Retry", description="`transient` tries again after temporary errors; `none` never."),
]


class StepFrame(Shape):
    """What every step may have beside the word that says what it does."""

    id: Name = Field(
        "",
        title="Id",
        description="What messages and the journal call it; later steps read what it gives as `outputs.<id>`.",
    )
    name: Word = Field("", title="Name", description="What people see.")
    if_: Condition = Field("", alias="if", title="If", description="The step is left out unless this holds.")
    retry: Retry = None
    on_error: Steps = Field(default_factory=list, title="On error", description="Steps if it fails for good.")
    timeout: Annotated[Any, Wants(("duration", "text"))] = Field(
        None, title="Timeout", description="How long a step that waits does so at most: `2 business days`."
    )
    on_timeout: Steps = Field(
        default_factory=list, title="On timeout", description="Steps if it waited in vain."
    )


class ProcessShape(Shape):
    """A whole file."""

    process: Name = Field(title="Process", description="The id of the process; the file has the same name.")
    title: Word = Field("", title="Title", description="What people call it; made from the id if left out.")
    description: Word = Field("", title="Description", description="What it does, for people.")
    owner: Word = Field("", title="Owner", description="The team that answers for it.")
    folder: Word = Field("", title="Folder", description="Where lists will show it; no list goes by it yet.")
    labels: list[str] = Field(
        default_factory=list, title="Labels", description="Words that Prefect shows and finds its runs by."
    )
    inputs: dict[str, Any] = Field(
        default_factory=dict, title="Inputs", description="What it is about, by name: see below."
    )
    triggers: list[Any] = Field(
        min_length=1, title="Triggers", description="What starts the process, such as `- manual: {}`."
    )
    key: TextValue = Field(
        None,
        title="Key",
        description="Instances with the same key are about the same thing. A record is itself, whatever its name; one whose key is empty is by itself.",
    )
    mode: Literal["single", "restart", "queued", "parallel"] = Field(
        "parallel", title="Mode", description="What a new start does if one with its key is under way."
    )
    timezone: TextValue = Field(
        None, title="Time zone", description="`Europe/Berlin`, or `{{ meeting.owner.timezone }}`."
    )
    history: HistoryShape | None = Field(
        None, title="History", description='In whose History its effects are told: `{on: "{{ deal }}"}`.'
    )
    defaults: dict[str, Any] = Field(
        default_factory=dict, title="Defaults", description="Fields and `retry` for all steps of a kind."
    )
    steps: Steps = Field(title="Steps", description="What it does, one after another.")
    errors: Steps = Field(
        default_factory=list, title="Errors", description="Steps if an error was caught nowhere."
    )
