"""Words that are not welcome: seen through in disguise, and let be inside of others."""

import time

import pytest

from bot.words import blocked, quoted

WORDS = (
    "badword",
    "ass",
    "nud*",
    "*porn",
    "\u574f",
    "\u043f\u0443\u0442\u0438\u043d",
    "two words",
    "hello",
    "kill",
)


@pytest.mark.parametrize(
    "text",
    [
        "a badword here",
        "BADWORD!",
        "b4dw0rd",
        "b a d w o r d",
        "b.a.d.w.o.r.d",
        "b-a-d-w-o-r-d x",
        "b\u0430dw\u043erd",  # Cyrillic a and o
        "ba\u200bdword",
        "ba\u00addword",
        "baaadwooord",
        "b\u00e1dw\u00f6rd",
        "\uff42\uff41\uff44\uff57\uff4f\uff52\uff44",
        "\U0001d4eb\U0001d4ea\U0001d4ed\U0001d500\U0001d4f8\U0001d4fb\U0001d4ed",
        "an ass",
        "@$$",
        "a s s",
        "asss",
        "nudity",
        "softporn",
        "\u8fd9\u662f\u574f\u7684",
        "\u041f\u0443\u0442\u0438\u043d",
        "two\nwords",
        "two   words",
        "bad.word",
        "bad_word!",
        "(ba-dword)",
        "~~bad~~word",
        "**bad**word",
        "||bad||word",
        "b|a|d|w|o|r|d",
        "b 4 d w 0 r d",
        "b*dword",
        "b**word",
        "*b*dw*rd*",
        "4$$",
        "\U0001f171\U0001f170\U0001f173\U0001f186\U0001f17e\U0001f181\U0001f173",  # in squares
        "\U0001f1e7\U0001f1e6\U0001f1e9\U0001f1fc\U0001f1f4\U0001f1f7\U0001f1e9",  # in flags
        "\U0001f1e7 \U0001f1e6 \U0001f1e9 \U0001f1fc \U0001f1f4 \U0001f1f7 \U0001f1e9",
        "\u0299\u1d00\u1d05\u1d21\u1d0f\u0280\u1d05",  # small capitals
        "b\u0250dword",  # a turned a
        "\u0253a\u0111word",  # a hook and a stroke
        "bad\u3164word",  # a letter that nobody sees
        "bad\u115fword",
        "b\u0337a\u0337d\u0337word",
        "8adword",
        "he11o",
        "heIIo",
        "k!ll",
        "ki11",
        "kil|",
    ],
)
def test_a_word_is_found_in_disguise(text):
    assert blocked(text, WORDS)


@pytest.mark.parametrize(
    "text",
    [
        "class assassin",
        "as a fox",
        "grass",
        "bad word",
        "sad words",
        "a wordsmith",
        "denude",
        "pornography",
        "two words2",
        "1 2 3 badger",
        "",
        "!!!",
        "words two",
        "a 455 engine",
        "1,455.50",
        "$455",
        "10:55",
        "45.5mm",
        "b*d",
        "b******",
        "*******",
        "**bold**",
        "bail",
        "heil\u00f8",
        "class-action",
        "as-is",
        "bad, word",
    ],
)
def test_a_word_inside_another_is_let_be(text):
    assert not blocked(text, WORDS)


@pytest.mark.parametrize("word", ["", "*", "**", "!", " "])
def test_an_empty_word_blocks_nothing(word):
    assert not blocked("a red fox", (word,))


@pytest.mark.parametrize("word", [".*", "a|b", "(", "[a-z]+", "\\w"])
def test_a_word_is_no_pattern(word):
    assert not blocked("a red fox", (word,))


def test_a_number_may_be_a_word():
    assert blocked("the 1488 of them", ("1488",))
    assert not blocked("the 14 88", ("1488",))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a badword here", "badword"),
        ("(b.a.d.w.o.r.d)!", "b.a.d.w.o.r.d"),
        ("say b a d w o r d twice", "b a d w o r d"),
        ("a pair of Two   WORDS.", "Two WORDS"),
        ("a b*dword", "b*dword"),
        ("pure nudity", "nudity"),
        ("a fox", None),
        ("bad" + "w" * 70 + "ord", None),
    ],
)
def test_it_is_quoted_as_it_was_written(text, found):
    assert quoted(text, WORDS) == found


HOSTILE = {
    "letters apart": ("a " * 10_000, "badword"),
    "its letter apart": ("b " * 10_000, "badword"),
    "one letter": ("b" * 20_000, "*badword"),
    "underscores": ("_" * 19_998 + "aa", "badword"),
    "stars": ("b*" * 10_000, "badword"),
    "hyphens": ("ba-" * 6_600, "bad*"),
    "ones": ("1i" * 10_000, "killing"),
    "exclamation marks": ("b!" * 10_000, "*bibi"),
    "dots": ("a" + "." * 19_998 + "a", "a*b"),
    "flags": ("\U0001f1e7" * 20_000, "badword"),
    "phrases in one character": ("\ufdfa" * 20_000, "badword"),
    "digits": ("1" * 19_999 + "a", "ill*"),
}


@pytest.mark.parametrize(("text", "word"), HOSTILE.values(), ids=HOSTILE)
def test_the_longest_prompt_is_read_in_no_time(text, word):
    """A slow pattern would hold up everybody: this is linear, whatever is written."""
    began = time.process_time()
    assert not blocked(text, [word, *(f"{word}{number}x" for number in range(199))])
    assert time.process_time() - began < 3  # far more than it takes; a slow one takes minutes
