CREATE TABLE {schema}.incidents (
    journal uuid NOT NULL,
    incident uuid NOT NULL,
    employee text NOT NULL,
    kind text NOT NULL,
    lead uuid,
    of_deal boolean NOT NULL,
    pipeline text,
    stage text,
    rule text NOT NULL,
    because text,
    due_at timestamptz NOT NULL,
    missed_s bigint NOT NULL,
    cause text NOT NULL,
    counts boolean NOT NULL,
    turn int,
    begun_at timestamptz,
    term jsonb,
    calendar text,
    text text,
    recorded_at timestamptz NOT NULL,
    told_at timestamptz,
    told_via text,
    strike int,
    strikes int,
    days int,
    acknowledged_at timestamptz,
    comment text,
    excused_at timestamptz,
    excused_by text,
    excuse text,
    restated_at timestamptz,
    restated_by text,
    verdict text,
    restated_due_at timestamptz,
    restated_calendar text,
    restated_strike int,
    restatement text,
    restatements int NOT NULL,
    PRIMARY KEY (journal, incident)
) WITH (fillfactor = 70);
CREATE INDEX incidents_employee ON {schema}.incidents (employee, recorded_at DESC, incident);
CREATE INDEX incidents_recorded ON {schema}.incidents (recorded_at DESC, incident);
CREATE INDEX incidents_due ON {schema}.incidents (due_at);
CREATE INDEX incidents_untold ON {schema}.incidents (employee, recorded_at) WHERE told_at IS NULL;
CREATE INDEX incidents_lead ON {schema}.incidents (lead) WHERE lead IS NOT NULL;
CREATE INDEX incidents_id ON {schema}.incidents (incident);
COMMENT ON TABLE {schema}.incidents IS 'An incident, in the journal of whoever it is; the verdict as it was made, and beside it the last restatement. Nothing personal of clients.';

CREATE TABLE {schema}.escalations (
    journal uuid NOT NULL,
    escalation uuid NOT NULL,
    employee text NOT NULL,
    manager text,
    strike int NOT NULL,
    days int NOT NULL,
    opened_at timestamptz NOT NULL,
    closed_at timestamptz,
    closed_how text,
    closed_by text,
    comment text,
    PRIMARY KEY (journal, escalation)
) WITH (fillfactor = 70);
CREATE INDEX escalations_opened ON {schema}.escalations (opened_at DESC, escalation);
CREATE INDEX escalations_id ON {schema}.escalations (escalation);
COMMENT ON TABLE {schema}.escalations IS 'An escalation; closed_at empty: it is open. A later miss opens a closed one again.';

CREATE TABLE {schema}.escalated (
    journal uuid NOT NULL,
    escalation uuid NOT NULL,
    incident uuid NOT NULL,
    strike int,
    added_at timestamptz NOT NULL,
    opening boolean NOT NULL,
    PRIMARY KEY (journal, escalation, incident)
);
CREATE INDEX escalated_escalation ON {schema}.escalated (escalation);
CREATE INDEX escalated_incident ON {schema}.escalated (incident);
COMMENT ON TABLE {schema}.escalated IS 'An incident of an escalation: one that opened it (opening), or a later one of the period, with its strike.';

CREATE TABLE {schema}.notices (
    journal uuid NOT NULL,
    effect uuid NOT NULL,
    addressee text NOT NULL,
    about text NOT NULL,
    incident uuid,
    escalation uuid,
    requested_at timestamptz NOT NULL,
    state text NOT NULL,
    closed_at timestamptz,
    attempts int,
    provider text,
    reason text,
    doubtful boolean NOT NULL,
    repeats int NOT NULL,
    PRIMARY KEY (journal, effect)
) WITH (fillfactor = 70);
CREATE INDEX notices_incident ON {schema}.notices (incident) WHERE incident IS NOT NULL;
CREATE INDEX notices_escalation ON {schema}.notices (escalation) WHERE escalation IS NOT NULL;
COMMENT ON TABLE {schema}.notices IS 'A letter to somebody of ours, and what became of it; its words stay in the journal.';

CREATE TABLE {schema}.digests (
    journal uuid NOT NULL,
    team text NOT NULL,
    day date NOT NULL,
    version bigint NOT NULL,
    made_at timestamptz NOT NULL,
    overdue int NOT NULL,
    people jsonb NOT NULL,
    PRIMARY KEY (journal, version)
);
COMMENT ON TABLE {schema}.digests IS 'The day''s list of overdue tasks as a head was told it, in numbers by person.';

CREATE TABLE {schema}.card_reviews (
    journal uuid NOT NULL,
    review uuid NOT NULL,
    pipeline text NOT NULL,
    period_start date NOT NULL,
    period_end date NOT NULL,
    asked_at timestamptz NOT NULL,
    done_at timestamptz,
    done_by text,
    comment text,
    PRIMARY KEY (journal, review)
) WITH (fillfactor = 70);
COMMENT ON TABLE {schema}.card_reviews IS 'A look over the card of a pipeline that a head is asked for, and when it was done.';
