"""Robots and triggers of a pipeline (R1-R6): what happens by itself at a stage, when, and on which condition.

A robot belongs to a stage and runs at most once in a stage visit. Its start is an instant that is fixed when it is armed; its
condition is asked when it runs. A trigger stands on the stage it moves leads to. Invariants: a part that fits nothing is refused
with its place; every name is checked by `contracts.pipeline.automation`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Final, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from contracts.pipeline.names import Misfit, misfits
from contracts.pipeline.parts import Condition, Id, Model, PeriodOrTerm, StageId, Titles, Words

AudienceService = Literal["vk", "yandex", "facebook", "google"]
Language = Literal["ru", "en"]
OnLeave = Literal["cancel", "keep", "run_now"]


class Start(Model):
    """When a robot starts: on entry of the stage, or after another robot's success (`after`), so long after it (`delay`); or so
    long before or after a date on the card. `in_hours`: an instant outside the team's hours moves to their next beginning."""

    after: Id | None = None
    delay: PeriodOrTerm | None = None
    date: Id | None = None
    """A field of type date; the robot starts so long after it (`delay`), before it (`before`), or on it."""
    time: Id | None = None
    """A field of type time that goes with the date; without one the beginning of that day's work is meant."""
    before: PeriodOrTerm | None = None
    day: Annotated[str, Field(pattern=r"^(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$")] | None = None
    """A day of the year, `12-31`: the next one after entry, at the beginning of work (P5, greetings on the days)."""
    every: PeriodOrTerm | None = None
    """P7: again so long after each time, as long as the lead stands in the stage."""
    in_hours: bool = False

    @model_validator(mode="after")
    def _one_moment(self) -> Start:
        if (error := misfits(self._misfits())) is not None:
            raise error
        return self

    def _misfits(self) -> Iterator[Misfit]:
        if self.date is None and (self.before is not None or self.time is not None):
            yield Misfit(
                (),
                "before and time go with a date of the card; name it: date: FIELD",
                "before и time бывают при дате из карточки; назовите её: date: ПОЛЕ",
            )
        if self.date is not None and self.after is not None:
            yield Misfit(
                ("after",),
                "a robot starts after another one or by a date, not by both; take one away",
                "робот запускается после другого или по дате, но не то и другое; уберите одно",
            )
        if self.day is not None and (self.date is not None or self.after is not None):
            yield Misfit(
                ("day",),
                "a robot starts on a day of the year, by a date of the card, or after another one; keep one of them",
                "робот запускается в день года, по дате из карточки или после другого; оставьте одно",
            )
        if (
            self.every is not None
            and (self.every.minutes or self.every.hours)
            and not (self.every.days or self.every.months)
        ):
            yield Misfit(
                ("every",),
                "a robot comes again after a day at the soonest; give days or months",
                "робот повторяется не чаще раза в день; дайте дни или месяцы",
            )
        if self.before is not None and self.delay is not None:
            yield Misfit(
                ("delay",),
                "a robot starts before its date or after it; give before or delay, not both",
                "робот запускается до даты или после неё; дайте before или delay, не оба",
            )
        if self.before is not None and self.before.months:
            yield Misfit(
                ("before", "months"),
                "before is counted in days, hours and minutes; give days instead of months",
                "before считают днями, часами и минутами; вместо месяцев дайте дни",
            )


class PlanActivity(Model):
    """R2: a call, meeting, letter or task for somebody, due so long after the robot ran."""

    plan: Literal["call", "meeting", "letter", "task"]
    text: Words
    due: PeriodOrTerm | None = None
    assignee: Literal["responsible", "head"] = "responsible"
    key: bool = False
    """Q7: a key action: not done by its instant it is a miss like any deadline's."""

    @model_validator(mode="after")
    def _key_needs_an_instant(self) -> PlanActivity:
        if self.key and self.due is None:
            misfit = Misfit(
                ("key",),
                "a key action has an instant by which it is done; give due, for example {hours: 4, working: true}",
                "у ключевого действия есть срок; напишите due, например {hours: 4, working: true}",
            )
            if (error := misfits([misfit])) is not None:
                raise error
        return self


class NotifyHead(Model):
    """R2: the head is asked to look at the situation: a task of theirs, and a letter where their address is known."""

    notify_head: Words


class AssignTo(Model):
    """R2: another responsible: a person by name, or whoever's turn it is (`next`)."""

    assign: Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$")]


class MoveTo(Model):
    """R2: the lead moves, by the same rules as everyone's move; to a won stage: it is converted."""

    move: StageId


class RejectAs(Model):
    """R2: the lead is rejected; with a status or reason of outcome `bad_data` it is deleted."""

    reject: StageId
    reason: Id | None = None
    reason_field: Id | None = None
    """A choice of the card whose option is the reason: its ids are those of the status's reasons (Q4)."""


class SetField(Model):
    """A field of the card gets a value, as if typed; an empty text clears it."""

    field: Id
    value: Annotated[str, Field(max_length=1_000)]


class ChangeTag(Model):
    """A label is put on the lead, or taken off."""

    tag: Id
    action: Literal["add", "remove"] = "add"


class SendEmail(Model):
    """R3: a letter to the client, by a template of the pipeline."""

    email: Id
    language: Language = "ru"


class SendSms(Model):
    """R3: a short message to the client's phone, by a template of the pipeline."""

    sms: Id
    language: Language = "ru"


class ChangeAudience(Model):
    """R4: the client's phone and e-mail are added to an ad audience, or taken out of it. It starts no campaign."""

    audience: Annotated[str, Field(min_length=1, max_length=100)]
    """Its name at the service; one that is not there is created."""
    service: AudienceService
    action: Literal["add", "remove"] = "add"


class CallWebhook(Model):
    """A signed POST to an address that the settings name (`LEADLINE_WEBHOOKS`): which lead, stage and robot; nothing personal."""

    webhook: Id


class RaiseIncident(Model):
    """Q6: an incident of the responsible, in these words («не сделано ни одной попытки связаться», C2)."""

    incident: Words


ACTIONS: Final[dict[str, type[Model]]] = {
    "plan": PlanActivity,
    "notify_head": NotifyHead,
    "assign": AssignTo,
    "move": MoveTo,
    "reject": RejectAs,
    "field": SetField,
    "tag": ChangeTag,
    "email": SendEmail,
    "sms": SendSms,
    "audience": ChangeAudience,
    "webhook": CallWebhook,
    "incident": RaiseIncident,
}
"""What a robot can do, by the word that says it."""
_WORDS: Final = {action: word for word, action in ACTIONS.items()}


def _kind_of_action(value: Any) -> str | None:
    names = value if isinstance(value, dict) else getattr(type(value), "model_fields", {})
    return next((name.capitalize() for name in ACTIONS if name in names), None)


Action = Annotated[
    Annotated[PlanActivity, Tag("Plan")]
    | Annotated[NotifyHead, Tag("Notify_head")]
    | Annotated[AssignTo, Tag("Assign")]
    | Annotated[MoveTo, Tag("Move")]
    | Annotated[RejectAs, Tag("Reject")]
    | Annotated[SetField, Tag("Field")]
    | Annotated[ChangeTag, Tag("Tag")]
    | Annotated[SendEmail, Tag("Email")]
    | Annotated[SendSms, Tag("Sms")]
    | Annotated[ChangeAudience, Tag("Audience")]
    | Annotated[CallWebhook, Tag("Webhook")]
    | Annotated[RaiseIncident, Tag("Incident")],
    Discriminator(
        _kind_of_action,
        custom_error_type="action",
        custom_error_message="a robot does one of: " + ", ".join(ACTIONS) + "; for example {email: thanks}",
    ),
]


class Robot(Model):
    """R1: what happens by itself at a stage. Its condition is asked when it runs; the answer is kept, with the values seen."""

    id: Id
    titles: Titles
    do: Action
    start: Start = Start()
    when: Condition | None = None
    on_leave: OnLeave = "cancel"
    """What becomes of it when the lead leaves the stage before it ran, and of the task it planned (R6, N6)."""
    retime: bool = True
    """Whether a changed date on the card changes when it starts (N6)."""
    when_predecessor_did_not_run: Literal["skip", "run"] = "skip"
    once: Literal["visit", "person"] = "visit"
    """person: never again for whom it ran once, on whichever of their leads in this pipeline (P5)."""

    @property
    def does(self) -> str:
        """The word of its action (`ACTIONS`)."""
        return _WORDS[type(self.do)]


TriggerKind = Literal["letter", "call_answered", "call_missed", "form", "message", "visit", "event"]


class Trigger(Model):
    """R5: what a client does moves the lead to the stage the trigger stands on, where the rules allow; else it is refused
    where everyone sees it, with a task. `event`: any event of the lead's by its type, named in `type`."""

    id: Id
    titles: Titles
    on: TriggerKind
    type: Annotated[str, Field(pattern=r"^leadline\.[a-z_]+\.[a-z_]+$")] | None = None
    from_stages: tuple[StageId, ...] = ()
    """Out of which stages it moves leads; none named: out of every open one before it on the scale."""
    when: Condition | None = None
    reason: Id | None = None
    """Of a trigger on a lost stage that has reasons: which one (C2)."""

    @model_validator(mode="after")
    def _type_of_an_event(self) -> Trigger:
        if (error := misfits(self._misfits())) is not None:
            raise error
        return self

    def _misfits(self) -> Iterator[Misfit]:
        if self.on == "event" and self.type is None:
            yield Misfit(
                ("type",),
                f"trigger {self.id}: on: event needs the event's type, for example leadline.lead.offer_made",
                f"триггер {self.id}: при on: event нужен вид события, например leadline.lead.offer_made",
            )
        if self.on != "event" and self.type is not None:
            yield Misfit(
                ("type",),
                f"trigger {self.id}: type goes with on: event; take it away",
                f"триггер {self.id}: type бывает при on: event; уберите его",
            )
