"""The admin skin over automation: what came in, what rules made of it, what waits for a person.

    badges.py      every state as colour, icon and word: the only place that decides them
    events.py      the list of events, and the page that answers "why did this happen?"
    decisions.py   the pages that retry, skip, link and replay an event
    forms.py       the forms of these pages
    outlook.py     what the pages that move one patient tell about rules: why, and what comes next
    runs.py        what rules did, to read
    messages.py    the outbox, to read
    moves.py       the log of moves, with the names of the rules
    resending.py   the page that sends a message again
    sight.py       who sees the values of patients and the contents of events
    links.py       links and cells of two lines, for the lists
    monitor.py     the stale journey monitor: its last check, and who is stuck now
    rules.py       the rules in words, their versions and their runs, to read
    rule_pages.py  what the pages that change a rule share
    rule_form/     a rule as rows of a form, and back
    rule_draft.py  what the editor of a rule works on, and the page that shows it
    rule_editor.py the pages that build and edit a rule, and keep its draft
    rule_publishing.py  what a rule would do from now on, and its next version
    rule_acts.py   the pages that discard a draft, copy a rule and archive it
    switching.py   the pages that switch a rule on and off
    for_whom.py    for whom a time-out begins, with the numbers of people
    tasks.py       what people must do, and the page that says it is done

Registered in `kura/admin/site.py`, once.
"""
