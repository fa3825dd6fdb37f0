"""The rules about robots, triggers and templates (R1-R5, N3, C7, S5): a part of the rule book (`rules`)."""

from __future__ import annotations

from services.pipelines.linting import letters, robots
from services.pipelines.linting.finding import Said
from services.pipelines.linting.rule import LintRule

AUTOMATION_RULES: tuple[LintRule, ...] = (
    # --- robots and triggers
    LintRule(
        "N3.robot_circle",
        "warning",
        Said(
            "Роботы, триггеры и переходы сами собой не водят лид по кругу.",
            "Robots, triggers and automatic moves do not lead round in a circle.",
        ),
        Said(
            "Лид ходит по кругу, клиент получает одно и то же, пока система не остановит его на десятом переходе.",
            "The lead goes round, the client gets the same again and again, until the system stops it at the tenth move.",
        ),
        Said(
            "Пусть один из переходов делает человек, или дайте ему условие, которое однажды перестаёт выполняться.",
            "Let a person make one of the moves, or give it a condition that one day no longer holds.",
        ),
        robots.circle,
    ),
    LintRule(
        "N3.conditional_circle",
        "info",
        Said(
            "Если роботы водят по кругу при условии, условие однажды перестаёт выполняться.",
            "Where robots lead round on a condition, the condition ends one day.",
        ),
        Said(
            "Пока условие выполняется, лид ходит по кругу до десятого перехода.",
            "As long as the condition holds the lead goes round, up to the tenth move.",
        ),
        Said(
            "Проверьте, что круг меняет то, на что смотрит условие.",
            "Make sure that a round changes what the condition looks at.",
        ),
        robots.circle_on_condition,
    ),
    LintRule(
        "R2.move_not_allowed",
        "error",
        Said(
            "Робот и триггер переводят лид туда, куда есть переход.",
            "A robot or trigger moves leads where there is a move.",
        ),
        Said(
            "Роботы подчиняются правилам стадий: такой всегда будет пропущен, а триггер — отклонён, с задачей человеку.",
            "Robots obey the rules of stages: this one is always skipped, a trigger always refused with a task for somebody.",
        ),
        Said(
            "Добавьте переход в moves (или outcomes) стадии, или исправьте, куда переводит робот.",
            "Add the move to moves (or outcomes) of the stage, or mend where the robot moves leads.",
        ),
        robots.not_allowed,
    ),
    LintRule(
        "R2.unreadable_value",
        "error",
        Said(
            "Робот пишет в поле то, что поле может хранить.",
            "A robot writes into a field what the field can hold.",
        ),
        Said(
            "Правила не примут такое значение: робот всегда будет пропущен.",
            "The rules take no such value: the robot is always skipped.",
        ),
        Said(
            "Исправьте value по типу поля: число, сумму, дату, вариант.",
            "Mend value by the field's type: a number, an amount, a date, an option.",
        ),
        robots.unreadable_value,
    ),
    LintRule(
        "R5.unknown_event",
        "error",
        Said(
            "Триггер ждёт того, что с лидами бывает.",
            "A trigger waits for what happens to leads.",
        ),
        Said(
            "Он не сработает никогда, и никто этого не увидит.",
            "It will never run, and nobody sees that.",
        ),
        Said(
            "Исправьте type; виды событий: contracts/schemas, leadline.lead.….v1.json.",
            "Mend type; the types of events: contracts/schemas, leadline.lead.….v1.json.",
        ),
        robots.unknown_event,
    ),
    LintRule(
        "R1.never_starts",
        "warning",
        Said(
            "Робот ждёт того, кто срабатывает.",
            "A robot waits for one that succeeds.",
        ),
        Said(
            "Он не сработает никогда, и никто этого не увидит.",
            "It will never run, and nobody sees that.",
        ),
        Said(
            "Пусть ждёт другого, или поставьте when_predecessor_did_not_run: run, или on_leave: keep после перевода.",
            "Let it wait for another one, or write when_predecessor_did_not_run: run, or on_leave: keep behind a move.",
        ),
        robots.never_starts,
    ),
    LintRule(
        "S5.robot_after_limit",
        "warning",
        Said(
            "Робот успевает до конца срока стадии.",
            "A robot starts before the stage's time limit is over.",
        ),
        Said(
            "Срок вышел, лид уже просрочен, а напоминание или письмо ещё ждёт.",
            "The limit is over, the lead is overdue, and the reminder or letter still waits.",
        ),
        Said(
            "Уменьшите задержку робота или увеличьте срок (limit).",
            "Make the robot's delay shorter, or the limit longer.",
        ),
        robots.after_limit,
    ),
    # --- letters
    LintRule(
        "R3.broken_template",
        "error",
        Said(
            "Шаблон можно написать, и всё, что он называет, есть.",
            "A template can be written, and all that it names exists.",
        ),
        Said(
            "Письмо не уйдёт никому: робот остановится с ошибкой и задачей человеку.",
            "Nobody will get the letter: the robot stops with an error and a task for somebody.",
        ),
        Said(
            "Исправьте имя или выражение; что бывает в шаблонах: docs/howto/templates.md.",
            "Mend the name or expression; what templates can say: docs/howto/templates.md.",
        ),
        letters.broken,
    ),
    LintRule(
        "C7.no_way_out",
        "error",
        Said(
            "В рекламном письме сказано, как от него отказаться.",
            "An advertising letter says how one ends it.",
        ),
        Said(
            "Так требует закон о рекламе, и почтовые службы такие письма прячут в спам.",
            "The law on advertising asks for it, and mail services put such letters away as spam.",
        ),
        Said(
            "Вставьте {{ unsubscribe }} в оба языка, в текст и в HTML.",
            "Write {{ unsubscribe }} in both languages, in the text and in the HTML.",
        ),
        letters.no_way_out,
    ),
    LintRule(
        "R3.harmful_template",
        "warning",
        Said(
            "Шаблон не вредит, чем бы ни было значение.",
            "A template does no harm, whatever a value is.",
        ),
        Said(
            "Значение из карточки ломает разметку или ведёт по чужому адресу, или письмо уходит не таким, как задумано.",
            "A value of the card breaks the markup or leads to somebody's address, or the letter goes out otherwise than meant.",
        ),
        Said(
            "Возьмите значение в кавычки или уберите его оттуда; напишите HTML на обоих языках.",
            "Put the value in quotes or take it away from there; write the HTML in both languages.",
        ),
        letters.harmful,
    ),
    LintRule(
        "R3.template_gap",
        "info",
        Said(
            "Шаблон говорит, что написать, когда значения нет.",
            "A template says what to write when there is no value.",
        ),
        Said(
            "Лиду, у которого этого нет, письмо не уйдёт.",
            "A lead without it will not get the letter.",
        ),
        Said(
            "Добавьте default('…') или спросите if … is defined.",
            "Add default('…'), or ask if … is defined.",
        ),
        letters.gaps,
    ),
    LintRule(
        "R3.unused_template",
        "info",
        Said(
            "Каждый шаблон кто-то отправляет.",
            "Each template is sent by something.",
        ),
        Said(
            "Его правят и думают, что клиенты его получают.",
            "People mend it and believe that clients get it.",
        ),
        Said(
            "Поставьте робота, который его отправит, или уберите шаблон.",
            "Add a robot that sends it, or take the template away.",
        ),
        letters.unused,
    ),
)
"""In the order findings are told."""
