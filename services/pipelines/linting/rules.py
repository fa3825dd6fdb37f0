"""All rules of the linter in one list: what is looked for, how grave it is, why it harms, how to mend it (S3-S5, Q11, N26).

A rule is a plain function of a `Case`; it reads nothing and changes nothing. `docs/lint.md` is generated from `LINT_RULES`.
Ids are for ever: pipelines name them in `expected_findings`.
"""

from __future__ import annotations

from services.pipelines.linting import card, criteria, history, naming, paths, scale, teams, work
from services.pipelines.linting.automation_rules import AUTOMATION_RULES
from services.pipelines.linting.deadline_rules import DEADLINE_RULES
from services.pipelines.linting.finding import Said
from services.pipelines.linting.rule import LintRule

LINT_RULES: tuple[LintRule, ...] = (
    # --- the scale as a whole
    LintRule(
        "S5.stage_count",
        "warning",
        Said(
            "Стадий не больше семи: открытые, выигранные и отложенные, все статусы забраковки вместе — одна.",
            "At most seven stages: open, won and postponed, all reject statuses together as one.",
        ),
        Said(
            "Чем больше делений, тем меньше каждое значит: их неудобно переключать, каждый раз ищут нужное.",
            "The more divisions, the less each means: switching is a chore, and every time one must be looked for.",
        ),
        Said(
            "Объедините стадии, между которыми лид ничего нового не доказывает; действия сделайте делами внутри стадии.",
            "Join stages between which a lead proves nothing new; make actions into activities within a stage.",
        ),
        scale.stage_count,
    ),
    LintRule(
        "S5.order",
        "warning",
        Said("Порядок стадий показывает продвижение.", "The order of stages shows progress."),
        Said(
            "Шкала показывает, кто близок к решению; при обратном порядке близкий выглядит далёким.",
            "The scale shows who is near the decision; in the wrong order the near look far.",
        ),
        Said(
            "Переставьте стадию туда, где это действительно происходит, или назовите её тем, что в ней делают.",
            "Put the stage where it really happens, or name it by what is done in it.",
        ),
        scale.order,
    ),
    LintRule(
        "S5.overlap_titles",
        "warning",
        Said("Две стадии не значат одного и того же.", "No two stages mean the same."),
        Said(
            "Менеджер не знает, в какую перевести лид; каждый решает по-своему, и отчёт по обеим врёт.",
            "The seller does not know which one to move a lead to; everyone decides alone, and the report on both is wrong.",
        ),
        Said(
            "Оставьте одну, или назовите обе тем, чем они отличаются.",
            "Keep one of them, or name both by what sets them apart.",
        ),
        scale.overlap_titles,
    ),
    LintRule(
        "S5.overlap_criteria",
        "warning",
        Said(
            "У каждой стадии есть свой критерий выхода, не потребованный раньше.",
            "Each stage has an exit criterion of its own, not asked for before.",
        ),
        Said(
            "Лид, пришедший в стадию, может тут же уйти: она ничего не доказывает и сливается с предыдущей.",
            "A lead that comes to the stage can leave at once: it proves nothing and is one with the stage before.",
        ),
        Said(
            "Потребуйте здесь то, чего раньше не требовали, или объедините стадии.",
            "Ask here for what was not asked for before, or join the stages.",
        ),
        scale.overlap_criteria,
    ),
    LintRule(
        "S5.prepared_and_sent",
        "warning",
        Said(
            "«Подготовлено» и «отправлено» об одном и том же — не две стадии.",
            "“Prepared” and “sent” of one thing are not two stages.",
        ),
        Said(
            "Отправка занимает минуты: статус меняют дважды подряд, а стадия стоит почти пустой.",
            "Sending takes minutes: the stage is switched twice in a row, and one of the two is nearly always empty.",
        ),
        Said(
            "Сделайте одну стадию, в которой и готовят, и отправляют; критерий выхода — предложение сделано.",
            "Make one stage in which it is prepared and sent; its exit criterion: the offer was made.",
        ),
        scale.prepared_and_sent,
    ),
    # --- names
    LintRule(
        "S4.action_title",
        "warning",
        Said("Стадия не называется действием.", "A stage is not named as an action."),
        Said(
            "Действий в одной стадии бывает сколько угодно, и их число не говорит о продвижении.",
            "Any number of actions fits in one stage, and how many there were says nothing of progress.",
        ),
        Said(
            "Сделайте действие делом лида, а стадию назовите этапом работы: «В обработке», «Предложение».",
            "Make the action an activity of the lead, and name the stage by the part of the work: “Processing”, “Proposal”.",
        ),
        naming.action_title,
    ),
    LintRule(
        "S5.outcome_title",
        "warning",
        Said("Открытая стадия не называется исходом.", "An open stage is not named as an outcome."),
        Said(
            "Лид выглядит законченным, а считается открытым: отчёты об исходах неверны.",
            "The lead looks finished and counts as open: reports on outcomes are wrong.",
        ),
        Said(
            "Поставьте стадии вид won, lost или postponed, или назовите её работой, которая в ней идёт.",
            "Give the stage the kind won, lost or postponed, or name it by the work that goes on in it.",
        ),
        naming.outcome_title,
    ),
    LintRule(
        "S5.mixed_style",
        "warning",
        Said(
            "Открытые стадии названы в одном стиле: или «что ожидается сделать», или «что сделано».",
            "All open stages are named in one style: “what is to be done”, or “what was done”.",
        ),
        Said(
            "В смеси стилей непонятно, сделано ли уже то, чем названа стадия.",
            "In a mixture nobody can tell whether what the stage is named by is done already.",
        ),
        Said(
            "Переименуйте стадии в стиле большинства; id остаётся, история не меняется.",
            "Rename the stages in the style of most; the id stays, and history does not change.",
        ),
        naming.mixed_style,
    ),
    # --- what happens in a stage
    LintRule(
        "S5.no_exit_criterion",
        "warning",
        Said("У каждой открытой стадии есть критерий выхода.", "Each open stage has an exit criterion."),
        Said(
            "Дальше переводят, когда захочется: место на шкале ничего не доказывает.",
            "Leads are moved on at will: their place on the scale proves nothing.",
        ),
        Said(
            "Добавьте exit или mandatory: что должно быть известно или произойти, чтобы идти дальше.",
            "Add exit or mandatory: what must be known or have happened to go on.",
        ),
        work.no_exit_criterion,
    ),
    LintRule(
        "S4.activity_as_criterion",
        "warning",
        Said(
            "Сделанное дело само по себе — не критерий перехода в следующую открытую стадию.",
            "An activity done is by itself no criterion for a later open stage.",
        ),
        Said(
            "Звонки, письма и документы не показывают продвижения: их делают и без согласия клиента.",
            "Calls, letters and documents show no progress: they are made without the client agreeing to anything.",
        ),
        Said(
            "Потребуйте то, ради чего дело делали: поле карточки, факт, ответ клиента, встречу с результатом.",
            "Ask for what the activity was for: a field, a fact, the client's answer, a meeting with its result.",
        ),
        work.activity_as_criterion,
    ),
    LintRule(
        "S5.idle_stage",
        "info",
        Said(
            "В открытой стадии есть робот, дело или срок.",
            "An open stage has a robot, a task or a deadline.",
        ),
        Said(
            "Лид, о котором ничто не напоминает, забывают.",
            "A lead that nothing reminds of is forgotten.",
        ),
        Said(
            "Добавьте роботов, steps (шаги продавца), срок действия (deadlines) или limit (срок в стадии).",
            "Add robots, steps (of the seller), a deadline (deadlines) or a limit (of the time in the stage).",
        ),
        work.idle,
    ),
    # --- criteria and conditions
    LintRule(
        "S5.criterion_never_holds",
        "error",
        Said("Каждый критерий может выполниться.", "Each criterion can be met."),
        Said(
            "Из такой стадии никто никогда не выйдет, разве что решением руководителя.",
            "Nobody will ever leave such a stage, except by a head's override.",
        ),
        Said(
            "Дайте кому-то право записать факт, назовите возможное значение или уберите критерий.",
            "Let somebody record the fact, name a possible value, or take the criterion away.",
        ),
        criteria.never_holds,
    ),
    LintRule(
        "S5.invalid_condition",
        "error",
        Said(
            "Условие when читается и смотрит на то, что есть.",
            "A condition (when) can be read and looks at what exists.",
        ),
        Said(
            "Условие, которое нельзя прочесть, не выполняется никогда; критерий молча не спросят.",
            "A condition that cannot be read never holds; the criterion is silently not asked.",
        ),
        Said(
            "Исправьте выражение CEL: card.ПОЛЕ, facts.ФАКТ, lead.stage; например card.material == 'stone'.",
            "Mend the CEL expression: card.FIELD, facts.FACT, lead.stage; for example card.material == 'stone'.",
        ),
        criteria.invalid_condition,
    ),
    LintRule(
        "S5.constant_condition",
        "warning",
        Said("Условие when зависит от лида.", "A condition (when) depends on the lead."),
        Said(
            "Верное всегда — лишнее; верное никогда выключает критерий или переход, и этого не видно.",
            "One that always holds is superfluous; one that never does switches a criterion or move off, and nobody sees it.",
        ),
        Said(
            "Уберите условие, или вместе с ним то, к чему оно стоит; проверьте значения.",
            "Take the condition away, or what it stands on with it; check the values.",
        ),
        criteria.constant_condition,
    ),
    # --- the card
    LintRule(
        "S5.not_editable",
        "error",
        Said(
            "Поле, которое спрашивают, кто-то может заполнить.", "A field that is asked for can be written by somebody."
        ),
        Said(
            "Если форма его не заполнила, лид застрянет: просят то, чего вписать нельзя.",
            "If no form filled it the lead is stuck: it is asked for what nobody can write.",
        ),
        Said(
            "Дайте полю by: [seller, head] или не спрашивайте его.",
            "Give the field by: [seller, head], or do not ask for it.",
        ),
        card.not_editable,
    ),
    LintRule(
        "Q5.review_that_deletes",
        "error",
        Said(
            "Где данные удаляются сразу, проверять руководителю нечего.",
            "Where the data is deleted at once, there is nothing for a head to judge.",
        ),
        Said(
            "Проверку никто не откроет, а в воронке написано, что она есть: ошибку заметят, когда данных уже нет.",
            "No review is ever opened, though the pipeline says so: a mistake is noticed when the data is gone.",
        ),
        Said(
            "Уберите review или смените outcome: непроверенные контакты — некачественный лид с проверкой.",
            "Take review away, or change the outcome: unconfirmed contacts make a poor lead that is judged.",
        ),
        card.review_that_deletes,
    ),
    LintRule(
        "Q11.mandatory_fields",
        "warning",
        Said("Обязательных полей на всём пути не больше десяти.", "At most ten fields are mandatory on the whole way."),
        Said(
            "Анкету на пятнадцать листов заполняют чем попало; клиент устаёт раньше, чем она кончится.",
            "A form of fifteen pages is filled with anything; the client is tired before it ends.",
        ),
        Said(
            "Оставьте обязательным то, без чего нельзя сделать следующий шаг, остальное перенесите в desirable.",
            "Keep as mandatory what the next step cannot do without, and move the rest to desirable.",
        ),
        card.mandatory_fields,
    ),
    # --- where leads can go
    LintRule(
        "S5.unreachable",
        "error",
        Said("В каждую стадию можно попасть.", "Each stage can be reached."),
        Said(
            "Стадия, куда никто не попадёт, обманывает всех, кто смотрит на шкалу.",
            "A stage that no lead can come to misleads everyone who looks at the scale.",
        ),
        Said(
            "Добавьте переход в неё (moves, outcomes) или уберите стадию.",
            "Add a move to it (moves, outcomes), or take the stage away.",
        ),
        paths.unreachable,
    ),
    LintRule(
        "S5.dead_end",
        "error",
        Said("Из каждой открытой стадии можно дойти до сделки.", "From each open stage a lead can still be won."),
        Said(
            "Лид, попавший сюда, застрял: выпустит только руководитель (N10).",
            "A lead that comes here is stuck: only a head can free it (N10).",
        ),
        Said(
            "Добавьте переход вперёд или назад, или сделайте стадию исходом (kind: lost, postponed).",
            "Add a move forward or back, or make the stage an outcome (kind: lost, postponed).",
        ),
        paths.dead_end,
    ),
    LintRule(
        "S5.result_leads_nowhere",
        "error",
        Said(
            "Куда ведёт записанный результат, туда из стадии есть переход.",
            "Where a recorded result leads, the stage has a move to.",
        ),
        Said(
            "Записав такой результат, менеджер не сможет перевести лид никуда (N10).",
            "Once such a result is recorded the seller can move the lead nowhere (N10).",
        ),
        Said(
            "Добавьте стадии переход туда (moves, outcomes) или исправьте opens у значения факта.",
            "Add a move there to the stage (moves, outcomes), or mend opens of the fact's option.",
        ),
        paths.leads_nowhere,
    ),
    LintRule(
        "S3.cannot_be_rejected",
        "warning",
        Said("Забраковать лид можно из любой открытой стадии.", "A lead can be rejected from any open stage."),
        Said(
            "Мёртвые лиды остаются открытыми и портят загрузку, сроки и конверсию.",
            "Dead leads stay open and spoil load, terms and conversion.",
        ),
        Said(
            "Назовите в outcomes хотя бы один статус забраковки или уберите outcomes: тогда можно в любой.",
            "Name at least one reject status in outcomes, or leave outcomes out: then any will do.",
        ),
        paths.cannot_be_rejected,
    ),
    LintRule(
        "N10.no_way_back",
        "info",
        Said("Из стадии можно вернуться назад.", "A stage can be left backwards."),
        Said(
            "Ошибочно переведённый лид вернёт только руководитель или отмена.",
            "A lead moved by mistake comes back only by a head or by undo.",
        ),
        Said("Добавьте в moves переход назад, если такое бывает.", "Add a move back to moves if that happens."),
        paths.no_way_back,
    ),
    LintRule(
        "N26.automatic_at_once",
        "warning",
        Said(
            "Переход сам собой ждёт чего-то нового.",
            "An automatic move waits for something new.",
        ),
        Said(
            "Лид пролетает стадию, и никто этого не видит: похоже на случайный переход.",
            "The lead flies through the stage and nobody sees it: it looks like a move by accident.",
        ),
        Said(
            "Пусть он ждёт того, что появляется именно здесь, или уберите auto.",
            "Let it wait for what comes about here, or take auto away.",
        ),
        paths.automatic_at_once,
    ),
    LintRule(
        "N3.automatic_loop",
        "error",
        Said("Переходы сами собой не ходят по кругу.", "Automatic moves do not go round in a circle."),
        Said(
            "Лид будет перемещаться, пока система не остановит его на десятом переходе.",
            "The lead will move until the system stops it at the tenth move.",
        ),
        Said(
            "Сделайте один из переходов ручным или пусть он ждёт факта, действующего одно пребывание (holds: visit).",
            "Make one of the moves a person's, or let it wait for a fact that holds for one visit (holds: visit).",
        ),
        paths.automatic_loop,
    ),
    *AUTOMATION_RULES,
    *DEADLINE_RULES,
    # --- from the teams
    LintRule(
        "C4.unknown_team",
        "warning",
        Said("Лиды получают команды, которые есть.", "Leads are given to teams that there are."),
        Said(
            "У команды, которую не публиковали, нет сотрудников: её лиды ждут в пуле, и взять их некому.",
            "A team that was never published has no members: its leads wait in the pool, and nobody may have them.",
        ),
        Said(
            "Опубликуйте команду (leadline team publish) или назовите в воронке ту, что есть.",
            "Publish the team (leadline team publish), or name one in the pipeline that there is.",
        ),
        teams.unknown_team,
        of_teams=True,
    ),
    # --- from history
    LintRule(
        "S5.short_lived",
        "warning",
        Said("В стадии лиды проводят не минуты.", "Leads do not spend mere minutes in a stage."),
        Said(
            "Стадия — значимый этап; в такой лид не успевает побыть, а переключать её приходится.",
            "A stage is a part of the work that matters; a lead hardly stands in this one, and it must be switched.",
        ),
        Said("Объедините её с соседней.", "Join it with its neighbour."),
        history.short_lived,
        of_history=True,
    ),
    LintRule(
        "S5.skipped",
        "warning",
        Said("Через стадию проходят, а не мимо неё.", "Leads pass through a stage, not past it."),
        Said(
            "То, что доказывает стадия, у большинства не доказано; её конверсия ни о чём не говорит.",
            "What the stage proves is proved for few; its conversion says nothing.",
        ),
        Said(
            "Уберите стадию с общего пути или не давайте её пропускать (moves).",
            "Take the stage off the common way, or do not let it be skipped (moves).",
        ),
        history.skipped,
        of_history=True,
    ),
    LintRule(
        "S5.ping_pong",
        "warning",
        Said("Между двумя стадиями не ходят туда и обратно.", "Leads do not go to and fro between two stages."),
        Said(
            "Две стадии пересекаются: менеджеры не знают, в какой из них лид.",
            "The two overlap: sellers do not know in which of them a lead is.",
        ),
        Said(
            "Объедините их или дайте второй критерий, которого нельзя лишиться.",
            "Join them, or give the second a criterion that cannot be lost again.",
        ),
        history.ping_pong,
        of_history=True,
    ),
    # --- what is expected
    LintRule(
        "S5.expected_is_gone",
        "warning",
        Said("Ожидаемое замечание действительно есть.", "A finding that is expected does occur."),
        Said(
            "Объяснение того, чего нет, прикроет другое замечание, когда оно появится.",
            "A reason for what is not there will cover up another finding when it comes.",
        ),
        Said(
            "Уберите запись из expected_findings или исправьте в ней rule и stage.",
            "Take the entry out of expected_findings, or mend its rule and stage.",
        ),
    ),
)
"""The rule book, in the order findings are told."""
RULES_BY_ID = {rule.id: rule for rule in LINT_RULES}
