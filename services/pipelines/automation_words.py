"""What robots and triggers do and when, in a few words of Russian and English (R1-R5): for changes and playbooks. Pure."""

from __future__ import annotations

from typing import Final

from contracts import pipeline as p
from contracts.pipeline import Period, Pipeline, Robot, Titles, Trigger

_UNITS: Final = (
    ("months", "мес.", ("month", "months")),
    ("days", "дн.", ("day", "days")),
    ("hours", "ч", ("hour", "hours")),
    ("minutes", "мин", ("minute", "minutes")),
)
_PLANS: Final = {
    "call": ("звонок", "a call"),
    "meeting": ("встреча", "a meeting"),
    "letter": ("письмо", "a letter"),
    "task": ("задача", "a task"),
}
_ON: Final = {
    "letter": ("письмо клиента", "a letter of the client"),
    "call_answered": ("звонок клиента, на который ответили", "a call of the client that was answered"),
    "call_missed": ("пропущенный звонок клиента", "a missed call of the client"),
    "form": ("заявка", "a form"),
    "message": ("сообщение клиента", "a message of the client"),
    "visit": ("визит клиента", "a visit of the client"),
}
SERVICES: Final = {"vk": "VK", "yandex": "Яндекс", "facebook": "Facebook", "google": "Google"}


def period_words(period: Period) -> Titles:
    """«1 раб. ч», “1 working hour”."""
    ru, en = [], []
    for unit, short, forms in _UNITS:
        number = int(getattr(period, unit))
        if number:
            working = period.working and unit != "months"
            ru.append(f"{number} {'раб. ' if working else ''}{short}")
            en.append(f"{number} {'working ' if working else ''}{forms[number != 1]}")
    return Titles(ru=" ".join(ru), en=" ".join(en))


def does(robot: Robot, pipeline: Pipeline) -> Titles:
    """What a robot does: «письмо «Спасибо за заявку»», «переводит в «Сделка»»."""
    match robot.do:
        case p.PlanActivity(plan=kind, text=text, due=due, assignee=who):
            ru, en = _PLANS[kind]
            within = period_words(due) if due is not None else None
            head = ("руководителю ", " for the head") if who == "head" else ("", "")
            return _said(
                f"{ru} {head[0]}«{text.ru}»" + (f", срок {within.ru}" if within else ""),
                f"{en}{head[1]}: “{text.en}”" + (f", due in {within.en}" if within else ""),
            )
        case p.NotifyHead(notify_head=text):
            return _said(f"сообщает руководителю: «{text.ru}»", f"tells the head: “{text.en}”")
        case p.AssignTo(assign="next"):
            return _said("передаёт следующему ответственному", "gives it to the next responsible")
        case p.AssignTo(assign=to):
            return _said(f"передаёт ответственному {to}", f"gives it to {to}")
        case p.MoveTo(move=to):
            stage = pipeline.by_id[to].titles
            return _said(f"переводит в «{stage.ru}»", f"moves it to “{stage.en}”")
        case p.RejectAs(reject=to, reason=name):
            status = pipeline.by_id[to]
            reason = status.reason(name)
            return _said(
                f"закрывает как «{status.titles.ru}»" + (f": {reason.titles.ru}" if reason else ""),
                f"closes it as “{status.titles.en}”" + (f": {reason.titles.en}" if reason else ""),
            )
        case p.SetField(field=field, value=value):
            known = pipeline.fields_by_id.get(field)
            told = known.titles if known else Titles(ru=field, en=field)
            return _said(f"пишет в «{told.ru}»: {value or 'пусто'}", f"writes in “{told.en}”: {value or 'nothing'}")
        case p.ChangeTag(tag=tag, action="add"):
            return _said(f"ставит метку {tag}", f"puts the label {tag} on")
        case p.ChangeTag(tag=tag):
            return _said(f"снимает метку {tag}", f"takes the label {tag} off")
        case p.SendEmail(email=name, language=language):
            letter = pipeline.templates_by_id[name].titles
            return _said(f"письмо «{letter.ru}» ({language})", f"letter “{letter.en}” ({language})")
        case p.SendSms(sms=name, language=language):
            letter = pipeline.templates_by_id[name].titles
            return _said(f"SMS «{letter.ru}» ({language})", f"text message “{letter.en}” ({language})")
        case p.ChangeAudience(audience=name, service=service, action="add"):
            return _said(
                f"в рекламную аудиторию «{name}» ({SERVICES[service]})", f"into the ad audience “{name}” ({service})"
            )
        case p.ChangeAudience(audience=name, service=service):
            return _said(
                f"из рекламной аудитории «{name}» ({SERVICES[service]})", f"out of the ad audience “{name}” ({service})"
            )
        case p.CallWebhook(webhook=name):
            return _said(f"сообщает внешней системе {name}", f"tells the other system {name}")


def starts(robot: Robot, pipeline: Pipeline) -> Titles:
    """When a robot starts: «сразу», «через 21 дн.», «за 1 дн. до «Дата занятия»», «каждые 3 мес.»."""
    start = robot.start
    ru: list[str] = []
    en: list[str] = []
    if start.date is not None:
        field = pipeline.fields_by_id[start.date].titles
        before = period_words(start.before) if start.before is not None else None
        ru.append(f"за {before.ru} до «{field.ru}»" if before else f"по «{field.ru}»")
        en.append(f"{before.en} before “{field.en}”" if before else f"on “{field.en}”")
        if start.time is not None:
            hour = pipeline.fields_by_id[start.time].titles
            ru.append(f"и «{hour.ru}»")
            en.append(f"and “{hour.en}”")
    if start.day is not None:
        ru.append(f"{start.day[3:]}.{start.day[:2]}")
        en.append(f"on {start.day}")
    if start.after is not None:
        other = pipeline.robots_by_id[start.after][1].titles
        ru.append(f"после «{other.ru}»")
        en.append(f"after “{other.en}”")
    if start.delay is not None:
        delay = period_words(start.delay)
        ru.append(f"через {delay.ru}")
        en.append(f"after {delay.en}" if start.after is None else f"and {delay.en}")
    if start.every is not None:
        every = period_words(start.every)
        ru.append(f"и снова через каждые {every.ru}")
        en.append(f"and again every {every.en}")
    if start.in_hours:
        ru.append("в рабочее время")
        en.append("in working hours")
    return _said(" ".join(ru) or "сразу", " ".join(en) or "at once")


def waits_for(trigger: Trigger) -> Titles:
    """What a trigger answers to."""
    if trigger.on == "event":
        return _said(f"событие {trigger.type}", f"the event {trigger.type}")
    return _said(*_ON[trigger.on])


def _said(ru: str, en: str) -> Titles:
    return Titles.model_construct(ru=ru, en=en)  # a sentence may be longer than a title
