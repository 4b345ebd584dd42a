"""`reply_to` names an e-mail that was sent before."""

from collections.abc import Iterable

from procession.errors import ReferenceProblem
from procession.model import StepDraft
from procession.rules.typed import Typed, World, problem
from procession.spelling import did_you_mean


def replies_follow_a_mail(typed: Typed, _world: World) -> Iterable[ReferenceProblem]:
    steps = list(typed.draft.every_step())
    by_id = {step.id: step for step in steps if step.named}
    for step in steps:
        answered = step.fields["reply_to"].value if "reply_to" in step.fields else ""
        if isinstance(answered, str) and answered:
            wrong = _wrong(typed, step, answered, by_id)
            if wrong:
                yield problem(
                    typed.draft, wrong[0], (*step.where, "send_email", "reply_to"), wrong[1], offset=0
                )


def _wrong(
    typed: Typed, step: StepDraft, answered: str, by_id: dict[str, StepDraft]
) -> tuple[str, str] | None:
    earlier = typed.scopes[step.path].names.get("outputs", {})
    there = by_id.get(answered)
    if there is None:
        if isinstance(earlier, dict) and answered in earlier:
            return None  # it stands below a step that could not be read
        mails = [id_ for id_, s in by_id.items() if s.kind and s.kind.word == "send_email" and id_ != step.id]
        hint = did_you_mean(answered, mails) or (
            f"There is {', '.join(mails)}." if mails else "No other step sends one."
        )
        return f"there is no e-mail {answered!r} to reply to", hint
    if there.kind and there.kind.word != "send_email":
        return (
            f"{answered!r} is no e-mail, but a step with {there.kind.word!r}",
            "Name a step with 'send_email'.",
        )
    if not isinstance(earlier, dict) or answered not in earlier:
        return (
            f"the e-mail {answered!r} cannot have been sent before this one",
            "Name one of an earlier step.",
        )
    return None
