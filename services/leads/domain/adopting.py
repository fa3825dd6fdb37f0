"""A lead goes on under another version of its pipeline, or in another pipeline (M3, N10, N14).

Pure. Invariants: a lead keeps its kind, so nothing is won, lost, paused or reopened by an adoption; in a stage of the same id of
the same pipeline its visit goes on, in any other stage a new visit begins, marked so that no robot starts and no deadline starts
anew (cause and basis say adoption, direction `across`); closed leads keep their stage unless another is named. A lead that is
there already is adopted by nothing: no event, and the command is done all the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from contracts import commands as c
from contracts import events as e
from contracts.commands import Refusal
from contracts.pipeline import Pipeline, Stage
from services.leads.domain.case import Broken, Case
from services.leads.domain.rules import COMMAND_RULES, refused
from services.leads.domain.state import LeadState

PUBLISHING = "publishing"
"""Actor of a publication: of kind system, on behalf of whoever ran it."""


@dataclass(frozen=True, slots=True)
class Destination:
    """Where an adoption leads. `pipeline` is None where there is no such version."""

    pipeline: Pipeline | None
    archived: bool = False
    other_open_lead: UUID | None = None
    """The person's open lead in that pipeline, where it is another one."""


@dataclass(frozen=True, slots=True)
class Adoption:
    """What a rule of adopting looks at."""

    state: LeadState
    command: c.Command
    body: c.Adopt
    there: Destination

    @property
    def stage(self) -> Stage | None:
        """The stage it would stand in: the one named, or the one of the same id."""
        pipeline = self.there.pipeline
        return pipeline.by_id.get(self.body.stage or self.state.stage) if pipeline else None

    @property
    def stays(self) -> bool:
        """Whether it is under that version already."""
        return (self.state.pipeline, self.state.pipeline_number) == (self.body.pipeline, self.body.number)

    @property
    def crosses(self) -> bool:
        """Whether it goes to another pipeline."""
        return self.state.pipeline != self.body.pipeline


@dataclass(frozen=True, slots=True)
class AdoptionRule:
    """A rule: its id, what it says in both languages, why it is there, and the function that holds an adoption against it."""

    id: str
    ru: str
    en: str
    why: str
    broken: Callable[[Adoption], Broken | None]


def adopt(
    state: LeadState, command: c.Command, here: Pipeline, there: Destination, now: datetime
) -> tuple[e.Event, ...] | Refusal:
    """The events of an adoption, or why it is refused. `here`: the version the lead stands under."""
    body = command.body
    assert isinstance(body, c.Adopt)
    refusal = refused(Case(state, here, None, command, now), COMMAND_RULES)
    if refusal is not None:
        return refusal
    asked = Adoption(state, command, body, there)
    for rule in ADOPTION_RULES:
        if (broken := rule.broken(asked)) is not None:
            told = broken.spoken(of_deal=state.deal_of is not None)
            return Refusal(rules=(rule.id,), ru=told.ru, en=told.en, status=told.status)
    stage = asked.stage
    assert stage is not None, "M3.stage_there lets no other through"
    if asked.stays:
        return ()
    adopted = e.LeadAdopted(
        pipeline=body.pipeline,
        number=body.number,
        from_pipeline=state.pipeline,
        from_number=state.pipeline_number,
        reason=body.reason,
        comment=body.comment,
        returns_to=body.returns_to,
    )
    if stage.id == state.stage and not asked.crosses:
        return (adopted,)
    entered = e.StageEntered(
        stage=stage.id,
        kind=stage.kind,
        visit=state.visit + 1,
        from_stage=state.stage,
        from_visit=state.visit,
        cause="adopted",
        direction="across",
        basis="adoption",
    )
    return (adopted, entered)


def _by_head_or_publication(asked: Adoption) -> Broken | None:
    actor = asked.command.actor
    if actor.role == "head" or (actor.kind == "system" and actor.id == PUBLISHING):
        return None
    return Broken(
        "Переводить ⟨лид|сделку⟩ в другую версию или воронку может только руководитель.",
        "Only a head moves a ⟨lead|deal⟩ to another version or pipeline.",
    )


def _version_there(asked: Adoption) -> Broken | None:
    if asked.there.pipeline is not None:
        return None
    name = f"{asked.body.pipeline}@{asked.body.number}"
    return Broken(f"Нет такой версии воронки: {name}.", f"There is no such version of a pipeline: {name}.")


def _takes_leads(asked: Adoption) -> Broken | None:
    if not (asked.there.archived and asked.crosses):
        return None
    return archived_pipeline(asked.body.pipeline)


def archived_pipeline(pipeline: str) -> Broken:
    """What is said of anything that would put a lead to work in a pipeline that is archived."""
    return Broken(
        f"Воронка {pipeline} в архиве и ни лидов, ни сделок не принимает. Вернуть её: leadline restore {pipeline}.",
        f"The pipeline {pipeline} is archived and takes neither leads nor deals. Bring it back: leadline restore {pipeline}.",
    )


def _another_version(asked: Adoption) -> Broken | None:
    if not asked.stays or asked.body.stage in (None, asked.state.stage):
        return None
    return Broken(
        "⟨Лид|Сделка⟩ уже в этой версии воронки. В другую стадию ⟨его|её⟩ переводит обычный переход.",
        "The ⟨lead|deal⟩ is under this version already. An ordinary move takes it to another stage.",
    )


def _stage_there(asked: Adoption) -> Broken | None:
    pipeline = asked.there.pipeline
    if pipeline is None or asked.stage is not None:
        return None
    named = asked.body.stage or asked.state.stage
    stages = ", ".join(stage.id for stage in pipeline.stages if stage.kind == asked.state.kind) or "—"
    return Broken(
        f"В воронке «{pipeline.titles.ru}» версии {asked.body.number} нет стадии {named}. Назовите одну из: {stages}.",
        f"The pipeline “{pipeline.titles.en}”, version {asked.body.number}, has no stage {named}. Name one of: {stages}.",
    )


def _same_kind(asked: Adoption) -> Broken | None:
    stage = asked.stage
    if stage is None or stage.kind == asked.state.kind:
        return None
    return Broken(
        f"Стадия «{stage.titles.ru}» другого вида ({stage.kind}), а ⟨лид|сделка⟩ сейчас {asked.state.kind}. Перевод между "
        "версиями не выигрывает, не забраковывает и не возобновляет: назовите стадию того же вида.",
        f"The stage “{stage.titles.en}” is of another kind ({stage.kind}); the ⟨lead|deal⟩ is {asked.state.kind}. An adoption "
        "wins, rejects and reopens nothing: name a stage of the same kind.",
    )


def _returns_to_open(asked: Adoption) -> Broken | None:
    back, pipeline = asked.body.returns_to, asked.there.pipeline
    if back is None or pipeline is None:
        return None
    if asked.state.kind in ("lost", "postponed") and (stage := pipeline.by_id.get(back)) and stage.kind == "open":
        return None
    return Broken(
        f"⟨Забракованный или отложенный лид|Забракованная или отложенная сделка⟩ возвращается в открытую стадию, а {back} — нет.",
        f"A rejected or paused ⟨lead|deal⟩ comes back to an open stage; {back} is none, or the ⟨lead|deal⟩ is at work.",
    )


def _one_open_lead(asked: Adoption) -> Broken | None:
    other = asked.there.other_open_lead
    if other is None or not asked.crosses or not asked.state.is_open:
        return None
    return Broken(
        f"У клиента уже есть открытый лид в этой воронке: {other}. Закройте или объедините один из них.",
        f"The person has an open lead in that pipeline already: {other}. Close one of them, or merge them.",
    )


ADOPTION_RULES: tuple[AdoptionRule, ...] = (
    AdoptionRule(
        "M3.who_adopts",
        "В другую версию или воронку ⟨лид|сделку⟩ переводит руководитель или публикация.",
        "A head or a publication moves a ⟨lead|deal⟩ to another version or pipeline.",
        "It changes the stage without the proof that a move needs.",
        _by_head_or_publication,
    ),
    AdoptionRule(
        "M3.version_there",
        "Версия, в которую переводят, опубликована.",
        "The version it goes to was published.",
        "A lead under rules that nobody can read could never move again.",
        _version_there,
    ),
    AdoptionRule(
        "M3.takes_leads",
        "Воронка из архива ни лидов, ни сделок не принимает.",
        "An archived pipeline takes neither leads nor deals.",
        "Nobody looks there any more (N14).",
        _takes_leads,
    ),
    AdoptionRule(
        "M3.another_version",
        "Перевод ведёт в другую версию, а не в другую стадию той же.",
        "An adoption leads to another version, not to another stage of the same.",
        "It would be a way round the rules of moves.",
        _another_version,
    ),
    AdoptionRule(
        "M3.stage_there",
        "У ⟨лида|сделки⟩ там есть стадия: того же имени или названная.",
        "The ⟨lead|deal⟩ has a stage there: of the same id, or named.",
        "A lead in a stage that its pipeline does not have is on nobody's board.",
        _stage_there,
    ),
    AdoptionRule(
        "M3.same_kind",
        "Вид стадии не меняется.",
        "The kind of the stage stays.",
        "A win, a loss or a return is somebody's act, never a side effect of publishing.",
        _same_kind,
    ),
    AdoptionRule(
        "M3.returns_to_open",
        "Возвращаются в открытую стадию.",
        "A ⟨lead|deal⟩ comes back to an open stage.",
        "Work goes on where there is work.",
        _returns_to_open,
    ),
    AdoptionRule(
        "C3.one_open_lead_there",
        "У человека один открытый лид в воронке, и после перевода тоже.",
        "A person has one open lead in a pipeline, after an adoption too.",
        "Two open leads of one person are called by two sellers (C3).",
        _one_open_lead,
    ),
)
"""What holds an adoption up, in the order it is asked: the first that is broken answers."""
