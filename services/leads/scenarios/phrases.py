"""The sentences that scenarios are made of, as data: each in Russian and in English, with an example (docs/howto/pipelines.md).

What a pattern means stands at `phrase`. Invariant: the first phrase that fits a sentence of its part is meant, and each phrase's
example fits no phrase before it (a test holds both).
"""

from __future__ import annotations

from typing import Final

from services.leads.scenarios.deadline_phrases import OF_DEADLINES, TO_RESPONSIBLE
from services.leads.scenarios.people_phrases import OF_RESPONSIBLE, OF_TEAMS
from services.leads.scenarios.phrase import Phrase
from services.leads.scenarios.robot_phrases import HAPPENS, OF_ROBOTS, TO_ROBOTS
from services.leads.scenarios.work_phrases import OF_WORK, TO_WORK

ACTORS: Final[dict[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "seller": (("продавец", "менеджер"), ("the seller", "a seller", "the manager")),
    "head": (("руководитель",), ("the head", "a head")),
    "client": (("клиент",), ("the client", "a client")),
    "robot": (("робот", "система"), ("a robot", "the robot", "the system")),
}
"""Who can act, and how they are called in each language."""

_GIVEN = (
    Phrase(
        "lead", "given",
        "лид в стадии {stage}[ из стадии {before}][ по причине {reason}]",
        "a lead in the stage {stage}[ from the stage {before}][ because of {reason}]",
        ("лид в стадии «Отложено» из стадии «Встреча»", "a lead in the stage “Postponed” from the stage “Meeting”"), "fields",
    ),
    Phrase("nothing", "given", "лида ещё нет", "there is no lead yet", ("лида ещё нет", "there is no lead yet")),
    Phrase("today", "given", "сегодня {day*}", "today is {day*}", ("сегодня 02.03.2026", "today is 2026-03-02")),
)  # fmt: skip

_WHEN = (
    Phrase("see", "when", "видит (заявку|лид)", "sees the lead", ("видит заявку", "sees the lead")),
    Phrase(
        "accept", "when", "принимает (заявку|лид)[ в работу]", "takes the lead into work",
        ("принимает заявку в работу", "takes the lead into work"),
    ),
    Phrase(
        "record", "when", "записывает[ в карточку][:]", "writes[ on the card][:]",
        ("записывает", "writes"), "fields",
    ),
    Phrase("offer", "when", "делает предложение[:]", "makes an offer[:]", ("делает предложение", "makes an offer"), "fields"),
    Phrase(
        "consent", "when", "записывает согласие клиента", "records the client's consent",
        ("записывает согласие клиента", "records the client's consent"),
    ),
    Phrase(
        "refusal", "when", "записывает отказ клиента", "records the client's refusal",
        ("записывает отказ клиента", "records the client's refusal"),
    ),
    Phrase(
        "thinking", "when", "записывает[,] что клиент думает", "records that the client is thinking",
        ("записывает, что клиент думает", "records that the client is thinking"),
    ),
    Phrase(
        "meet", "when", "проводит встречу[ с результатом {result}]", "holds a meeting[ with the result {result}]",
        ("проводит встречу с результатом «устное согласие»", "holds a meeting with the result “oral consent”"),
    ),
    Phrase(
        "talk", "when", "говорит с клиентом[ по телефону][ с результатом {result}]",
        "talks with the client[ by phone][ with the result {result}]",
        ("говорит с клиентом по телефону", "talks with the client by phone"),
    ),
    Phrase(
        "send", "when", "отправляет клиенту {document}", "sends the client {document}",
        ("отправляет клиенту «договор»", "sends the client “contract”"),
    ),
    Phrase(
        "attach", "when", "прикладывает файл {name}[ как {label}]", "attaches the file {name}[ as {label}]",
        ("прикладывает файл «Договор.pdf» как «договор»", "attaches the file “Contract.pdf” as “contract”"),
    ),
    Phrase("approve", "when", "согласует", "approves", ("согласует", "approves")),
    Phrase("deny", "when", "не согласует", "does not approve", ("не согласует", "does not approve")),
    Phrase(
        "establish", "when", "отмечает[,][ что] {fact}[: {value}]", "marks[ that] {fact}[: {value}]",
        ("отмечает «согласие на встречу»: «согласен»", "marks “consent to a meeting”: “agrees”"),
    ),
    Phrase(
        "withdraw", "when", "снимает отметку {fact}", "takes back {fact}",
        ("снимает отметку «клиент внёс оплату»", "takes back “the client has paid”"),
    ),
    Phrase(
        "move", "when", "переводит лид в стадию {stage}[ под свою ответственность: {override*}]",
        "moves the lead to the stage {stage}[ on their own word: {override*}]",
        (
            "переводит лид в стадию «Встреча» под свою ответственность: знакомы лично",
            "moves the lead to the stage “Meeting” on their own word: they know each other",
        ), "fields",
    ),
    Phrase(
        "reject", "when", "закрывает лид как {stage}[ по причине {reason}]", "closes the lead as {stage}[ because of {reason}]",
        (
            "закрывает лид как «Некачественный» по причине «Не наш регион»",
            "closes the lead as “Poor” because of “Not our region”",
        ), "fields",
    ),
    Phrase(
        "pause", "when", "откладывает лид (до|на) {until*}[ в стадию {stage}][ по причине {reason}]",
        "puts the lead off (until|for) {until*}[ to the stage {stage}][ because of {reason}]",
        ("откладывает лид до 01.09.2026 по причине «Нет потребности»", "puts the lead off until 2026-09-01 because of “No need”"),
        "fields",
    ),
    Phrase("convert", "when", "заключает сделку", "makes the deal", ("заключает сделку", "makes the deal"), "fields"),
    Phrase(
        "reopen", "when", "возвращает лид в работу[: {reason*}]", "reopens the lead[: {reason*}]",
        ("возвращает лид в работу: клиент перезвонил", "reopens the lead: the client called back"),
    ),
    Phrase(
        "undo", "when", "отменяет последний переход[: {reason*}]", "undoes the last move[: {reason*}]",
        ("отменяет последний переход: ошибка", "undoes the last move: a mistake"),
    ),
    Phrase(
        "plan_call", "when", "планирует звонок[: {text*}]", "plans a call[: {text*}]",
        ("планирует звонок: уточнить размеры", "plans a call: ask for dimensions"),
    ),
    Phrase(
        "plan_letter", "when", "планирует письмо[: {text*}]", "plans a letter[: {text*}]",
        ("планирует письмо: выслать бриф", "plans a letter: send the brief"),
    ),
    Phrase(
        "plan_meeting", "when", "планирует встречу[: {text*}]", "plans a meeting[: {text*}]",
        ("планирует встречу: в офисе клиента", "plans a meeting: at the client's office"),
    ),
    Phrase(
        "plan_task", "when", "планирует задачу[: {text*}]", "plans a task[: {text*}]",
        ("планирует задачу: заказать образцы", "plans a task: order samples"),
    ),
    Phrase(
        "complete", "when", "выполняет (дело|запланированное)[: {result*}]", "completes the activity[: {result*}]",
        ("выполняет дело: дозвонился", "completes the activity: reached them"),
    ),
    Phrase(
        "capture", "when", "заводит лид", "enters a lead", ("заводит лид", "enters a lead"), "fields",
    ),
    Phrase(
        "rings_missed", "when", "звонит[,] но ему не отвечают", "calls us[,] but nobody answers",
        ("звонит, но ему не отвечают", "calls us, but nobody answers"),
    ),
    Phrase("rings", "when", "звонит[ сам]", "calls us", ("звонит сам", "calls us")),
    Phrase("writes_letter", "when", "пишет письмо", "writes a letter", ("пишет письмо", "writes a letter")),
    Phrase("writes_chat", "when", "пишет в чат", "writes in the chat", ("пишет в чат", "writes in the chat")),
    Phrase(
        "posts_form", "when", "оставляет заявку[ на сайте]", "fills in a form", ("оставляет заявку", "fills in a form"), "fields",
    ),
)  # fmt: skip

_THEN = (
    Phrase(
        "stays", "then", "лид остаётся в стадии {stage}", "the lead stays in the stage {stage}",
        ("лид остаётся в стадии «Новый»", "the lead stays in the stage “New”"),
    ),
    Phrase(
        "by_itself", "then", "лид сам переходит в стадию {stage}", "the lead moves by itself to the stage {stage}",
        ("лид сам переходит в стадию «Сделка»", "the lead moves by itself to the stage “Deal”"),
    ),
    Phrase(
        "comes_back", "then", "лид возвращается в стадию {stage}", "the lead comes back to the stage {stage}",
        ("лид возвращается в стадию «Контакт»", "the lead comes back to the stage “Contact”"),
    ),
    Phrase(
        "stands", "then", "лид[ стоит| теперь] в стадии {stage}", "the lead is in the stage {stage}",
        ("лид в стадии «Встреча»", "the lead is in the stage “Meeting”"),
    ),
    Phrase(
        "open", "then", "лид в работе", "the lead is open", ("лид в работе", "the lead is open"),
    ),
    Phrase("lost", "then", "лид закрыт", "the lead is closed", ("лид закрыт", "the lead is closed")),
    Phrase("postponed", "then", "лид отложен", "the lead is put off", ("лид отложен", "the lead is put off")),
    Phrase("won", "then", "лид выигран", "the lead is won", ("лид выигран", "the lead is won")),
    Phrase(
        "refused_missing", "then", "отказ[,] не хватает[:][ {missing*}]", "it is refused[,] missing[:][ {missing*}]",
        ("отказ, не хватает: сайт; телефон фирмы", "it is refused, missing: the site; the company's phone"), "items",
    ),
    Phrase(
        "refused_rule", "then", "отказ по правилу {rule}", "it is refused by the rule {rule}",
        ("отказ по правилу «S2.exit_criteria»", "it is refused by the rule “S2.exit_criteria”"),
    ),
    Phrase("refused_words", "then", "отказ: {words*}", "it is refused: {words*}", ("отказ: закрыт", "it is refused: closed")),
    Phrase("refused", "then", "отказ", "it is refused", ("отказ", "it is refused")),
    Phrase("needs_reason", "then", "нужна причина", "a reason is needed", ("нужна причина", "a reason is needed")),
    Phrase(
        "lacking", "then", "до стадии {stage} не хватает[:][ {missing*}]",
        "for the stage {stage} these are missing[:][ {missing*}]",
        ("до стадии «Встреча» не хватает: интерес", "for the stage “Meeting” these are missing: interest"), "items",
    ),
    Phrase(
        "allowed", "then", "в стадию {stage} можно", "the stage {stage} is open to it",
        ("в стадию «Встреча» можно", "the stage “Meeting” is open to it"),
    ),
    Phrase(
        "not_allowed", "then", "в стадию {stage} нельзя", "the stage {stage} is not open to it",
        ("в стадию «Встреча» нельзя", "the stage “Meeting” is not open to it"),
    ),
    Phrase(
        "only_ways", "then", "дальше можно только[ в][:][ {stages*}]", "it can only go to[:][ {stages*}]",
        ("дальше можно только: «Дожатие сделки»", "it can only go to: “Closing the deal”"), "items",
    ),
    Phrase(
        "proposed", "then", "предлагается стадия {stage}", "the stage {stage} is proposed",
        ("предлагается стадия «Сделка»", "the stage “Deal” is proposed"),
    ),
    Phrase(
        "nothing_proposed", "then", "ничего не предлагается", "nothing is proposed",
        ("ничего не предлагается", "nothing is proposed"),
    ),
    Phrase("card", "then", "в карточке[:]", "the card says[:]", ("в карточке", "the card says"), "fields"),
    Phrase(
        "no_fact", "then", "не отмечено[,][ что] {fact}", "it is not marked[ that] {fact}",
        ("не отмечено «клиент внёс оплату»", "it is not marked that “the client has paid”"),
    ),
    Phrase(
        "fact", "then", "отмечено[,][ что] {fact}[: {value}]", "it is marked[ that] {fact}[: {value}]",
        ("отмечено «клиент внёс оплату»", "it is marked that “the client has paid”"),
    ),
    Phrase(
        "remains", "then", "от лида остаётся {outcome}", "what remains of the lead is {outcome}",
        ("от лида остаётся «контакт на будущее»", "what remains of the lead is “a contact for the future”"),
    ),
    Phrase("deal_counts", "then", "сделка засчитана", "a deal counts", ("сделка засчитана", "a deal counts")),
    Phrase("no_deal", "then", "сделка не засчитана", "no deal counts", ("сделка не засчитана", "no deal counts")),
    Phrase(
        "override_kept", "then", "записано отступление от правил", "the departure from the rules is recorded",
        ("записано отступление от правил", "the departure from the rules is recorded"),
    ),
    Phrase(
        "planned", "then", "запланирован(о|а) (дело|задача) {activity}", "the activity {activity} is planned",
        ("запланировано дело «звонок»", "the activity “call” is planned"),
    ),
)  # fmt: skip

PHRASES: Final[tuple[Phrase, ...]] = (
    *_GIVEN,
    *OF_TEAMS,
    *_WHEN,
    *TO_WORK,
    *TO_RESPONSIBLE,
    *TO_ROBOTS,
    *HAPPENS,
    *_THEN,
    *OF_WORK,
    *OF_ROBOTS,
    *OF_DEADLINES,
    *OF_RESPONSIBLE,
)
"""All sentences, in the order they are tried."""

REFUSALS: Final = frozenset({"refused", "refused_missing", "refused_rule", "refused_words", "needs_reason"})
"""What a scenario says of an act that is refused; an act that is refused with none of these after it fails the scenario."""
