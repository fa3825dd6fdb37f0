"""Robots and triggers of a pipeline as people read them: when, on which condition, what (R1-R5, U).

Pure. Invariants: everything a robot's text says is said here, in Russian and English; ids are called by their titles, and by
themselves where the pipeline has none for them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from contracts import pipeline as p
from contracts.pipeline import Period, Pipeline, Robot, Stage, Titles, Trigger, Words
from services.pipelines.condition_words import condition_words

BUILT_IN: Final[dict[str, Titles]] = {
    "pause": Titles(ru="Возвращение из паузы", en="Return from the pause"),
    "activity.reminder": Titles(ru="Напоминание о деле", en="Reminder of an activity"),
    "meeting_result": Titles(ru="Результат встречи", en="Result of the meeting"),
    "activity": Titles(ru="Ключевое действие", en="Key action"),
    "idle": Titles(ru="Никто не касается", en="Nobody touches it"),
    "pool": Titles(ru="Ждёт в пуле", en="It waits in the pool"),
}
"""Robots and deadlines that every pipeline has; no text of a pipeline names them."""
WARNING: Final = ".warning"
"""What the name of a deadline's warning ends with."""
SERVICES: Final = {"vk": "VK", "yandex": "Yandex", "facebook": "Facebook", "google": "Google"}
_ACTIVITIES: Final = {
    "call": ("звонок", "a call"),
    "meeting": ("встречу", "a meeting"),
    "letter": ("письмо", "a letter"),
    "task": ("задачу", "a task"),
}
_ON: Final = {
    "letter": ("Пришло письмо клиента", "A letter of the client came"),
    "call_answered": ("Клиент позвонил, ему ответили", "The client called and was answered"),
    "call_missed": ("Клиент позвонил, никто не ответил", "The client called and nobody answered"),
    "form": ("Клиент отправил форму", "The client posted a form"),
    "message": ("Клиент написал сообщение", "The client wrote a message"),
    "visit": ("Клиент зашёл на сайт", "The client came to the site"),
}
_UNITS: Final = (
    ("months", ("месяц", "месяца", "месяцев"), "month"),
    ("days", ("день", "дня", "дней"), "day"),
    ("hours", ("час", "часа", "часов"), "hour"),
    ("minutes", ("минута", "минуты", "минут"), "minute"),
)
_WORKING_UNITS: Final = {
    "days": (("рабочий день", "рабочих дня", "рабочих дней"), "working day"),
    "hours": (("рабочий час", "рабочих часа", "рабочих часов"), "working hour"),
    "minutes": (("минута рабочего времени", "минуты рабочего времени", "минут рабочего времени"), "working minute"),
}
_MONTHS: Final = (
    ("января", "January"), ("февраля", "February"), ("марта", "March"), ("апреля", "April"), ("мая", "May"),
    ("июня", "June"), ("июля", "July"), ("августа", "August"), ("сентября", "September"), ("октября", "October"),
    ("ноября", "November"), ("декабря", "December"),
)  # fmt: skip


_BEFORE: Final = Words(ru="из любой открытой стадии раньше этой", en="out of any open stage before this one")


@dataclass(frozen=True, slots=True)
class RobotWords:
    """A robot: when it starts, on which condition (None: always), what it does, and what else its text says."""

    id: str
    titles: Titles
    start: Words
    when: Words | None
    action: Words
    more: tuple[Words, ...] = ()


@dataclass(frozen=True, slots=True)
class TriggerWords:
    """A trigger: what it answers, on which condition (None: always), and out of which stages it moves leads."""

    id: str
    titles: Titles
    on: Words
    when: Words | None
    out_of: Words


def robot_titles(robot: str, *versions: Pipeline | None) -> Titles:
    """What a robot, deadline or trigger is called in the first of these versions that has it; else by its id."""
    if robot in BUILT_IN:
        return BUILT_IN[robot]
    if robot.endswith(WARNING):
        of = robot_titles(robot.removesuffix(WARNING), *versions)
        return Titles(ru=f"Напоминание: {of.ru}"[:200], en=f"Reminder: {of.en}"[:200])
    for pipeline in versions:
        if pipeline is None:
            continue
        if robot in pipeline.robots_by_id:
            return pipeline.robots_by_id[robot][1].titles
        if robot in pipeline.deadlines_by_id:
            return pipeline.deadlines_by_id[robot][1].titles
        for stage in pipeline.stages:
            for trigger in stage.triggers:
                if trigger.id == robot:
                    return trigger.titles
    return Titles(ru=robot, en=robot)


def period_words(period: Period) -> Words:
    """A length of time: «2 рабочих дня», “2 working days”."""
    ru: list[str] = []
    en: list[str] = []
    for name, forms, unit in _UNITS:
        count = getattr(period, name)
        if not count:
            continue
        if period.working and name in _WORKING_UNITS:
            forms, unit = _WORKING_UNITS[name]
        ru.append(f"{count} {_form(count, forms)}")
        en.append(f"{count} {unit}{'' if count == 1 else 's'}")
    return Words(ru=" ".join(ru), en=" ".join(en))


def robot_words(robot: Robot, pipeline: Pipeline) -> RobotWords:
    """A robot of the pipeline."""
    return RobotWords(
        id=robot.id,
        titles=robot.titles,
        start=_start(robot, pipeline),
        when=condition_words(robot.when, pipeline) if robot.when is not None else None,
        action=_action(robot, pipeline),
        more=tuple(_more(robot)),
    )


def trigger_words(trigger: Trigger, pipeline: Pipeline) -> TriggerWords:
    """A trigger of the pipeline."""
    ru, en = _ON.get(trigger.on) or (f"Событие {trigger.type}", f"The event {trigger.type}")
    stages = [_stage(stage, pipeline) for stage in trigger.from_stages]
    out_of = (
        Words(
            ru="из стадий " + ", ".join(f"«{t.ru}»" for t in stages),
            en="out of the stages " + ", ".join(f"“{t.en}”" for t in stages),
        )
        if stages
        else _BEFORE
        if any(trigger in stage.triggers and pipeline.place(stage.id) is not None for stage in pipeline.stages)
        else Words(ru="из любой открытой стадии", en="out of any open stage")
    )
    return TriggerWords(
        trigger.id,
        trigger.titles,
        Words(ru=ru, en=en),
        condition_words(trigger.when, pipeline) if trigger.when is not None else None,
        out_of,
    )


def _start(robot: Robot, pipeline: Pipeline) -> Words:
    start = robot.start
    delay = period_words(start.delay) if start.delay is not None else None
    if start.date is not None:
        field = _field(start.date, pipeline)
        clock = _field(start.time, pipeline) if start.time is not None else None
        ru = f"«{field.ru}»" + (f", время «{clock.ru}»" if clock is not None else "")
        en = f"“{field.en}”" + (f" at the time “{clock.en}”" if clock is not None else "")
        if start.before is not None:
            before = period_words(start.before)
            ru, en = f"за {before.ru} до даты {ru}", f"{before.en} before the date {en}"
        elif delay is not None:
            ru, en = f"через {delay.ru} после даты {ru}", f"{delay.en} after the date {en}"
        else:
            ru, en = f"по дате {ru}", f"on the date {en}"
    elif start.day is not None:
        month, day = _MONTHS[int(start.day[:2]) - 1], int(start.day[3:])
        ru, en = f"{day} {month[0]}, с начала работы", f"{day} {month[1]}, when work begins"
        if delay is not None:
            ru, en = f"через {delay.ru} после {day} {month[0]}", f"{delay.en} after {day} {month[1]}"
    else:
        after = robot_titles(start.after, pipeline) if start.after is not None else None
        of_ru = f"после робота «{after.ru}»" if after is not None else "после входа в стадию"
        of_en = f"the robot “{after.en}”" if after is not None else "the stage is entered"
        if delay is not None:
            ru, en = f"через {delay.ru} {of_ru}", f"{delay.en} after {of_en}"
        elif after is not None:
            ru, en = of_ru, f"after {of_en}"
        else:
            ru, en = "сразу при входе в стадию", "as soon as the stage is entered"
    if start.in_hours:
        ru, en = f"{ru}, в рабочие часы", f"{en}, in working hours"
    if start.every is not None:
        every = period_words(start.every)
        ru, en = f"{ru}, и снова через каждые {every.ru}", f"{en}, and again after every {every.en}"
    return Words(ru=ru, en=en)


def _action(robot: Robot, pipeline: Pipeline) -> Words:
    match robot.do:
        case p.PlanActivity() as plan:
            ru, en = _ACTIVITIES[plan.plan]
            due = period_words(plan.due) if plan.due is not None else None
            head_ru, head_en = (" руководителю", " for the head") if plan.assignee == "head" else ("", "")
            return Words(
                ru=f"запланировать {ru}{head_ru}: {plan.text.ru}"[:900]
                + (f"; срок — {due.ru}" if due else "")
                + ("; ключевое: не в срок — инцидент" if plan.key else ""),
                en=f"plan {en}{head_en}: {plan.text.en}"[:900]
                + (f"; due within {due.en}" if due else "")
                + ("; a key action: late, it is an incident" if plan.key else ""),
            )
        case p.NotifyHead(notify_head=text):
            return Words(ru=f"позвать руководителя: {text.ru}"[:1_000], en=f"call in the head: {text.en}"[:1_000])
        case p.AssignTo(assign="next"):
            return Words(ru="передать следующему по очереди", en="hand over to whoever's turn it is")
        case p.AssignTo(assign=name):
            return Words(ru=f"передать: {name}", en=f"hand over to {name}")
        case p.MoveTo(move=to):
            titles = _stage(to, pipeline)
            return Words(ru=f"перевести в «{titles.ru}»", en=f"move to “{titles.en}”")
        case p.RejectAs(reject=status, reason=None, reason_field=str() as field):
            titles, asked = _stage(status, pipeline), _field(field, pipeline)
            return Words(
                ru=f"забраковать: «{titles.ru}», причина — из поля «{asked.ru}»",
                en=f"reject as “{titles.en}”, for the reason in “{asked.en}”",
            )
        case p.RejectAs(reject=status, reason=reason):
            titles = _stage(status, pipeline)
            stage = pipeline.by_id.get(status)
            named = stage.reason(reason) if stage is not None else None
            ru, en = f"забраковать: «{titles.ru}»", f"reject as “{titles.en}”"
            return Words(
                ru=f"{ru} ({named.titles.ru})" if named else ru, en=f"{en} ({named.titles.en})" if named else en
            )
        case p.SetField(field=field, value=value):
            titles = _field(field, pipeline)
            shown = value[:200]
            return Words(
                ru=f"записать в «{titles.ru}»: {shown}" if shown else f"очистить «{titles.ru}»",
                en=f"write into “{titles.en}”: {shown}" if shown else f"clear “{titles.en}”",
            )
        case p.ChangeTag(tag=tag, action="add"):
            return Words(ru=f"поставить метку «{tag}»", en=f"put on the tag “{tag}”")
        case p.ChangeTag(tag=tag):
            return Words(ru=f"снять метку «{tag}»", en=f"take off the tag “{tag}”")
        case p.SendEmail(email=template):
            return _sent(("отправить письмо", "send the letter"), template, robot.do.language, pipeline)
        case p.SendSms(sms=template):
            return _sent(("отправить SMS", "send the short message"), template, robot.do.language, pipeline)
        case p.ChangeAudience(audience=audience, service=service, action=action):
            name = SERVICES[service]
            return (
                Words(ru=f"добавить в аудиторию {name} «{audience}»", en=f"add to the {name} audience “{audience}”")
                if action == "add"
                else Words(
                    ru=f"убрать из аудитории {name} «{audience}»", en=f"take out of the {name} audience “{audience}”"
                )
            )
        case p.RaiseIncident(incident=text):
            return Words(
                ru=f"записать инцидент ответственного: {text.ru}"[:1_000],
                en=f"record an incident of the responsible: {text.en}"[:1_000],
            )
        case p.CallWebhook(webhook=name):
            return Words(ru=f"сообщить внешней системе: {name}", en=f"tell the other system: {name}")


def _sent(what: tuple[str, str], template: str, language: str, pipeline: Pipeline) -> Words:
    titles = template_titles(template, pipeline)
    ru, en = f"{what[0]} «{titles.ru}»", f"{what[1]} “{titles.en}”"
    return Words(ru=f"{ru} по-английски", en=f"{en} in English") if language == "en" else Words(ru=ru, en=en)


def template_titles(template: str, pipeline: Pipeline) -> Titles:
    """What a template is called; by its id where this version has it not."""
    found = pipeline.templates_by_id.get(template)
    return found.titles if found is not None else Titles(ru=template, en=template)


def _more(robot: Robot) -> list[Words]:
    found = []
    if robot.on_leave == "keep":
        found.append(Words(ru="сработает и после ухода со стадии", en="runs even when the stage was left"))
    if robot.on_leave == "run_now":
        found.append(Words(ru="при уходе со стадии раньше — сразу", en="at once when the stage is left before it"))
    if robot.when_predecessor_did_not_run == "run":
        found.append(Words(ru="и если предыдущий робот не сработал", en="also when the robot before it did not run"))
    if robot.start.date is not None and not robot.retime:
        found.append(Words(ru="срок не меняется вместе с датой", en="keeps its instant when the date changes"))
    if robot.once == "person":
        found.append(Words(ru="один раз для каждого клиента", en="once for each client"))
    return found


def _stage(stage: str, pipeline: Pipeline) -> Titles:
    found: Stage | None = pipeline.by_id.get(stage)
    return found.titles if found is not None else Titles(ru=stage, en=stage)


def _field(field: str, pipeline: Pipeline) -> Titles:
    found = pipeline.fields_by_id.get(field)
    if found is not None:
        return found.titles
    contact = {"name": ("имя", "name"), "company": ("компания", "company"), "phone": ("телефон", "phone")}
    ru, en = contact.get(field, ("e-mail", "e-mail") if field == "email" else (field, field))
    return Titles(ru=ru, en=en)


def _form(count: int, forms: tuple[str, str, str]) -> str:
    """The Russian form that goes with a count."""
    if count % 10 == 1 and count % 100 != 11:
        return forms[0]
    return forms[1] if count % 10 in (2, 3, 4) and count % 100 not in (12, 13, 14) else forms[2]
