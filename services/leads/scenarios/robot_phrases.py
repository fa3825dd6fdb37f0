"""Sentences about time, robots and what goes out to the client, as data (R1-R6, docs/howto/pipelines.md)."""

from __future__ import annotations

from typing import Final

from services.leads.scenarios.phrase import Phrase

HAPPENS: Final = (
    Phrase(
        "time", "when", "проходит {period*}", "{period*} pass(es|)",
        ("проходит 12 месяцев", "12 months pass"), alone=True,
    ),
    Phrase(
        "after", "when", "через {period*}", "after {period*}",
        ("через 1 рабочий час", "after 1 working hour"), alone=True,
    ),
    Phrase("mail_down", "when", "почта не работает", "the mail is down", ("почта не работает", "the mail is down"), alone=True),
    Phrase(
        "mail_up", "when", "почта снова работает", "the mail works again",
        ("почта снова работает", "the mail works again"), alone=True,
    ),
)  # fmt: skip
"""What happens without anybody acting."""

TO_ROBOTS: Final = (
    Phrase(
        "dials", "when", "звонит клиенту[,] но тот не отвечает[, {times*} раз(а|)]",
        "calls the client[,] but nobody answers[, {times*} times]",
        ("звонит клиенту, но тот не отвечает, 3 раза", "calls the client, but nobody answers, 3 times"),
    ),
    Phrase(
        "refuses", "when", "отказывается от (писем|e-mail)", "refuses letters",
        ("отказывается от писем", "refuses letters"),
    ),
    Phrase(
        "refuses_calls", "when", "отказывается от звонков", "refuses calls",
        ("отказывается от звонков", "refuses calls"),
    ),
    Phrase(
        "refuses_sms", "when", "отказывается от SMS", "refuses text messages",
        ("отказывается от SMS", "refuses text messages"),
    ),
    Phrase(
        "refuses_ads", "when", "отказывается от рекламы", "refuses advertising",
        ("отказывается от рекламы", "refuses advertising"),
    ),
    Phrase(
        "refuses_all", "when", "просит больше не обращаться", "asks not to be contacted again",
        ("просит больше не обращаться", "asks not to be contacted again"),
    ),
)  # fmt: skip
"""What somebody does that robots go by."""

OF_ROBOTS: Final = (
    Phrase(
        "robot_sent_letter", "then", "робот {robot} отправил письмо", "the robot {robot} sent a letter",
        ("робот «Поблагодарить за заявку» отправил письмо", "the robot “Thank for the application” sent a letter"),
    ),
    Phrase(
        "robot_sent_sms", "then", "робот {robot} отправил SMS", "the robot {robot} sent a text message",
        ("робот «Напомнить о занятии» отправил SMS", "the robot “Remind of the lesson” sent a text message"),
    ),
    Phrase(
        "robot_not_yet", "then", "робот {robot} ещё не сработал", "the robot {robot} has not run yet",
        ("робот «Перезвонить» ещё не сработал", "the robot “Call back” has not run yet"),
    ),
    Phrase(
        "robot_ran", "then", "робот {robot} сработал", "the robot {robot} ran",
        ("робот «Перезвонить» сработал", "the robot “Call back” ran"),
    ),
    Phrase(
        "robot_skipped", "then", "робот {robot} пропущен[: {why*}]", "the robot {robot} was skipped[: {why*}]",
        ("робот «Перезвонить» пропущен: клиент отказался", "the robot “Call back” was skipped: the client refused"),
    ),
    Phrase(
        "robot_cancelled", "then", "робот {robot} отменён", "the robot {robot} was cancelled",
        ("робот «Вернуться через год» отменён", "the robot “Come back after a year” was cancelled"),
    ),
    Phrase(
        "robot_waits", "then", "робот {robot} ждёт[ до {moment*}]", "the robot {robot} waits[ until {moment*}]",
        ("робот «Вернуться через год» ждёт до 02.03.2027", "the robot “Come back after a year” waits until 2027-03-02"),
    ),
    Phrase(
        "letter_accepted", "then", "письмо принято сервером", "the letter was accepted by the server",
        ("письмо принято сервером", "the letter was accepted by the server"),
    ),
    Phrase(
        "letter_waits", "then", "письмо ждёт отправки", "the letter waits to go out",
        ("письмо ждёт отправки", "the letter waits to go out"),
    ),
    Phrase(
        "letter_says", "then", "в письме сказано {words}", "the letter says {words}",
        ("в письме сказано «в течение одного рабочего часа»", "the letter says “within one working hour”"),
    ),
    Phrase(
        "nothing_sent", "then", "клиенту ничего не отправлено", "nothing was sent to the client",
        ("клиенту ничего не отправлено", "nothing was sent to the client"),
    ),
    Phrase(
        "planned_for", "then", "(дело|задача) {activity} поставлен(о|а) на {moment*}", "the activity {activity} is due {moment*}",
        ("задача «Перезвонить» поставлена на 02.03.2026 11:01", "the activity “Call back” is due 2026-03-02 11:01"),
    ),
    Phrase(
        "not_planned", "then", "(дела|задачи) {activity} нет", "there is no activity {activity}",
        ("задачи «Перезвонить» нет", "there is no activity “Call back”"),
    ),
)  # fmt: skip
"""What became of robots, letters and tasks."""
