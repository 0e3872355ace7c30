"""Words that a server's moderators do not want in a prompt, and how they are found in disguise.

It owns the matching; it never knows whose words they are, nor what follows. Whatever is written,
it takes time in proportion: a slow search would hold up everybody.
"""

import bisect
import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache

from confusable_homoglyphs import confusables  # type: ignore[import-untyped] # has no types

# What stands for a letter where people write around a filter. A one may be two of them.
_SIGNS = str.maketrans("03456789@$€", "oeasgtbgase")
_ONES = ("i", "l")
_AROUND = ".,;:!?\"'()“”„«»"
_INNER = re.compile(r"(?<=\w)[!|]+(?=\w)")
_LAST = re.compile(r"(?<=\w)\|+(?!\w)")
# A capital I among small letters is there to look like one or the other.
_ODD_CAPITAL = re.compile(r"(?<=[a-z])I+(?=[a-zI]|\b)")
_NUMBER = re.compile(
    r"(?<!\S)[(\"']?(?:[$€£]|f/)?\d+(?:(?:[.,:/x-]\d+)+[a-z]{0,2})?"
    r"[.,;:!?)%\"']*(?!\S)"
)
# Digits of plain numbers: 455 is no word, whatever it looks like.
_DIGITS = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")
_GAPS = re.compile(r"[\W_]+")
_RUN = re.compile(r"(.)\1*", re.DOTALL)
# Single letters set apart: s o, l.i.k.e, t-h-i-s.
_APART = re.compile(r"(?<![^\W_])(?:[^\W_][\W_]{1,3}){2,}[^\W_](?![^\W_])")
_MASK = "*"
FOUND_LIMIT = 60  # characters of what is quoted, hence more than its words
LONGEST_PART = 4  # letters that one character may come to
# Letters that are shown as nothing.
_INVISIBLE = frozenset("\u115f\u1160\u3164\uffa0\u17b4\u17b5")
# Also ø, đ, small capitals, turned letters, letters of flags and of squares.
_NAMED = re.compile(
    r"LATIN (?:SMALL|CAPITAL) LETTER (?:TURNED |REVERSED )?([A-Z])(?: WITH .*)?"
    r"|LATIN LETTER SMALL CAPITAL (?:TURNED |REVERSED )?([A-Z])"
    r"|REGIONAL INDICATOR SYMBOL LETTER ([A-Z])"
    r"|NEGATIVE (?:SQUARED|CIRCLED) LATIN CAPITAL LETTER ([A-Z])"
)
_UNSPACED = ("CJK", "HIRAGANA", "KATAKANA", "THAI", "LAO")


def blocked(text: str, words: Iterable[str]) -> bool:
    """Whether one of the words stands in the text, also in disguise.

    A word matches whole words; `*` at its end or beginning stands for more letters. Case, accents,
    characters that nobody sees, look-alike letters of other scripts and of emoji, digits and signs
    in place of letters, `*` in place of some, punctuation within a word, stretched letters and
    l e t t e r s set apart are seen through. Numbers stay numbers. Words of scripts without spaces
    match anywhere.
    """
    return _match(text, words) is not None


def quoted(text: str, words: Iterable[str]) -> str | None:
    """Where one of the words stands in the text: a few words of it as they were written.

    None where it does not, or where nothing short brings it about.
    """
    word = _match(text, words)
    if word is None:
        return None
    parts = text.split()

    def stands(start: int, end: int) -> bool:
        return blocked(" ".join(parts[max(start, 0) : end]), (word,))

    # The shortest beginning that holds it, then the shortest end of that, from near to far.
    end = bisect.bisect_left(range(len(parts)), True, key=lambda end: stands(0, end))
    back = next((back for back in range(1, FOUND_LIMIT) if stands(end - back, end)), FOUND_LIMIT)
    found = " ".join(parts[max(end - back, 0) : end]).strip(_AROUND)
    return found if back < FOUND_LIMIT and len(found) <= FOUND_LIMIT else None


def _match(text: str, words: Iterable[str]) -> str | None:
    """The first of the words that stands in the text, also in disguise."""
    wanted = [(word, core) for word in words for core in {_core(word, one) for one in _ONES}]
    wanted = [(word, core) for word, core in wanted if core]
    if not wanted:
        return None
    longest = max((len(run[0]) for _, core in wanted for run in _RUN.finditer(core)))
    plain = _plain_text(text)
    for one in _ONES:
        spaced, whole = _readings(plain, one, longest=longest)
        for word, core in wanted:
            if _stands(word, core, spaced, whole):
                return word
    masked = [token for token in map(_unedged, plain.split()) if _MASK in token]
    masked = [_decoded(token.replace(_MASK, "\0"), "i").replace("\0", _MASK) for token in masked]
    hidden = (word for word, core in wanted if any(_behind(core, token) for token in masked))
    return next(hidden, None)


def _readings(plain: str, one: str, *, longest: int) -> tuple[str, list[str]]:
    """The text as words with spaces between them; and what only looks as if it were several.

    No letter comes more often in a row than the words need: stretching must not cost time.
    """
    letters = _decoded(plain, one)
    apart = [found for found in _APART.findall(plain) if any(c.isalpha() for c in found)]
    joined = [token for token in plain.split() if not _unedged(token).isalnum()]
    tight = [_decoded(_tight(found), one, numbers=False) for found in apart]
    whole = [_tight(_decoded(token, one)) for token in joined]
    whole += [_decoded(_tight(token), one) for token in joined]
    return _short(_GAPS.sub(" ", letters).strip(), longest), [
        *(f"\n{_short(found, longest)}" for found in tight),
        *(_short(found, longest) for found in whole),
    ]


def _stands(word: str, core: str, spaced: str, whole: Iterable[str]) -> bool:
    before = "" if word.startswith("*") or _has_no_spaces(core) else r"(?<![^ ])"
    after = "" if word.endswith("*") or _has_no_spaces(core) else r"(?![^ ])"
    pattern = _stretched(core)
    if re.search(f"{before}{pattern}{after}", spaced):
        return True
    return any(
        # Of l e t t e r s nobody knows where one word ends.
        re.search(pattern if found.startswith("\n") else f"{before}{pattern}{after}", found)
        for found in whole
    )


def _behind(core: str, token: str) -> bool:
    """Whether the word may be what `*` hides some letters of; never all that matter."""
    return (
        len(core) == len(token)
        and 2 * token.count(_MASK) <= len(token)
        and all(seen in (letter, _MASK) for letter, seen in zip(core, token, strict=True))
    )


@lru_cache(maxsize=4096)
def _stretched(core: str) -> str:
    """Stretched letters are seen through, but a word with a double letter keeps it."""
    return "".join(f"{re.escape(run[1])}{{{len(run[0])},}}" for run in _RUN.finditer(core))


@lru_cache(maxsize=4096)
def _core(word: str, one: str) -> str:
    return _GAPS.sub(" ", _decoded(_plain_text(word), one)).strip()


def _plain_text(text: str) -> str:
    """The text in plain lower-case letters; a 1 may be an i or an l."""
    odd = _ODD_CAPITAL.sub(lambda found: "1" * len(found[0]), text)
    return "".join(map(_plain, odd))


@lru_cache(maxsize=8192)
def _plain(c: str) -> str:
    """What a character comes to; those that are whole phrases are let be, for the time's sake."""
    parts = unicodedata.normalize("NFKD", c.casefold())
    return c if len(parts) > LONGEST_PART else "".join(map(_letter, parts))


def _letter(c: str) -> str:
    if unicodedata.category(c) in ("Mn", "Cf", "Me") or c in _INVISIBLE:
        return ""
    if c.isascii():
        return c
    named = _NAMED.fullmatch(unicodedata.name(c, ""))
    if named is not None:
        return next(letter for letter in named.groups() if letter).casefold()
    if not c.isalpha():
        return c
    found = confusables.is_confusable(c, greedy=False, preferred_aliases=[])
    latin = [
        each["c"]
        for entry in found or ()
        for each in entry["homoglyphs"]
        if len(each["c"]) == 1 and each["c"].isascii() and each["c"].isalpha()
    ]
    return latin[0].casefold() if latin else c


def _decoded(plain: str, one: str, *, numbers: bool = True) -> str:
    """Digits and signs as the letters that they stand for; numbers stay apart from letters."""
    if numbers:
        plain = _NUMBER.sub(lambda found: found[0].translate(_DIGITS), plain)
    letters = plain.translate(_SIGNS).replace("1", one)
    for signs in (_INNER, _LAST):
        letters = signs.sub(lambda found: one * len(found[0]), letters)
    return letters


def _short(letters: str, longest: int) -> str:
    return _RUN.sub(lambda run: run[0][: longest + 1], letters)


def _unedged(token: str) -> str:
    """Without what stands around a word: signs that are no letters."""
    inside = [at for at, c in enumerate(token) if c.isalnum()]
    return token[inside[0] : inside[-1] + 1] if inside else ""


def _tight(letters: str) -> str:
    return _GAPS.sub("", letters)


def _has_no_spaces(word: str) -> bool:
    """Chinese, Japanese, Thai and their like put no spaces between words."""
    return any(unicodedata.name(c, "").partition(" ")[0] in _UNSPACED for c in word)
