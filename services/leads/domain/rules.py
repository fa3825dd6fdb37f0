"""All rules of leads in one list: what is refused, by which rule id, in which words, with what missing (K2, S1-S3).

`STAGE_RULES` answer one question, «may this lead go there, and if not, what is missing?», for everyone who asks: commands,
board, API, later robots and triggers. `COMMAND_RULES` are about acting at all. Both are plain functions of their arguments;
a refusal is a value. `docs/rules.md` is generated from `RULES`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from contracts import commands as c
from contracts.commands import Missing, Refusal
from contracts.meta import Actor
from contracts.pipeline import (
    BUILT_IN_FACTS,
    ContactCriterion,
    Criterion,
    FactCriterion,
    FieldCriterion,
    Pipeline,
    Stage,
    Titles,
)
from services.leads.domain.state import CONTACT_FIELDS, LeadState

AHEAD = timedelta(minutes=5)
"""How far ahead of our clock a reported time may be (decision 12)."""


@dataclass(frozen=True, slots=True)
class Broken:
    """A rule that does not hold, in words, with what is missing."""

    ru: str
    en: str
    missing: tuple[Missing, ...] = ()
    status: int = 422


@dataclass(frozen=True, slots=True)
class Case:
    """What a rule looks at. `target` is the stage the command leads to, where it leads to one."""

    state: LeadState
    pipeline: Pipeline
    target: Stage | None = None
    command: c.Command | None = None
    now: datetime | None = None
    responsibles: tuple[str, ...] = ()
    other_open_lead: UUID | None = None
    history: bool = False
    """Whether it is a fact of the past that an import brings: it happened, whatever nobody wrote down about it then."""

    @property
    def actor(self) -> Actor | None:
        """Who acts, where a command is looked at."""
        return self.command.actor if self.command else None

    @property
    def happened_at(self) -> datetime | None:
        """When it happened: as the command says, else now."""
        return (self.command.happened_at if self.command else None) or self.now


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule: its id, what it says in both languages, why it is there, and the function that holds a case against it."""

    id: str
    ru: str
    en: str
    why: str
    broken: Callable[[Case], Broken | None]
    commands: tuple[type[c.CommandBody], ...] = ()
    """The commands it looks at; none named: all."""
    of_history: bool = True
    """Whether it is held against a history that is imported; not, where it asks for proof that no history carries."""


@dataclass(frozen=True, slots=True)
class Check:
    """The answer to «may this lead go there?»."""

    allowed: bool
    refusal: Refusal | None = None


# --- stage rules ---------------------------------------------------------------------------------------------------


def _already_there(case: Case) -> Broken | None:
    if case.target and case.target.id == case.state.stage:
        return Broken(
            f"Лид уже в стадии «{case.target.titles.ru}».",
            f"The lead is in the stage “{case.target.titles.en}” already.",
        )
    return None


def _closed_stays_closed(case: Case) -> Broken | None:
    if not case.state.is_open and not isinstance(_body(case), c.Reopen) and not _among_won(case):
        return Broken(
            "Лид закрыт. Верните его в работу командой «возобновить».",
            "The lead is closed. Bring it back with the command reopen first.",
        )
    return None


def _one_step_forward(case: Case) -> Broken | None:
    target, scale = case.target, case.pipeline.scale
    if target is None or not case.state.is_open or target.id not in scale or case.state.stage not in scale:
        return None
    here, there = case.pipeline.steps[case.state.stage], case.pipeline.steps[target.id]
    if there <= here + 1:
        return None
    following = case.pipeline.by_id[scale[scale.index(case.state.stage) + 1]].titles
    return Broken(
        f"Стадии не пропускают: следующая — «{following.ru}».",
        f"No stage is skipped: the next one is “{following.en}”.",
    )


def _exit_criteria(case: Case) -> Broken | None:
    if not _goes_forward(case):
        return None
    here = case.pipeline.by_id[case.state.stage]
    missing = tuple(lack for criterion in here.exit for lack in unmet(criterion, case.state))
    if not missing:
        return None
    return Broken(
        f"Стадия «{here.titles.ru}» ещё не закончена. Не хватает: {'; '.join(m.ru for m in missing)}.",
        f"The stage “{here.titles.en}” is not finished. Missing: {'; '.join(m.en for m in missing)}.",
        missing,
    )


def _answer_decides(case: Case) -> Broken | None:
    target, answer = case.target, case.state.answer
    if target is None or answer is None or not case.state.is_open:
        return None
    if answer == "consent" and target.kind != "won":
        return Broken(
            "Клиент согласился: остаётся только сконвертировать лид.",
            "The client consented: the only way on is to convert the lead.",
        )
    if answer == "refusal" and target.kind not in ("lost", "postponed"):
        return Broken(
            "Клиент отказался: остаётся только забраковать или приостановить лид.",
            "The client refused: the only way on is to reject or pause the lead.",
        )
    return None


STAGE_RULES: tuple[Rule, ...] = (
    Rule(
        "S1.already_there",
        "Лид переходит только в другую стадию.",
        "A lead moves only to another stage.",
        "A move to the same stage would be a stage visit that never was, and break the funnel.",
        _already_there,
    ),
    Rule(
        "S3.closed_stays_closed",
        "Закрытый лид сначала возобновляют.",
        "A closed lead is reopened before it moves.",
        "Work after an outcome is a new visit that reports must tell apart (M9).",
        _closed_stays_closed,
    ),
    Rule(
        "S1.one_step_forward",
        "Вперёд — по одной стадии.",
        "Forward, one stage at a time.",
        "Each stage's exit criterion is checked; a skipped one would be checked by nobody.",
        _one_step_forward,
    ),
    Rule(
        "S2.exit_criteria",
        "Из стадии выходят вперёд, когда выполнены её критерии.",
        "A stage is left forwards when its exit criteria are met.",
        "A stage says something about a lead only when it cannot be entered without its proof (seed 000).",
        _exit_criteria,
        of_history=False,
    ),
    Rule(
        "S2.answer_decides",
        "Согласие ведёт только в сделку, отказ — только в забракованные.",
        "Consent leads to the deal only, refusal to a reject status only.",
        "The answer is recorded by a person; the stage must say the same (S2).",
        _answer_decides,
    ),
)


# --- command rules -------------------------------------------------------------------------------------------------


def _not_erased(case: Case) -> Broken | None:
    if case.state.erased:
        return Broken(
            "Данные клиента удалены по его праву: с лидом больше не работают.",
            "The person's data was erased: nothing more is done with this lead.",
            status=410,
        )
    return None


def _current_version(case: Case) -> Broken | None:
    expected = case.command.expected_version if case.command else None
    if expected is None or expected == case.state.version:
        return None
    return Broken(
        f"Лид изменился: версия {case.state.version}, а вы видели {expected}. Откройте его ещё раз.",
        f"The lead has changed: it is at version {case.state.version}, you saw {expected}. Open it again.",
        status=409,
    )


def _person_only(case: Case) -> Broken | None:
    if case.actor and case.actor.kind != "person":
        return Broken("Увидеть и принять лид может только человек.", "Only a person can see and accept a lead.")
    return None


def _open_work(case: Case) -> Broken | None:
    if not case.state.is_open:
        return Broken(
            "Лид закрыт. Верните его в работу командой «возобновить».",
            "The lead is closed. Bring it back with the command reopen first.",
        )
    return None


def _known_fields(case: Case) -> Broken | None:
    body = _body(case)
    assert isinstance(body, c.Record)
    unknown = sorted(set(body.fields) - case.pipeline.field_ids - CONTACT_FIELDS)
    if not unknown:
        return None
    names = ", ".join(unknown)
    fields = ", ".join(sorted(case.pipeline.field_ids | CONTACT_FIELDS))
    return Broken(
        f"В карточке нет полей: {names}. Есть: {fields}.", f"The card has no such fields: {names}. It has: {fields}."
    )


def _thinking_is_no_answer(case: Case) -> Broken | None:
    body = _body(case)
    if isinstance(body, c.Answer) and body.answer == "thinking":
        return Broken(
            "«Думает» — не ответ. Договоритесь о дате и приостановите лид или перезвоните.",
            "“Thinking” is no answer. Agree on a date and pause the lead, or call again.",
        )
    return None


def _answer_to_offer(case: Case) -> Broken | None:
    if case.state.offer is None:
        return Broken(
            "Клиенту ещё ничего не предложено: сначала запишите предложение.",
            "Nothing was offered to the client yet: record the offer first.",
            (Missing(what="offer", id="offer", ru="предложение клиенту", en="an offer to the client"),),
        )
    return None


def _time_holds(case: Case) -> Broken | None:
    at, now = case.happened_at, case.now
    if at is None or now is None:
        return None
    if at > now + AHEAD:
        return Broken(
            "Время действия больше чем на 5 минут впереди наших часов.",
            "The time given is more than 5 minutes ahead of our clock.",
        )
    if case.target is not None and case.state.entered_at is not None and at < case.state.entered_at:
        return Broken(
            "Переход не может быть раньше, чем лид вошёл в нынешнюю стадию.",
            "A move cannot have happened before the lead entered its present stage.",
        )
    return None


def _pause_has_a_date(case: Case) -> Broken | None:
    body = _body(case)
    if isinstance(body, c.Move) and case.target is not None and case.target.kind == "postponed":
        return Broken(
            "Чтобы приостановить лид, нужны причина и дата: командой «приостановить».",
            "To pause a lead a reason and a date are needed: use the command pause.",
            (
                Missing(what="field", id="until", ru="дата возвращения", en="the date it comes back"),
                Missing(what="field", id="reason", ru="причина", en="the reason"),
            ),
        )
    since = case.happened_at if case.history else case.now
    if isinstance(body, c.Pause) and since is not None and body.until <= since.date():
        return Broken("Дата возвращения должна быть в будущем.", "The date it comes back must lie in the future.")
    return None


def _status_of_its_kind(case: Case) -> Broken | None:
    body, target = _body(case), case.target
    if isinstance(body, c.Reject) and target is not None and target.kind != "lost":
        names = ", ".join(s.id for s in case.pipeline.stages if s.kind == "lost")
        return Broken(
            f"«{target.titles.ru}» — не статус забраковки. Есть: {names}.",
            f"“{target.titles.en}” is no reject status. There are: {names}.",
        )
    if isinstance(body, c.Pause) and target is not None and target.kind != "postponed":
        return Broken(f"«{target.titles.ru}» — не отложенная стадия.", f"“{target.titles.en}” is no postponed stage.")
    return None


def _reopen_what_was_closed(case: Case) -> Broken | None:
    if case.state.is_open:
        return Broken("Лид и так в работе.", "The lead is open already.")
    if case.state.kind == "won":
        return Broken("Выигранный лид не возобновляют.", "A won lead is not reopened.")
    here = case.pipeline.by_id.get(case.state.stage)
    if here is not None and here.final and (case.actor is None or case.actor.role != "head"):
        return Broken(
            f"Из «{here.titles.ru}» лид возвращает только руководитель.",
            f"Only a head brings a lead back from “{here.titles.en}”.",
        )
    return None


def _one_open_lead(case: Case) -> Broken | None:
    if case.other_open_lead is not None:
        return Broken(
            f"У клиента уже есть открытый лид: {case.other_open_lead}.",
            f"The person has an open lead already: {case.other_open_lead}.",
        )
    return None


def _known_responsible(case: Case) -> Broken | None:
    body = _body(case)
    if isinstance(body, c.Assign) and case.responsibles and body.to not in case.responsibles:
        names = ", ".join(case.responsibles)
        return Broken(f"Нет такого ответственного. Есть: {names}.", f"No such responsible. There are: {names}.")
    return None


def _known_assignee(case: Case) -> Broken | None:
    body = _body(case)
    if isinstance(body, c.Plan) and body.assignee and case.responsibles and body.assignee not in case.responsibles:
        names = ", ".join(case.responsibles)
        return Broken(f"Нет такого исполнителя. Есть: {names}.", f"No such assignee. There are: {names}.")
    return None


def _due_ahead(case: Case) -> Broken | None:
    body = _body(case)
    if isinstance(body, c.Plan) and body.due_at and case.happened_at and body.due_at <= case.happened_at:
        return Broken("Срок дела должен быть в будущем.", "An activity is due in the future.")
    return None


def _known_activity(case: Case) -> Broken | None:
    body = _body(case)
    if isinstance(body, c.Complete) and body.activity not in case.state.activities:
        return Broken(
            "У лида нет такого дела. Откройте лид ещё раз.", "The lead has no such activity. Open the lead again."
        )
    return None


COMMAND_RULES: tuple[Rule, ...] = (
    Rule(
        "M7.not_erased",
        "С лидом, чьи данные удалены, не работают.",
        "Nothing is done with a lead whose person was erased.",
        "Any further event would need a key that no longer exists, and no one has a right to it.",
        _not_erased,
    ),
    Rule(
        "K2.current_version",
        "Команда видит лид таким, какой он есть.",
        "A command was made looking at the lead as it is.",
        "Two people who change the same lead must not overwrite each other unseen.",
        _current_version,
    ),
    Rule(
        "S2.person_only",
        "«Увидел» и «принял» — только человек.",
        "Seen and accepted: by a person only.",
        "A lead that a robot accepted is a lead that nobody works on (S2).",
        _person_only,
        (c.See, c.Accept),
    ),
    Rule(
        "S3.open_work",
        "Работают с открытым лидом.",
        "Work is done on an open lead.",
        "An offer or answer on a closed lead would belong to no stage visit.",
        _open_work,
        (c.See, c.Accept, c.Offer, c.Answer),
    ),
    Rule(
        "Q2.known_fields",
        "Пишут только в поля карточки.",
        "Only the card's fields are written.",
        "A misspelt field would be a loss that nobody notices.",
        _known_fields,
        (c.Record,),
    ),
    Rule(
        "S2.thinking_is_no_answer",
        "«Думает» — не ответ.",
        "“Thinking” is no answer.",
        "A stage that ends with «думает» never ends (S2).",
        _thinking_is_no_answer,
        (c.Answer,),
    ),
    Rule(
        "S2.answer_to_offer",
        "Отвечают на предложение.",
        "An answer needs an offer.",
        "Consent to nothing would convert a lead without terms.",
        _answer_to_offer,
        (c.Answer,),
    ),
    Rule(
        "K6.time_holds",
        "Время действия — не раньше начала стадии и не впереди часов.",
        "The time given is not before the stage visit nor ahead of the clock.",
        "Time in stage is computed from these times (decision 12).",
        _time_holds,
    ),
    Rule(
        "S3.pause_has_a_date",
        "У паузы есть причина и дата в будущем.",
        "A pause has a reason and a date in the future.",
        "A pause without a date is a lead forgotten (S3).",
        _pause_has_a_date,
        (c.Move, c.Pause),
    ),
    Rule(
        "S3.status_of_its_kind",
        "Забраковывают статусом забраковки, откладывают отложенной стадией.",
        "Rejecting takes a reject status, pausing a postponed one.",
        "Reasons are counted by status; a mixed-up one falsifies the report.",
        _status_of_its_kind,
        (c.Reject, c.Pause),
    ),
    Rule(
        "S3.reopen_what_was_closed",
        "Возобновляют забракованный или отложенный лид; завершённый — руководитель.",
        "Only a rejected or paused lead is reopened; a final one by a head.",
        "Reopening is a visit of its own and must mean something (M9).",
        _reopen_what_was_closed,
        (c.Reopen,),
    ),
    Rule(
        "C3.one_open_lead",
        "У человека один открытый лид в воронке.",
        "A person has one open lead in a pipeline.",
        "Two open leads of one person are called by two sellers (C3).",
        _one_open_lead,
        (c.Reopen,),
    ),
    Rule(
        "C4.known_responsible",
        "Ответственный — из списка.",
        "The responsible is one of the list.",
        "A lead given to nobody is a lead lost (C4).",
        _known_responsible,
        (c.Assign,),
    ),
    Rule(
        "S4.known_assignee",
        "Дело поручают кому-то из списка.",
        "An activity is for one of the list.",
        "A task of nobody is done by nobody.",
        _known_assignee,
        (c.Plan,),
    ),
    Rule(
        "S4.due_ahead",
        "Срок дела — в будущем.",
        "An activity is due in the future.",
        "A task that is overdue when it is planned is nobody's miss (Q6).",
        _due_ahead,
        (c.Plan,),
    ),
    Rule(
        "S4.known_activity",
        "Завершают дело, которое у лида есть.",
        "Only an activity of the lead is completed.",
        "A result that belongs to no activity would be a loss that nobody notices.",
        _known_activity,
        (c.Complete,),
    ),
)

RULES: tuple[Rule, ...] = COMMAND_RULES + STAGE_RULES
"""The rule book."""

_BY_ID = {rule.id: rule for rule in RULES}


def check(state: LeadState, target: str, pipeline: Pipeline) -> Check:
    """«May this lead go there, and if not, what is missing?» — for API, board, robots, triggers, import (K2, S2)."""
    stage = pipeline.by_id.get(target)
    if stage is None:
        return Check(False, no_such_stage(target, pipeline))
    refusal = refused(Case(state, pipeline, stage), (COMMAND_RULES[0], *STAGE_RULES))
    return Check(refusal is None, refusal)


def refused(case: Case, rules: tuple[Rule, ...]) -> Refusal | None:
    """The refusal by all rules that do not hold, in the order of the rule book; None when all hold."""
    body = type(case.command.body) if case.command else None
    found = [
        (rule.id, broken)
        for rule in rules
        if (not rule.commands or body in rule.commands)
        and (rule.of_history or not case.history)
        and (broken := rule.broken(case)) is not None
    ]
    return _refusal(found) if found else None


def refused_by(case: Case, rule_id: str) -> Refusal | None:
    """The refusal by one rule of the book, whatever the command; None when it holds. Raises KeyError for an unknown id."""
    broken = _BY_ID[rule_id].broken(case)
    return _refusal([(rule_id, broken)]) if broken is not None else None


def _refusal(found: list[tuple[str, Broken]]) -> Refusal:
    return Refusal(
        rules=tuple(rule for rule, _ in found),
        ru=" ".join(broken.ru for _, broken in found),
        en=" ".join(broken.en for _, broken in found),
        missing=tuple(lack for _, broken in found for lack in broken.missing),
        status=found[0][1].status,
    )


def no_such_stage(target: str, pipeline: Pipeline) -> Refusal:
    """The refusal for a stage that the pipeline does not have."""
    stages = ", ".join(pipeline.by_id)
    return Refusal(
        rules=("S1.known_stage",),
        ru=f"В воронке «{pipeline.titles.ru}» нет стадии {target}. Есть: {stages}.",
        en=f"The pipeline “{pipeline.titles.en}” has no stage {target}. It has: {stages}.",
    )


def no_such_lead() -> Refusal:
    """The refusal for a lead that does not exist."""
    return Refusal(rules=("K2.lead_exists",), ru="Такого лида нет.", en="There is no such lead.", status=404)


def unmet(criterion: Criterion, state: LeadState) -> tuple[Missing, ...]:
    """What this exit criterion still lacks; nothing when it is met."""
    match criterion:
        case FactCriterion(fact="seen"):
            met = state.seen
        case FactCriterion(fact="accepted"):
            met = state.accepted
        case FactCriterion(fact="offer"):
            met = state.offer is not None
        case FactCriterion(fact="answer"):
            met = state.answer is not None
        case FieldCriterion():
            met = bool(state.card.get(criterion.field))
        case ContactCriterion(contact="name"):
            met = bool(state.name)
        case FactCriterion():
            met = False
        case ContactCriterion():
            met = bool(state.phone or state.email)
    if met:
        return ()
    what, name = next(iter(criterion.model_dump(exclude={"titles", "when", "value"}).items()))
    titles = criterion.titles or BUILT_IN_FACTS.get(name) or Titles(ru=name, en=name)
    return (Missing(what=what, id=name, ru=titles.ru, en=titles.en),)


def _goes_forward(case: Case) -> bool:
    target, scale = case.target, case.pipeline.scale
    if target is None or not case.state.is_open or target.id not in scale or case.state.stage not in scale:
        return False
    return scale.index(target.id) > scale.index(case.state.stage)


def _among_won(case: Case) -> bool:
    """From one won stage to another, where the pipeline lets a won lead enter several."""
    target = case.target
    return (
        case.pipeline.won_moves == "free" and case.state.kind == "won" and target is not None and target.kind == "won"
    )


def _body(case: Case) -> c.CommandBody | None:
    return case.command.body if case.command else None
