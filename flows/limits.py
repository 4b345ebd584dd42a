"""Settings of what is done in processes of its own (`procession.confined`): filling mail templates, calling functions."""

from pydantic import BaseModel, ConfigDict, Field


class Rendering(BaseModel):
    """The processes that fill mail templates."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    timeout_seconds: float = Field(
        10,
        gt=0,
        le=600,
        description="How long it may take to fill a mail template; longer is an error of that mail.",
    )
    memory_mb: int = Field(
        512, ge=16, le=1_000_000, description="How much memory that may take; more is an error of that mail."
    )
    processes: int = Field(2, ge=1, le=64, description="How many mail templates are filled at the same time.")


class Functions(BaseModel):
    """The processes that call the functions of `call` steps."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    timeout_seconds: float = Field(
        60,
        gt=0,
        le=86_400,
        description="How long a function of `call` may run; longer is an error of that step.",
    )
    memory_mb: int = Field(
        512, ge=16, le=1_000_000, description="How much memory it may take; more is an error of that step."
    )
    processes: int = Field(2, ge=1, le=64, description="How many functions run at the same time.")
