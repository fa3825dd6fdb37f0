"""What `leadline test` says, in Russian and English. Invariant: every text stands in both languages."""

from __future__ import annotations

from typing import Final

from services.leads.scenarios.script import Language

TEXTS: Final[dict[str, tuple[str, str]]] = {
    # reading
    "no_header": (
        "файл начинается строкой «Воронка: ID», например «Воронка: classic»",
        "the file begins with a line «Pipeline: ID», for example «Pipeline: classic»",
    ),
    "second_header": (
        "воронка уже названа выше; один файл — одна воронка",
        "the pipeline is named above; one file, one pipeline",
    ),
    "header_id": (
        "«{text}» — не id воронки; он стоит в её файле: pipeline: ID",
        "«{text}» is no pipeline's id; it stands in its file: pipeline: ID",
    ),
    "long_line": ("строка длиннее {most} знаков", "the line is longer than {most} characters"),
    "before_scenario": (
        "«{text}» стоит до первого сценария; сценарий начинается строкой «Сценарий: его название»",
        "«{text}» stands before the first scenario; one begins with a line «Scenario: its name»",
    ),
    "no_scenarios": (
        "в файле нет ни одного сценария; он начинается строкой «Сценарий: его название»",
        "the file has no scenario; one begins with a line «Scenario: its name»",
    ),
    "no_name": (
        "у сценария нет названия: «Сценарий: о чём он»",
        "the scenario has no name: «Scenario: what it is about»",
    ),
    "name_twice": (
        "сценарий «{name}» уже есть в строке {first}; назовите иначе",
        "the scenario «{name}» stands in line {first} already; name it otherwise",
    ),
    "no_part": (
        "«{text}»: предложение начинается словом Дано, Когда, Тогда, И, А или Но; строка с данными стоит правее него",
        "«{text}»: a sentence begins with Given, When, Then, And or But; a line of data stands further right than its sentence",
    ),
    "nothing_to_go_on": (
        "«{word}» продолжает предложение выше, а его нет; начните с Дано, Когда или Тогда",
        "«{word}» goes on with the sentence above, and there is none; begin with Given, When or Then",
    ),
    "not_understood": ("не понимаю «{text}». Похоже на: {near}", "«{text}» is not understood. It looks like: {near}"),
    "detail_of_nothing": ("«{text}» не относится ни к какому предложению", "«{text}» belongs to no sentence"),
    "no_items_here": ("под «{step}» нет списка", "there is no list below «{step}»"),
    "no_fields_here": (
        "«{text}»: под «{step}» данных не пишут",
        "«{text}»: no data is written below «{step}»",
    ),
    "no_detail": (
        "«{text}»: данные пишут так: «Название поля: значение»",
        "«{text}»: data is written so: «Name of the field: value»",
    ),
    "expects_nothing": (
        "сценарий «{name}» ничего не ждёт: добавьте «Тогда …»",
        "the scenario «{name}» expects nothing: add «Then …»",
    ),
    # names
    "other_pipeline": (
        "сценарии написаны для воронки {theirs}, а проверяется {ours}",
        "the scenarios are of the pipeline {theirs}, and {ours} is being tested",
    ),
    "no_stage": ("в воронке нет стадии «{text}». {near}", "the pipeline has no stage «{text}». {near}"),
    "no_field": ("в карточке нет поля «{text}». {near}", "the card has no field «{text}». {near}"),
    "no_fact": ("в воронке нет факта «{text}». {near}", "the pipeline has no fact «{text}». {near}"),
    "no_option": ("у «{of}» нет значения «{text}». {near}", "«{of}» has no value «{text}». {near}"),
    "no_reason": ("у стадии «{of}» нет причины «{text}». {near}", "the stage «{of}» has no reason «{text}». {near}"),
    "maybe": ("Может быть: {names}?", "Perhaps: {names}?"),
    "there_are": ("Есть: {names}.", "There are: {names}."),
    "there_are_none": ("Их здесь нет.", "There are none."),
    "no_period": (
        "«{text}» — не срок; пишут: 3 дня, 2 недели, 12 месяцев, год",
        "«{text}» is no length of time; write: 3 days, 2 weeks, 12 months, 1 year",
    ),
    "no_day": (
        "«{text}» — не дата и не срок; пишут: 01.09.2026 или 30 дней",
        "«{text}» is neither a date nor a length of time; write: 2026-09-01 or 30 days",
    ),
    "no_money": ("«{text}» — не сумма; пишут: 120 000 RUB", "«{text}» is no amount; write: 120 000 RUB"),
    "not_offered": (
        "предложению нужны строки «Объём: …», «Стоимость: …», «Срок: …»",
        "an offer needs the lines «Volume: …», «Price: …», «Delivery: …»",
    ),
    "no_outcome": ("не бывает исхода «{text}». {near}", "there is no outcome «{text}». {near}"),
    "not_valid": ("это действие так не записать: {why}", "this act cannot be recorded like this: {why}"),
    "no_lead_yet": (
        "лида ещё нет: начните с «Дано лид в стадии …»",
        "there is no lead yet: begin with «Given a lead in the stage …»",
    ),
    "lead_there": ("лид уже есть", "there is a lead already"),
    "no_phone": (
        "у лида нет телефона: клиенту неоткуда позвонить",
        "the lead has no phone that the client could call from",
    ),
    "no_email": (
        "у лида нет e-mail: клиенту неоткуда написать",
        "the lead has no e-mail that the client could write from",
    ),
    "other_lead": ("обращение стало другим, новым лидом", "the message became another, new lead"),
    "no_document": ("«{text}» — не документ. {near}", "«{text}» is no document. {near}"),
    "no_activity": ("у лида нет незавершённых дел", "the lead has no open activities"),
    # playing
    "ok": ("верно", "ok"),
    "failed": ("неверно", "failed"),
    "summary": ("сценариев {all}: верно {good}, неверно {bad}", "{all} scenarios: {good} ok, {bad} failed"),
    "expected": ("ожидалось: {what}", "expected: {what}"),
    "came_out": ("вышло: {what}", "came out: {what}"),
    "given_refused": ("так не бывает: {why}", "that cannot be: {why}"),
    "given_left": (
        "так не бывает: с этими данными лид сам уходит в стадию «{stage}»",
        "that cannot be: with this data the lead moves by itself to the stage «{stage}»",
    ),
    "unexpected_refusal": (
        "отказ, которого сценарий не ждал: {why}",
        "a refusal that the scenario does not expect: {why}",
    ),
    "no_refusal": ("отказа не было: {what}", "it was not refused: {what}"),
    "in_stage": ("лид в стадии «{stage}»", "the lead is in the stage “{stage}”"),
    "in_stage_by": ("лид в стадии «{stage}», {cause}", "the lead is in the stage “{stage}”, {cause}"),
    "refused_words": ("отказ: {why}", "refused: {why}"),
    "refused_by": ("отказ по правилам {rules}: {why}", "refused by the rules {rules}: {why}"),
    "missing": ("не хватает: {items}", "missing: {items}"),
    "nothing_missing": ("всё есть, можно", "nothing is missing, the way is open"),
    "allowed": ("в стадию «{stage}» можно", "the stage “{stage}” is open to it"),
    "not_allowed": ("в стадию «{stage}» нельзя: {why}", "the stage “{stage}” is not open to it: {why}"),
    "ways": ("дальше можно: {stages}", "it can go to: {stages}"),
    "no_ways": ("дальше никуда нельзя", "it can go nowhere"),
    "proposed": ("предлагается: {stages}", "proposed: {stages}"),
    "nothing_proposed": ("ничего не предлагается", "nothing is proposed"),
    "field_is": ("{field}: {value}", "{field}: {value}"),
    "empty": ("пусто", "empty"),
    "unknown": ("пока неизвестно", "not known yet"),
    "yes": ("да", "yes"),
    "no": ("нет", "no"),
    "marked": ("отмечено «{fact}»", "“{fact}” is marked"),
    "marked_as": ("отмечено «{fact}»: «{value}»", "“{fact}” is marked: “{value}”"),
    "not_marked": ("«{fact}» не отмечено", "“{fact}” is not marked"),
    "remains": ("от лида остаётся «{outcome}»", "what remains of the lead is “{outcome}”"),
    "remains_all": ("лид не закрыт", "the lead is not lost"),
    "deal": ("сделка засчитана", "a deal counts"),
    "no_deal": ("сделка не засчитана", "no deal counts"),
    "override": ("записано отступление от правил", "the departure from the rules is recorded"),
    "no_override": ("отступления от правил нет", "there is no departure from the rules"),
    "kind.open": ("лид в работе", "the lead is open"),
    "kind.won": ("лид выигран", "the lead is won"),
    "kind.lost": ("лид закрыт", "the lead is closed"),
    "kind.postponed": ("лид отложен", "the lead is put off"),
    "activities": ("дела: {items}", "activities: {items}"),
    "no_activities": ("дел нет", "no activities"),
    "needs_reason": ("нужна причина", "a reason is needed"),
    # outcomes (C1)
    "outcome.refused": ("ничего", "nothing"),
    "outcome.contact": ("контакт на будущее", "a contact for the future"),
    "outcome.ads": ("только реклама", "advertising alone"),
    "outcome.bad_data": ("ничего: данные удаляются", "nothing: the data is deleted"),
    # the card's own words
    "contact.name": ("Имя", "Name"),
    "contact.company": ("Фирма", "Company"),
    "contact.phone": ("Телефон", "Phone"),
    "contact.email": ("E-mail", "E-mail"),
    "source": ("Источник", "Source"),
    "comment": ("Комментарий", "Comment"),
    "volume": ("Объём", "Volume"),
    "price": ("Стоимость", "Price"),
    "delivery": ("Срок", "Delivery"),
    # activities
    "activity.call": ("звонок", "call"),
    "activity.letter": ("письмо", "letter"),
    "activity.meeting": ("встреча", "meeting"),
    "activity.task": ("задача", "task"),
    # documents
    "document.proposal": ("коммерческое предложение", "offer"),
    "document.contract": ("договор", "contract"),
    "document.invoice": ("счёт", "invoice"),
    "document.brief": ("бриф", "brief"),
    "document.presentation": ("презентация", "presentation"),
    # causes of a change of stage
    "cause.captured": ("только что поступил", "just came in"),
    "cause.moved": ("переведён", "moved"),
    "cause.rejected": ("закрыт", "rejected"),
    "cause.paused": ("отложен", "put off"),
    "cause.converted": ("сделка заключена", "converted"),
    "cause.reopened": ("возвращён в работу", "reopened"),
    "cause.auto": ("перешёл сам", "moved by itself"),
    "cause.adopted": ("воронка изменилась", "the pipeline changed"),
    "cause.undone": ("переход отменён", "a move was undone"),
    "cause.unmerged": ("разъединён", "unmerged"),
    # the story
    "story": ("История лида:", "The lead's story:"),
    "story.captured": ("лид поступил: {source}", "the lead came in: {source}"),
    "story.stage": ("«{before}» → «{stage}» ({cause})", "“{before}” → “{stage}” ({cause})"),
    "story.first": ("стадия «{stage}»", "stage “{stage}”"),
    "story.seen": ("увидел заявку", "saw the lead"),
    "story.accepted": ("принял в работу", "took it into work"),
    "story.reopened": ("возвращён в работу{reason}", "reopened{reason}"),
    "story.approval.granted": ("руководитель согласовал", "the head approved"),
    "story.approval.denied": ("руководитель не согласовал", "the head did not approve"),
    "story.sent": ("отправлено клиенту: {what}", "sent to the client: {what}"),
    "story.attached": ("приложен файл {what}", "the file {what} was attached"),
    "story.converted": ("сделка", "a deal"),
    "story.assigned": ("ответственный: {to}", "responsible: {to}"),
    "story.card": ("записано: {what}", "recorded: {what}"),
    "story.offer": ("предложение: {volume}, {price}, {delivery}", "offer: {volume}, {price}, {delivery}"),
    "story.answer.consent": ("клиент согласился", "the client consented"),
    "story.answer.refusal": ("клиент отказался", "the client refused"),
    "story.fact": ("отмечено «{fact}»", "marked “{fact}”"),
    "story.fact_value": ("отмечено «{fact}»: «{value}»", "marked “{fact}”: “{value}”"),
    "story.withdrawn": ("снята отметка «{fact}»", "taken back “{fact}”"),
    "story.paused": ("отложен до {until}: {reason}", "put off until {until}: {reason}"),
    "story.rejected": (
        "закрыт как «{status}»{reason}; остаётся: {outcome}",
        "closed as “{status}”{reason}; what remains: {outcome}",
    ),
    "story.inbound": ("клиент обратился сам: {source}", "the client turned to us: {source}"),
    "story.call": ("звонок клиента", "a call of the client"),
    "story.letter": ("письмо клиента", "a letter of the client"),
    "story.planned": ("запланировано: {what}", "planned: {what}"),
    "story.done": ("сделано: {what}", "done: {what}"),
    "story.refused": ("отказ: {why}", "refused: {why}"),
    "days": ("{n} дн.", "{n} days"),
}


def say(language: Language, key: str, **values: object) -> str:
    """The text of a key. Raises KeyError for one that does not exist."""
    text = TEXTS[key][0 if language == "ru" else 1]
    return text.format(**values) if values else text
