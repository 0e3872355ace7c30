"""What a card says: every state, every failure, and nobody's text beyond one clean line."""

import unicodedata
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot import pending, render
from bot.catalog import IMAGINE, REMIX, REMIX_SUCCESSOR, Catalog, Complaint
from bot.errors import WORDS, Code
from bot.model import Delivery, End, Kind, Outcome, Reference, Rung, State, short_id
from bot.presses import Choice, Verb
from bot.render import Shot, Tone
from tests import build

NOW = build.NOW
EXPECTED = timedelta(seconds=20)
LATER = {"sent": timedelta(0), "early": timedelta(seconds=5), "late": timedelta(seconds=41)}

# Letters, emoji, what reorders and hides text, controls, halves of pairs.
anything = st.text(st.characters(codec=None), max_size=60)
TRICKS = "\u202eabc\u2066\x00\x1b[31m\r\n\t\u2028\u2029\ud800\ue000\u200b"


def under_way(status=None, *, count=1, **changes):
    reply = build.reply(count=count, **changes)
    jobs = tuple(
        job.evolve(state=State.SUBMITTED, task_id="tk", submitted_at=NOW, task_status=status)
        for job in reply.jobs
    )
    return reply.evolve(jobs=jobs)


def ended(*outcomes, after=timedelta(seconds=17), **changes):
    reply = under_way(count=len(outcomes), **changes)
    jobs = tuple(
        job.evolve(state=State.SETTLED, outcome=outcome, settled_at=NOW + after)
        for job, outcome in zip(reply.jobs, outcomes, strict=True)
    )
    return reply.evolve(jobs=jobs)


def shots(reply, *slots, link=None):
    return {
        reply.jobs[slot].id: Shot(f"{slot}.png", b"png", render.alt_text(reply.jobs[slot]), link)
        for slot in slots
    }


def shown_before(reply, **changes):
    """A reply whose card stands in the same place, to be the parent of another."""
    here = reply.target
    place = {"guild_id": here.guild_id, "channel_id": here.channel_id, "message_id": 77}
    return build.reply(**place | changes).evolve(delivery=Delivery.DELIVERED)


class TestClean:
    @given(text=anything, limit=st.integers(1, 80))
    @example(text=TRICKS, limit=80)
    def test_it_is_one_line_within_the_limit_without_hidden_characters(self, text, limit):
        line = render.clean(text, limit=limit)
        assert len(line) <= limit
        assert len(line.splitlines()) <= 1
        assert line == line.strip()
        categories = {unicodedata.category(c) for c in line.replace("\u200d", "")}
        assert not categories & {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
        line.encode()

    @given(text=anything, limit=st.integers(1, 80))
    def test_it_is_done_after_one_time(self, text, limit):
        once = render.clean(text, limit=limit)
        assert render.clean(once, limit=limit) == once

    @given(text=st.text("aé字\N{FOX FACE} ", max_size=40))
    def test_plain_words_stay_as_they_are(self, text):
        assert render.clean(text, limit=40) == " ".join(text.split())

    def test_an_emoji_of_several_parts_stays_whole(self):
        family = "\N{MAN}\u200d\N{WOMAN}\u200d\N{GIRL}"
        assert render.clean(family, limit=10) == family

    def test_what_is_cut_shows_it(self):
        assert render.clean("abc def ghi", limit=8) == "abc def…"
        assert render.clean("abc def", limit=7) == "abc def"


class TestCaption:
    def test_over_pictures_a_prompt_ends_after_a_word(self):
        said = render.caption("a fox in the snow, " * 20)
        assert said.endswith(("fox…", "in…", "the…", "snow…"))
        assert 260 < len(said) <= render.CAPTION_SHOWN

    @pytest.mark.parametrize("text", ["a fox", "a fox…", "a fox " + "狐" * 274])
    def test_what_fits_is_not_cut(self, text):
        assert render.caption(text) == text

    def test_where_no_spaces_are_it_ends_anywhere(self):
        assert render.caption("a fox " + "狐" * 300) == "a fox " + "狐" * 273 + "…"

    def test_only_what_stands_over_pictures_is_so_short(self):
        asks = build.request(prompt="fox " * 150)
        reply = ended(build.pictures(), asks=asks)
        assert len(render.finished(reply, shots(reply, 0), lost={}).prompt) < 300
        assert len(render.finished(reply, {}, lost={}).prompt) == 599


class TestWaiting:
    def test_a_reply_in_the_queue_waits(self):
        card = pending.waiting(build.reply(), now=NOW, expected=EXPECTED)
        assert (card.tone, card.heading) == (Tone.WAITING, "In the queue")

    @pytest.mark.parametrize("code", Code)
    def test_a_queue_that_is_held_says_why(self, code):
        card = pending.waiting(build.reply(), now=NOW, expected=EXPECTED, held=code)
        assert WORDS[code].title in card.notes[0]

    @pytest.mark.parametrize(
        ("status", "heading"),
        [
            (None, "Starting"),
            ("queued", "Starting"),
            ("handling", "Painting"),
            ("archiving", "Saving your picture"),
            ("something-new", "Starting"),
        ],
    )
    def test_each_stage_has_its_words(self, status, heading):
        card = pending.waiting(under_way(status), now=NOW, expected=EXPECTED)
        assert (card.tone, card.heading) == (Tone.WORKING, heading)

    def test_of_several_the_heading_never_steps_back_while_some_are_ready(self):
        headings = []
        for states in (
            ("archiving", "handling", "queued"),
            ("archiving", "archiving", None),
            ("done", "archiving", None),
            ("done", "done", None),
            ("done", "done", "waits"),
            ("done", "done", "archiving"),
        ):
            reply = under_way(count=3)
            jobs = [
                job.evolve(state=State.SETTLED, outcome=build.pictures())
                if status == "done"
                else job.evolve(state=State.QUEUED, submitted_at=None)
                if status == "waits"
                else job.evolve(task_status=status)
                for job, status in zip(reply.jobs, states, strict=True)
            ]
            card = pending.waiting(reply.evolve(jobs=tuple(jobs)), now=NOW, expected=EXPECTED)
            headings.append(card.heading)
        assert headings == ["Painting"] * 5 + ["Saving your pictures"]

    def test_of_several_the_last_one_is_waited_for(self):
        first, second = (reply := under_way(count=2)).jobs
        later = NOW + timedelta(seconds=15)
        jobs = (first, second.evolve(submitted_at=later))
        now = NOW + EXPECTED + timedelta(seconds=5)
        card = pending.waiting(reply.evolve(jobs=jobs), now=now, expected=EXPECTED)
        due = int((later + EXPECTED).timestamp())
        assert card.notes == ("0 of 2 ready.", f"Expected <t:{due}:R>.")
        # What still waits comes after what has begun.
        jobs = (first, second.evolve(state=State.QUEUED, submitted_at=None))
        place = pending.Place(ahead=3, ready_at=NOW + timedelta(minutes=2))
        card = pending.waiting(reply.evolve(jobs=jobs), now=now, expected=EXPECTED, place=place)
        assert card.notes[1] == f"Expected <t:{int(place.ready_at.timestamp())}:R>."

    @pytest.mark.parametrize(
        ("codes", "words"),
        [
            ((Code.FAILED,), "0 of 3 ready, 1 failed."),
            ((Code.REFUSED_PROMPT, Code.REFUSED_PROMPT), "0 of 3 ready, 2 refused."),
            ((Code.REFUSED_PROMPT, Code.TIMED_OUT), "0 of 3 ready, 2 failed."),
        ],
    )
    def test_what_will_not_come_is_counted(self, codes, words):
        reply = under_way(count=3)
        over = (
            job.evolve(state=State.SETTLED, outcome=build.failure(code))
            for job, code in zip(reply.jobs, codes, strict=False)
        )
        reply = reply.evolve(jobs=(*over, *reply.jobs[len(codes) :]))
        assert pending.waiting(reply, now=NOW, expected=EXPECTED).notes[0] == words

    def test_what_has_begun_can_only_be_hidden(self):
        def label(reply):
            [[press]] = pending.waiting(reply, now=NOW, expected=EXPECTED).rows
            assert press.verb is Verb.CANCEL
            return press.label

        assert label(build.reply()) == "Cancel"
        assert label(under_way()) == "Don't show it"
        both = under_way(count=2)
        assert label(both) == "Don't show them"
        first, second = both.jobs
        assert label(both.evolve(jobs=(first, second.evolve(state=State.QUEUED)))) == "Cancel"

    def test_the_expected_time_counts_from_the_submission_and_does_not_run_away(self):
        reply = under_way()
        notes = {
            pending.waiting(reply, now=NOW + age, expected=EXPECTED).notes
            for age in (LATER["sent"], LATER["early"])
        }
        assert notes == {(f"Expected <t:{int((NOW + EXPECTED).timestamp())}:R>.",)}

    def test_what_takes_longer_is_said_to(self):
        card = pending.waiting(under_way(), now=NOW + LATER["late"], expected=EXPECTED)
        assert card.notes == ("This takes longer than usual. It is still under way.",)

    def test_what_is_long_overdue_promises_nothing(self):
        late = NOW + pending.OVERDUE + timedelta(seconds=1)
        card = pending.waiting(under_way(), now=late, expected=EXPECTED)
        assert "If it still comes" in card.notes[0]


class TestFinished:
    def test_one_picture(self):
        reply = ended(build.pictures())
        card = render.finished(reply, shots(reply, 0), lost={})
        assert (card.tone, card.heading, card.notes) == (Tone.FINISHED, "Here is your picture", ())
        assert card.shots[0].alt == "a heron at dawn"

    def test_several_pictures_stand_in_their_order(self):
        reply = ended(*[build.pictures()] * 3)
        found = dict(reversed(shots(reply, 0, 1, 2).items()))
        card = render.finished(reply, found, lost={})
        assert card.heading == "Here are your pictures"
        assert [shot.filename for shot in card.shots] == ["0.png", "1.png", "2.png"]

    @pytest.mark.parametrize("code", Code)
    def test_every_failure_has_its_words(self, code):
        card = render.finished(ended(build.failure(code)), {}, lost={})
        assert card.tone is Tone.FAILED
        assert (card.heading, card.notes[0]) == (WORDS[code].title, WORDS[code].advice)
        # Only where a model is unavailable there is more to say.
        assert len(card.notes) == 1 + (code is Code.MODEL_GONE)

    def test_a_failure_never_shows_what_is_meant_for_the_operator(self):
        outcome = Outcome(end=End.FAILED, code=Code.FAILED, detail="OPERATOR ONLY")
        card = render.finished(ended(outcome), {}, lost={})
        assert "OPERATOR ONLY" not in repr(card)
        assert WORDS[Code.FAILED].operator not in repr(card)

    def test_a_failure_without_a_code_has_words_all_the_same(self):
        card = render.finished(ended(Outcome(end=End.FAILED)), {}, lost={})
        assert card.heading == WORDS[Code.FAILED].title

    @pytest.mark.parametrize(("lost", "words"), [(1, "1 picture is"), (2, "2 pictures are")])
    def test_what_is_missing_is_counted_and_explained(self, lost, words):
        reply = ended(build.pictures(), *[build.failure(Code.TIMED_OUT)] * lost)
        card = render.finished(reply, shots(reply, 0), lost={})
        assert card.tone is Tone.FINISHED
        assert card.notes == (f"{words} missing: The picture took too long.",)

    def test_a_picture_that_could_not_be_fetched_is_a_failure_of_its_own(self):
        reply = ended(build.pictures())
        card = render.finished(reply, {}, lost={reply.jobs[0].id: Code.PICTURE_LOST})
        assert card.heading == WORDS[Code.PICTURE_LOST].title

    def test_a_picture_made_smaller_links_to_its_original(self):
        reply = ended(build.pictures())
        card = render.finished(reply, shots(reply, 0, link="https://cdn.example/a"), lost={})
        assert "(https://cdn.example/a)" in card.notes[0]

    def test_links_too_long_for_a_card_are_left_out(self):
        reply = ended(*[build.pictures()] * 4)
        long = "https://cdn.example/" + "s" * 900
        card = render.finished(reply, shots(reply, 0, 1, 2, 3, link=long), lost={})
        assert card.notes == ("Made smaller to fit Discord.",)
        card = render.linked(reply, (long,) * 4)
        assert card.notes == ("Ask for it again at a lower resolution.",)

    def test_a_picture_that_only_has_a_link_shows_it(self):
        reply = ended(build.pictures())
        card = render.linked(reply, ("https://cdn.example/a",))
        assert "(https://cdn.example/a)" in card.notes[0]


def pressed(card):
    """The verbs of a card's buttons, row by row; of a select, its verb alone."""
    return [
        row.verb if isinstance(row, Choice) else [press.verb for press in row] for row in card.rows
    ]


KEEP = [Verb.ORIGINAL, Verb.DM, Verb.REPORT, Verb.DELETE]


class TestRows:
    @pytest.mark.parametrize(("resolution", "sharper"), [("1K", [Verb.SHARP]), ("2K", [])])
    def test_a_finished_card_makes_more_of_it_and_keeps_it(self, resolution, sharper):
        asks = build.request(model=IMAGINE.id, resolution=resolution)
        reply = ended(build.pictures(), asks=asks)
        card = render.finished(reply, shots(reply, 0), lost={})
        make = [Verb.AGAIN, Verb.EDIT, Verb.REMIX, *sharper]
        assert pressed(card) == [make, KEEP, Verb.RATIO]
        assert card.rows[2].values == tuple(r for r in IMAGINE.ratios if r != "16:9")

    def test_what_the_model_does_not_take_is_not_offered(self):
        asks = build.request(
            kind=Kind.REMIX,
            model=REMIX_SUCCESSOR.id,
            aspect_ratio="auto",
            resolution="1K",
            references=(Reference("https://cdn.example/1", "1.png"),),
        )
        reply = ended(build.pictures(), asks=asks)
        card = render.finished(reply, shots(reply, 0), lost={})
        assert pressed(card)[0] == [Verb.AGAIN, Verb.EDIT, Verb.REMIX]
        assert "3:1" in card.rows[2].values
        sharp = reply.evolve(
            jobs=tuple(
                job.evolve(
                    request=build.request(
                        kind=Kind.REMIX, model=REMIX_SUCCESSOR.id, resolution="2K"
                    )
                )
                for job in reply.jobs
            )
        )
        card = render.finished(sharp, shots(sharp, 0), lost={})
        assert not {"auto", "3:1", "4:5"} & set(card.rows[2].values)

    def test_a_card_with_links_alone_has_no_picture_to_send_or_remix(self):
        reply = ended(build.pictures())
        card = render.linked(reply, ("https://cdn.example/a",))
        keep = [Verb.ORIGINAL, Verb.REPORT, Verb.DELETE]
        assert pressed(card)[0] == [Verb.AGAIN, Verb.EDIT, *keep]

    def test_what_only_one_person_sees_cannot_be_reported(self):
        reply = ended(build.pictures(), private=True)
        shown = (
            render.finished(reply, shots(reply, 0), lost={}),
            render.linked(reply, ("https://cdn.example/a",)),
        )
        for card in shown:
            assert Verb.REPORT not in {verb for row in pressed(card)[:-1] for verb in row}

    @pytest.mark.parametrize("code", Code)
    @pytest.mark.parametrize("kind", Kind)
    def test_a_failed_card_names_the_successor_where_the_model_is_unavailable(self, kind, code):
        model = IMAGINE if kind is Kind.IMAGINE else REMIX
        reply = ended(build.failure(code), asks=build.request(kind=kind, model=model.id))
        card = render.finished(reply, {}, lost={})
        more = [Verb.SUCCESSOR] * (code is Code.MODEL_GONE)
        # The same words would only be refused again.
        again = [] if code is Code.REFUSED_PROMPT else [Verb.AGAIN]
        assert pressed(card)[0] == [*again, Verb.EDIT, *more, Verb.DELETE]
        assert pressed(card)[1:] == [Verb.RATIO] * (code is Code.BAD_REQUEST)
        if more:
            named = Catalog().successor(kind).id
            assert card.rows[0][2].label == f"Use {named}"
            assert named in card.notes[1]

    def test_no_successor_is_named_where_there_is_none_or_it_failed_itself(self):
        asks = build.request(model=Catalog().imagine_successor.id)
        reply = ended(build.failure(Code.MODEL_GONE), asks=asks)
        assert pressed(render.finished(reply, {}, lost={})) == [
            [Verb.AGAIN, Verb.EDIT, Verb.DELETE]
        ]
        alone = Catalog(imagine_successor=None)
        reply = ended(build.failure(Code.MODEL_GONE))
        card = render.finished(reply, {}, lost={}, catalog=alone)
        assert pressed(card) == [[Verb.AGAIN, Verb.EDIT, Verb.DELETE]]
        assert len(card.notes) == 1

    def test_whoever_is_paused_can_only_remove_the_card(self):
        refused = replace(build.failure(Code.REFUSED_PROMPT), paused_until=NOW)
        assert pressed(render.finished(ended(refused), {}, lost={})) == [[Verb.DELETE]]

    def test_what_was_taken_back_can_be_asked_for_in_other_words(self):
        for begun in (0, 1):
            card = pending.cancelled(build.reply(), begun=begun)
            assert pressed(card) == [[Verb.EDIT, Verb.AGAIN, Verb.DELETE]]

    def test_a_long_name_of_a_model_fits_its_button(self):
        long = Catalog.with_ids(imagine="a", remix="b", imagine_successor="m" * 128)
        reply = ended(build.failure(Code.MODEL_GONE))
        card = render.finished(reply, {}, lost={}, catalog=long)
        assert len(card.rows[0][2].label) == 80

    def test_the_simple_card_has_nothing_to_press(self):
        reply = ended(build.pictures())
        simple = render.finished(reply, shots(reply, 0), lost={}, parent=reply).simple()
        assert (simple.rows, simple.lineage) == ((), None)


class TestLineage:
    def made_from(self, reply, parent):
        failed = render.finished(reply, {}, lost={}, parent=parent)
        card = render.finished(reply, shots(reply, 0), lost={}, parent=parent)
        linked = render.linked(reply, (), parent=parent)
        assert failed.lineage == card.lineage == linked.lineage
        return card.lineage

    def test_it_leads_to_the_card_it_was_made_from(self):
        reply = ended(build.pictures())
        parent = shown_before(reply)
        name = short_id(parent.jobs[0].id)
        link = "https://discord.com/channels/33/22/77"
        assert self.made_from(reply, parent) == f"Another version of [{name}]({link})"

    def test_a_remix_is_called_one(self):
        reply = ended(build.pictures()).evolve(made_by=Verb.REMIX)
        assert self.made_from(reply, shown_before(reply)).startswith("Remix of [")

    def test_in_another_channel_of_the_server_it_leads_there(self):
        reply = ended(build.pictures())
        lineage = self.made_from(reply, shown_before(reply, channel_id=99))
        assert "/33/99/77)" in lineage

    def test_in_direct_messages_it_leads_to_the_same_ones_alone(self):
        reply = ended(build.pictures(), guild_id=None)
        assert "/@me/22/77)" in self.made_from(reply, shown_before(reply))
        assert self.made_from(reply, shown_before(reply, channel_id=99)) is None

    def test_what_was_deleted_or_posted_anew_has_no_link(self):
        reply = ended(build.pictures())
        deleted = shown_before(reply, message_id=None)
        assert (
            self.made_from(reply, deleted) == f"Another version of {short_id(deleted.jobs[0].id)}"
        )
        moved = shown_before(reply).evolve(rung=Rung.CHANNEL)
        assert self.made_from(reply, moved) == f"Another version of {short_id(moved.jobs[0].id)}"

    @pytest.mark.parametrize(
        "changes",
        [{"private": True}, {"guild_id": 99}, {"guild_id": None}],
        ids=["private", "another server", "direct messages"],
    )
    def test_what_others_may_not_see_is_not_named(self, changes):
        reply = ended(build.pictures())
        assert self.made_from(reply, shown_before(reply, **changes)) is None

    @pytest.mark.parametrize("delivery", [d for d in Delivery if d is not Delivery.DELIVERED])
    def test_what_was_not_shown_is_not_named(self, delivery):
        reply = ended(build.pictures())
        assert self.made_from(reply, shown_before(reply).evolve(delivery=delivery)) is None

    def test_without_a_parent_there_is_none(self):
        assert self.made_from(ended(build.pictures()), None) is None

    def test_a_quiet_card_keeps_it_without_its_link(self):
        reply = ended(build.pictures())
        parent = shown_before(reply)
        quiet = render.finished(reply, shots(reply, 0), lost={}, parent=parent).quiet()
        assert quiet.lineage == f"Another version of {short_id(parent.jobs[0].id)}"


@pytest.mark.parametrize("spoiler", [True, False])
def test_a_card_is_blurred_if_its_reply_is(spoiler):
    reply = ended(build.pictures()).evolve(spoiler=spoiler)
    assert render.finished(reply, shots(reply, 0), lost={}).spoiler is spoiler


class TestFooter:
    def test_it_says_what_was_asked_for_and_how_long_it_took(self):
        reply = ended(build.pictures())
        card = render.finished(reply, shots(reply, 0), lost={})
        job = short_id(reply.jobs[0].id)
        assert card.footer == f"{job} · 16:9 · 2K · 17 s · nano-banana-pro"

    @pytest.mark.parametrize(("count", "words"), [(1, "1 image"), (3, "3 images")])
    def test_a_remix_counts_its_images(self, count, words):
        references = tuple(Reference(f"https://cdn.example/{n}", "n.png") for n in range(count))
        asks = build.request(kind=Kind.REMIX, references=references)
        card = pending.waiting(build.reply(asks=asks), now=NOW, expected=EXPECTED)
        assert f" · {words} · " in card.footer

    def test_it_shows_too_little_of_the_id_to_open_anything(self):
        reply = build.reply()
        card = pending.waiting(reply, now=NOW, expected=EXPECTED)
        assert reply.jobs[0].id not in card.footer.lower()


@given(prompt=anything)
def test_a_card_made_quiet_holds_no_word_of_the_persons(prompt):
    marked = f"MARK {prompt} MARK"
    reply = ended(build.pictures(), asks=build.request(prompt=marked))
    card = render.finished(reply, shots(reply, 0), lost={})
    assert "MARK" in repr(card)
    for bare in (card.quiet(), card.simple()):
        assert "MARK" not in repr(bare)
        assert bare.shots[0].data == card.shots[0].data
        assert (bare.heading, bare.footer) == (card.heading, card.footer)


def test_a_card_made_quiet_holds_no_link_and_all_else():
    reply = ended(build.pictures(), build.failure(Code.FAILED))
    card = render.finished(reply, shots(reply, 0, link="https://cdn.example/a"), lost={})
    missing, _smaller = card.notes
    quiet = card.quiet()
    smaller = "Made smaller to fit Discord. The original is there for a few days."
    assert quiet.notes == (missing, smaller)
    assert (quiet.heading, quiet.rows) == (card.heading, card.rows)


@given(prompt=st.text(st.characters(codec=None), max_size=1500))
def test_the_words_for_the_blind_fit_discords_limit(prompt):
    job = build.reply(asks=build.request(prompt=prompt)).jobs[0]
    assert len(render.alt_text(job)) <= 1024


def test_a_complaint_is_two_lines_with_its_values():
    said = Complaint("{name} is wrong.", "Use {other}.", (("name", "`a`"), ("other", 2)))
    assert render.complaint(said, locale="en-US") == "**`a` is wrong.**\nUse 2."
