"""Settings that are each allowed and together cannot work well; and what stands around them.

It owns the reading of combinations; it never calls anything.
"""

import difflib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from bot import environment
from bot.allowance import MICROS, Caps, Prices, dollars
from bot.operate import findings
from bot.operate.findings import Finding
from bot.settings import EVERYWHERE, Settings, SettingsError

NAME = "Settings"
LOCAL = frozenset({"127.0.0.1", "localhost", "::1"})
ALL_HOSTS = frozenset({"0.0.0.0", "::", ""})  # noqa: S104 - compared, not bound
# Shares of the requests that looking at running tasks may take.
MUCH, TOO_MUCH = 0.5, 0.9
HIGH_LIMIT = 100
WEAK_LENGTH, WEAK_VARIETY = 24, 8
ALIKE = 0.85
CAPS = ("BOT_CAPS", "SERVER_CAPS", "MEMBER_CAPS", "OUTSIDER_CAPS")
PRICE_ALL = (
    "Give PRICES each of them, or set limits in pictures alone; IMAGINE_SUCCESSOR=none and "
    "REMIX_SUCCESSOR=none take those models away."
)
COUNT_LIMIT = 4  # pictures of one request
CONTAINER_MARKS = (Path("/.dockerenv"), Path("/run/.containerenv"))


def unreadable(error: SettingsError) -> list[Finding]:
    """One finding for each setting that is missing or wrong."""
    if not error.complaints:
        return [findings.error(NAME, str(error), error.fix)]
    give = "Give it in the environment or in .env; .env.example has them all."
    correct = "Correct it in the environment or in .env; .env.example says what it takes."
    return [
        findings.error(name, f"{name} {what}.", give if what == environment.MISSING else correct)
        for name, what in error.complaints
    ]


def check(settings: Settings, *, env_file: Path, contained: bool | None = None) -> list[Finding]:
    """What can be said from the settings alone. `contained`: whether this is a container."""
    if contained is None:
        contained = any(mark.exists() for mark in CONTAINER_MARKS)
    found = [
        *_file(env_file),
        *_polling(settings),
        *_spending(settings),
        *_addresses(settings, contained=contained),
    ]
    return found or [findings.ok(NAME, "Complete, and they go together.")]


def _file(env_file: Path) -> Iterator[Finding]:
    if not env_file.is_file():
        return
    if os.name == "posix" and env_file.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH):
        what = f"Others on this machine may read {env_file.name}, which holds secrets."
        yield findings.warning(NAME, what, f"chmod 600 {env_file.name}")
    known = [name.upper() for name in Settings.model_fields]
    for name in environment.strangers(env_file):
        what = f"{name} in {env_file.name} is no setting of Easel, and does nothing."
        near = difflib.get_close_matches(name.upper(), known, n=1, cutoff=ALIKE)
        fix = f"Did you mean {near[0]}?" if near else ".env.example has all names; delete the line."
        yield findings.warning(NAME, what, fix)


def _polling(settings: Settings) -> Iterator[Finding]:
    """What looking at up to a hundred running tasks keeps for itself, as the tracker reckons."""
    reads = int(60 / settings.hiapi_poll_every)
    share = reads / settings.hiapi_requests_per_minute
    if share < MUCH:
        return
    what = (
        f"While pictures are made, looking at them takes {reads} of the "
        f"{settings.hiapi_requests_per_minute} requests a minute."
    )
    fix = "Raise HIAPI_POLL_EVERY: 5 takes 12 requests a minute."
    yield (findings.error if share >= TOO_MUCH else findings.warning)(NAME, what, fix)


def _spending(settings: Settings) -> Iterator[Finding]:
    caps = settings.allowances().bot
    limit = caps.day_pictures
    if limit == 0:
        yield findings.warning(NAME, "BOT_CAPS is 0/day: nobody gets a picture.", "Raise BOT_CAPS.")
    if EVERYWHERE in settings.allowed_servers and (limit is None or limit > HIGH_LIMIT):
        most = "without an end" if limit is None else f"{limit} pictures a day in all"
        what = f"Every server that adds the bot may spend, {most}."
        fix = "Name your servers in ALLOWED_SERVERS, or lower BOT_CAPS."
        yield findings.warning(NAME, what, fix)
    yield from _prices(settings)
    yield from _asking(settings)
    if settings.refusals_pause_after > settings.failed_per_day:
        what = "REFUSALS_PAUSE_AFTER is never reached: FAILED_PER_DAY stops a person before."
        yield findings.warning(NAME, what, "Lower REFUSALS_PAUSE_AFTER, or raise FAILED_PER_DAY.")


def unpriced(settings: Settings) -> str:
    """Why a limit in dollars would not hold: what has no price counts as nothing. Empty if it
    holds, or there is none.
    """
    named = [name for name in CAPS if Caps.parse(getattr(settings, name.lower())).in_dollars]
    known = Prices.parse(settings.prices).micros
    missing = ["@".join(each) for each in settings.catalog().made if each not in known]
    if not named or not missing:
        return ""
    return f"{named[0]} names dollars, but PRICES does not say what costs {', '.join(missing)}."


def _prices(settings: Settings) -> Iterator[Finding]:
    """Whether every price that is needed is there, and each that is there is needed."""
    made = settings.catalog().made
    if missing := unpriced(settings):
        yield findings.error(NAME, missing, PRICE_ALL)
    for each in Prices.parse(settings.prices).micros:
        if each not in made:
            what = f"PRICES names {'@'.join(each)}, which nobody can ask for."
            fix = f"There are {', '.join('@'.join(each) for each in made)}."
            yield findings.warning(NAME, what, fix)


def _asking(settings: Settings) -> Iterator[Finding]:
    """Whether anybody can ever be asked before it gets expensive."""
    above = settings.confirm_above
    if above is None:
        return
    known = Prices.parse(settings.prices).micros.values()
    if not known:
        what = "CONFIRM_ABOVE is given, but PRICES says of no picture what it costs."
        yield findings.warning(NAME, what, "Fill in PRICES: nobody is asked without a price.")
    elif COUNT_LIMIT * max(known) <= above * MICROS:
        most = dollars(COUNT_LIMIT * max(known))
        what = f"No request can cost more than CONFIRM_ABOVE: at most ${most}."
        yield findings.warning(NAME, what, "Lower CONFIRM_ABOVE, or leave it empty.")


def _addresses(settings: Settings, *, contained: bool) -> Iterator[Finding]:
    if contained and settings.public_url and settings.web_host in LOCAL:
        what = f"In a container WEB_HOST {settings.web_host} is reached by nobody outside it."
        yield findings.warning(NAME, what, "WEB_HOST=0.0.0.0")
    if settings.public_url and settings.web_port == 0:
        what = "WEB_PORT is 0, which takes another port at each start: no proxy can know it."
        yield findings.error(NAME, what, "Give WEB_PORT the port that your proxy calls.")
    hosts = {settings.web_host, settings.admin_host}
    if settings.web_port == settings.admin_port != 0 and (len(hosts) == 1 or hosts & ALL_HOSTS):
        what = f"WEB_PORT and ADMIN_PORT are both {settings.web_port}."
        yield findings.error(NAME, what, "Give ADMIN_PORT another port, or off.")
    base = urlsplit(settings.hiapi_base_url)
    if settings.hiapi_trusted_hosts and base.hostname not in LOCAL:
        what = "HIAPI_TRUSTED_HOSTS lets pictures come from plain http and private addresses."
        yield findings.warning(NAME, what, "Leave it empty, unless this is a sandbox.")


def webhook_secret(settings: Settings) -> list[Finding]:
    """Whether callbacks can be believed."""
    name = "Webhook secret"
    secret = settings.hiapi_webhook_secret
    if secret is None:
        if not settings.public_url:
            return [findings.ok(name, "None is needed: without PUBLIC_URL nobody calls back.")]
        what = "Callbacks are not signed: each costs a request to ask whether it is true."
        fix = "Set a signing key in HiAPI's console, and the same as HIAPI_WEBHOOK_SECRET."
        return [findings.warning(name, what, fix)]
    value = secret.get_secret_value()
    if len(value) < WEAK_LENGTH or len(set(value)) < WEAK_VARIETY:
        what = "It is short or monotonous: whoever guesses it can forge pictures."
        fix = "Make one with 'openssl rand -hex 32'; set it here and in HiAPI's console."
        return [findings.warning(name, what, fix)]
    if not settings.public_url:
        return [findings.ok(name, "Given, but not used: without PUBLIC_URL nobody calls back.")]
    return [findings.ok(name, "Given, and hard to guess.")]
