"""A prompt in a field that may be too small for it: what is shown, and how that goes back.

It owns the cut and the seam; it never shows anything.
"""

from cogs.forms import TEXT_LIMIT

# Of a prompt that a field cannot hold so much is shown: what is left is room to write.
HEAD = 3_600
WORD = 200  # longer than any word: the head ends at a space if there is one so near


def head(prompt: str) -> str:
    """What the form shows of a prompt: all of it, or a beginning that ends with a word.

    Counted in UTF-16 units, so that it fits however Discord counts.
    """
    units = prompt.encode("utf-16-le")
    if len(units) <= 2 * TEXT_LIMIT:
        return prompt
    start = units[: 2 * HEAD].decode("utf-16-le", "ignore")
    at = max(start.rfind(" "), start.rfind("\n"))
    return start[:at].rstrip() if at > len(start) - WORD and start[:at].strip() else start


def joined(before: str, text: str) -> str:
    """The prompt after the form: what was not shown stays, what was not changed stays as it was."""
    shown = head(before)
    if text.split() == shown.split():  # Discord may trim what it shows
        return before
    return text if shown == before else f"{text.rstrip()}{before[len(shown) :]}"
