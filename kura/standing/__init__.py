"""Where each patient stands, since when, why, whose turn it is and what may happen next.

The one read side of the admin and the HTTP API: what a page counts, a list shows and a journey
says comes from here, so they cannot differ. Nothing is written, and nothing is kept.

    limits.py      how long a stage may last: read once a request, with the moment it is asked at
    facts.py       blocked, overdue, needs action: each one SQL condition, said here alone
    worklist.py    enrollments with these facts: filters and orders
    people.py      patients with the same facts: quick views, their counts, priority
    stepper.py     the stages of a journey as one person went through them (pure)
    moves.py       what brought somebody where they are, in words
    steps_ahead.py what there is to do, and the one next step (pure)
    journey.py     JourneyView: everything about many enrollments, in a fixed number of queries
    chart.py       one patient: journeys, history, tasks, messages and events, read together
    summary.py     the practice in numbers
    panel.py       the first page, which reads all of this together in eight queries
    attention.py   whom somebody has to decide about, and what there is to do

Every selector takes a `Limits` (`limits_at(now)`) and runs inside a tenant scope.
"""
