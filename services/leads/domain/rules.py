"""All rules of leads in one list: what is refused, by which rule id, in which words, with what missing (K2, S1-S3).

`STAGE_RULES` answer one question, «may this lead go there, and if not, what is missing?», for everyone who asks: commands,
board, API, later robots and triggers. `COMMAND_RULES` are about acting at all. Each names a plain function of
`services.leads.domain.stage_rules` or `command_rules`; a refusal is a value. `docs/rules.md` is generated from `RULES`.
"""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from contracts import commands as c
from contracts.commands import Refusal
from contracts.pipeline import Pipeline
from services.leads.domain import command_rules as acting
from services.leads.domain import stage_rules as going
from services.leads.domain.activities import rules as planning
from services.leads.domain.case import Broken, Case, Check, Rule, body_of
from services.leads.domain.reviews import rules as reviewing
from services.leads.domain.state import LeadState

STAGE_RULES: tuple[Rule, ...] = (
    Rule(
        "S1.already_there",
        "⟨Лид|Сделка⟩ переходит только в другую стадию.",
        "A ⟨lead|deal⟩ moves only to another stage.",
        "A move to the same stage would be a stage visit that never was, and break the funnel.",
        going.already_there,
    ),
    Rule(
        "S3.closed_stays_closed",
        "⟨Закрытый лид|Закрытую сделку⟩ сначала возобновляют.",
        "A closed ⟨lead|deal⟩ is reopened before it moves.",
        "Work after an outcome is a new visit that reports must tell apart (M9).",
        going.closed_stays_closed,
    ),
    Rule(
        "S1.one_step_forward",
        "Вперёд — по одной стадии.",
        "Forward, one stage at a time.",
        "Each stage's exit criterion is checked; a skipped one would be checked by nobody.",
        going.one_step_forward,
        overridable=True,
    ),
    Rule(
        "P4.stated_moves",
        "Где воронка называет переходы, ходят только по ним.",
        "Where a pipeline states the moves of a stage, a ⟨lead|deal⟩ goes no other way.",
        "A way that nobody stated is one that nobody checks (P4).",
        going.stated_moves,
        overridable=True,
    ),
    Rule(
        "P4.stated_outcomes",
        "Где воронка называет исходы стадии, других у неё нет.",
        "Where a pipeline states the outcomes of a stage, it has no others.",
        "A status given too early hides why a lead was lost.",
        going.stated_outcomes,
    ),
    Rule(
        "P4.move_condition",
        "Переход с условием — когда условие выполнено.",
        "A move under a condition is made when it holds.",
        "The pipeline says so; what is unknown does not hold (decision 6).",
        going.move_condition,
        of_history=False,
        overridable=True,
    ),
    Rule(
        "P3.fact_decides",
        "Записанный результат решает, куда ⟨лид|сделка⟩ идёт дальше.",
        "A recorded result decides where the ⟨lead|deal⟩ goes.",
        "The stage must say the same as the result (P3).",
        going.fact_decides,
        overridable=True,
    ),
    Rule(
        "K2.may_move",
        "⟨Лид|Сделку⟩ переводит тот, кому это дано.",
        "A ⟨lead|deal⟩ is moved by those who may.",
        "The pipeline names the roles that decide at a stage.",
        going.may_move,
        overridable=True,
    ),
    Rule(
        "C1.reason_given",
        "Где у статуса есть причины, называют одну из них.",
        "Where a status has reasons, one of them is given.",
        "Reasons are counted, and each says what remains of the lead (C1).",
        going.reason_given,
        (c.Reject, c.Pause, c.Move),
    ),
    Rule(
        "S2.exit_criteria",
        "Из стадии выходят вперёд, когда выполнены её критерии.",
        "A stage is left forwards when its exit criteria are met.",
        "A stage says something about a lead only when it cannot be entered without its proof (seed 000).",
        going.exit_criteria,
        of_history=False,
        overridable=True,
    ),
    Rule(
        "S2.answer_decides",
        "Согласие ведёт только в сделку, отказ — только в забракованные.",
        "Consent leads to the deal only, refusal to a reject status only.",
        "The answer is recorded by a person; the stage must say the same (S2).",
        going.answer_decides,
        overridable=True,
    ),
)

COMMAND_RULES: tuple[Rule, ...] = (
    Rule(
        "M7.not_erased",
        "⟨С лидом|Со сделкой⟩, чьи данные удалены, не работают.",
        "Nothing is done with a ⟨lead|deal⟩ whose person was erased.",
        "Any further event would need a key that no longer exists, and no one has a right to it.",
        acting.not_erased,
    ),
    Rule(
        "N16.not_merged",
        "С объединённым лидом не работают: работают с тем, который продолжается.",
        "Nothing is done on a lead that was merged: the one that goes on is worked on.",
        "What is written where nobody looks is lost (N16).",
        acting.not_merged,
    ),
    Rule(
        "D1.not_withdrawn",
        "Со сделкой, конвертацию которой отменили, не работают.",
        "Nothing is done with a deal whose conversion was undone.",
        "There is no deal while its lead is none (N12).",
        acting.not_withdrawn,
    ),
    Rule(
        "K2.current_version",
        "Команда видит ⟨лид таким, какой он|сделку такой, какая она⟩ есть.",
        "A command was made looking at the ⟨lead|deal⟩ as it is.",
        "Two people who change the same lead must not overwrite each other unseen.",
        acting.current_version,
    ),
    Rule(
        "S2.person_only",
        "«Увидел» и «принял» — только человек.",
        "Seen and accepted: by a person only.",
        "A lead that a robot accepted is a lead that nobody works on (S2).",
        acting.person_only,
        (c.See, c.Accept),
    ),
    Rule(
        "S3.open_work",
        "Работают с ⟨открытым лидом|открытой сделкой⟩.",
        "Work is done on an open ⟨lead|deal⟩.",
        "An offer or answer on a closed lead would belong to no stage visit.",
        acting.open_work,
        (c.See, c.Accept, c.Offer, c.Answer, c.Approve),
    ),
    Rule(
        "Q2.known_fields",
        "Пишут только в поля карточки.",
        "Only the card's fields are written.",
        "A misspelt field would be a loss that nobody notices.",
        acting.known_fields,
        (c.Record,),
    ),
    Rule(
        "Q2.writable_field",
        "Поле карточки пишет тот, кому это дано.",
        "A field of the card is written by those who may.",
        "The pipeline names who can know it.",
        acting.writable_fields,
        (c.Record,),
    ),
    Rule(
        "S2.thinking_is_no_answer",
        "«Думает» — не ответ.",
        "“Thinking” is no answer.",
        "A stage that ends with «думает» never ends (S2).",
        acting.thinking_is_no_answer,
        (c.Answer,),
    ),
    Rule(
        "S2.answer_to_offer",
        "Отвечают на предложение.",
        "An answer needs an offer.",
        "Consent to nothing would convert a lead without terms.",
        acting.answer_to_offer,
        (c.Answer,),
    ),
    Rule(
        "K6.time_holds",
        "Время действия — не раньше начала стадии и не впереди часов.",
        "The time given is not before the stage visit nor ahead of the clock.",
        "Time in stage is computed from these times (decision 12).",
        acting.time_holds,
    ),
    Rule(
        "S3.pause_has_a_date",
        "У паузы есть причина и дата в будущем.",
        "A pause has a reason and a date in the future.",
        "A pause without a date is a lead forgotten (S3).",
        acting.pause_has_a_date,
        (c.Move, c.Pause),
    ),
    Rule(
        "S3.status_of_its_kind",
        "Забраковывают статусом забраковки, откладывают отложенной стадией.",
        "Rejecting takes a reject status, pausing a postponed one.",
        "Reasons are counted by status; a mixed-up one falsifies the report.",
        acting.status_of_its_kind,
        (c.Reject, c.Pause),
    ),
    Rule(
        "S3.reopen_what_was_closed",
        "Возобновляют ⟨забракованный или отложенный лид|забракованную или отложенную сделку⟩.",
        "Only a rejected or paused ⟨lead|deal⟩ is reopened.",
        "Reopening is a visit of its own and must mean something (M9).",
        acting.reopen_what_was_closed,
        (c.Reopen,),
    ),
    Rule(
        "P4.reopening_terms",
        "Возобновляют в срок и те, кому это дано воронкой.",
        "A ⟨lead|deal⟩ is reopened when and by whom the pipeline lets.",
        "A closed lead left in peace for its time is worth more than one pestered (P4).",
        acting.reopening_terms,
        (c.Reopen,),
    ),
    Rule(
        "C3.one_open_lead",
        "У человека один открытый лид в воронке.",
        "A person has one open lead in a pipeline.",
        "Two open leads of one person are called by two sellers (C3).",
        acting.one_open_lead,
        (c.Reopen, c.Move, c.Convert, c.Undo, c.Review),
    ),
    Rule(
        "C7.contact_allowed",
        "Звонок и письмо не планируют тому, кто просил не звонить и не писать.",
        "No call or letter is planned for whoever asked not to be called or written to.",
        "What a client refused is obeyed by every person's button, as by every robot (C7).",
        acting.contact_allowed,
        (c.Plan,),
    ),
    Rule(
        "N12.something_to_undo",
        "Отменяют последний переход: конвертацию — руководитель, закрытие через сутки — те, кому дано возобновить.",
        "The last change of stage is undone: a conversion by a head, an outcome after a day by who may reopen.",
        "A mistake further back is corrected by a move, which is a visit of its own (N12).",
        acting.something_to_undo,
        (c.Undo,),
    ),
    Rule(
        "D1.on_the_lead",
        "Объединяют и разделяют лиды, а не сделки.",
        "Leads are merged and set apart, not deals.",
        "A deal follows its lead; who is the same person is decided there (N16).",
        acting.on_the_lead,
        (c.Merge, c.Unmerge, c.Dismiss),
    ),
    Rule(
        "K2.override_by_head",
        "Вопреки правилам ⟨лид|сделку⟩ переводит только руководитель, с причиной.",
        "Only a head moves a ⟨lead|deal⟩ against the rules, with a reason.",
        "A gate that anyone may open is none; one that nobody may traps the lead (N9, N10).",
        acting.override_by_head,
        (c.Move, c.Convert),
    ),
    Rule(
        "P3.known_fact",
        "Факт и его результат — из воронки.",
        "A fact and its result are the pipeline's.",
        "A misspelt fact would hold nobody up and help nobody on.",
        acting.fact_is_known,
        (c.Establish, c.Withdraw, c.Hold, c.Send, c.Attach),
    ),
    Rule(
        "P3.fact_by_role",
        "Факт записывает тот, кому это дано.",
        "A fact is recorded by those who may.",
        "The pipeline names who can know it.",
        acting.fact_by_role,
        (c.Establish, c.Withdraw, c.Hold, c.Send, c.Attach),
    ),
    Rule(
        "K2.approval_by_head",
        "Согласовывает руководитель.",
        "A head approves.",
        "Nobody approves their own move (S2).",
        acting.approval_by_head,
        (c.Approve,),
    ),
    Rule(
        "N12.fact_to_withdraw",
        "Отзывают записанный факт.",
        "A recorded fact is withdrawn.",
        "What was never recorded cannot be a mistake.",
        acting.fact_to_withdraw,
        (c.Withdraw,),
    ),
    Rule(
        "K5.known_file",
        "Прикладывают файл из писем ⟨этого лида|этой сделки⟩ или ссылку.",
        "What is attached came with a letter of the ⟨lead|deal⟩, or is a link.",
        "Another person's file must not be reached through this lead.",
        acting.known_file,
        (c.Attach,),
    ),
    Rule(
        "P9.held_activity",
        "Отмечают состоявшимся то, что у ⟨лида|сделки⟩ запланировано.",
        "A call or meeting that is said to be held is one that was planned, where one is named.",
        "A result that belongs to no activity would be a loss that nobody notices.",
        acting.held_activity,
        (c.Hold,),
    ),
    Rule(
        "C4.known_responsible",
        "Ответственный — из списка.",
        "The responsible is one of the list.",
        "A lead given to nobody is a lead lost (C4).",
        acting.known_responsible,
        (c.Assign,),
    ),
    Rule(
        "S4.known_assignee",
        "Дело поручают кому-то из списка.",
        "An activity is for one of the list.",
        "A task of nobody is done by nobody.",
        planning.known_assignee,
        (c.Plan,),
    ),
    Rule(
        "S4.due_ahead",
        "Срок дела — в будущем.",
        "An activity is due in the future.",
        "A task that is overdue when it is planned is nobody's miss (Q6).",
        planning.due_ahead,
        (c.Plan, c.Replan),
    ),
    Rule(
        "S4.reminder_between",
        "Напоминают между «сейчас» и сроком дела.",
        "A reminder comes between now and the instant the activity is due.",
        "One that comes after it reminds of a miss.",
        planning.reminder_between,
        (c.Plan,),
    ),
    Rule(
        "S4.known_activity",
        "Завершают, переносят и закрывают дело, которое у ⟨лида|сделки⟩ есть.",
        "Only an activity of the ⟨lead|deal⟩ is completed, moved or closed.",
        "A result that belongs to no activity would be a loss that nobody notices.",
        planning.known_activity,
        (c.Complete, c.Replan, c.CloseActivity),
    ),
    Rule(
        "S4.still_open",
        "Сделанное и закрытое дело не переносят; закрытое не выполняют.",
        "What is done or closed is not moved; what is closed is not done.",
        "A result on what nobody needs any more would be read by nobody (N6).",
        planning.still_open,
        (c.Complete, c.Replan, c.CloseActivity),
    ),
    Rule(
        "Q7.task_of_a_deadline",
        "Дело, которое стоит за сроком регламента, не переносят и не закрывают.",
        "The task of a deadline is neither moved nor closed.",
        "The term stands as it was set; who could move it would never miss it (Q3).",
        planning.of_a_deadline,
        (c.Replan, c.CloseActivity),
    ),
    Rule(
        "Q7.key_action_by_head",
        "Срок ключевого дела продлевает и само дело снимает руководитель, с причиной.",
        "A key action is moved to a later instant, or closed, by a head with a reason.",
        "Whoever could put off their own deadline would never miss it; the one who answers for the team decides (Q3, Q7).",
        planning.key_action_by_head,
        (c.Replan, c.CloseActivity),
    ),
    Rule(
        "Q7.key_action_is_due",
        "У ключевого дела есть срок.",
        "A key action is due at an instant.",
        "Without one it would be a key action that nobody can miss.",
        planning.key_action_is_due,
        (c.Replan,),
    ),
    Rule(
        "S4.recurring_is_due",
        "У дела, которое повторяется, есть срок.",
        "An activity that recurs is due at an instant.",
        "The next one is counted from it.",
        planning.recurring_is_due,
        (c.Replan,),
    ),
    Rule(
        "Q5.review_by_head",
        "⟨Некачественные лиды|Некачественные сделки⟩ проверяет руководитель.",
        "⟨Leads|Deals⟩ that were made poor are judged by a head.",
        "Nobody confirms their own rejection (Q5).",
        reviewing.by_head,
        (c.Review,),
    ),
    Rule(
        "Q5.something_to_review",
        "Проверяют ⟨лид, который|сделку, которая⟩ ждёт проверки.",
        "A ⟨lead|deal⟩ is judged that waits for it.",
        "A verdict on nothing would count in the share of returned leads.",
        reviewing.something_to_judge,
        (c.Review,),
    ),
    Rule(
        "Q5.return_stands",
        "Возврат руководителя отменяет только руководитель.",
        "What a head returned to work, only a head takes back.",
        "Otherwise the rejection that was judged wrong would stand again (Q5).",
        reviewing.return_stands,
        (c.Undo,),
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
    refusal = refused(Case(state, pipeline, stage), (*COMMAND_RULES[:3], *STAGE_RULES))
    return Check(refusal is None, refusal)


_NO_TIME = datetime.min.replace(tzinfo=UTC)
_WAYS = ("S1.one_step_forward", "P4.stated_moves", "P4.stated_outcomes")


def ways_closed(pipeline: Pipeline, here: str, target: str) -> tuple[str, ...]:
    """Ids of the rules by which no lead, whatever it has, goes from one stage of a pipeline to another (for boards: N9)."""
    stands = pipeline.by_id.get(here)
    if stands is None or target not in pipeline.by_id:
        return ()
    nobody = UUID(int=0)
    lead = LeadState(nobody, 0, pipeline.pipeline, 1, nobody, _NO_TIME, stage=here, kind=stands.kind)
    case = Case(lead, pipeline, pipeline.by_id[target])
    return tuple(rule for rule in _WAYS if _BY_ID[rule].broken(case) is not None)


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
    if not found:
        return None
    against = [rule for rule in rules if rule.id in {broken for broken, _ in found}]
    if _overridden(case) and all(rule.overridable for rule in against):
        return None
    return _refusal(case, found)


def broken_against(case: Case) -> tuple[str, ...]:
    """Ids of the rules that an override goes against; none where every rule holds."""
    if not _overridden(case):
        return ()
    return tuple(rule.id for rule in RULES if rule.overridable and not rule.commands and rule.broken(case) is not None)


def _overridden(case: Case) -> bool:
    body = body_of(case)
    head = case.actor is not None and case.actor.kind == "person" and case.actor.role == "head"
    return head and isinstance(body, c.Move | c.Convert) and body.override is not None


def refused_by(case: Case, rule_id: str) -> Refusal | None:
    """The refusal by one rule of the book, whatever the command; None when it holds. Raises KeyError for an unknown id."""
    broken = _BY_ID[rule_id].broken(case)
    return _refusal(case, [(rule_id, broken)]) if broken is not None else None


def _refusal(case: Case, found: list[tuple[str, Broken]]) -> Refusal:
    told = [broken.spoken(of_deal=case.state.deal_of is not None) for _, broken in found]
    return Refusal(
        rules=tuple(rule for rule, _ in found),
        ru=" ".join(broken.ru for broken in told),
        en=" ".join(broken.en for broken in told),
        missing=tuple(lack for _, broken in found for lack in broken.missing),
        overridable=all(_BY_ID[rule].overridable for rule, _ in found),
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
    return Refusal(
        rules=("K2.lead_exists",), ru="Такого лида или сделки нет.", en="There is no such lead or deal.", status=404
    )
