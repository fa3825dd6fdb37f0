"""Rules of acting on a lead at all, one function each: what does not hold, in words, or None (K2, S2-S4, P3, P4, N12).

Pure. Which rules there are, in which order, and why, stands in `services.leads.domain.rules`.
"""

from __future__ import annotations

from datetime import timedelta

from contracts import commands as c
from contracts.commands import Missing
from contracts.pipeline import BUILT_IN_FACTS
from services.calendars.calendar import ROUND_THE_CLOCK
from services.calendars.terms import due
from services.leads.domain.case import Broken, Case, body_of, standing
from services.leads.domain.state import CONTACT_FIELDS

TAKEN_BACK_OTHERWISE = frozenset({"seen", "accepted", "offer", "answer", "approved"})
"""Facts that are not withdrawn: a new offer, another answer, a denied approval takes their place; what was seen was seen."""
AHEAD = timedelta(minutes=5)
"""How far ahead of our clock a reported time may be (decision 12)."""
MISTAKE = timedelta(days=1)
"""How long an outcome can be taken for a mistake; later a lead comes back by the terms of reopening (N12, P4)."""


def not_erased(case: Case) -> Broken | None:
    if case.state.erased:
        return Broken(
            "Данные клиента удалены по его праву: ⟨с лидом|со сделкой⟩ больше не работают.",
            "The person's data was erased: nothing more is done with this ⟨lead|deal⟩.",
            status=410,
        )
    return None


def current_version(case: Case) -> Broken | None:
    expected = case.command.expected_version if case.command else None
    if expected is None or expected == case.state.version:
        return None
    return Broken(
        f"⟨Лид изменился|Сделка изменилась⟩: версия {case.state.version}, а вы видели {expected}. Откройте ⟨его|её⟩ ещё раз.",
        f"The ⟨lead|deal⟩ has changed: it is at version {case.state.version}, you saw {expected}. Open it again.",
        status=409,
    )


def not_merged(case: Case) -> Broken | None:
    into = case.state.merged_into
    if into is not None:
        return Broken(
            f"Лид объединён с лидом {into}: работайте с ним, или сначала разделите их.",
            f"The lead was merged into {into}: work on that one, or un-merge them first.",
        )
    return None


def not_withdrawn(case: Case) -> Broken | None:
    if case.state.withdrawn:
        return Broken(
            f"Конвертацию лида {case.state.deal_of} отменили, сделки нет. Она продолжится, когда лид снова станет сделкой.",
            f"The conversion of the lead {case.state.deal_of} was undone: there is no deal. It goes on once the lead becomes "
            "one again.",
        )
    return None


def on_the_lead(case: Case) -> Broken | None:
    if case.state.deal_of is not None:
        return Broken(
            f"Объединяют и разделяют лиды, а не сделки. Лид этой сделки: {case.state.deal_of}.",
            f"Leads are merged and set apart, not deals. The lead of this deal: {case.state.deal_of}.",
        )
    return None


def person_only(case: Case) -> Broken | None:
    if case.actor and case.actor.kind != "person":
        return Broken(
            "Увидеть и принять ⟨лид|сделку⟩ может только человек.", "Only a person can see and accept a ⟨lead|deal⟩."
        )
    return None


def open_work(case: Case) -> Broken | None:
    if not case.state.is_open:
        return Broken(
            "⟨Лид закрыт. Верните его|Сделка закрыта. Верните её⟩ в работу командой «возобновить».",
            "The ⟨lead|deal⟩ is closed. Bring it back with the command reopen first.",
        )
    return None


def known_fields(case: Case) -> Broken | None:
    body = body_of(case)
    assert isinstance(body, c.Record)
    unknown = sorted(set(body.fields) - case.pipeline.field_ids - CONTACT_FIELDS)
    if not unknown:
        return None
    names = ", ".join(unknown)
    fields = ", ".join(sorted(case.pipeline.field_ids | CONTACT_FIELDS))
    return Broken(
        f"В карточке нет полей: {names}. Есть: {fields}.", f"The card has no such fields: {names}. It has: {fields}."
    )


def writable_fields(case: Case) -> Broken | None:
    body, role = body_of(case), case.actor.role if case.actor else None
    if not isinstance(body, c.Record) or role not in ("seller", "head"):
        return None
    fields = [case.pipeline.fields_by_id[name] for name in body.fields if name in case.pipeline.fields_by_id]
    closed = [field.titles for field in fields if role not in field.by]
    if not closed:
        return None
    return Broken(
        f"Эти поля пишете не вы: {', '.join(f'«{titles.ru}»' for titles in closed)}.",
        f"These fields are not yours to write: {', '.join(f'“{titles.en}”' for titles in closed)}.",
    )


def thinking_is_no_answer(case: Case) -> Broken | None:
    body = body_of(case)
    if isinstance(body, c.Answer) and body.answer == "thinking":
        return Broken(
            "«Думает» — не ответ. Договоритесь о дате и приостановите ⟨лид|сделку⟩ или перезвоните.",
            "“Thinking” is no answer. Agree on a date and pause the ⟨lead|deal⟩, or call again.",
        )
    return None


def answer_to_offer(case: Case) -> Broken | None:
    if case.state.offer is None:
        return Broken(
            "Клиенту ещё ничего не предложено: сначала запишите предложение.",
            "Nothing was offered to the client yet: record the offer first.",
            (Missing(what="offer", id="offer", ru="предложение клиенту", en="an offer to the client"),),
        )
    return None


CONTACT_OF_PLAN = {"call": "phone", "letter": "email"}
"""The channel that a planned activity uses to reach the client."""


def contact_allowed(case: Case) -> Broken | None:
    body = body_of(case)
    channel = CONTACT_OF_PLAN.get(body.kind) if isinstance(body, c.Plan) else None
    said = case.refused.get(channel) if channel is not None else None
    if said is None:
        return None
    until_ru = f" до {said.until:%d.%m.%Y}" if said.until is not None else ""
    until_en = f" until {said.until:%d %B %Y}" if said.until is not None else ""
    ru, en = ("не звонить", "not to be called") if channel == "phone" else ("не писать", "not to be written to")
    return Broken(
        f"Клиент просил {ru}{until_ru} (записано {said.at:%d.%m.%Y}, {said.by}). Если он передумал, запишите его слово.",
        f"The client asked {en}{until_en} (recorded {said.at:%d %B %Y}, {said.by}). If they changed their mind, record it.",
    )


def time_holds(case: Case) -> Broken | None:
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
            "Переход не может быть раньше, чем ⟨лид вошёл|сделка вошла⟩ в нынешнюю стадию.",
            "A move cannot have happened before the ⟨lead|deal⟩ entered its present stage.",
        )
    return None


def pause_has_a_date(case: Case) -> Broken | None:
    body = body_of(case)
    if isinstance(body, c.Move) and case.target is not None and case.target.kind == "postponed":
        return Broken(
            "Чтобы приостановить ⟨лид|сделку⟩, нужны причина и дата: командой «приостановить».",
            "To pause a ⟨lead|deal⟩ a reason and a date are needed: use the command pause.",
            (
                Missing(what="field", id="until", ru="дата возвращения", en="the date it comes back"),
                Missing(what="field", id="reason", ru="причина", en="the reason"),
            ),
        )
    since = case.happened_at if case.history else case.now
    if isinstance(body, c.Pause) and since is not None and body.until <= since.date():
        return Broken("Дата возвращения должна быть в будущем.", "The date it comes back must lie in the future.")
    return None


def status_of_its_kind(case: Case) -> Broken | None:
    body, target = body_of(case), case.target
    if isinstance(body, c.Reject) and target is not None and target.kind != "lost":
        names = ", ".join(s.id for s in case.pipeline.stages if s.kind == "lost")
        return Broken(
            f"«{target.titles.ru}» — не статус забраковки. Есть: {names}.",
            f"“{target.titles.en}” is no reject status. There are: {names}.",
        )
    if isinstance(body, c.Pause) and target is not None and target.kind != "postponed":
        return Broken(f"«{target.titles.ru}» — не отложенная стадия.", f"“{target.titles.en}” is no postponed stage.")
    return None


def reopen_what_was_closed(case: Case) -> Broken | None:
    if case.state.is_open:
        return Broken("⟨Лид|Сделка⟩ и так в работе.", "The ⟨lead|deal⟩ is open already.")
    if case.state.kind == "won":
        return Broken("⟨Выигранный лид|Выигранную сделку⟩ не возобновляют.", "A won ⟨lead|deal⟩ is not reopened.")
    return None


def reopening_terms(case: Case) -> Broken | None:
    body, here, role = body_of(case), standing(case), case.actor.role if case.actor else None
    if here is None or case.state.is_open or case.history or (case.actor and case.actor.kind != "person"):
        return None
    terms = here.reopen
    alone = here.final or (terms is not None and not terms.seller)
    if role != "head" and alone:
        return Broken(
            f"Из «{here.titles.ru}» ⟨лид|сделку⟩ возвращает только руководитель.",
            f"Only a head brings a ⟨lead|deal⟩ back from “{here.titles.en}”.",
        )
    if terms is None or terms.seller_after is None or case.state.root_at is None or case.happened_at is None:
        return None
    day = due(case.state.root_at, terms.seller_after, ROUND_THE_CLOCK)
    if case.happened_at >= day:
        return None
    if role != "head":
        return Broken(
            f"Из «{here.titles.ru}» менеджер возвращает ⟨лид|сделку⟩ с {day:%d.%m.%Y}; раньше — руководитель, с причиной.",
            f"From “{here.titles.en}” a seller brings a ⟨lead|deal⟩ back from {day:%Y-%m-%d} on; before, a head with a reason.",
        )
    if isinstance(body, c.Reopen) and not body.reason:
        return Broken(
            f"До {day:%d.%m.%Y} для возврата нужна причина.",
            f"Before {day:%Y-%m-%d} a reason is needed to bring the ⟨lead|deal⟩ back.",
            (Missing(what="field", id="reason", ru="причина", en="the reason"),),
        )
    return None


def something_to_undo(case: Case) -> Broken | None:
    if case.state.before is None:
        return Broken(
            "Отменять нечего: последний переход уже исправлен или его не было.",
            "There is nothing to undo: the last change of stage was corrected already, or there was none.",
        )
    if (
        case.state.kind == "won"
        and case.state.before.kind != "won"
        and (case.actor is None or case.actor.role != "head")
    ):
        return Broken("Конвертацию отменяет только руководитель.", "Only a head undoes a conversion.")
    closed = case.state.kind in ("lost", "postponed") and case.state.before.kind == "open"
    if closed and case.now is not None and case.state.root_at is not None and case.now - case.state.root_at > MISTAKE:
        return reopening_terms(case)
    return None


def override_by_head(case: Case) -> Broken | None:
    body = body_of(case)
    if isinstance(body, c.Move | c.Convert) and body.override and (case.actor is None or case.actor.role != "head"):
        return Broken(
            "Перевести ⟨лид|сделку⟩ вопреки правилам может только руководитель.",
            "Only a head moves a ⟨lead|deal⟩ against the rules.",
        )
    return None


def fact_is_known(case: Case) -> Broken | None:
    body, facts = body_of(case), case.pipeline.facts_by_id
    name, value = _fact_named(body)
    own = isinstance(body, c.Establish)
    fact = facts.get(name)
    if isinstance(body, c.Withdraw) and (fact is None or name in TAKEN_BACK_OTHERWISE):
        there = ", ".join(f for f in facts if f not in TAKEN_BACK_OTHERWISE)
        return Broken(f"Отзывают один из этих фактов: {there}.", f"One of these facts can be withdrawn: {there}.")
    if own and (fact is None or name in BUILT_IN_FACTS):
        there = ", ".join(f.id for f in case.pipeline.facts if f.id not in BUILT_IN_FACTS) or "—"
        return Broken(f"В воронке нет такого факта. Есть: {there}.", f"The pipeline has no such fact. It has: {there}.")
    if fact is None or isinstance(body, c.Withdraw | c.Send | c.Attach):
        return None
    if fact.options and fact.option(value) is None:
        ru = "; ".join(f"{option.id} — «{option.titles.ru}»" for option in fact.options)
        en = "; ".join(f"{option.id}: “{option.titles.en}”" for option in fact.options)
        named = "value" if own else "result"
        return Broken(
            f"«{fact.titles.ru}»: нужен результат из списка: {ru}.",
            f"“{fact.titles.en}” needs one of its results: {en}.",
            (
                Missing(
                    what="field", id=named, ru="результат", en="the result", values=tuple(o.id for o in fact.options)
                ),
            ),
        )
    if value is not None and not fact.options:
        return Broken(
            f"«{fact.titles.ru}»: у этого факта нет вариантов.", f"“{fact.titles.en}”: this fact has no options."
        )
    return None


def fact_by_role(case: Case) -> Broken | None:
    fact = case.pipeline.facts_by_id.get(_fact_named(body_of(case))[0])
    role = case.actor.role if case.actor else None
    if fact is None or role not in ("seller", "head") or role in fact.by:
        return None
    return Broken(
        f"«{fact.titles.ru}» записывает не {'менеджер' if role == 'seller' else 'руководитель'}.",
        f"“{fact.titles.en}” is not recorded by a {role}.",
    )


def approval_by_head(case: Case) -> Broken | None:
    if case.actor is None or case.actor.kind != "person" or case.actor.role != "head":
        return Broken("Согласовывает только руководитель.", "Only a head approves.")
    return None


def fact_to_withdraw(case: Case) -> Broken | None:
    body, facts = body_of(case), case.state.facts
    if not isinstance(body, c.Withdraw):
        return None
    held = facts.get(body.fact)
    there = held is not None if body.value is None else f"{body.fact}:{body.value}" in facts
    if there or (held is not None and held.value == body.value):
        return None
    return Broken("Такой факт у ⟨лида|сделки⟩ не записан.", "The ⟨lead|deal⟩ has no such fact recorded.")


def known_file(case: Case) -> Broken | None:
    body = body_of(case)
    if not isinstance(body, c.Attach) or body.blob is None or body.blob in case.state.files:
        return None
    return Broken(
        "Такого файла в письмах ⟨этого лида|этой сделки⟩ нет. Приложите файл ссылкой.",
        "No letter of this ⟨lead|deal⟩ brought such a file. Attach the file by a link.",
    )


def held_activity(case: Case) -> Broken | None:
    body = body_of(case)
    if not isinstance(body, c.Hold) or body.activity is None:
        return None
    planned = case.state.activities.get(body.activity)
    if planned is None or planned.kind != body.kind:
        return Broken(
            "У ⟨лида|сделки⟩ нет такого запланированного звонка или встречи.",
            "The ⟨lead|deal⟩ has no such call or meeting planned.",
        )
    return None


def one_open_lead(case: Case) -> Broken | None:
    body = body_of(case)
    stays = isinstance(body, c.Review) and body.decision == "confirm"
    if case.other_open_lead is not None and not stays:
        return Broken(
            f"У клиента уже есть открытый лид: {case.other_open_lead}.",
            f"The person has an open lead already: {case.other_open_lead}.",
        )
    return None


def known_responsible(case: Case) -> Broken | None:
    body = body_of(case)
    if isinstance(body, c.Assign) and case.responsibles and body.to not in case.responsibles:
        names = ", ".join(case.responsibles)
        return Broken(f"Нет такого ответственного. Есть: {names}.", f"No such responsible. There are: {names}.")
    return None


def _fact_named(body: c.CommandBody | None) -> tuple[str, str | None]:
    """The fact that a command records, and the value it gives it."""
    match body:
        case c.Establish():
            return body.fact, body.value
        case c.Withdraw():
            return body.fact, None
        case c.Hold():
            return f"{body.kind}_held", body.result
        case c.Send():
            return "document_sent", body.document
        case c.Attach():
            return "file_attached", body.label
        case _:
            return "", None
