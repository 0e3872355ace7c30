"""A prompt longer than its field: nothing that is not shown is ever lost."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cogs import prompts
from cogs.forms import TEXT_LIMIT

LONG = "word " * 4000
storable = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=60)
long = st.tuples(storable, st.integers(1, 400)).map(lambda it: (it[0] * it[1])[:20_000])


def units(text):
    return len(text.encode("utf-16-le")) // 2


@given(prompt=long)
@example(prompt="\N{FOX FACE}" * 10_000)
@example(prompt="x" * 4_001)
@example(prompt=" " * 5_000 + "x")
@example(prompt=LONG)
def test_what_is_shown_is_a_beginning_that_fits(prompt):
    shown = prompts.head(prompt)
    assert prompt.startswith(shown)
    assert units(shown) <= TEXT_LIMIT
    if units(prompt) <= TEXT_LIMIT:
        assert shown == prompt
    else:
        assert units(shown) <= prompts.HEAD, "there is room to write more"


@given(prompt=long)
@example(prompt="\N{FOX FACE}" * 10_000)
@example(prompt="\n\n a \n" * 2_000)
def test_unchanged_keeps_the_whole_prompt_however_discord_trims(prompt):
    shown = prompts.head(prompt)
    for back in (shown, shown.strip(), shown.replace("\n", "\r\n")):
        assert prompts.joined(prompt, back) == prompt


@given(prompt=long, text=storable)
def test_changed_takes_the_place_of_what_was_shown_alone(prompt, text):
    shown = prompts.head(prompt)
    joined = prompts.joined(prompt, text)
    if text.split() == shown.split():
        return
    rest = prompt[len(shown) :]
    assert joined == (text.rstrip() + rest if rest else text)


@pytest.mark.parametrize("length", [4_001, 20_000])
def test_a_beginning_ends_with_a_word_where_there_are_words(length):
    prompt = ("lighthouse " * 2_000)[:length]
    shown = prompts.head(prompt)
    assert shown.endswith("lighthouse")
    assert (
        prompts.joined(prompt, f"{shown} at night")
        == prompt[: len(shown)] + " at night" + (prompt[len(shown) :])
    )


def test_what_is_cleared_is_gone_and_the_rest_stays():
    assert prompts.joined("short", "") == ""
    shown = prompts.head(LONG)
    assert prompts.joined(LONG, "") == LONG[len(shown) :]
