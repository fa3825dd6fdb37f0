-- What BI reads (K4). Views only, whose columns never change; the tables behind them do with each rebuild.
CREATE SCHEMA IF NOT EXISTS bi;

CREATE OR REPLACE VIEW bi.leads AS
SELECT lead, pipeline, stage, kind AS stage_kind, visit, entered_at, captured_at, name, company, source, channel, form,
       responsible, amount, currency, contact, version, paused_until, erased, merged_into
FROM {board}.cards WHERE deal_of IS NULL;
COMMENT ON VIEW bi.leads IS 'One row per lead, as it stands now (a few milliseconds behind). Erased persons'' leads stay, without personal data.';
COMMENT ON COLUMN bi.leads.lead IS 'The lead''s id: its stream in the event log and its key on Kafka.';
COMMENT ON COLUMN bi.leads.pipeline IS 'Id of the pipeline the lead is worked in.';
COMMENT ON COLUMN bi.leads.stage IS 'Id of the stage it stands in now; ids never change, titles may.';
COMMENT ON COLUMN bi.leads.stage_kind IS 'open: being worked; won; lost: rejected; postponed: paused, no loss.';
COMMENT ON COLUMN bi.leads.visit IS 'Number of its last entry into a stage within the lead, from 1: the last row in bi.stage_visits, unless it corrected a mistake (the visit before goes on).';
COMMENT ON COLUMN bi.leads.entered_at IS 'When it entered its present stage (UTC instant).';
COMMENT ON COLUMN bi.leads.captured_at IS 'When the lead came to be (UTC instant): the message''s own time, not that of its processing.';
COMMENT ON COLUMN bi.leads.name IS 'Name of the person as last known; empty if unknown or erased.';
COMMENT ON COLUMN bi.leads.company IS 'Company of the person as last known; empty if unknown or erased.';
COMMENT ON COLUMN bi.leads.source IS 'Where the lead came from, as the channel named it.';
COMMENT ON COLUMN bi.leads.channel IS 'Kind of channel: form, call, message, visit, mail.';
COMMENT ON COLUMN bi.leads.form IS 'Name of the form or channel account it came by, if any.';
COMMENT ON COLUMN bi.leads.responsible IS 'Who is responsible now; empty: nobody yet.';
COMMENT ON COLUMN bi.leads.amount IS 'Price of the last offer made, in main units of its currency; empty: no offer yet.';
COMMENT ON COLUMN bi.leads.currency IS 'Currency of amount (ISO 4217). Never add amounts of different currencies.';
COMMENT ON COLUMN bi.leads.contact IS 'The person''s id: bi.people.contact.';
COMMENT ON COLUMN bi.leads.version IS 'Number of the lead''s last event.';
COMMENT ON COLUMN bi.leads.paused_until IS 'The date a paused lead comes back on; empty if not paused.';
COMMENT ON COLUMN bi.leads.merged_into IS 'The lead that goes on for this one, which then stands in no stage: leave it out of counts. Empty: not merged.';
COMMENT ON COLUMN bi.leads.erased IS 'True: the person''s data was destroyed; the lead still counts.';

CREATE OR REPLACE VIEW bi.deals AS
SELECT d.lead AS deal, d.deal_of AS lead, d.pipeline, d.stage, d.kind AS stage_kind, d.visit, d.entered_at,
       d.captured_at AS opened_at, nullif(coalesce(d.name, l.name), '') AS name,
       nullif(coalesce(d.company, l.company), '') AS company, d.source, d.channel, d.responsible, d.amount, d.currency,
       d.contact, d.version, d.paused_until, d.withdrawn, d.erased OR coalesce(l.erased, false) AS erased
FROM {board}.cards AS d LEFT JOIN {board}.cards AS l ON l.lead = d.deal_of WHERE d.deal_of IS NOT NULL;
COMMENT ON VIEW bi.deals IS 'One row per deal, as it stands now (a few milliseconds behind): what a lead became, in a pipeline of its own. Leave withdrawn ones out of counts.';
COMMENT ON COLUMN bi.deals.deal IS 'The deal''s id: its stream in the event log, its key on Kafka, and what bi.stage_visits.lead and bi.timeline.lead say of it.';
COMMENT ON COLUMN bi.deals.lead IS 'The lead that became the deal: bi.leads.lead.';
COMMENT ON COLUMN bi.deals.pipeline IS 'Id of the pipeline the deal is worked in.';
COMMENT ON COLUMN bi.deals.stage IS 'Id of the stage it stands in now; of a withdrawn one, the stage it stood in.';
COMMENT ON COLUMN bi.deals.stage_kind IS 'open: being worked; won; lost: rejected; postponed: paused, no loss.';
COMMENT ON COLUMN bi.deals.visit IS 'Number of its last entry into a stage within the deal, from 1.';
COMMENT ON COLUMN bi.deals.entered_at IS 'When it entered its present stage (UTC instant).';
COMMENT ON COLUMN bi.deals.opened_at IS 'When the lead became the deal (UTC instant): the cohort it belongs to.';
COMMENT ON COLUMN bi.deals.name IS 'Name of the person: as the deal says, else as the lead does; empty if unknown or erased.';
COMMENT ON COLUMN bi.deals.company IS 'Company of the person, as name.';
COMMENT ON COLUMN bi.deals.source IS 'Where the lead came from, as the channel named it.';
COMMENT ON COLUMN bi.deals.channel IS 'Kind of channel the lead came by: form, call, message, visit, mail.';
COMMENT ON COLUMN bi.deals.responsible IS 'Who is responsible now; empty: nobody.';
COMMENT ON COLUMN bi.deals.amount IS 'Price of the last offer made in the deal, in main units of its currency; empty: no offer yet.';
COMMENT ON COLUMN bi.deals.currency IS 'Currency of amount (ISO 4217). Never add amounts of different currencies.';
COMMENT ON COLUMN bi.deals.contact IS 'The person''s id: bi.people.contact.';
COMMENT ON COLUMN bi.deals.version IS 'Number of the deal''s last event.';
COMMENT ON COLUMN bi.deals.paused_until IS 'The date a paused deal comes back on; empty if not paused.';
COMMENT ON COLUMN bi.deals.withdrawn IS 'True: the lead''s conversion was undone; the deal stands in no stage until the lead becomes one again.';
COMMENT ON COLUMN bi.deals.erased IS 'True: the person''s data was destroyed; the deal still counts.';

CREATE OR REPLACE VIEW bi.stage_visits AS
SELECT lead, visit, pipeline, stage, kind AS stage_kind, cause, direction, from_stage, responsible, entered_at, left_at,
       to_stage, left_by, source, captured_at, worked_by, left_how, basis, pipeline_version, left_direction, left_reason,
       left_outcome, known_from, left_known_at
FROM {funnel}.visits WHERE NOT undone;
COMMENT ON VIEW bi.stage_visits IS 'One row per visit of a lead, or of a deal, to a stage: funnels and durations are counted from these. Visits that were undone are in bi.undone_visits; the visit before such a one goes on.';
COMMENT ON COLUMN bi.stage_visits.lead IS 'The lead: bi.leads.lead; of a deal''s visit the deal: bi.deals.deal.';
COMMENT ON COLUMN bi.stage_visits.visit IS 'Number of the visit within the lead, from 1.';
COMMENT ON COLUMN bi.stage_visits.pipeline IS 'Id of the pipeline.';
COMMENT ON COLUMN bi.stage_visits.stage IS 'Id of the stage visited.';
COMMENT ON COLUMN bi.stage_visits.stage_kind IS 'open, won, lost or postponed.';
COMMENT ON COLUMN bi.stage_visits.cause IS 'Why the visit began: captured (came in, or was opened as a deal), moved, rejected, paused, converted, reopened, auto (by itself, everything being there), adopted (the pipeline changed), undone, unmerged.';
COMMENT ON COLUMN bi.stage_visits.direction IS 'in: captured; forward; back; skip: stages left out; out: to an outcome; return: back from one; across: to a stage of another pipeline or version.';
COMMENT ON COLUMN bi.stage_visits.from_stage IS 'Stage before this visit; empty for the first.';
COMMENT ON COLUMN bi.stage_visits.responsible IS 'Who was responsible when the visit began.';
COMMENT ON COLUMN bi.stage_visits.entered_at IS 'When the visit began (UTC instant).';
COMMENT ON COLUMN bi.stage_visits.left_at IS 'When it ended (UTC instant); empty: the lead is still there.';
COMMENT ON COLUMN bi.stage_visits.to_stage IS 'Stage after this visit; empty: still there.';
COMMENT ON COLUMN bi.stage_visits.left_by IS 'Why the visit ended: the cause of the next one, merged, or withdrawn (of a deal whose conversion was undone); empty: still there.';
COMMENT ON COLUMN bi.stage_visits.source IS 'Where the lead came from, as the channel named it.';
COMMENT ON COLUMN bi.stage_visits.captured_at IS 'When the lead came to be, or the deal was opened (UTC instant): the cohort it belongs to.';
COMMENT ON COLUMN bi.stage_visits.worked_by IS 'Who was responsible when the visit ended, or now if it has not; empty: nobody.';
COMMENT ON COLUMN bi.stage_visits.left_how IS 'went_on, skipped_on, won, lost, moved_back, postponed, merged_away, handed_over; empty: still there. Together they are all visits.';
COMMENT ON COLUMN bi.stage_visits.basis IS 'What let the lead enter: check (the rules), override (a head''s word), adoption (its pipeline changed), import, correction.';
COMMENT ON COLUMN bi.stage_visits.pipeline_version IS 'Number of the pipeline''s version the stage was entered under; 0: not said.';
COMMENT ON COLUMN bi.stage_visits.left_direction IS 'Direction of the next visit; empty: still there, merged away or withdrawn.';
COMMENT ON COLUMN bi.stage_visits.left_reason IS 'Of a loss: its reason, where the reject status has reasons.';
COMMENT ON COLUMN bi.stage_visits.left_outcome IS 'Of a loss: what remains of the lead: refused, contact, ads, bad_data.';
COMMENT ON COLUMN bi.stage_visits.known_from IS 'Since when the visit has been known as it stands, its end apart (UTC instant): later than entered_at for what was entered afterwards or corrected.';
COMMENT ON COLUMN bi.stage_visits.left_known_at IS 'Since when its end has been known (UTC instant); empty: still there.';

CREATE OR REPLACE VIEW bi.undone_visits AS
SELECT lead, visit, pipeline, stage, kind AS stage_kind, cause, entered_at, responsible, known_from AS undone_at
FROM {funnel}.visits WHERE undone;
COMMENT ON VIEW bi.undone_visits IS 'Visits that were mistakes and were undone: they count for nothing, the visit before each goes on.';
COMMENT ON COLUMN bi.undone_visits.lead IS 'The lead: bi.leads.lead; of a deal''s visit the deal: bi.deals.deal.';
COMMENT ON COLUMN bi.undone_visits.visit IS 'Number of the visit within the lead.';
COMMENT ON COLUMN bi.undone_visits.pipeline IS 'Id of the pipeline.';
COMMENT ON COLUMN bi.undone_visits.stage IS 'Id of the stage that was entered by mistake.';
COMMENT ON COLUMN bi.undone_visits.stage_kind IS 'open, won, lost or postponed.';
COMMENT ON COLUMN bi.undone_visits.cause IS 'Why it began, as in bi.stage_visits.';
COMMENT ON COLUMN bi.undone_visits.entered_at IS 'When it began (UTC instant).';
COMMENT ON COLUMN bi.undone_visits.responsible IS 'Who was responsible when it began.';
COMMENT ON COLUMN bi.undone_visits.undone_at IS 'When the correction was recorded (UTC instant).';

CREATE OR REPLACE VIEW bi.funnel AS
SELECT pipeline, (date_trunc('month', captured_at AT TIME ZONE 'UTC'))::date AS captured_month, stage, source, worked_by,
       count(*) AS entries, count(DISTINCT lead) AS leads,
       count(*) FILTER (WHERE left_how = 'went_on') AS went_on,
       count(*) FILTER (WHERE left_how = 'skipped_on') AS skipped_on,
       count(*) FILTER (WHERE left_how = 'won') AS won,
       count(*) FILTER (WHERE left_how = 'lost') AS lost,
       count(*) FILTER (WHERE left_how = 'moved_back') AS moved_back,
       count(*) FILTER (WHERE left_how = 'postponed') AS postponed,
       count(*) FILTER (WHERE left_how = 'merged_away') AS merged_away,
       count(*) FILTER (WHERE left_how = 'handed_over') AS handed_over,
       count(*) FILTER (WHERE left_how IS NULL) AS still_there,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM left_at - entered_at)) AS median_seconds,
       percentile_cont(0.9) WITHIN GROUP (ORDER BY extract(epoch FROM left_at - entered_at)) AS p90_seconds,
       count(*) FILTER (WHERE basis = 'override') AS overridden, count(*) FILTER (WHERE basis = 'adoption') AS adopted,
       count(*) FILTER (WHERE basis = 'import') AS imported
FROM {funnel}.visits WHERE NOT undone
GROUP BY 1, 2, 3, 4, 5;
COMMENT ON VIEW bi.funnel IS 'Cohort funnel: stage visits of the leads received in a month. entries = the eight ways out + still_there, in each row and in any sum of rows.';
COMMENT ON COLUMN bi.funnel.pipeline IS 'Id of the pipeline. Never add figures of different pipelines.';
COMMENT ON COLUMN bi.funnel.captured_month IS 'First day of the month the leads came in (UTC): the cohort.';
COMMENT ON COLUMN bi.funnel.stage IS 'Id of the stage.';
COMMENT ON COLUMN bi.funnel.source IS 'Where the leads came from, as the channel named it.';
COMMENT ON COLUMN bi.funnel.worked_by IS 'Who was responsible when the visit ended, or now if it has not; empty: nobody.';
COMMENT ON COLUMN bi.funnel.entries IS 'Visits that began, repeated ones of a lead too. May be added up.';
COMMENT ON COLUMN bi.funnel.leads IS 'Different leads that reached the stage under this worked_by. May be added up over months and sources; not over worked_by: a lead that came back under another is in both rows.';
COMMENT ON COLUMN bi.funnel.went_on IS 'Visits that ended with the next stage.';
COMMENT ON COLUMN bi.funnel.skipped_on IS 'Visits that ended with a later stage, stages between left out.';
COMMENT ON COLUMN bi.funnel.won IS 'Visits that ended with a stage of kind won, from one that is not.';
COMMENT ON COLUMN bi.funnel.lost IS 'Visits that ended with a reject status.';
COMMENT ON COLUMN bi.funnel.moved_back IS 'Visits that ended with an earlier stage, or, from an outcome, with the return to work.';
COMMENT ON COLUMN bi.funnel.postponed IS 'Visits that ended with a pause. No loss.';
COMMENT ON COLUMN bi.funnel.merged_away IS 'Visits that ended because the lead was found to be another one, or the deal was withdrawn.';
COMMENT ON COLUMN bi.funnel.handed_over IS 'Visits that ended because the lead went to another pipeline, or to a stage of another version of it.';
COMMENT ON COLUMN bi.funnel.still_there IS 'Visits that have not ended.';
COMMENT ON COLUMN bi.funnel.median_seconds IS 'Median time in the stage of the visits that ended, in seconds; empty: none has. Never add or average these.';
COMMENT ON COLUMN bi.funnel.p90_seconds IS 'Time in the stage that 9 of 10 ended visits stayed under, in seconds; empty: none has ended.';
COMMENT ON COLUMN bi.funnel.overridden IS 'Of the entries, those by a head''s override of the rules.';
COMMENT ON COLUMN bi.funnel.adopted IS 'Of the entries, those because the pipeline or its version changed.';
COMMENT ON COLUMN bi.funnel.imported IS 'Of the entries, those that an import brought in.';

CREATE OR REPLACE VIEW bi.timeline AS
SELECT lead, version, type, happened_at, recorded_at, actor_id, actor_kind, on_behalf_of, data, personal, erased
FROM {timeline}.entries;
COMMENT ON VIEW bi.timeline IS 'Every event of every lead and deal, in the order of lead and version.';
COMMENT ON COLUMN bi.timeline.lead IS 'The lead: bi.leads.lead; of a deal''s event the deal: bi.deals.deal.';
COMMENT ON COLUMN bi.timeline.version IS 'Number of the event within the lead, from 1, without gaps.';
COMMENT ON COLUMN bi.timeline.type IS 'Type of the event, for example leadline.lead.stage_entered; contracts/asyncapi.yaml lists them.';
COMMENT ON COLUMN bi.timeline.happened_at IS 'When it happened (UTC instant): for durations.';
COMMENT ON COLUMN bi.timeline.recorded_at IS 'When it was recorded (UTC instant): later than happened_at for what was entered afterwards.';
COMMENT ON COLUMN bi.timeline.actor_id IS 'Who did it: a user''s name in the company, or the id of a robot or adapter.';
COMMENT ON COLUMN bi.timeline.actor_kind IS 'person, robot, trigger, adapter, import, system or client.';
COMMENT ON COLUMN bi.timeline.on_behalf_of IS 'For whom, where it was not for themselves.';
COMMENT ON COLUMN bi.timeline.data IS 'The event''s fields that are not personal (JSON).';
COMMENT ON COLUMN bi.timeline.personal IS 'The event''s personal fields (JSON); empty if it has none or the person was erased.';
COMMENT ON COLUMN bi.timeline.erased IS 'True: it had personal fields, and they were destroyed.';

CREATE OR REPLACE VIEW bi.messages AS
SELECT e.lead, e.version, (e.data ->> 'inbound_id')::uuid AS inbound,
       coalesce(e.data ->> 'channel', CASE split_part(e.type, '.', 3) WHEN 'call_recorded' THEN 'call'
                WHEN 'visit_recorded' THEN 'visit' ELSE 'mail' END) AS channel,
       coalesce(e.data ->> 'source', e.data ->> 'account', e.data ->> 'line') AS source,
       e.data ->> 'form' AS form, coalesce((e.data ->> 'received_at')::timestamptz, e.happened_at) AS received_at, e.happened_at,
       e.type = 'leadline.lead.captured' OR EXISTS (
           SELECT FROM {timeline}.entries AS c WHERE c.lead = e.lead AND c.version = 1
              AND c.data ->> 'inbound_id' = e.data ->> 'inbound_id') AS made_the_lead,
       coalesce(e.personal ->> 'comment', e.personal ->> 'text') AS comment, e.erased
FROM {timeline}.entries AS e
WHERE e.type IN ('leadline.lead.inbound_joined', 'leadline.lead.call_recorded', 'leadline.lead.letter_received',
                 'leadline.lead.visit_recorded', 'leadline.deal.inbound_joined', 'leadline.deal.call_recorded',
                 'leadline.deal.letter_received', 'leadline.deal.visit_recorded')
   OR (e.type = 'leadline.lead.captured' AND e.data ->> 'channel' NOT IN ('call', 'visit', 'mail'));
COMMENT ON VIEW bi.messages IS 'Every inbound message that made a lead or came to one; calls of ours too. Further reports of a call are not messages of their own.';
COMMENT ON COLUMN bi.messages.lead IS 'The lead: bi.leads.lead; or the deal that it answers: bi.deals.deal.';
COMMENT ON COLUMN bi.messages.version IS 'Number of the event within the lead that recorded the message.';
COMMENT ON COLUMN bi.messages.inbound IS 'Id given on receipt; empty for leads made by hand.';
COMMENT ON COLUMN bi.messages.channel IS 'Kind of channel: form, call, message, visit, mail.';
COMMENT ON COLUMN bi.messages.source IS 'Where it came from, as the channel named it; of a call the number of ours.';
COMMENT ON COLUMN bi.messages.form IS 'Name of the form or channel account, if any.';
COMMENT ON COLUMN bi.messages.received_at IS 'When it reached us (UTC instant); of a call when it began.';
COMMENT ON COLUMN bi.messages.happened_at IS 'When it was sent, as far as the channel says; else as received_at (UTC instant).';
COMMENT ON COLUMN bi.messages.made_the_lead IS 'True: this message made the lead; false: it joined one that was open.';
COMMENT ON COLUMN bi.messages.comment IS 'What the person wrote; empty if nothing or erased.';
COMMENT ON COLUMN bi.messages.erased IS 'True: its personal data was destroyed.';

CREATE OR REPLACE VIEW bi.inbound AS
SELECT o.inbound_id AS inbound, o.channel, o.account, o.received_at, o.outcome, split_part(o.reason, ':', 1) AS reason,
       o.lead, o.contact, o.at AS decided_at, 1::bigint AS messages,
       coalesce(split_part(o.reason, ':', 1) IN ('same_call', 'same_letter', 'further_report'), false) AS repeats
FROM leadline.inbound_outcomes AS o
UNION ALL
SELECT NULL, r.channel, r.account, r.last_at, 'refused', r.reason, NULL, NULL, r.last_at, r.requests, false
FROM leadline.refused_requests AS r;
COMMENT ON VIEW bi.inbound IS 'Everything that came in and what became of it. Share that became no lead: sum of messages whose outcome is neither accepted nor joined, by the sum of all, where not repeats.';
COMMENT ON COLUMN bi.inbound.inbound IS 'Id given on receipt: bi.messages.inbound; empty for refused requests.';
COMMENT ON COLUMN bi.inbound.channel IS 'Kind of channel: form, call, message, visit, mail; unknown: straight on Kafka under no type of the contract.';
COMMENT ON COLUMN bi.inbound.account IS 'The form''s name, or the channel account; of refused requests empty where the sender had no token.';
COMMENT ON COLUMN bi.inbound.received_at IS 'When it reached us (UTC instant); of refused requests the last one of its minute.';
COMMENT ON COLUMN bi.inbound.outcome IS 'accepted: made a lead; joined: came to an open one; no_lead: neither, by a rule; quarantined: not understood, waits for a person; refused: turned away at the door.';
COMMENT ON COLUMN bi.inbound.reason IS 'Why, as a word: docs/rules.md; empty for most of those accepted or joined.';
COMMENT ON COLUMN bi.inbound.lead IS 'The lead it made or came to: bi.leads.lead.';
COMMENT ON COLUMN bi.inbound.contact IS 'Whose it is, where that is known: bi.people.contact.';
COMMENT ON COLUMN bi.inbound.decided_at IS 'When that was decided (UTC instant).';
COMMENT ON COLUMN bi.inbound.messages IS 'How many messages the row stands for: 1, or the refused requests of a minute.';
COMMENT ON COLUMN bi.inbound.repeats IS 'True: a further report of a call or a copy of a letter, which count with the first one.';

CREATE OR REPLACE VIEW bi.people AS
SELECT p.contact, p.name, p.company,
       ARRAY(SELECT i.value FROM {people}.identities AS i WHERE i.contact = p.contact AND i.kind = 'phone' ORDER BY 1) AS phones,
       ARRAY(SELECT i.value FROM {people}.identities AS i WHERE i.contact = p.contact AND i.kind = 'email' ORDER BY 1) AS emails,
       (SELECT count(*) FROM {people}.leads AS l WHERE l.contact = p.contact) AS leads, p.made_at, p.erased, p.merged_into
FROM {people}.people AS p;
COMMENT ON VIEW bi.people IS 'Persons with their phones and e-mails. An erased one keeps an empty row.';
COMMENT ON COLUMN bi.people.contact IS 'The person''s id.';
COMMENT ON COLUMN bi.people.name IS 'Name; empty if unknown or erased.';
COMMENT ON COLUMN bi.people.company IS 'Company; empty if unknown or erased.';
COMMENT ON COLUMN bi.people.phones IS 'Phones in international form (E.164).';
COMMENT ON COLUMN bi.people.emails IS 'E-mail addresses, normalised.';
COMMENT ON COLUMN bi.people.leads IS 'How many leads the person has or had.';
COMMENT ON COLUMN bi.people.made_at IS 'When the person became known (UTC instant).';
COMMENT ON COLUMN bi.people.merged_into IS 'The same person as this one, who goes on; empty: a person of their own.';
COMMENT ON COLUMN bi.people.erased IS 'True: the person''s data was destroyed.';

CREATE OR REPLACE VIEW bi.robot_runs AS
SELECT lead, pipeline, visit, robot, timer, because, armed_at, due_at, outcome, reason, closed_at, late_ms, effect
FROM {robots}.runs;
COMMENT ON VIEW bi.robot_runs IS 'One row per robot and timer: everything that was to happen by itself on a lead, and what became of it.';
COMMENT ON COLUMN bi.robot_runs.lead IS 'The lead: bi.leads.lead.';
COMMENT ON COLUMN bi.robot_runs.pipeline IS 'Id of the pipeline the robot belongs to.';
COMMENT ON COLUMN bi.robot_runs.visit IS 'Number of the stage visit it belongs to: bi.stage_visits.visit.';
COMMENT ON COLUMN bi.robot_runs.robot IS 'Id of the robot; pause: a pause that comes back; meeting_result: the result of a meeting is owed.';
COMMENT ON COLUMN bi.robot_runs.timer IS 'Id of this arming; a robot that was armed again has another one.';
COMMENT ON COLUMN bi.robot_runs.because IS 'From what its instant follows: entry, after_robot, date, again, retimed, left_stage, undone, pause, meeting, started.';
COMMENT ON COLUMN bi.robot_runs.armed_at IS 'When it was armed (UTC instant).';
COMMENT ON COLUMN bi.robot_runs.due_at IS 'The instant it starts at (UTC instant).';
COMMENT ON COLUMN bi.robot_runs.outcome IS 'ran, skipped, cancelled or failed; empty: it still waits.';
COMMENT ON COLUMN bi.robot_runs.reason IS 'Of a skip: condition, predecessor, contact_refused, no_address, rules, loop, removed, once. Of a cancellation: by what. Of a failure: its words.';
COMMENT ON COLUMN bi.robot_runs.closed_at IS 'When that was (UTC instant); empty: it still waits.';
COMMENT ON COLUMN bi.robot_runs.late_ms IS 'Milliseconds between its instant and the act; empty: it did not run.';
COMMENT ON COLUMN bi.robot_runs.effect IS 'What it requested of the outside: bi.effects.effect; empty: nothing.';

CREATE OR REPLACE VIEW bi.effects AS
SELECT lead, effect, pipeline, kind, robot, visit, template, service, action, marketing, requested_at, state, closed_at,
       attempts, provider, reason, matched, doubtful, repeats, bounced, bounced_at
FROM {robots}.effects;
COMMENT ON VIEW bi.effects IS 'One row per letter, short message, change of an ad audience or call of another system that was requested; nothing personal.';
COMMENT ON COLUMN bi.effects.lead IS 'The lead: bi.leads.lead.';
COMMENT ON COLUMN bi.effects.effect IS 'Id of the effect: it is carried out once under it.';
COMMENT ON COLUMN bi.effects.pipeline IS 'Id of the pipeline.';
COMMENT ON COLUMN bi.effects.kind IS 'email, sms, audience, webhook, or notice: a letter to somebody of ours.';
COMMENT ON COLUMN bi.effects.robot IS 'Id of the robot that requested it; empty: a refusal of contact did.';
COMMENT ON COLUMN bi.effects.visit IS 'Number of the stage visit of that robot.';
COMMENT ON COLUMN bi.effects.template IS 'Id of the template; empty: it has none.';
COMMENT ON COLUMN bi.effects.service IS 'Of an audience: vk, yandex, facebook, google; of a webhook the name of its address; of a notice who is told.';
COMMENT ON COLUMN bi.effects.action IS 'Of an audience: add or remove.';
COMMENT ON COLUMN bi.effects.marketing IS 'True: it advertises.';
COMMENT ON COLUMN bi.effects.requested_at IS 'When it was first requested (UTC instant).';
COMMENT ON COLUMN bi.effects.state IS 'requested: on its way; done: the other side accepted it; failed: given up, a person may repeat it.';
COMMENT ON COLUMN bi.effects.closed_at IS 'When it was done or given up (UTC instant); empty: on its way.';
COMMENT ON COLUMN bi.effects.attempts IS 'How many tries its last end took; empty: it has not ended.';
COMMENT ON COLUMN bi.effects.provider IS 'By way of which server or service.';
COMMENT ON COLUMN bi.effects.reason IS 'Why it was given up.';
COMMENT ON COLUMN bi.effects.matched IS 'Of an audience: how many contacts the service matched, where it says so.';
COMMENT ON COLUMN bi.effects.doubtful IS 'True: the other side''s answer was lost, so it may have gone out twice, or, of a failed one, once.';
COMMENT ON COLUMN bi.effects.repeats IS 'How often a person asked to try again.';
COMMENT ON COLUMN bi.effects.bounced IS 'permanent: the letter came back, the address does not take it; failed: it came back for another reason; delayed: it is held up; empty: none of these.';
COMMENT ON COLUMN bi.effects.bounced_at IS 'When that was (UTC instant).';

CREATE OR REPLACE VIEW bi.trigger_pulls AS
SELECT lead, version, pipeline, trigger, at, fired, to_stage, reason
FROM {robots}.pulls;
COMMENT ON VIEW bi.trigger_pulls IS 'One row each time a trigger moved a lead, or stood ready and did not.';
COMMENT ON COLUMN bi.trigger_pulls.lead IS 'The lead: bi.leads.lead.';
COMMENT ON COLUMN bi.trigger_pulls.version IS 'Number of the event within the lead.';
COMMENT ON COLUMN bi.trigger_pulls.pipeline IS 'Id of the pipeline.';
COMMENT ON COLUMN bi.trigger_pulls.trigger IS 'Id of the trigger.';
COMMENT ON COLUMN bi.trigger_pulls.at IS 'When it was (UTC instant).';
COMMENT ON COLUMN bi.trigger_pulls.fired IS 'True: it moved the lead.';
COMMENT ON COLUMN bi.trigger_pulls.to_stage IS 'Id of the stage it moves leads to.';
COMMENT ON COLUMN bi.trigger_pulls.reason IS 'Why it did not: condition, rules, other_trigger, loop; empty: it did.';

CREATE OR REPLACE VIEW bi.people_stages AS
SELECT pipeline, stage, kind AS stage_kind, responsible, currency, count(*) AS leads, sum(amount) AS amount,
       min(entered_at) AS oldest_entered_at
FROM {board}.cards WHERE merged_into IS NULL AND NOT withdrawn
GROUP BY pipeline, stage, kind, responsible, currency;
COMMENT ON VIEW bi.people_stages IS 'Whose leads and deals stand in which stage now: one row per pipeline, stage, person and currency.';
COMMENT ON COLUMN bi.people_stages.pipeline IS 'Id of the pipeline.';
COMMENT ON COLUMN bi.people_stages.stage IS 'Id of the stage.';
COMMENT ON COLUMN bi.people_stages.stage_kind IS 'open, won, lost or postponed.';
COMMENT ON COLUMN bi.people_stages.responsible IS 'Who is responsible; empty: nobody.';
COMMENT ON COLUMN bi.people_stages.currency IS 'Currency of the last offers (ISO 4217); empty: leads without an offer.';
COMMENT ON COLUMN bi.people_stages.leads IS 'How many leads and deals. May be added up.';
COMMENT ON COLUMN bi.people_stages.amount IS 'What their last offers add up to, in main units of the currency. Never add amounts of different currencies.';
COMMENT ON COLUMN bi.people_stages.oldest_entered_at IS 'When the one that is longest in the stage entered it (UTC instant).';

CREATE OR REPLACE VIEW bi.tasks AS
SELECT a.lead, a.activity, a.pipeline, a.kind, a.reason, a.planned_at, a.planned_by, a.first_due_at, a.due_at, a.moved,
       a.assignee, coalesce(a.assignee, c.responsible) AS doer, a.robot, a.deadline, a.visit, a.is_key, a.remind_at,
       a.recurring, a.follows, a.outcome, a.closed_at, a.closed_by, a.closed_reason
FROM {tasks}.activities AS a LEFT JOIN {board}.cards AS c ON c.lead = a.lead;
COMMENT ON VIEW bi.tasks IS 'One row per planned call, letter, meeting or task of a lead or deal. Texts and results are in bi.timeline.';
COMMENT ON COLUMN bi.tasks.lead IS 'The lead: bi.leads.lead; or the deal: bi.deals.deal.';
COMMENT ON COLUMN bi.tasks.activity IS 'Id of the task.';
COMMENT ON COLUMN bi.tasks.pipeline IS 'Id of the pipeline when it was planned.';
COMMENT ON COLUMN bi.tasks.kind IS 'call, letter, meeting or task.';
COMMENT ON COLUMN bi.tasks.reason IS 'Why it was planned: by_hand, callback_ordered, missed_call, robot, trigger_refused, bounced, effect_failed, robot_failed, deadline, recurring.';
COMMENT ON COLUMN bi.tasks.planned_at IS 'When it was planned (UTC instant).';
COMMENT ON COLUMN bi.tasks.planned_by IS 'Who planned it: a user''s name in the company, or the id of a robot or service.';
COMMENT ON COLUMN bi.tasks.first_due_at IS 'When it was due as first planned (UTC instant); empty: no instant.';
COMMENT ON COLUMN bi.tasks.due_at IS 'When it is due (UTC instant); empty: no instant. Overdue: outcome is empty and this is past.';
COMMENT ON COLUMN bi.tasks.moved IS 'How often it was given another instant.';
COMMENT ON COLUMN bi.tasks.assignee IS 'Who is to do it by name; empty: whoever is responsible for the lead.';
COMMENT ON COLUMN bi.tasks.doer IS 'The assignee, or whoever is responsible for the lead now; empty: nobody.';
COMMENT ON COLUMN bi.tasks.robot IS 'Id of the robot or trigger that planned it.';
COMMENT ON COLUMN bi.tasks.deadline IS 'Id of the deadline it stands for.';
COMMENT ON COLUMN bi.tasks.visit IS 'Number of the stage visit it belongs to; empty: of the lead as a whole.';
COMMENT ON COLUMN bi.tasks.is_key IS 'True: not done by its instant it is a miss: bi.deadlines.activity.';
COMMENT ON COLUMN bi.tasks.remind_at IS 'When whoever is to do it is reminded (UTC instant).';
COMMENT ON COLUMN bi.tasks.recurring IS 'True: planned anew each time it was done.';
COMMENT ON COLUMN bi.tasks.follows IS 'Of a recurring one: the task that was done before it.';
COMMENT ON COLUMN bi.tasks.outcome IS 'done; closed: nobody did it, it is not needed any more; empty: to be done.';
COMMENT ON COLUMN bi.tasks.closed_at IS 'When that was (UTC instant); empty: to be done.';
COMMENT ON COLUMN bi.tasks.closed_by IS 'Who did or closed it.';
COMMENT ON COLUMN bi.tasks.closed_reason IS 'Of a done one: by_hand, answered_call, recorded. Of a closed one: left_stage, undone, lead_closed, by_hand, deadline, erased.';

CREATE OR REPLACE VIEW bi.deadlines AS
SELECT d.lead, d.timer, d.pipeline, d.deadline, d.visit, d.turn, d.because, d.begun_at, d.due_at,
       make_interval(months => coalesce((d.term ->> 'months')::int, 0), days => coalesce((d.term ->> 'days')::int, 0),
                     hours => coalesce((d.term ->> 'hours')::int, 0), mins => coalesce((d.term ->> 'minutes')::int, 0)) AS term,
       coalesce((d.term ->> 'working')::boolean, false) AS working, d.clause, d.calendar, d.counted_for, c.responsible,
       d.warn_at, d.activity, d.raises, ARRAY(SELECT jsonb_array_elements_text(d.lacks)) AS lacks, d.outcome, d.closed_at,
       d.closed_reason, d.result, d.left_s, d.late_ms, d.missed_by, d.cause, d.stage, d.running, d.incident
FROM {tasks}.deadlines AS d LEFT JOIN {board}.cards AS c ON c.lead = d.lead;
COMMENT ON VIEW bi.deadlines IS 'One row per turn of a deadline: what was due, and whether it was done in time.';
COMMENT ON COLUMN bi.deadlines.lead IS 'The lead: bi.leads.lead; or the deal: bi.deals.deal.';
COMMENT ON COLUMN bi.deadlines.timer IS 'Id of the turn.';
COMMENT ON COLUMN bi.deadlines.pipeline IS 'Id of the pipeline.';
COMMENT ON COLUMN bi.deadlines.deadline IS 'Id of the deadline in the pipeline; meeting_result: the result of a meeting is owed; activity: a key action that was planned.';
COMMENT ON COLUMN bi.deadlines.visit IS 'Number of the stage visit it belongs to: bi.stage_visits.visit.';
COMMENT ON COLUMN bi.deadlines.turn IS 'Number of the turn within the visit, from 1.';
COMMENT ON COLUMN bi.deadlines.because IS 'What it began with: entry, fact, robot, date, again (after a miss), asked (something was missing), meeting, planned, pool, undone, started.';
COMMENT ON COLUMN bi.deadlines.begun_at IS 'From when the term counts (UTC instant).';
COMMENT ON COLUMN bi.deadlines.due_at IS 'When it is due (UTC instant); done at that instant is in time.';
COMMENT ON COLUMN bi.deadlines.term IS 'How long the term is, as the pipeline states it.';
COMMENT ON COLUMN bi.deadlines.working IS 'True: counted in the team''s working time.';
COMMENT ON COLUMN bi.deadlines.clause IS 'The condition by which the term was chosen; empty: it holds for all others.';
COMMENT ON COLUMN bi.deadlines.calendar IS 'team@number of the calendar in which it was counted; empty: plain time.';
COMMENT ON COLUMN bi.deadlines.counted_for IS 'In whose working time it was counted.';
COMMENT ON COLUMN bi.deadlines.responsible IS 'Who is responsible for the lead now; empty: nobody.';
COMMENT ON COLUMN bi.deadlines.warn_at IS 'When the responsible is reminded before its end (UTC instant).';
COMMENT ON COLUMN bi.deadlines.activity IS 'The task that stands for it: bi.tasks.activity.';
COMMENT ON COLUMN bi.deadlines.raises IS 'True: a miss goes to the incident journal.';
COMMENT ON COLUMN bi.deadlines.lacks IS 'Ids of fields and criteria that are asked for again, or were lacking at its end.';
COMMENT ON COLUMN bi.deadlines.outcome IS 'met; asked: done with something missing, asked for again; missed; dropped: not needed any more; empty: it runs.';
COMMENT ON COLUMN bi.deadlines.closed_at IS 'When that was (UTC instant); empty: it runs.';
COMMENT ON COLUMN bi.deadlines.closed_reason IS 'Of a dropped one: left_stage, lead_closed, undone, adopted, merged, erased, by_hand, retimed.';
COMMENT ON COLUMN bi.deadlines.result IS 'Which of the deadline''s results, where it has any.';
COMMENT ON COLUMN bi.deadlines.left_s IS 'Of a met one: working time that was left, in seconds.';
COMMENT ON COLUMN bi.deadlines.late_ms IS 'Of a missed one: milliseconds between the due instant and the record.';
COMMENT ON COLUMN bi.deadlines.missed_by IS 'Of a missed one: who was responsible at the due instant; empty: nobody.';
COMMENT ON COLUMN bi.deadlines.cause IS 'Of a missed one: person, robot_failed, delivery_failed, assigned_late, absent, outside_hours, nobody_responsible, left. Only the first counts as a strike.';
COMMENT ON COLUMN bi.deadlines.stage IS 'Of a missed one: id of the stage.';
COMMENT ON COLUMN bi.deadlines.running IS 'Of a missed one: how many misses of it by the same person on this lead stand in a row.';
COMMENT ON COLUMN bi.deadlines.incident IS 'Of a missed one: bi.incidents.incident; empty: it raises none.';

CREATE OR REPLACE VIEW bi.incidents AS
SELECT i.incident, i.employee, i.kind, i.lead, i.of_deal, i.pipeline, i.stage, i.rule, i.turn, i.due_at, i.missed_s, i.cause,
       i.counts, i.calendar, i.recorded_at, i.told_at, i.told_via, i.strike, i.strikes, i.days, i.acknowledged_at, i.excused_at,
       i.excused_by, i.excuse, i.restated_at, i.restated_by, i.verdict, i.restated_due_at, i.restated_calendar,
       i.restated_strike, i.restatement, i.restatements,
       (SELECT x.escalation FROM {incidents}.escalated AS x WHERE x.incident = i.incident
        ORDER BY x.added_at, x.escalation LIMIT 1) AS escalation,
       (SELECT n.state FROM {incidents}.notices AS n WHERE n.incident = i.incident AND n.about = 'incident'
        ORDER BY n.requested_at DESC, n.effect LIMIT 1) AS notice
FROM {incidents}.incidents AS i;
COMMENT ON VIEW bi.incidents IS 'One row per incident of the journals. due_at, counts and strike say how it was judged then; the columns restated_… how it is judged under a corrected calendar: report both.';
COMMENT ON COLUMN bi.incidents.incident IS 'Id of the incident.';
COMMENT ON COLUMN bi.incidents.employee IS 'Whose it is; of what is nobody''s: the head who looks after it.';
COMMENT ON COLUMN bi.incidents.kind IS 'deadline: a miss; raised: by a robot of the pipeline; pool: a lead that nobody may have; silent_channel: nothing came in for too long; dead_letter: something was given up.';
COMMENT ON COLUMN bi.incidents.lead IS 'The lead: bi.leads.lead; where of_deal the deal: bi.deals.deal; empty: of no lead.';
COMMENT ON COLUMN bi.incidents.of_deal IS 'True: lead is a deal.';
COMMENT ON COLUMN bi.incidents.pipeline IS 'Id of the pipeline.';
COMMENT ON COLUMN bi.incidents.stage IS 'Id of the stage.';
COMMENT ON COLUMN bi.incidents.rule IS 'Id of the deadline or robot; of a channel or letter its name.';
COMMENT ON COLUMN bi.incidents.turn IS 'Which turn of the deadline.';
COMMENT ON COLUMN bi.incidents.due_at IS 'When it was due, as judged then (UTC instant).';
COMMENT ON COLUMN bi.incidents.missed_s IS 'Working time between the due instant and the record, in seconds.';
COMMENT ON COLUMN bi.incidents.cause IS 'person, robot_failed, delivery_failed, assigned_late, absent, outside_hours, nobody_responsible, left, channel, provider.';
COMMENT ON COLUMN bi.incidents.counts IS 'True: it is a strike once told.';
COMMENT ON COLUMN bi.incidents.calendar IS 'team@number of the calendar it was judged by.';
COMMENT ON COLUMN bi.incidents.recorded_at IS 'When it came to the journal (UTC instant).';
COMMENT ON COLUMN bi.incidents.told_at IS 'When its notice reached the person (UTC instant); empty: not yet.';
COMMENT ON COLUMN bi.incidents.told_via IS 'app: shown to them in the application; mail: the mail server took it.';
COMMENT ON COLUMN bi.incidents.strike IS 'Which strike of the period it was when told; empty: none.';
COMMENT ON COLUMN bi.incidents.strikes IS 'How many strikes escalate, as it was then.';
COMMENT ON COLUMN bi.incidents.days IS 'Length of the period in which strikes were counted, in days.';
COMMENT ON COLUMN bi.incidents.acknowledged_at IS 'When the employee took note (UTC instant).';
COMMENT ON COLUMN bi.incidents.excused_at IS 'When the head excused it (UTC instant): it counts no more from then on.';
COMMENT ON COLUMN bi.incidents.excused_by IS 'Who excused it.';
COMMENT ON COLUMN bi.incidents.excuse IS 'Why.';
COMMENT ON COLUMN bi.incidents.restated_at IS 'When it was last judged anew under a corrected calendar (UTC instant); empty: never.';
COMMENT ON COLUMN bi.incidents.restated_by IS 'Who asked for that.';
COMMENT ON COLUMN bi.incidents.verdict IS 'stands: missed all the same; in_time: it was done by the right instant; not_due: that was yet to come; empty: never judged anew.';
COMMENT ON COLUMN bi.incidents.restated_due_at IS 'When it was due in truth (UTC instant).';
COMMENT ON COLUMN bi.incidents.restated_calendar IS 'team@number of the calendar it was judged anew by.';
COMMENT ON COLUMN bi.incidents.restated_strike IS 'Its number among the strikes restated; empty: none.';
COMMENT ON COLUMN bi.incidents.restatement IS 'Why it was judged anew.';
COMMENT ON COLUMN bi.incidents.restatements IS 'How often.';
COMMENT ON COLUMN bi.incidents.escalation IS 'The escalation it belongs to: bi.escalations.escalation; empty: none.';
COMMENT ON COLUMN bi.incidents.notice IS 'What became of the letter about it: requested, done, failed; empty: none was written.';

CREATE OR REPLACE VIEW bi.escalations AS
SELECT e.escalation, e.employee, e.manager, e.strike, e.days, e.opened_at,
       (SELECT count(*) FROM {incidents}.escalated AS x WHERE x.escalation = e.escalation) AS incidents,
       e.closed_at, e.closed_how, e.closed_by, e.comment
FROM {incidents}.escalations AS e;
COMMENT ON VIEW bi.escalations IS 'One row per escalation: misses of one person in a period, that their manager was told of.';
COMMENT ON COLUMN bi.escalations.escalation IS 'Id of the escalation.';
COMMENT ON COLUMN bi.escalations.employee IS 'Whose misses they are.';
COMMENT ON COLUMN bi.escalations.manager IS 'Who was told; empty: nobody is named, it stood in every head''s queue.';
COMMENT ON COLUMN bi.escalations.strike IS 'Which strike opened it.';
COMMENT ON COLUMN bi.escalations.days IS 'Length of the period in which strikes were counted, in days.';
COMMENT ON COLUMN bi.escalations.opened_at IS 'When it was opened (UTC instant).';
COMMENT ON COLUMN bi.escalations.incidents IS 'How many incidents belong to it: bi.incidents.escalation.';
COMMENT ON COLUMN bi.escalations.closed_at IS 'When it ended (UTC instant); empty: it is open. A later miss opens it again.';
COMMENT ON COLUMN bi.escalations.closed_how IS 'manager: the manager dealt with it; nothing_left: all of it was excused or restated.';
COMMENT ON COLUMN bi.escalations.closed_by IS 'Who closed it.';
COMMENT ON COLUMN bi.escalations.comment IS 'What the manager said.';

CREATE OR REPLACE VIEW bi.reviews AS
SELECT lead, visit, pipeline, status, reason, automatic, responsible, opened_at, decision, decided_at, decided_by, dropped_by
FROM {tasks}.reviews;
COMMENT ON VIEW bi.reviews IS 'One row per lead or deal that was made poor and is for the head to judge. Share of returned ones of a person: returned by confirmed and returned, where not automatic.';
COMMENT ON COLUMN bi.reviews.lead IS 'The lead: bi.leads.lead; or the deal: bi.deals.deal.';
COMMENT ON COLUMN bi.reviews.visit IS 'Number of the stage visit in which it is poor: bi.stage_visits.visit.';
COMMENT ON COLUMN bi.reviews.pipeline IS 'Id of the pipeline.';
COMMENT ON COLUMN bi.reviews.status IS 'Id of the reject status.';
COMMENT ON COLUMN bi.reviews.reason IS 'Id of the reason, where the status has any.';
COMMENT ON COLUMN bi.reviews.automatic IS 'True: made poor by a robot, a limit or the check of a deadline, not by a person.';
COMMENT ON COLUMN bi.reviews.responsible IS 'Whose work it judges; empty: nobody''s.';
COMMENT ON COLUMN bi.reviews.opened_at IS 'When it was made poor (UTC instant).';
COMMENT ON COLUMN bi.reviews.decision IS 'confirmed; returned to work; dropped: nothing is to be judged any more; empty: it waits.';
COMMENT ON COLUMN bi.reviews.decided_at IS 'When that was (UTC instant).';
COMMENT ON COLUMN bi.reviews.decided_by IS 'Who decided.';
COMMENT ON COLUMN bi.reviews.dropped_by IS 'Of a dropped one: reopened, undone, merged, erased, moved.';

CREATE OR REPLACE VIEW bi.response_times AS
SELECT lead, pipeline, source, channel, form, arrived_at, captured_at, assigned_at, assigned_to, seen_at, seen_by,
       seen_responsible, accepted_at, accepted_by, accepted_responsible, contact_at, contact_by, contact_responsible, contact_how,
       extract(epoch FROM greatest(seen_at - arrived_at, interval '0'))::bigint AS seen_s,
       extract(epoch FROM greatest(accepted_at - arrived_at, interval '0'))::bigint AS accepted_s,
       extract(epoch FROM greatest(contact_at - arrived_at, interval '0'))::bigint AS contact_s
FROM {response}.leads WHERE NOT merged;
COMMENT ON VIEW bi.response_times IS 'One row per lead that came by a channel, with its first steps. Leads made by hand, imported ones and those merged into another are not here. Times in working hours are on the page Response.';
COMMENT ON COLUMN bi.response_times.lead IS 'The lead: bi.leads.lead.';
COMMENT ON COLUMN bi.response_times.pipeline IS 'Id of the pipeline it came into.';
COMMENT ON COLUMN bi.response_times.source IS 'Where it came from, as the channel named it.';
COMMENT ON COLUMN bi.response_times.channel IS 'Kind of channel: form, call, message, visit, mail.';
COMMENT ON COLUMN bi.response_times.form IS 'Name of the form or channel account it came by, if any.';
COMMENT ON COLUMN bi.response_times.arrived_at IS 'When its message reached us (UTC instant).';
COMMENT ON COLUMN bi.response_times.captured_at IS 'When the lead came to be (UTC instant): the message''s own time.';
COMMENT ON COLUMN bi.response_times.assigned_at IS 'When it first had a responsible (UTC instant); empty: never.';
COMMENT ON COLUMN bi.response_times.assigned_to IS 'Who that was.';
COMMENT ON COLUMN bi.response_times.seen_at IS 'When a person first saw it (UTC instant); empty: nobody has.';
COMMENT ON COLUMN bi.response_times.seen_by IS 'Who saw it.';
COMMENT ON COLUMN bi.response_times.seen_responsible IS 'Whose lead it was then; empty: nobody''s.';
COMMENT ON COLUMN bi.response_times.accepted_at IS 'When a person first took it into work (UTC instant); empty: nobody has.';
COMMENT ON COLUMN bi.response_times.accepted_by IS 'Who took it.';
COMMENT ON COLUMN bi.response_times.accepted_responsible IS 'Whose lead it was then; empty: nobody''s.';
COMMENT ON COLUMN bi.response_times.contact_at IS 'When we were first in contact (UTC instant): an answered call, a talk or meeting that was held, a document that a person sent; letters of robots are none. Empty: not yet.';
COMMENT ON COLUMN bi.response_times.contact_by IS 'Who recorded it; empty: the telephone system did.';
COMMENT ON COLUMN bi.response_times.contact_responsible IS 'Whose lead it was then; empty: nobody''s.';
COMMENT ON COLUMN bi.response_times.contact_how IS 'call_out, call_in, call_held, meeting or document.';
COMMENT ON COLUMN bi.response_times.seen_s IS 'From arrival to seen, in seconds; empty: not seen.';
COMMENT ON COLUMN bi.response_times.accepted_s IS 'From arrival to accepted, in seconds; empty: not accepted.';
COMMENT ON COLUMN bi.response_times.contact_s IS 'From arrival to first contact, in seconds; empty: none yet.';

CREATE OR REPLACE VIEW bi.card_fields AS
SELECT lead, pipeline, field, first_at, last_at, times,
       CASE WHEN erased THEN NULL WHEN last_value = '' THEN 'empty' WHEN last_value IN ('unknown', 'declined') THEN last_value
            ELSE 'filled' END AS answer, erased
FROM (SELECT e.lead, c.pipeline, n.field, min(e.happened_at) AS first_at, max(e.happened_at) AS last_at, count(*) AS times,
             (array_agg(e.personal -> 'values' ->> n.field ORDER BY e.version DESC))[1] AS last_value,
             (array_agg(e.personal IS NULL ORDER BY e.version DESC))[1] AS erased
      FROM {timeline}.entries AS e JOIN {board}.cards AS c ON c.lead = e.lead
      CROSS JOIN LATERAL jsonb_array_elements_text(e.data -> 'names') AS n (field)
      WHERE e.type IN ('leadline.lead.card_recorded', 'leadline.deal.card_recorded')
      GROUP BY e.lead, c.pipeline, n.field) AS told;
COMMENT ON VIEW bi.card_fields IS 'One row per lead or deal and field of the card that was ever recorded there: whether it is filled, never with what. Leads without a row for a field never had it.';
COMMENT ON COLUMN bi.card_fields.lead IS 'The lead: bi.leads.lead; or the deal: bi.deals.deal.';
COMMENT ON COLUMN bi.card_fields.pipeline IS 'Id of the pipeline it stands in now.';
COMMENT ON COLUMN bi.card_fields.field IS 'Id of the field.';
COMMENT ON COLUMN bi.card_fields.first_at IS 'When it was first recorded (UTC instant).';
COMMENT ON COLUMN bi.card_fields.last_at IS 'When it was last recorded (UTC instant).';
COMMENT ON COLUMN bi.card_fields.times IS 'How often it was recorded.';
COMMENT ON COLUMN bi.card_fields.answer IS 'filled; unknown: not known yet; declined: the client would not say; empty: cleared again. Empty where erased.';
COMMENT ON COLUMN bi.card_fields.erased IS 'True: the person''s data was destroyed, so what was recorded cannot be told any more.';
