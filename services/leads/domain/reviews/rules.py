"""Rules of quality control, one function each: what does not hold, in words, or None (Q5).

Pure. Which rules there are, in which order, and why, stands in `services.leads.domain.rules`.
"""

from __future__ import annotations

from services.leads.domain.case import Broken, Case
from services.leads.domain.reviews.judging import waiting


def by_head(case: Case) -> Broken | None:
    if case.actor is None or case.actor.kind != "person" or case.actor.role != "head":
        return Broken(
            "Проверяет некачественные ⟨лиды|сделки⟩ только руководитель.",
            "Only a head judges ⟨leads|deals⟩ that were made poor.",
        )
    return None


def something_to_judge(case: Case) -> Broken | None:
    if waiting(case.state) is not None:
        return None
    judged = case.state.reviews.get(case.state.root)
    if judged is not None and judged.verdict == "confirmed":
        return Broken(
            "⟨Лид уже проверен и подтверждён. Вернуть его|Сделка уже проверена и подтверждена. Вернуть её⟩ "
            "в работу можно командой «возобновить».",
            "The ⟨lead|deal⟩ was judged and confirmed already. Bring it back with the command reopen.",
        )
    return Broken(
        "Проверять нечего: ⟨лид|сделка⟩ не ждёт проверки руководителя.",
        "There is nothing to judge: the ⟨lead|deal⟩ waits for no review.",
    )


def return_stands(case: Case) -> Broken | None:
    state, role = case.state, case.actor.role if case.actor else None
    before = state.before
    judged = state.reviews.get(before.root) if before is not None else None
    if judged is None or judged.verdict != "returned" or role == "head":
        return None
    return Broken(
        "⟨Лид|Сделку⟩ вернул в работу руководитель: отменить это может только он.",
        "A head returned the ⟨lead|deal⟩ to work: only a head takes that back.",
    )
