"""What an operator does from a shell, beside the running bot: examine, look at jobs, copy, erase.

It owns no state and no SQL; it never connects to Discord's gateway.

    commands.py       the command line of it: options, questions, exit codes
    desk.py           jobs list, show, requeue, give-up
    barring.py        block, unblock, blocks
    people.py         export and erase
    doctor.py         all checks at once, each within its time
    configuration.py  settings that cannot work well together
    discord_side.py   the token and the application behind it
    hiapi_side.py     the key, the limit, the clock
    reach.py          PUBLIC_URL: does it lead here, and do callbacks come through
    listener.py       a listener of the doctor's own, where no bot is running
    trial.py          one real task and its callback
    alarming.py       alarms that stand, and whether one would arrive
    storage.py        database, migrations, disk
    findings.py       what a check says
    tables.py         findings, jobs and blocks as tables
"""
