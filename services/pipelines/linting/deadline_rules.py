"""The rules about deadlines (Q3, Q4, Q7): a part of the rule book (`rules`)."""

from __future__ import annotations

from services.pipelines.linting import deadlines
from services.pipelines.linting.finding import Said
from services.pipelines.linting.rule import LintRule

DEADLINE_RULES: tuple[LintRule, ...] = (
    LintRule(
        "Q3.mail_not_longer",
        "error",
        Said(
            "У кого есть только e-mail, тому срок длиннее, чем с телефоном.",
            "A lead with an e-mail alone has a longer term than one with a phone.",
        ),
        Said(
            "Ответа на письмо ждут дольше, чем разговора: срок будут пропускать, и не по вине менеджера.",
            "The answer to a letter takes longer than a call: the term would be missed, and not by the seller's fault.",
        ),
        Said(
            "Увеличьте срок для лидов без телефона (по умолчанию 4, 16 и 8 рабочих часов).",
            "Make the term of leads without a phone longer (usual are 4, 16 and 8 working hours).",
        ),
        deadlines.mail_not_longer,
    ),
    LintRule(
        "Q7.never_met",
        "error",
        Said("Срок можно выполнить.", "A deadline can be met."),
        Said(
            "Каждый круг будет пропуском и инцидентом, что бы ни сделали.",
            "Each turn is a miss and an incident, whatever anybody does.",
        ),
        Said(
            "Исправьте done или when у results: пусть это можно записать.",
            "Mend done, or when of its results: let it be something that can be recorded.",
        ),
        deadlines.never_met,
    ),
    LintRule(
        "Q4.result_not_allowed",
        "error",
        Said(
            "Результат переводит лид туда, куда есть переход.",
            "A result takes leads where there is a move.",
        ),
        Said(
            "Система подчиняется правилам стадий: лид останется на месте, а человек получит задачу.",
            "The system obeys the rules of stages: the lead stays, and somebody gets a task.",
        ),
        Said(
            "Добавьте переход в moves (или outcomes) стадии, или исправьте then.",
            "Add the move to moves (or outcomes) of the stage, or mend then.",
        ),
        deadlines.result_not_allowed,
    ),
    LintRule(
        "Q4.result_lacks",
        "warning",
        Said(
            "Результат требует всего, без чего его переход отклонят.",
            "A result asks for all that its move needs.",
        ),
        Said(
            "Срок выполнен, а лид не ушёл: правила отклонят переход, и круг уже кончился.",
            "The deadline is met and the lead stays: the rules refuse the move, and the cycle is over.",
        ),
        Said(
            "Добавьте поля в needs, или mandatory: true для обязательных полей стадии.",
            "Add the fields to needs, or mandatory: true for the stage's mandatory fields.",
        ),
        deadlines.result_lacks,
    ),
    LintRule(
        "Q7.beyond_limit",
        "warning",
        Said(
            "Срок действия кончается раньше срока стадии.",
            "A deadline ends before the stage's time limit does.",
        ),
        Said(
            "Лид уже просрочен, а действие ещё в сроке: одно из двух никто не возьмёт всерьёз.",
            "The lead is overdue and its action is in time: nobody takes one of the two seriously.",
        ),
        Said("Уменьшите срок или увеличьте limit стадии.", "Make the deadline shorter, or the stage's limit longer."),
        deadlines.beyond_limit,
    ),
    LintRule(
        "Q7.late_warning",
        "warning",
        Said("Напоминание короче срока.", "A reminder is shorter than the term."),
        Said(
            "Напоминать пришлось бы раньше, чем срок начался: напоминания не будет.",
            "It would have to come before the term begins: it never comes.",
        ),
        Said("Уменьшите warn.", "Make warn shorter."),
        deadlines.late_warning,
    ),
)
"""In the order findings are told."""
