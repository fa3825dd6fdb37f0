"""Rules of «may this lead go there?», one function each: what does not hold, in words, or None (K2, S1-S3, P3, P4, C1).

Pure. Which rules there are, in which order, and why, stands in `services.leads.domain.rules`.
"""

from __future__ import annotations

from contracts import commands as c
from contracts.commands import Missing
from contracts.pipeline import Criterion
from services.leads.domain.case import Broken, Case, among_won, body_of, goes_forward, is_a_move, standing, stated_move
from services.leads.domain.criteria import lacking, values_of
from services.pipelines.conditions import holds


def put_off_anew(case: Case) -> bool:
    """Whether a lead that is put off gets another date: it stays where it is, and nothing of an open stage begins (S3)."""
    return (
        isinstance(body_of(case), c.Pause)
        and not case.history
        and case.state.kind == "postponed"
        and case.target is not None
        and case.target.id == case.state.stage
    )


def already_there(case: Case) -> Broken | None:
    if case.target and case.target.id == case.state.stage and not put_off_anew(case):
        return Broken(
            f"⟨Лид|Сделка⟩ уже в стадии «{case.target.titles.ru}».",
            f"The ⟨lead|deal⟩ is in the stage “{case.target.titles.en}” already.",
        )
    return None


def closed_stays_closed(case: Case) -> Broken | None:
    if case.state.is_open or isinstance(body_of(case), c.Reopen | c.Undo | c.Review) or among_won(case):
        return None
    if put_off_anew(case):
        return None
    if stated_move(case) is None:
        return Broken(
            "⟨Лид закрыт. Верните его|Сделка закрыта. Верните её⟩ в работу командой «возобновить».",
            "The ⟨lead|deal⟩ is closed. Bring it back with the command reopen first.",
        )
    return None


def one_step_forward(case: Case) -> Broken | None:
    target, scale, here = case.target, case.pipeline.scale, standing(case)
    if target is None or here is None or not case.state.is_open or here.moves is not None:
        return None
    if target.id not in scale or here.id not in scale or isinstance(body_of(case), c.Undo):
        return None
    if case.pipeline.steps[target.id] <= case.pipeline.steps[here.id] + 1:
        return None
    following = case.pipeline.by_id[scale[scale.index(here.id) + 1]].titles
    return Broken(
        f"Стадии не пропускают: следующая — «{following.ru}».",
        f"No stage is skipped: the next one is “{following.en}”.",
    )


def stated_moves(case: Case) -> Broken | None:
    target, here = case.target, standing(case)
    if target is None or here is None or here.moves is None or target.kind not in ("open", "won"):
        return None
    if (
        not isinstance(body_of(case), c.Move | c.Convert | None)
        or here.move_to(target.id) is not None
        or among_won(case)
    ):
        return None
    stages = [case.pipeline.by_id[move.to].titles for move in here.moves]
    ru, en = ", ".join(f"«{t.ru}»" for t in stages) or "никуда", ", ".join(f"“{t.en}”" for t in stages) or "nowhere"
    return Broken(
        f"Из стадии «{here.titles.ru}» переходят в: {ru}.",
        f"From the stage “{here.titles.en}” a ⟨lead|deal⟩ goes to: {en}.",
    )


def stated_outcomes(case: Case) -> Broken | None:
    target, here = case.target, standing(case)
    if target is None or here is None or here.outcomes is None or target.kind not in ("lost", "postponed"):
        return None
    if target.id in here.outcomes or isinstance(body_of(case), c.Undo):
        return None
    stages = [case.pipeline.by_id[stage].titles for stage in here.outcomes]
    ru, en = ", ".join(f"«{t.ru}»" for t in stages) or "никакой", ", ".join(f"“{t.en}”" for t in stages) or "none"
    return Broken(
        f"Из стадии «{here.titles.ru}» нельзя в «{target.titles.ru}». Можно в: {ru}.",
        f"From the stage “{here.titles.en}” a ⟨lead|deal⟩ is not left to “{target.titles.en}”. There are: {en}.",
    )


def exit_criteria(case: Case) -> Broken | None:
    here, target = standing(case), case.target
    if here is None or target is None or isinstance(body_of(case), c.Undo):
        return None
    move = here.move_to(target.id) if target.kind in ("open", "won") else None
    criteria: tuple[Criterion, ...] = move.needs if move is not None and is_a_move(case) else ()
    if goes_forward(case) and not (move is not None and move.instead_of_exit):
        criteria = (*case.pipeline.exit_of[here.id], *criteria)
    missing = lacking(criteria, case.state, case.pipeline)
    if not missing:
        return None
    return Broken(
        f"Стадия «{here.titles.ru}» ещё не закончена. Не хватает: {'; '.join(m.ru for m in missing)}.",
        f"The stage “{here.titles.en}” is not finished. Missing: {'; '.join(m.en for m in missing)}.",
        missing,
    )


def move_condition(case: Case) -> Broken | None:
    move = stated_move(case)
    if move is None or move.when is None or holds(move.when, values_of(case.state, case.pipeline)):
        return None
    assert case.target is not None
    return Broken(
        f"Условие перехода в «{case.target.titles.ru}» не выполнено: {move.when}.",
        f"The condition for going to “{case.target.titles.en}” does not hold: {move.when}.",
    )


def fact_decides(case: Case) -> Broken | None:
    target = case.target
    if target is None or not case.state.is_open or isinstance(body_of(case), c.Undo):
        return None
    for name, held_fact in case.state.facts.items():
        fact = case.pipeline.facts_by_id.get(name)
        option = fact.option(held_fact.value) if fact is not None and held_fact.root == case.state.root else None
        if fact is None or option is None or not option.opens or target.id in option.opens:
            continue
        stages = [case.pipeline.by_id[stage].titles for stage in option.opens]
        return Broken(
            f"Записано: {fact.titles.ru} — «{option.titles.ru}». Это ведёт в: {', '.join(f'«{t.ru}»' for t in stages)}.",
            f"Recorded: {fact.titles.en}: “{option.titles.en}”. That leads to: {', '.join(f'“{t.en}”' for t in stages)}.",
        )
    return None


def may_move(case: Case) -> Broken | None:
    here, role = standing(case), case.actor.role if case.actor else None
    if (
        here is None
        or case.target is None
        or role not in ("seller", "head")
        or isinstance(body_of(case), c.Reopen | c.Undo | c.Review)
    ):
        return None
    move = stated_move(case)
    allowed = (move.by if move is not None else ()) or here.by
    if role in allowed:
        return None
    who = ("руководитель", "a head") if "head" in allowed else ("менеджер", "a seller")
    if not allowed:
        who = ("только система", "the system alone")
    return Broken(
        f"Из стадии «{here.titles.ru}» ⟨лид|сделку⟩ переводит {who[0]}.",
        f"Out of the stage “{here.titles.en}” a ⟨lead|deal⟩ is moved by {who[1]}.",
    )


def reason_given(case: Case) -> Broken | None:
    target, body = case.target, body_of(case)
    if target is None or not isinstance(body, c.Reject | c.Pause | c.Move):
        return None
    given = body.reason if isinstance(body, c.Reject) else body.reason_id if isinstance(body, c.Pause) else None
    if target.reason(given) is not None or (given is None and (not target.reasons or case.history)):
        return None
    if not target.reasons:
        return Broken(
            f"У статуса «{target.titles.ru}» нет списка причин: напишите причину словами.",
            f"The status “{target.titles.en}” has no list of reasons: say the reason in words.",
        )
    ru = "; ".join(f"{reason.id} — «{reason.titles.ru}»" for reason in target.reasons)
    en = "; ".join(f"{reason.id}: “{reason.titles.en}”" for reason in target.reasons)
    name = "reason_id" if isinstance(body, c.Pause) else "reason"
    return Broken(
        f"Для «{target.titles.ru}» нужна причина из списка: {ru}.",
        f"“{target.titles.en}” needs one of its reasons: {en}.",
        (Missing(what="field", id=name, ru="причина", en="the reason", values=tuple(r.id for r in target.reasons)),),
    )


def answer_decides(case: Case) -> Broken | None:
    target, answer = case.target, case.state.answer
    if target is None or answer is None or not case.state.is_open or isinstance(body_of(case), c.Undo):
        return None
    if answer == "consent" and target.kind != "won":
        return Broken(
            "Клиент согласился: остаётся только ⟨сконвертировать лид|выиграть сделку⟩.",
            "The client consented: the only way on is to ⟨convert the lead|win the deal⟩.",
        )
    if answer == "refusal" and target.kind not in ("lost", "postponed"):
        return Broken(
            "Клиент отказался: остаётся только забраковать или приостановить ⟨лид|сделку⟩.",
            "The client refused: the only way on is to reject or pause the ⟨lead|deal⟩.",
        )
    return None
