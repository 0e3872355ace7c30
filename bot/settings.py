"""Every setting of Easel: its name, meaning, default and check, read from the environment or .env.

It owns the reading; it never prints a secret. `.env.example` and the README are held to it by a
test.
"""

from datetime import timedelta
from decimal import Decimal
from pathlib import Path

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationInfo,
    field_validator,
)

from bot import addresses, spelling
from bot.allowance import Allowances, Caps, Prices
from bot.catalog import Catalog
from bot.pauses import Pause
from bot.spelling import CommaSeparated, LogFormat, LogLevel, Port, PortOrOff


class SettingsError(Exception):
    """A setting is missing or malformed; the message is one sentence that names it.

    `complaints` are its parts: the setting's name and what is wrong with it. `fix` is what to do
    where it is not one setting's matter.
    """

    def __init__(
        self, message: str, complaints: tuple[tuple[str, str], ...] = (), *, fix: str = ""
    ) -> None:
        super().__init__(message)
        self.complaints = complaints
        self.fix = fix


EVERYWHERE = "*"
SHORTEST_PASSWORD = 12


class Settings(BaseModel):
    """The settings of one process. Field names are the variables' names in lower case."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    discord_token: SecretStr = Field(
        description="The bot's token from Discord's developer portal. Required by `run`."
    )
    hiapi_api_key: SecretStr = Field(description="The HiAPI key, `sk-...`. Required by `run`.")
    allowed_servers: CommaSeparated = Field(
        description="Ids of the Discord servers that may use the bot, comma-separated; "
        "`*` for every server. Required by `run`, so that no stranger spends by accident."
    )
    allow_dms: bool = Field(
        default=False, description="Let people use the bot in direct messages with it."
    )
    allow_user_install: bool = Field(
        default=False,
        description="Let people who installed the bot for themselves use it anywhere.",
    )
    bot_caps: str = Field(
        default="100/day",
        description="The most that the whole bot may make and spend: pictures or dollars per UTC "
        "day or month, such as `100/day, $50/month`.",
    )
    server_caps: str = Field(
        default="", description="The same for each server; its moderators can only be stricter."
    )
    member_caps: str = Field(
        default="", description="The same for each member of a server; see `SERVER_CAPS`."
    )
    outsider_caps: str = Field(
        default="",
        description="The same for each person outside the servers that added the bot: direct "
        "messages and user installs.",
    )
    failed_per_day: int = Field(
        default=50,
        ge=1,
        le=1_000_000,
        description="Attempts of one person per UTC day that may end without a picture.",
    )
    prices: str = Field(
        default="",
        description="What a picture costs in dollars by model and resolution, such as "
        "`gpt-image-2-pro@1K=0.04, gpt-image-2-pro@2K=0.08`. What has no price is only counted; a "
        "limit in dollars needs them all.",
    )
    confirm_above: Decimal | None = Field(
        default=None,
        ge=0,
        le=1_000_000,
        description="Dollars, such as `0.50`: what costs more is made only once its person said "
        "yes to the price. Empty asks nobody; nor is asked what has no price in `PRICES`.",
    )
    refusals_pause_after: int = Field(
        default=10,
        ge=0,
        le=1_000_000,
        description="Requests of one person whose content HiAPI refuses within 24 hours, until "
        "that person is paused; 0 pauses nobody.",
    )
    refusals_pause_hours: int = Field(
        default=24, ge=1, le=24 * 365, description="Hours that such a pause lasts."
    )
    member_running: int = Field(
        default=4, ge=1, le=1000, description="Pictures of one person that are made at a time."
    )
    member_waiting: int = Field(
        default=10, ge=1, le=1000, description="Pictures of one person that may wait in the queue."
    )
    imagine_model: str = Field(
        default="gpt-image-2-pro",
        min_length=1,
        max_length=128,
        description="The model behind /imagine.",
    )
    remix_model: str = Field(
        default="gpt-image-2-image-to-image-pro",
        min_length=1,
        max_length=128,
        description="The model behind /remix.",
    )
    imagine_successor: str = Field(
        default="gpt-image-2/text-to-image",
        max_length=128,
        description="The model that a card names when the one behind /imagine is unavailable; "
        "`none` to name none.",
    )
    remix_successor: str = Field(
        default="gpt-image-2/image-to-image",
        max_length=128,
        description="The same for /remix.",
    )
    offer_successors: bool = Field(
        default=False,
        description="Let people choose those two models in /preferences, not only after a failure.",
    )
    hiapi_base_url: str = Field(
        default="https://api.hiapi.ai/v1",
        description="HiAPI's address, with or without `/v1`.",
    )
    hiapi_requests_per_minute: int = Field(
        default=60, ge=1, description="Requests per minute that the key allows, polling included."
    )
    hiapi_concurrency: int = Field(
        default=10, ge=1, description="Requests at once that the key allows."
    )
    hiapi_poll_every: float = Field(
        default=5.0,
        ge=1.0,
        le=300.0,
        allow_inf_nan=False,
        description="Seconds between two looks at the running tasks; each look is one request "
        "per hundred tasks.",
    )
    hiapi_trusted_hosts: CommaSeparated = Field(
        default=frozenset(),
        description="Picture hosts (`host` or `host:port`, comma-separated) that may be plain "
        "http or private. For sandboxes and tests; leave it empty in earnest.",
    )
    discord_trusted_hosts: CommaSeparated = Field(
        default=frozenset(),
        description="Hosts (`host` or `host:port`, comma-separated) that count as Discord's own "
        "when an image of a message is used. For sandboxes and tests; leave it empty in earnest.",
    )
    queue_max_age: int = Field(
        default=7200,
        ge=60,
        le=7 * 24 * 3600,
        description="Seconds after which a job that HiAPI never took expires, uncounted.",
    )
    database_url: str = Field(
        default="sqlite:///data/easel.db",
        repr=False,  # it may hold a password
        description="The ledger: `sqlite:///path` or `postgresql://user:password@host/name`.",
    )
    keep_folder: Path = Field(
        default=Path("data/kept"),
        description="Folder of the pictures and references that are kept for a while.",
    )
    keep_originals_days: int = Field(
        default=30,
        ge=0,
        le=3650,
        description="Days for which originals, and images handed in for a remix, are kept for the "
        "buttons under a picture; 0 keeps nothing.",
    )
    keep_megabytes: int = Field(
        default=5120,
        ge=1,
        le=10_000_000,
        description="Disk space for what is kept; the oldest goes first.",
    )
    retention_days: int = Field(
        default=365,
        ge=0,
        le=3650,
        description="Days after which finished requests are forgotten: prompts, who asked, what "
        "was kept. 0: never. A server's moderators can only shorten it.",
    )
    privacy_url: str = Field(
        default="", description="Address of your privacy policy, https: /privacy links to it."
    )
    terms_url: str = Field(default="", description="The same for your terms of use.")
    public_url: str = Field(
        default="",
        description="This process's address as HiAPI reaches it, https. Given, HiAPI calls back "
        "when a picture is ready; empty, Easel polls.",
    )
    hiapi_webhook_secret: SecretStr | None = Field(
        default=None,
        description="The webhook signing key of the HiAPI account. Without it callbacks are only "
        "hints to look.",
    )
    web_host: str = Field(
        default="127.0.0.1",
        description="Address that the web server listens on; 0.0.0.0 in a container.",
    )
    web_port: Port = Field(
        default=8080,
        description="Port of the web server: callbacks, `/healthz`, `/readyz`.",
    )
    admin_host: str = Field(
        default="127.0.0.1",
        description="Address that the operator's page and `/metrics` listen on.",
    )
    admin_port: PortOrOff = Field(
        default=8081,
        description="Port of the operator's page and `/metrics`; `off` for neither.",
    )
    admin_password: SecretStr | None = Field(
        default=None,
        validate_default=True,
        description="Password of the operator's page and `/metrics`, at least 12 characters; any "
        "user name goes with it. Required where another machine or a proxy reaches them.",
    )
    alarm_webhook: SecretStr | None = Field(
        default=None,
        description="Address that alarms are posted to as JSON, https: a webhook of Discord or of "
        "anything that reads `content`.",
    )
    alarm_channel: int | None = Field(
        default=None,
        ge=1,
        lt=2**63,
        description="Id of the Discord channel in which the bot itself posts alarms.",
    )
    sentry_dsn: SecretStr | None = Field(
        default=None,
        description="Sentry's address for reports of defects: types and places of errors, without "
        "their texts. Empty, nothing is reported.",
    )
    log_level: LogLevel = Field(
        default="INFO", description="The least important log lines to write."
    )
    log_format: LogFormat = Field(
        default="console", description="Log lines for eyes (`console`) or for machines (`json`)."
    )

    @field_validator("discord_token", "hiapi_api_key")
    @classmethod
    def _printable(cls, value: SecretStr) -> SecretStr:
        text = value.get_secret_value()
        if not text or not text.isascii() or any(c.isspace() for c in text):
            raise ValueError("must be given, without spaces or line breaks")
        return value

    @field_validator("allowed_servers")
    @classmethod
    def _server_ids(cls, value: frozenset[str]) -> frozenset[str]:
        if not value:
            raise ValueError(f"must name at least one server id, or {EVERYWHERE}")
        wrong = sorted(each for each in value if each != EVERYWHERE and not spelling.digits(each))
        if wrong:
            raise ValueError(f"takes server ids (digits) or {EVERYWHERE}, not {wrong[0]!r}")
        return value

    @field_validator("imagine_successor", "remix_successor")
    @classmethod
    def _model_or_none(cls, value: str) -> str:
        # An empty variable counts as not given, so that nothing must have a word.
        return "" if value.lower() == "none" else value

    @field_validator("hiapi_base_url")
    @classmethod
    def _api(cls, value: str) -> str:
        return addresses.plain(value, example="https://api.hiapi.ai/v1", travels="the key")

    @field_validator("bot_caps", "server_caps", "member_caps", "outsider_caps")
    @classmethod
    def _caps(cls, value: str) -> str:
        return str(Caps.parse(value))

    @field_validator("prices")
    @classmethod
    def _prices(cls, value: str) -> str:
        Prices.parse(value)
        return value

    @field_validator("public_url")
    @classmethod
    def _public(cls, value: str) -> str:
        if not value:
            return value
        return addresses.plain(value, example="https://easel.example.net", travels="callbacks")

    @field_validator("privacy_url", "terms_url")
    @classmethod
    def _page(cls, value: str) -> str:
        return value and addresses.page(value)

    @field_validator("hiapi_webhook_secret")
    @classmethod
    def _signing_key(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not 16 <= len(value.get_secret_value()) <= 256:  # noqa: PLR2004
            raise ValueError("must have 16 to 256 characters, as HiAPI's console asks")
        return value

    @field_validator("admin_password")
    @classmethod
    def _guarded(cls, value: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if value is not None and len(value.get_secret_value()) < SHORTEST_PASSWORD:
            raise ValueError(f"must have at least {SHORTEST_PASSWORD} characters")
        host = info.data.get("admin_host", "")
        if (
            value is None
            and info.data.get("admin_port") is not None
            and not addresses.is_loopback(host)
        ):
            raise ValueError("must be given where ADMIN_HOST is not this machine alone")
        return value

    @field_validator("alarm_webhook")
    @classmethod
    def _hook(cls, value: SecretStr | None) -> SecretStr | None:
        return None if value is None else addresses.secret(value)

    @field_validator("sentry_dsn")
    @classmethod
    def _dsn(cls, value: SecretStr | None) -> SecretStr | None:
        return None if value is None else addresses.secret(value, user="the DSN with its key")

    @field_validator("database_url")
    @classmethod
    def _database(cls, value: str) -> str:
        return addresses.database(value)

    def allowances(self) -> Allowances:
        """What the operator lets people spend."""
        return Allowances(
            bot=Caps.parse(self.bot_caps),
            server=Caps.parse(self.server_caps),
            member=Caps.parse(self.member_caps),
            outsider=Caps.parse(self.outsider_caps),
            failed_per_day=self.failed_per_day,
        )

    def catalog(self) -> Catalog:
        """The models that people may ask for."""
        return Catalog.with_ids(
            imagine=self.imagine_model,
            remix=self.remix_model,
            imagine_successor=self.imagine_successor,
            remix_successor=self.remix_successor,
            offer_successors=self.offer_successors,
        )

    def pause(self) -> Pause:
        """When and for how long whose prompts are refused is paused."""
        length = timedelta(hours=self.refusals_pause_hours)
        return Pause(after=self.refusals_pause_after, length=length)

    def secrets(self) -> frozenset[str]:
        """What must never be written: every secret setting, and the database's password."""
        values = (getattr(self, name) for name in type(self).model_fields)
        found = {value.get_secret_value() for value in values if isinstance(value, SecretStr)}
        return addresses.passwords(self.database_url) | found
