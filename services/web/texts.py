"""All words of the pages, in Russian and English, in one table.

Invariants: every text stands in both languages; a key that does not exist raises KeyError (in tests, not before people: a test
renders every page in both languages). Texts hold no HTML.
"""

from __future__ import annotations

from typing import Literal

Language = Literal["ru", "en"]
LANGUAGES: tuple[Language, ...] = ("ru", "en")

TEXTS: dict[str, tuple[str, str]] = {
    # frame
    "board": ("Доска", "Board"),
    "leads": ("Лиды", "Leads"),
    "intake": ("Входящие", "Intake"),
    "ops": ("Система", "System"),
    "api": ("API", "API"),
    "demo_form": ("Отправить заявку", "Post a form"),
    "search": ("Найти: телефон, e-mail, имя", "Find: phone, e-mail, name"),
    "find": ("Найти", "Find"),
    "logout": ("Выйти", "Sign out"),
    "other_language": ("English", "Русский"),
    "zone": ("Время — {zone}", "Times in {zone}"),
    "back": ("Назад", "Back"),
    "save": ("Записать", "Record"),
    "cancel": ("Отмена", "Cancel"),
    "role.seller": ("продавец", "seller"),
    "role.head": ("руководитель", "head"),
    "role.ops": ("администратор", "operations"),
    "role.auditor": ("аудитор", "auditor"),
    "role.adapter": ("адаптер", "adapter"),
    # sign in
    "login": ("Вход", "Sign in"),
    "token": ("Токен", "Token"),
    "login_button": ("Войти", "Sign in"),
    "login_help": (
        "Токен выдаёт администратор командой: leadline token --as ИМЯ --role seller",
        "Operations make tokens with: leadline token --as NAME --role seller",
    ),
    "login_wrong": ("Такого токена нет, или он отозван.", "This token is not known or was revoked."),
    "login_adapter": (
        "Токен адаптера годится только для входящих сообщений.",
        "An adapter's token is for inbound messages only.",
    ),
    "login_foreign": (
        "Форма пришла не с этой страницы. Откройте её заново и повторите.",
        "The form did not come from this page. Open it again and repeat.",
    ),
    # board
    "pipeline": ("Воронка", "Pipeline"),
    "place": ("{place} из {places}", "{place} of {places}"),
    "kind.open": ("в работе", "open"),
    "kind.won": ("сделка", "won"),
    "kind.lost": ("забракован", "lost"),
    "kind.postponed": ("отложен", "postponed"),
    "count": ("{count} шт.", "{count}"),
    "more": ("Показать ещё", "Show more"),
    "shown": ("показано {shown} из {count}", "{shown} of {count} shown"),
    "empty_column": ("пусто", "empty"),
    "no_name": ("Без имени", "No name"),
    "erased": ("данные удалены", "data erased"),
    "erased_long": (
        "Данные клиента удалены по его праву. История и цифры остаются, команды не принимаются.",
        "The person's data was erased. History and numbers stay, commands are not taken.",
    ),
    "nobody": ("без ответственного", "nobody responsible"),
    "move_to": ("Перенести", "Move to"),
    "move": ("Перенести", "Move"),
    "until": ("до {date}", "until {date}"),
    "behind": (
        "Доска ещё не показывает последнее изменение. Обновите страницу.",
        "The board does not show the last change yet. Reload the page.",
    ),
    "moved": ("Готово: {name} — «{stage}».", "Done: {name} is in “{stage}”."),
    "no_pipelines": ("Воронок ещё нет.", "There are no pipelines yet."),
    "days": ("{n} д", "{n} d"),
    "hours": ("{n} ч", "{n} h"),
    "minutes": ("{n} мин", "{n} min"),
    "in_stage": ("в стадии", "in stage"),
    # lists
    "found": ("Найдено", "Found"),
    "nothing": ("Ничего не найдено.", "Nothing found."),
    "stage": ("Стадия", "Stage"),
    "responsible": ("Ответственный", "Responsible"),
    "amount": ("Сумма", "Amount"),
    "source": ("Источник", "Source"),
    "received": ("Получен", "Received"),
    "mine": ("Мои", "Mine"),
    "all": ("Все", "All"),
    "next_page": ("Дальше", "Next"),
    # lead
    "lead": ("Лид", "Lead"),
    "version": ("версия {version}", "version {version}"),
    "path": ("Путь", "Path"),
    "checklist": ("Чтобы перейти дальше", "To go on"),
    "checklist_none": ("У этой стадии нет условий выхода.", "This stage has no exit criteria."),
    "met": ("есть", "met"),
    "unmet": ("нет", "missing"),
    "next_step": ("Следующий шаг", "Next step"),
    "facts": ("Карточка", "Card"),
    "name": ("Имя", "Name"),
    "company": ("Компания", "Company"),
    "phone": ("Телефон", "Phone"),
    "email": ("E-mail", "E-mail"),
    "comment": ("Комментарий", "Comment"),
    "contact": ("Контакт", "Contact"),
    "actions": ("Действия", "Actions"),
    "see": ("Увидел", "Seen"),
    "accept": ("Принять в работу", "Take into work"),
    "record": ("Записать в карточку", "Record on the card"),
    "offer": ("Предложение сделано", "Offer made"),
    "volume": ("Объём", "Volume"),
    "price": ("Стоимость", "Price"),
    "currency": ("Валюта", "Currency"),
    "delivery_date": ("Срок: дата", "Delivery: a date"),
    "delivery_days": ("или дней", "or days"),
    "answer": ("Ответ клиента", "The client's answer"),
    "answer.consent": ("Согласие", "Consent"),
    "answer.refusal": ("Отказ", "Refusal"),
    "answer.thinking": ("Думает", "Thinking"),
    "reject": ("Забраковать", "Reject"),
    "status": ("Причина", "Reason"),
    "pause": ("Приостановить", "Pause"),
    "until_date": ("Вернуть", "Comes back on"),
    "reason": ("Причина", "Reason"),
    "convert": ("Сконвертировать в сделку", "Convert to a deal"),
    "reopen": ("Возобновить", "Reopen"),
    "assign": ("Передать", "Assign"),
    "assign_to": ("Кому", "To whom"),
    "take": ("Взять себе", "Take it myself"),
    "stages": ("Стадии", "Stages"),
    "blocked": ("Нельзя", "Not now"),
    "read_only": (
        "С вашей ролью лид можно только смотреть.",
        "Your role lets you look at leads only.",
    ),
    "refused": ("Не получилось", "Refused"),
    "refused_missing": ("Не хватает", "Missing"),
    "rules": ("Правила", "Rules"),
    "invalid": ("Проверьте, что введено: {where}", "Check what was typed: {where}"),
    "timeline": ("История", "Timeline"),
    "show_all": ("Показать всё ({count})", "Show all ({count})"),
    "on_behalf": ("от имени {who}", "on behalf of {who}"),
    "recorded_later": ("записано {at}", "recorded {at}"),
    "actor.person": ("человек", "person"),
    "actor.robot": ("робот", "robot"),
    "actor.trigger": ("триггер", "trigger"),
    "actor.adapter": ("адаптер", "adapter"),
    "actor.import": ("импорт", "import"),
    "actor.system": ("система", "system"),
    "actor.client": ("клиент", "client"),
    # timeline sentences
    "event.leadline.lead.captured": ("Заявка получена: {source}", "The lead came in: {source}"),
    "event.leadline.lead.stage_entered": ("Стадия «{stage}»", "Stage “{stage}”"),
    "event.stage_from": ("Стадия «{before}» → «{stage}»", "Stage “{before}” → “{stage}”"),
    "event.leadline.lead.assigned": ("Ответственный: {to}", "Responsible: {to}"),
    "event.in_turn": ("по очереди", "in turn"),
    "event.by_hand": ("вручную", "by hand"),
    "event.leadline.lead.seen": ("Увидел заявку", "Saw the lead"),
    "event.leadline.lead.accepted": ("Принял в работу", "Took it into work"),
    "event.leadline.lead.card_recorded": ("Записано в карточку", "Recorded on the card"),
    "event.leadline.lead.offer_made": ("Сделано предложение", "An offer was made"),
    "event.leadline.lead.answer_received": ("Ответ клиента: {answer}", "The client's answer: {answer}"),
    "event.leadline.lead.rejected": ("Забракован: «{status}»", "Rejected: “{status}”"),
    "event.leadline.lead.paused": ("Приостановлен до {until}", "Paused until {until}"),
    "event.leadline.lead.converted": ("Сконвертирован", "Converted"),
    "event.leadline.lead.reopened": ("Возобновлён", "Reopened"),
    "event.leadline.lead.inbound_joined": ("Ещё одно обращение: {source}", "Another message: {source}"),
    "event.leadline.lead.duplicate_suspected": (
        "Возможный дубль: тот же {kind} у человека с другим именем",
        "Possible duplicate: a person of another name has the same {kind}",
    ),
    "cleared": ("(стёрто)", "(cleared)"),
    "channel": ("Канал", "Channel"),
    "form": ("Форма", "Form"),
    "candidates": ("Очередь", "Rotation"),
    "other_lead": ("Другой лид", "Other lead"),
    "days_of": ("{days} дн.", "{days} days"),
    "delivery": ("Сроки", "Delivery"),
    # intake
    "outcome.quarantined": ("Карантин", "Quarantine"),
    "outcome.waiting": ("Ждут", "Waiting"),
    "outcome.accepted": ("Приняты", "Accepted"),
    "outcome.joined": ("Присоединены", "Joined"),
    "outcome": ("Итог", "Outcome"),
    "attempt": ("Попытка", "Attempt"),
    "why": ("Почему", "Why"),
    "open": ("Открыть", "Open"),
    "message": ("Сообщение", "Message"),
    "as_received": ("Как пришло", "As received"),
    "files": ("Файлы, байт", "Files, bytes"),
    "original_letter": ("Письмо, как пришло", "The letter as received"),
    "in_force": ("Действует", "In force"),
    "until_attempt": ("До попытки {attempt}", "Until attempt {attempt}"),
    "mend": ("Исправить и обработать снова", "Mend and run again"),
    "mend_help": (
        "Время получения не изменится, исходный текст сохранится.",
        "The time of receipt stays, and the original is kept.",
    ),
    "rerun": ("Обработать снова как есть", "Run again as it is"),
    "rerun_done": ("Сообщение снова в обработке, попытка {attempt}.", "The message runs again, attempt {attempt}."),
    "not_quarantined": (
        "Исправлять и обрабатывать снова можно только сообщения из карантина.",
        "Only messages in quarantine can be mended and run again.",
    ),
    "reason.no_contact": ("нет ни телефона, ни e-mail", "neither phone nor e-mail was given"),
    "reason.unreadable_contact": ("телефон или e-mail не читаются", "the phone or e-mail given cannot be read"),
    "reason.malformed": ("не соответствует форме", "not as the contract says"),
    "reason.unknown_type": ("тип сообщения неизвестен", "the message's type is not known"),
    "reason.no_reader": ("сообщения этого канала пока не читаются", "messages of this channel are not read yet"),
    "reason.erased": ("данные клиента удалены", "the person was erased"),
    "empty_intake": ("Здесь пусто.", "Nothing here."),
    "body_erased": ("Сообщение удалено вместе с данными клиента.", "The message was erased with its person."),
    "body_closed": ("Текст сообщения видят руководитель и администратор.", "Bodies are for head and operations."),
    # ops
    "notices": ("Замечания", "Notices"),
    "no_notices": ("Замечаний нет.", "There are no notices."),
    "parked": ("Отложенные записи", "Parked records"),
    "no_parked": ("Отложенных записей нет.", "No records are parked."),
    "lag": ("Отставание", "Lag"),
    "no_lag": ("Данных ещё нет.", "There is nothing to show yet."),
    "consumer": ("Потребитель", "Consumer"),
    "build": ("Сборка", "Build"),
    "topic": ("Топик", "Topic"),
    "records": ("Записей", "Records"),
    "since": ("С", "Since"),
    "outbox": ("На пути в Kafka", "On the way to Kafka"),
    "in_quarantine": ("В карантине", "In quarantine"),
    "clock": ("Учебные часы", "Practice clock"),
    "clock_move": ("Перевести вперёд", "Move on"),
    "now": ("Сейчас", "Now"),
    # demo
    "demo_title": ("Заявка с сайта", "A form on a web site"),
    "demo_sent": ("Заявка принята, её номер {inbound_id}.", "The form was accepted, its id is {inbound_id}."),
    "demo_send": ("Отправить", "Send"),
    "demo_go": ("Через секунду она появится на доске.", "It will be on the board in a second."),
    # errors
    "error": ("Ошибка", "Error"),
    "error.403": ("Для этого нужна другая роль.", "This needs another role."),
    "error.404": ("Здесь ничего нет.", "There is nothing here."),
    "error.409": (
        "Пока вы смотрели, это изменилось. Откройте ещё раз.",
        "This changed while you looked. Open it again.",
    ),
    "error.413": ("Слишком много данных.", "This is too large."),
    "error.422": ("Что-то введено не так.", "Something typed is not right."),
    "error.503": (
        "Часть системы сейчас не отвечает. Повторите через минуту: повтор ничего не удвоит.",
        "A part of the system does not answer at the moment. Repeat in a minute: a repeat doubles nothing.",
    ),
    "error.other": (
        "Не получилось. Подробности — в журнале системы.",
        "This failed. The system's log has the details.",
    ),
    "error.details": ("Для администратора", "For operations"),
    "to_board": ("На доску", "To the board"),
}


class Words:
    """Texts in one language: `words("count", count=3)`."""

    def __init__(self, language: str) -> None:
        self.language: Language = "en" if language == "en" else "ru"
        self._index = LANGUAGES.index(self.language)

    def __call__(self, key: str, **values: object) -> str:
        """The text of a key. Raises KeyError for one that does not exist."""
        text = TEXTS[key][self._index]
        return text.format(**values) if values else text

    def get(self, key: str, otherwise: str) -> str:
        """The text of a key, or `otherwise`."""
        return TEXTS[key][self._index] if key in TEXTS else otherwise

    def of(self, titles: object) -> str:
        """The title in this language, of anything with `ru` and `en`."""
        return str(getattr(titles, self.language))
