"""A card as Discord gets it: nobody's text does anything, and everything fits."""

import re
import string

import discord
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot import cards, pending, render
from bot.cards import CardView
from bot.presses import Choice, Press, Verb
from bot.render import Card, Shot, Tone
from tests import build
from tests.unit.test_render import EXPECTED, NOW, ended, shots, shown_before, under_way

LIMIT = 4000  # characters of text in one message of components
anything = st.text(st.characters(codec=None), max_size=200)
MARKED = re.compile(r"\\([!-/:-@\[-`{-~])")


def card(**changes):
    values = {
        "reply_id": "a" * 16,
        "tone": Tone.FINISHED,
        "heading": "Here is your picture",
        "asked_by": 44,
        "prompt": "a heron",
        "notes": (),
        "footer": "model · 1:1 · 1K",
    }
    return Card(**values | changes)


def texts(view):
    return [item.content for item in view.walk_children() if hasattr(item, "content")]


class TestEscape:
    @given(text=anything)
    def test_it_can_be_undone(self, text):
        assert MARKED.sub(r"\1", cards.escape(text)) == text

    @given(text=anything)
    def test_no_mark_is_left_bare(self, text):
        bare = MARKED.sub("", cards.escape(text))
        assert not set(bare) & set(string.punctuation)

    @pytest.mark.parametrize(
        ("text", "shown"),
        [
            ("@everyone", r"\@everyone"),
            ("<@&12>", r"\<\@\&12\>"),
            ("</imagine:12>", r"\<\/imagine\:12\>"),
            ("<t:0:R>", r"\<t\:0\:R\>"),
            ("<:name:12>", r"\<\:name\:12\>"),
            ("[a](https://b.org)", r"\[a\]\(https\:\/\/b\.org\)"),
            ("discord.gg/x", r"discord\.gg\/x"),
            ("||*_~`", r"\|\|\*\_\~\`"),
            ("# h", r"\# h"),
            ("-# h", r"\-\# h"),
            ("1. h", r"1\. h"),
            (r"\@everyone", r"\\\@everyone"),
            ("字 🦊 é", "字 🦊 é"),
        ],
    )
    def test_what_means_something_to_discord_is_broken(self, text, shown):
        assert cards.escape(text) == shown


class TestSize:
    @given(prompt=st.text(st.characters(codec=None), max_size=2000))
    @example(prompt="*" * 20_000)
    @example(prompt="\N{FOX FACE}" * 20_000)
    @example(prompt="_ " * 10_000)
    def test_any_prompt_fits_while_it_waits(self, prompt):
        reply = under_way(asks=build.request(prompt=prompt))
        view = CardView(pending.waiting(reply, now=NOW, expected=EXPECTED))
        assert view.content_length() <= LIMIT

    @given(
        prompt=st.one_of(st.just("*" * 20_000), st.text(max_size=100)),
        count=st.integers(1, 4),
        link=st.integers(20, 3000).map(lambda length: "https://cdn.example/".ljust(length, "s")),
    )
    def test_any_prompt_and_any_links_fit_when_it_is_finished(self, prompt, count, link):
        asks = build.request(prompt=prompt, model="m" * 128)
        reply = ended(*[build.pictures()] * count, asks=asks)
        found = shots(reply, *range(count), link=link)
        parent = shown_before(reply)
        for finished in (
            render.finished(reply, found, lost={}, parent=parent),
            render.linked(reply, (link,) * count, parent=parent),
        ):
            assert finished.lineage is not None
            assert CardView(finished).content_length() <= LIMIT
            assert CardView(finished.simple()).content_length() <= LIMIT
            assert CardView(finished).total_children_count <= 40
            for row in CardView(finished).walk_children():
                if isinstance(row, discord.ui.ActionRow):
                    assert row.width <= 5


class TestLayout:
    def test_only_the_asker_is_named_and_the_prompt_is_escaped(self):
        said = "\n".join(texts(CardView(card(prompt="<@99> *hi*"))))
        assert "<@44>" in said
        assert r"\<\@99\> \*hi\*" in said

    def test_the_pictures_stand_in_one_gallery_with_words_for_the_blind(self):
        pictures = (Shot("1.png", b"1", "first"), Shot("2.png", b"2", ""))
        view = CardView(card(shots=pictures))
        (gallery,) = (g for g in view.walk_children() if isinstance(g, discord.ui.MediaGallery))
        assert [(item.media.url, item.description) for item in gallery.items] == [
            ("attachment://1.png", "first"),
            ("attachment://2.png", None),
        ]

    def test_without_pictures_there_is_no_gallery(self):
        found = [type(item) for item in CardView(card()).walk_children()]
        assert discord.ui.MediaGallery not in found

    @pytest.mark.parametrize("tone", Tone)
    def test_every_tone_has_a_colour(self, tone):
        (box,) = CardView(card(tone=tone)).children
        assert box.accent_colour == cards.COLOURS[tone]

    def test_a_quiet_card_names_the_asker_and_nothing_of_the_prompt(self):
        said = "\n".join(texts(CardView(card(prompt="MARK").quiet())))
        assert "<@44>" in said
        assert "MARK" not in said

    def test_the_plain_card_is_one_text_and_one_gallery(self):
        plain = card(shots=(Shot("1.png", b"1", "alt"),), notes=("note",)).simple()
        kinds = [type(item) for item in CardView(plain).walk_children()]
        assert kinds == [discord.ui.TextDisplay, discord.ui.MediaGallery]

    def test_a_row_holds_its_buttons_and_a_select_has_its_own(self):
        ratios = ("1:1", "16:9")
        rows = (
            (Press(Verb.AGAIN, "Again"), Press(Verb.EDIT, "Edit prompt")),
            (Press(Verb.DELETE, "Delete"),),
            Choice(Verb.RATIO, "Another ratio…", ratios),
        )
        view = CardView(card(rows=rows))
        shown = [item for item in view.walk_children() if isinstance(item, discord.ui.ActionRow)]
        labels = [[getattr(item, "label", None) for item in row.children] for row in shown]
        assert labels == [["Again", "Edit prompt"], ["Delete"], [None]]
        (select,) = shown[2].children
        assert select.placeholder == "Another ratio…"
        assert [(option.label, option.value) for option in select.options] == [
            (ratio, ratio) for ratio in ratios
        ]
        assert select.custom_id == f"job:ratio:{'a' * 16}"
        assert (select.min_values, select.max_values) == (1, 1)

    def test_a_spoiler_is_blurred_in_the_gallery_and_as_a_file(self):
        hidden = card(shots=(Shot("1.png", b"1", "first"),), spoiler=True)
        (item,) = next(
            g for g in CardView(hidden).walk_children() if isinstance(g, discord.ui.MediaGallery)
        ).items
        (file,) = cards.files(hidden)
        assert item.spoiler
        assert file.spoiler
        assert item.media.url == f"attachment://{file.filename}"
        assert file.filename == "SPOILER_1.png"
        for bare in (hidden.quiet(), hidden.simple()):
            assert bare.spoiler, "what is blurred stays so on every card"

    def test_the_lineage_stands_above_the_footer(self):
        said = texts(CardView(card(lineage="Remix of [ABC123](https://discord.com/x)")))[-1]
        lineage, footer = said.split("\n")
        assert lineage == "-# Remix of [ABC123](https://discord.com/x)"
        assert footer.startswith("-# model")

    def test_a_button_carries_the_reply_and_never_times_out(self):
        view = CardView(card(rows=((Press(Verb.SHOW, "Show"),),)))
        (button,) = (b for b in view.walk_children() if isinstance(b, discord.ui.Button))
        assert button.custom_id == f"job:show:{'a' * 16}"
        assert len(button.custom_id) <= 100
        assert view.timeout is None


def test_files_are_new_for_every_attempt():
    shown = card(shots=(Shot("1.png", b"bytes", "alt"),))
    first, second = cards.files(shown), cards.files(shown)
    assert first[0].fp.read() == b"bytes"
    assert second[0].fp.read() == b"bytes"
    assert (first[0].filename, first[0].description) == ("1.png", "alt")
