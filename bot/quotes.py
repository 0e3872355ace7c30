"""What a service's words repeat of a person's: taken out, before anybody writes it down.

It owns what counts as a repetition; it never decides what is kept.
"""

import re

# Shorter stretches than this are words that any two sentences share.
LEAST = 12
STAND_IN = "<prompt>"


def without(said: str, prompt: str) -> str:
    """`said` without its stretches of 12 characters or more that stand in the prompt too.

    A shorter prompt is taken out where it stands as a whole. Letter case and the kind of white
    space are no difference; `said` comes with single spaces.
    """
    sought = " ".join(prompt.lower().split())
    if len(sought) < LEAST:
        whole = rf"(?<!\w){re.escape(sought)}(?!\w)"
        return re.sub(whole, STAND_IN, said, flags=re.IGNORECASE) if sought else said
    lowered = said.lower()
    if len(lowered) != len(said):
        said = lowered  # a letter that is two in lower case: places must stay the same
    kept: list[str] = []
    start = at = 0
    while at + LEAST <= len(said):
        end = at + LEAST
        if lowered[at:end] not in sought:
            at += 1
            continue
        while end < len(said) and lowered[at : end + 1] in sought:
            end += 1
        kept += [said[start:at], STAND_IN]
        start = at = end
    return "".join([*kept, said[start:]])
