"""The ledger: the tables of replies and jobs, the verbs that move them, the one way to run a verb.

It owns all SQL of Easel; it never talks to Discord or HiAPI.

    schema.py      the tables
    verbs.py       each arrow between states as one guarded statement
    asks.py        how an ask enters: the guards at the door
    queue.py       places in the queue, and taking a request back
    hearing.py     what a callback says of a job
    leases.py      leases of processes that are gone
    history.py     a person's replies page by page, and what came of what
    people.py      a person's defaults and last prompts
    deliveries.py  the verbs of delivery: claims, leases, how a reply ended
    privacy.py     everything kept about a person: handed out, erased
    desk.py        the operator's verbs: look, bring forward, give up
    files.py       the SQLite file itself: copied while in use, swept after an erasure
    health.py      a look at a database without changing it
    ledger.py      opens a database and runs verbs on it, on SQLite or PostgreSQL
    trouble.py     what a database cannot help, told from a defect
    writer.py      the one thread that writes to an SQLite file
    migrations/    how the tables came to be (Alembic)
"""
