"""Prompts that try to ping, to format, to lie or to break the card."""

import re

import pytest

from tests.flow.studio import ORIGINAL

PROMPTS = {
    "everyone": "@everyone @here look",
    "mentions": "<@1> <@!2> <@&3> <#4> </imagine:5> <id:customize>",
    "bold": "**bold** __under__ ~~gone~~ *it* _it_ ***all***",
    "code": "`one` ```py\nprint('two')\n``` ``three``",
    "headings": "# big\n## less\n-# small\n### none",
    "quotes and lists": "> quoted\n>>> all of it\n- one\n* two\n1. three",
    "links": "[click](https://evil.example) <https://evil.example> https://evil.example",
    "spoiler": "||hidden|| and ||more",
    "emoji code": "<:fox:123> <a:dance:456> :fox:",
    "timestamps": "<t:0:R> <t:1700000000>",
    "escapes": "\\*not bold\\* \\\\ \\",
    "zero width": "a\u200bb\u200dc\ufeffd\u2060e",
    "direction": "abc \u202egnp.exe\u202c \u2066x\u2069 \u200f",
    "control": "bell\x07 null\x00 escape\x1b[31m line\u2028para\u2029end",
    "lines": "first\n\n\n\nsecond\r\nthird",
    "combining": "Z" + "\u0301\u0302\u0303" * 300,
    "emoji": "😀" * 10_000,
    "family": "👨\u200d👩\u200d👧\u200d👦" * 100,
    "long word": "x" * 20_000,
    "punctuation": "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~" * 600,
    "backslashes": "\\" * 20_000,
    "braces": "{0} {prompt} %s %(x)s {{}}",
    "attachment": "attachment://x.png [x](attachment://x.png)",
    "private use": "\ue000\uf8ff ok",
}
# What Discord would still make of an unescaped piece of text.
MARKUP = re.compile(r"(?<!\\)[*_~`|>#<\[\]@:\-]")


@pytest.mark.parametrize("prompt", PROMPTS.values(), ids=PROMPTS)
async def test_a_hostile_prompt_is_only_a_prompt(studio, prompt):
    other = studio.someone("neighbour")
    result = await studio.imagine(prompt)
    await studio.app.progress.step()
    await studio.finish()

    # The service gets it to the letter.
    [task] = studio.tasks
    assert task.order.prompt == prompt.replace("\0", "").strip()

    # The card stands, whole and small enough, in each of its states.
    card = studio.shown(result)
    assert card.heading == "Here is your picture"
    assert len(card.gallery) == 1
    edits = studio.sent("PATCH", ORIGINAL)
    assert edits
    for edit in edits:
        assert sum(len(text) for text in texts(edit.json)) <= 4000
        assert edit.json["allowed_mentions"] == {"parse": []}

    # Nobody is pinged, and nothing in the person's words is markup.
    stored = studio.env.backend.get_message(studio.channel.id, result.response.id)
    assert stored.ping_user_ids == stored.ping_role_ids == []
    assert other.id not in stored.mention_user_ids
    who, _, words = card.text.split("\n")[1].partition(" · ")
    assert who == f"<@{studio.member.id}>"
    assert not MARKUP.search(words.replace("\\\\", ""))
    assert not re.search("[\u200b\u2060\u202a-\u202e\u2066-\u2069\ufeff\x00-\x1f]", words)
    assert len(card.gallery[0].get("description") or "") <= 1024


def texts(form: dict) -> list[str]:
    return [
        item["content"]
        for box in form["components"]
        for item in box["components"]
        if item["type"] == 10
    ]


async def test_words_are_readable_once_discord_took_the_escapes_away(studio):
    result = await studio.imagine("50% off: [sale] - (now) #1 @home_alone")
    await studio.finish()
    line = studio.shown(result).text.split("\n")[1]
    assert re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", line).endswith(
        " · 50% off: [sale] - (now) #1 @home_alone"
    )
    assert studio.shown(result).gallery[0]["description"] == (
        "50% off: [sale] - (now) #1 @home_alone"
    )


async def test_a_long_prompt_is_cut_where_it_is_shown_and_nowhere_else(studio):
    prompt = "a fox " * 1000
    result = await studio.imagine(prompt)
    await studio.finish()
    assert studio.tasks[0].order.prompt == prompt.strip()
    line = studio.shown(result).text.split("\n")[1]
    assert line.endswith("…")
    assert len(line) < 800


async def test_a_refusal_cannot_be_made_to_ping_either(studio):
    name = "@everyone <@1> `**x**` [a](https:evil).txt"
    result = await studio.remix(image1=(name, b"x"))
    said = studio.said(result)
    span = "`@everyone <@1> _**x**_ [a](https:evil).txt`"
    assert span in said
    stored = studio.env.backend.get_message(studio.channel.id, result.response.id)
    assert not stored.mention_everyone
    assert stored.ping_user_ids == []
