"""Automation: events come in once, rules decide with reasons, actions take effect exactly once.

The line of an event, a screen each:

    intake.py        record_event(): stored once per (organization, source, key), with its place in
                     the queue and a ring of the bell, in one transaction
    dispatch.py      drain(): claims with SKIP LOCKED, counts the attempt, then processes
    engine.py        process(): the rules that listen, each with a savepoint and a run
    judging.py       trigger and conditions on the stored facts -> verdict with reasons
    actions/         one file a type: schema, sentence, effect
    outbox.py        messages leave after the commit
    sql/moves_are_events.sql   a move becomes an event again; receivers.py rings for it

The tables are the queue; django-q2 is the clock and the doorbell (bell.py, tasks.py,
schedules.py, cluster.py): a lost, doubled or late task does no harm.
"""
