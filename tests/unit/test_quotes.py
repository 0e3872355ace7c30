"""What HiAPI says of a job is kept and logged, but nothing that it repeats of the prompt."""

import time

import pytest

from bot import quotes

PROMPT = "A fox in a scarf,\n  painted in oil"


@pytest.mark.parametrize(
    ("said", "left"),
    [
        ("TASK_FAILED: provider could not finish the task", None),
        ('rejected: "A fox in a scarf, painted in oil"', 'rejected: "<prompt>"'),
        ("rejected: a FOX in a SCARF, painted in oil", "rejected: <prompt>"),
        ("rejected near 'in a scarf, pain…'", "rejected near '<prompt>…'"),
        ("A fox in a scarf twice: a fox in a scarf", "<prompt> twice: <prompt>"),
        ("painted in oil is not repainted in tempera", "<prompt> is not repainted in tempera"),
        ("", None),
    ],
)
def test_what_is_repeated_is_taken_out(said, left):
    assert quotes.without(said, PROMPT) == (said if left is None else left)


@pytest.mark.parametrize(
    ("prompt", "said", "left"),
    [
        (
            "cat",
            'the prompt "Cat" was rejected by category',
            'the prompt "<prompt>" was rejected by category',
        ),
        ("a", "an error at a place", "an error at <prompt> place"),
        ("(*)", "bad (*) here", "bad <prompt> here"),
        ("", "no prompt", "no prompt"),
        (" \n ", "no prompt", "no prompt"),
    ],
)
def test_a_short_prompt_is_taken_out_as_a_whole(prompt, said, left):
    assert quotes.without(said, prompt) == left


def test_letters_that_grow_in_lower_case_keep_their_places():
    assert (
        quotes.without("İ: İstanbul by night in rain", "istanbul by night in rain")
        == "i̇: i̇<prompt>"
    )


def test_the_longest_prompt_holds_nobody_up():
    began = time.process_time()
    quotes.without("ab" * 150, "ab" * 5 + "b" + "ba" * 9_990)
    assert time.process_time() - began < 1
