"""Words of the incident journal: what happened in it, and its page (Q6, Q9, N20).

Invariants as in `services.web.texts`, whose table takes these in.
"""

from __future__ import annotations

INCIDENTS: dict[str, tuple[str, str]] = {
    # what happened in a journal
    "event.leadline.incident.recorded": ("{kind}: «{rule}», {who}", "{kind}: “{rule}”, {who}"),
    "event.leadline.incident.told": ("Сообщено сотруднику: {via}", "The employee was told: {via}"),
    "event.leadline.incident.told.strike": (
        "Сообщено сотруднику: {via}. Пропуск {strike}",
        "The employee was told: {via}. Miss {strike}",
    ),
    "event.leadline.incident.acknowledged": ("Сотрудник принял к сведению", "The employee took note"),
    "event.leadline.incident.excused": ("Снят руководителем: {reason}", "Excused by the head: {reason}"),
    "event.leadline.incident.restated": ("Пересчитан: {verdict}", "Restated: {verdict}"),
    "event.leadline.incident.escalation_opened": (
        "Эскалация: пропуск № {strike}, сообщено: {to}",
        "Escalation: miss no. {strike}, told: {to}",
    ),
    "event.leadline.incident.escalation_extended": (
        "К эскалации добавлен пропуск № {strike}",
        "Miss no. {strike} was added to the escalation",
    ),
    "event.leadline.incident.escalation_closed.manager": (
        "Руководитель закрыл эскалацию",
        "The manager closed the escalation",
    ),
    "event.leadline.incident.escalation_closed.nothing_left": (
        "Эскалация закрыта: от неё ничего не осталось",
        "The escalation was closed: nothing is left of it",
    ),
    "event.leadline.incident.notice_requested": (
        "Отправляется письмо для {to}: {about}",
        "A letter to {to} is on its way: {about}",
    ),
    "event.leadline.incident.notice_repeated": ("Письмо отправляется снова: {to}", "The letter is tried again: {to}"),
    "event.leadline.incident.notice_done": ("Письмо принято сервером", "The server took the letter"),
    "event.leadline.incident.notice_failed": ("Письмо не ушло: {why}", "The letter did not go out: {why}"),
    "event.leadline.incident.digest_made": ("Сводка за {day}: просрочено {n}", "Digest of {day}: {n} overdue"),
    "event.leadline.incident.card_review_due": (
        "Пора пересмотреть карточку «{pipeline}» за {start} – {end}",
        "The card of “{pipeline}” is to be looked over for {start} – {end}",
    ),
    "event.leadline.incident.card_review_done": ("Карточка пересмотрена", "The card was looked over"),
    "incident_kind.deadline": ("Пропуск срока", "A deadline missed"),
    "incident_kind.raised": ("Инцидент по правилу", "An incident by a rule"),
    "incident_kind.pool": ("⟨Лид|Сделку⟩ никто не берёт", "Nobody has the ⟨lead|deal⟩"),
    "incident_kind.silent_channel": ("Канал молчит", "A channel is silent"),
    "incident_kind.dead_letter": ("Отправить не удалось", "Sending was given up"),
    "notice_about.incident": ("об инциденте", "an incident"),
    "notice_about.escalation": ("об эскалации", "an escalation"),
    "notice_about.digest": ("сводка дня", "the day's digest"),
    "notice_about.card_review": ("о пересмотре карточки", "a card review"),
    "told_via.app": ("на странице", "on the page"),
    "told_via.mail": ("письмом", "by mail"),
    "told_via.none": ("ещё не сообщено", "not told yet"),
    "verdict.stands": ("пропуск остаётся", "it was missed all the same"),
    "verdict.in_time": ("сделано вовремя", "it was done in time"),
    "verdict.not_due": ("срок тогда ещё не наступил", "it was not due yet"),
    "strike_of": ("{strike}-й из {of} за {days} дн.", "{strike} of {of} in {days} days"),
    "every_head": ("всем руководителям", "every head"),
    "missed_by": ("Пропущено на", "Missed by"),
    "counting": ("В счёт", "Counting"),
    "counts_once_told": ("идёт, когда сотруднику сообщено", "counts once the employee was told"),
    "counts_not": ("не идёт", "does not count"),
    "due_in_truth": ("Верный срок", "Due in truth"),
    "strike_restated": ("Номер пропуска", "Number of the miss"),
}
