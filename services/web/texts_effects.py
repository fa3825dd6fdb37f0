"""Words of the page about what is sent to the outside: dead letters, what waits (R3). Part of `texts.TEXTS`."""

from __future__ import annotations

from typing import Final

EFFECTS_TEXTS: Final[dict[str, tuple[str, str]]] = {
    "effects": ("Что уходит наружу", "What is sent out"),
    "effects.help": (
        "Письма, сообщения, аудитории и вебхуки, о которых попросили роботы. Что не удалось, можно повторить: номер остаётся тем "
        "же, дважды ничего не уйдёт.",
        "Letters, messages, audiences and webhooks that robots asked for. What failed can be repeated: it keeps its id, nothing "
        "goes out twice.",
    ),
    "effects.demo": (
        "Это демонстрация: письма и SMS никуда не уходят, они лежат файлами в папке {folder}",
        "This is a demo: letters and short messages go nowhere, they are files in the folder {folder}",
    ),
    "effects.failed": ("Не удалось", "Dead letters"),
    "effects.waiting": ("Ждут", "Waiting"),
    "effects.doubtful": ("Могли уйти дважды", "May have gone out twice"),
    "effects.none_failed": ("Всё, что просили, ушло или ещё ждёт.", "All that was asked for went out or waits still."),
    "effects.none_waiting": ("Ничего не ждёт.", "Nothing waits."),
    "effects.none_doubtful": ("Сомнительных нет.", "There are none."),
    "effects.doubtful_help": (
        "Ответ на попытку потерялся (почта не умеет узнавать повторы): спросите клиента или посмотрите журнал почтового сервера.",
        "The answer to a try was lost (mail cannot tell repeats): ask the client, or look at the mail server's log.",
    ),
    "effects.what": ("Что", "What"),
    "effects.of": ("Чьё", "Of"),
    "effects.way": ("Через", "By"),
    "effects.tries": ("Попыток", "Tries"),
    "effects.why": ("Почему", "Why"),
    "effects.since": ("С какого времени", "Since"),
    "effects.until": ("Следующая попытка", "Next try"),
    "effects.repeat": ("Повторить", "Repeat"),
    "effects.providers": ("Каналы", "Ways out"),
    "effects.limit": ("В минуту", "A minute"),
    "effects.paused": ("пауза до {at}: {why}", "paused until {at}: {why}"),
    "effects.works": ("работает", "works"),
    "effects.not_configured": ("не настроен", "not configured"),
    "effects.now": ("сейчас", "now"),
    "effects.reported": ("ответ записывается", "its outcome is being recorded"),
    "effects.lead": ("лид", "lead"),
    "effects.deal": ("сделка", "deal"),
    "effects.journal": ("журнал инцидентов", "incident journal"),
    "effects.more": ("Показаны первые {count}.", "The first {count} are shown."),
    "effects.gone": (
        "Это уже не в списке неудач: его повторили или оно удалось.",
        "This is no dead letter any more: it was repeated, or it went out.",
    ),
    "effect.email": ("письмо", "letter"),
    "effect.sms": ("SMS", "SMS"),
    "effect.audience": ("аудитория", "audience"),
    "effect.webhook": ("вебхук", "webhook"),
    "effect.notice": ("уведомление сотруднику", "notice to one of us"),
}
