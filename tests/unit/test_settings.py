"""The settings: read from where, refused with which words, and the same in every document."""

import os
import re
import textwrap
from pathlib import Path

import pydantic
import pytest

from bot import environment as environments
from bot.settings import Settings, SettingsError

ROOT = Path(__file__).parents[2]
FIELDS = Settings.model_fields
REQUIRED = {
    "DISCORD_TOKEN": "discord-token-of-a-test",
    "HIAPI_API_KEY": "sk-key-of-a-test-0123",
    "ALLOWED_SERVERS": "123, 456",
}


@pytest.fixture(autouse=True)
def _empty_environment(monkeypatch):
    for name in os.environ:
        if name.lower() in FIELDS:
            monkeypatch.delenv(name)


@pytest.fixture
def load(tmp_path, monkeypatch):
    """Load from an environment and a `.env` with these lines."""

    def loading(dotenv="", **environment):
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        file = tmp_path / ".env"
        file.write_text(dotenv, encoding="utf-8")
        return environments.load(file)

    return loading


def refused(load, **changes):
    with pytest.raises(SettingsError) as refusal:
        load(**REQUIRED | changes)
    return str(refusal.value)


# The documents ------------------------------------------------------------------------------


def shown(name):
    """A field's default as it would be written in `.env`."""
    default = FIELDS[name].default
    if isinstance(default, bool):
        return str(default).lower()
    if isinstance(default, frozenset):
        return ",".join(sorted(default))
    return "" if default is None else str(default)


def row(name):
    """A field's line in the README's table."""
    field = FIELDS[name]
    default = "required" if field.is_required() else f"`{shown(name)}`" if shown(name) else "empty"
    return f"| `{name.upper()}` | {default} | {field.description} |"


def block(name):
    """A field's lines in `.env.example`."""
    field = FIELDS[name]
    note = textwrap.fill(
        field.description,
        width=98,
        initial_indent="# ",
        subsequent_indent="# ",
        break_on_hyphens=False,
        break_long_words=False,
    )
    line = f"{name.upper()}=" if field.is_required() else f"# {name.upper()}={shown(name)}"
    return f"{note}\n{line}\n"


def test_every_setting_has_a_meaning_of_one_line_and_no_bar_to_break_a_table():
    for name, field in FIELDS.items():
        assert field.description, name
        assert field.description.endswith("."), name
        assert not set(field.description) & set("|\n"), name


def test_the_readme_has_the_table_of_all_settings():
    table = "\n".join(["| Setting | Default | Meaning |", "| --- | --- | --- |", *map(row, FIELDS)])
    assert table in (ROOT / "README.md").read_text(encoding="utf-8"), f"should hold:\n{table}"


def test_the_example_has_every_setting_with_its_meaning_and_default():
    text = (ROOT / ".env.example").read_text(encoding="utf-8")
    blocks = "\n".join(map(block, FIELDS))
    assert text.endswith(blocks), f"should end with:\n{blocks}"
    head = text.removesuffix(blocks)
    assert all(line.startswith("#") or not line for line in head.splitlines())


def test_the_example_filled_in_is_a_valid_file_with_the_defaults(load):
    text = (ROOT / ".env.example").read_text(encoding="utf-8")
    for name, value in REQUIRED.items():
        text = re.sub(rf"^{name}=$", f"{name}={value}", text, flags=re.MULTILINE)
    plain = load(text)
    uncommented = load(re.sub(r"^# (?=[A-Z_]+=)", "", text, flags=re.MULTILINE))
    assert plain == uncommented == load(**REQUIRED)


def test_the_example_as_it_is_names_what_must_be_filled_in(load):
    with pytest.raises(SettingsError) as refusal:
        load((ROOT / ".env.example").read_text(encoding="utf-8"))
    assert set(re.findall(r"([A-Z_]+) is missing", str(refusal.value))) == set(REQUIRED)


# Reading ------------------------------------------------------------------------------------


@pytest.mark.parametrize("word", ["none", "None", "NONE"])
def test_no_successor_has_a_word_because_an_empty_variable_is_not_given(load, word):
    assert load(**REQUIRED, IMAGINE_SUCCESSOR=word).imagine_successor == ""
    assert load(**REQUIRED, IMAGINE_SUCCESSOR="").imagine_successor == "gpt-image-2/text-to-image"


def test_the_environment_wins_over_the_file(load):
    found = load("BOT_CAPS=7/day\nWEB_PORT=1234\n", **REQUIRED, WEB_PORT="4321")
    assert found.bot_caps == "7/day"
    assert found.web_port == 4321


def test_a_file_that_is_not_there_is_no_error(monkeypatch, tmp_path):
    for name, value in REQUIRED.items():
        monkeypatch.setenv(name, value)
    assert environments.load(tmp_path / "nothing").bot_caps == "100/day"


@pytest.mark.parametrize("name", REQUIRED)
def test_an_empty_value_counts_as_missing(load, name):
    assert refused(load, **{name: ""}) == f"{name} is missing (see .env.example)."


def test_an_empty_value_leaves_the_default_and_does_not_hide_the_file(load):
    found = load("WEB_HOST=0.0.0.0\nLOG_LEVEL=\n", **REQUIRED, WEB_HOST="", WEB_PORT="")
    assert (found.web_host, found.web_port, found.log_level) == ("0.0.0.0", 8080, "INFO")  # noqa: S104


def test_what_is_no_setting_is_ignored(load):
    load("SOMETHING_ELSE=1\n", **REQUIRED)


def test_a_file_with_a_byte_order_mark_is_read(load):
    lines = "\n".join(f"{name}={value}" for name, value in REQUIRED.items())
    assert load(f"\ufeff{lines}").discord_token.get_secret_value() == REQUIRED["DISCORD_TOKEN"]


@pytest.mark.parametrize(
    "line",
    [
        'BOT_CAPS="5/day',
        "BOT_CAPS='5/day",
        "BOT_CAPS 5/day",
        "BOT_CAPS",
        'BOT_CAPS="5/day" PRICES=',
    ],
)
def test_a_line_that_would_be_dropped_is_refused_by_its_number(load, line):
    with pytest.raises(
        SettingsError, match="line 3 cannot be read: is a quote or = missing"
    ) as said:
        load(f"# caps\nALLOW_DMS=true\n{line}\nWEB_PORT=9000\n", **REQUIRED)
    assert "5/day" not in str(said.value)


def test_lines_in_all_allowed_forms_are_read(load):
    found = load(
        "# a remark\n\nexport WEB_PORT=9000\nBOT_CAPS='5/day' # why\r\nALLOW_DMS = \"true\"\n"
        'PRIVACY_URL=\nTERMS_URL=""',
        **REQUIRED,
    )
    assert (found.web_port, found.bot_caps, found.allow_dms) == (9000, "5/day", True)


def test_a_file_that_is_no_text_is_refused_without_showing_it(tmp_path):
    file = tmp_path / ".env"
    file.write_bytes(b"DISCORD_TOKEN=\xff\xfesecret")
    with pytest.raises(SettingsError, match="is not UTF-8 text") as refusal:
        environments.load(file)
    assert "secret" not in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "servers"),
    [
        ("1", {"1"}),
        ("1,2", {"1", "2"}),
        (" 1 , 2 ,, ", {"1", "2"}),
        ("*", {"*"}),
        ("*, 5", {"*", "5"}),
    ],
)
def test_lists_are_separated_by_commas(load, text, servers):
    assert load(**REQUIRED | {"ALLOWED_SERVERS": text}).allowed_servers == servers


@pytest.mark.parametrize(("text", "value"), [("true", True), ("1", True), ("no", False)])
def test_switches_take_the_usual_words(load, text, value):
    assert load(**REQUIRED, ALLOW_DMS=text).allow_dms is value


@pytest.mark.parametrize("url", ["https://api.hiapi.ai/v1/", "https://api.hiapi.ai/v1"])
def test_an_address_loses_its_last_slash(load, url):
    assert load(**REQUIRED, HIAPI_BASE_URL=url).hiapi_base_url == "https://api.hiapi.ai/v1"


@pytest.mark.parametrize("url", ["http://127.0.0.1:9999", "http://localhost/v1", "http://[::1]:1"])
def test_plain_http_is_for_this_machine(load, url):
    assert load(**REQUIRED, HIAPI_BASE_URL=url).hiapi_base_url == url


def test_the_old_name_of_postgresql_is_understood(load):
    found = load(**REQUIRED, DATABASE_URL="postgres://u:p@h/postgres://")
    assert found.database_url == "postgresql://u:p@h/postgres://"


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://easel:p%40ss%3Aword@db:5432/easel?sslmode=require",
        "postgresql://easel@[::1]:5432/easel",
        "postgresql://easel:pass/word@db/easel",
        "postgresql:///easel?host=/run/postgresql",
        "postgresql://db",
        "sqlite:////var/lib/easel/easel.db",
    ],
)
def test_addresses_of_databases_that_are_whole(load, url):
    assert load(**REQUIRED, DATABASE_URL=url).database_url == url


# Refusing -----------------------------------------------------------------------------------


def test_all_that_is_wrong_is_said_in_one_sentence(load):
    with pytest.raises(SettingsError) as refusal:
        load(LOG_LEVEL="loud", WEB_PORT="99999")
    sentence = str(refusal.value)
    for name in (*REQUIRED, "LOG_LEVEL", "WEB_PORT"):
        assert sentence.count(name) == 1
    assert sentence.endswith(" (see .env.example).")
    assert "\n" not in sentence


MALFORMED = [
    ("DISCORD_TOKEN", "two words"),
    ("DISCORD_TOKEN", "pasted-with-a-break\n"),
    ("DISCORD_TOKEN", "tökèn"),
    ("HIAPI_API_KEY", "sk- secret"),
    ("ALLOWED_SERVERS", ","),
    ("ALLOWED_SERVERS", "my server"),
    ("ALLOWED_SERVERS", "１２３"),  # noqa: RUF001 - digits, but not those of an id
    ("ALLOW_DMS", "perhaps"),
    ("ALLOW_USER_INSTALL", "2"),
    ("BOT_CAPS", "-1/day"),
    ("BOT_CAPS", "lots"),
    ("PRICES", "model=1"),
    ("HIAPI_BASE_URL", "api.hiapi.ai"),
    ("HIAPI_BASE_URL", "http://api.hiapi.ai/v1"),
    ("HIAPI_BASE_URL", "https://user:password@api.hiapi.ai"),
    ("HIAPI_BASE_URL", "https://api.hiapi.ai:port"),
    ("HIAPI_BASE_URL", "https://[api"),
    ("HIAPI_BASE_URL", "https://api.hiapi.ai/v1?key=1"),
    ("HIAPI_REQUESTS_PER_MINUTE", "0"),
    ("HIAPI_CONCURRENCY", "0"),
    ("HIAPI_POLL_EVERY", "0.5"),
    ("HIAPI_POLL_EVERY", "inf"),
    ("HIAPI_POLL_EVERY", "nan"),
    ("QUEUE_MAX_AGE", "1"),
    ("QUEUE_MAX_AGE", "99999999999"),
    ("DATABASE_URL", "mysql://root@h/d"),
    ("DATABASE_URL", "easel.db"),
    ("DATABASE_URL", "postgresql://easel:pa@secret-word@127.0.0.1/easel"),
    ("DATABASE_URL", "postgresql://easel:secret-pa@ss:secret-word@127.0.0.1/easel"),
    ("DATABASE_URL", "postgresql://easel:secret-word127.0.0.1/easel"),
    ("DATABASE_URL", "postgresql://easel:secret-word@127.0.0.1:secret-port/easel"),
    ("DATABASE_URL", "postgresql://easel:secret-word@127.0.0.1:65536/easel"),
    ("DATABASE_URL", "sqlite:///:memory:"),
    ("DATABASE_URL", "sqlite:///?mode=ro"),
    ("ADMIN_PORT", "65536"),
    ("ADMIN_PORT", "of"),
    ("ADMIN_PASSWORD", "elevenchars"),
    ("ALARM_WEBHOOK", "http://hooks.example.net/secret-path"),
    ("ALARM_WEBHOOK", "hooks.example.net/secret-path"),
    ("ALARM_WEBHOOK", "https://[secret-path"),
    ("ALARM_WEBHOOK", "https://hooks.example.net/secret path"),
    ("ALARM_CHANNEL", "0"),
    ("ALARM_CHANNEL", "#operators"),
    ("SENTRY_DSN", "https://sentry.example.net/1"),
    ("SENTRY_DSN", "secret-key"),
    ("WEB_PORT", "65536"),
    ("WEB_PORT", "http"),
    ("IMAGINE_MODEL", "x" * 129),
    ("PUBLIC_URL", "easel.example.net"),
    ("PUBLIC_URL", "http://easel.example.net"),
    ("PUBLIC_URL", "https://user:password@easel.example.net"),
    ("HIAPI_WEBHOOK_SECRET", "too-short"),
    ("HIAPI_WEBHOOK_SECRET", "x" * 257),
    ("LOG_LEVEL", "loud"),
    ("LOG_FORMAT", "xml"),
]


@pytest.mark.parametrize(("name", "value"), MALFORMED)
def test_a_malformed_value_is_refused_in_one_sentence_that_names_it(load, name, value):
    sentence = refused(load, **{name: value})
    assert sentence.startswith(f"{name} ")
    assert sentence.endswith(" (see .env.example).")
    assert "\n" not in sentence
    assert not re.search(r"[.!?] [A-Z]", sentence), "one sentence"
    if "SecretStr" in str(FIELDS[name.lower()].annotation) or name == "DATABASE_URL":
        assert value.strip() not in sentence
        assert "secret-" not in sentence


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("ALLOW_DMS", "perhaps", "takes true or false"),
        ("WEB_PORT", "http", "takes a whole number"),
        ("WEB_PORT", "65536", "must be at most 65535"),
        ("QUEUE_MAX_AGE", "1", "must be at least 60"),
        ("HIAPI_POLL_EVERY", "often", "takes a number"),
        ("HIAPI_POLL_EVERY", "0.5", "must be at least 1.0"),
        ("CONFIRM_ABOVE", "much", "takes a number"),
        ("CONFIRM_ABOVE", "inf", "takes a number"),
        ("LOG_LEVEL", "loud", "takes 'DEBUG', 'INFO', 'WARNING' or 'ERROR'"),
        ("ADMIN_PORT", "none", "takes a port or off"),
        ("ADMIN_PORT", "65536", "must be at most 65535"),
        ("IMAGINE_MODEL", "x" * 129, "must have at most 128 characters"),
        ("ALARM_CHANNEL", str(2**63), f"must be less than {2**63}"),
    ],
)
def test_what_is_wrong_is_said_in_plain_words(load, name, value, words):
    assert refused(load, **{name: value}) == f"{name} {words} (see .env.example)."


def test_no_value_is_refused_in_words_that_are_not_ours(load):
    for name, value in MALFORMED:
        assert "input" not in refused(load, **{name: value}), (name, value)


@pytest.mark.parametrize(("level", "style"), [("info", "JSON"), ("Info", "Json")])
def test_words_are_understood_in_any_case(load, level, style):
    found = load(**REQUIRED, LOG_LEVEL=level, LOG_FORMAT=style, ADMIN_PORT="OFF")
    assert (found.log_level, found.log_format, found.admin_port) == ("INFO", "json", None)


def test_a_folder_in_place_of_the_file_is_refused(tmp_path):
    (tmp_path / ".env").mkdir()
    with pytest.raises(SettingsError, match="cannot be read: Is a directory") as refusal:
        environments.load(tmp_path / ".env")
    assert refusal.value.fix == "It must be a file with a line for each setting."


def test_a_refusal_carries_no_value_in_its_chain_either(load):
    with pytest.raises(SettingsError) as refusal:
        load(**REQUIRED | {"DISCORD_TOKEN": "very secret"})
    assert refusal.value.__suppress_context__
    assert "very secret" not in repr(refusal.value)


@pytest.mark.parametrize("host", ["0.0.0.0", "10.0.0.5", "admin.example.net", "::"])  # noqa: S104
def test_the_operators_page_is_not_opened_to_others_without_a_password(load, host):
    sentence = refused(load, ADMIN_HOST=host)
    assert sentence.startswith("ADMIN_PASSWORD must be given where ADMIN_HOST is not this machine")
    assert load(**REQUIRED, ADMIN_HOST=host, ADMIN_PASSWORD="x" * 12).admin_host == host
    assert load(**REQUIRED, ADMIN_HOST=host, ADMIN_PORT="off").admin_port is None


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "localhost", "::1"])
def test_this_machine_alone_needs_no_password_for_it(load, host):
    assert load(**REQUIRED, ADMIN_HOST=host).admin_password is None


@pytest.mark.parametrize(
    "address",
    [
        "https://discord.com/api/webhooks/1/x",
        "http://127.0.0.1:9/x",
        "https://h.example.net:8443/x",
    ],
)
def test_alarms_go_to_https_or_to_this_machine(load, address):
    assert load(**REQUIRED, ALARM_WEBHOOK=address).alarm_webhook.get_secret_value() == address


# Keeping secrets ----------------------------------------------------------------------------


def test_nothing_printed_of_the_settings_shows_a_secret(load):
    found = load(**REQUIRED, DATABASE_URL="postgresql://easel:hunter2@db/easel")
    for text in (repr(found), str(found), f"{found}", repr(found.discord_token)):
        assert REQUIRED["DISCORD_TOKEN"] not in text
        assert REQUIRED["HIAPI_API_KEY"] not in text
        assert "hunter2" not in text


def test_the_secrets_are_named_for_the_log(load):
    found = load(**REQUIRED, DATABASE_URL="postgresql://easel:p%40ss/word@db/easel")
    wanted = {REQUIRED["DISCORD_TOKEN"], REQUIRED["HIAPI_API_KEY"], "p%40ss/word", "p@ss/word"}
    assert found.secrets() == wanted


def test_a_password_among_the_options_of_an_address_is_a_secret(load):
    address = "postgresql://easel@db/easel?sslmode=require&password=hunter%212&host=db"
    found = load(**REQUIRED, DATABASE_URL=address)
    assert {"hunter%212", "hunter!2"} <= found.secrets()


def test_every_setting_named_like_a_secret_is_kept_like_one():
    for name, field in FIELDS.items():
        if re.search(r"token|key|secret|password", name):
            assert pydantic.SecretStr.__name__ in str(field.annotation), name


def test_the_settings_cannot_be_changed(load):
    with pytest.raises(pydantic.ValidationError):
        load(**REQUIRED).web_port = 1


@pytest.mark.parametrize("name", ["PRIVACY_URL", "TERMS_URL"])
class TestPages:
    @pytest.mark.parametrize(
        "address", ["https://example.net/privacy", "https://example.net/p?lang=en#top", ""]
    )
    def test_pages_that_people_are_sent_to(self, load, name, address):
        assert getattr(load(**REQUIRED, **{name: address}), name.lower()) == address

    @pytest.mark.parametrize(
        "address",
        [
            *(
                "http://example.net/privacy",
                "example.net",
                "https://",
                "https://[x",
                "mailto:a@b.c",
            ),
            *("https://example.net/a)b", "https://example.net/a b", "https://example.net/<b>"),
            *("https://example.net/ü", "https://example.net:0/", "javascript:alert(1)"),
        ],
    )
    def test_pages_that_would_not_open_or_would_end_the_link(self, load, name, address):
        with pytest.raises(SettingsError, match=f"{name} must be an https address"):
            load(**REQUIRED, **{name: address})
