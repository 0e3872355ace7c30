"""What the models take: the bot's table against the stand-in's, and the check at its borders."""

import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot import catalog
from bot.catalog import (
    IMAGINE,
    IMAGINE_SUCCESSOR,
    PROMPT_LIMIT,
    REMIX,
    REMIX_SUCCESSOR,
    Catalog,
)
from bot.hiapi import wire
from bot.model import Kind, Reference, Request
from sandbox import contract

MODELS = {Kind.IMAGINE: IMAGINE, Kind.REMIX: REMIX}
SUCCESSORS = {Kind.IMAGINE: IMAGINE_SUCCESSOR, Kind.REMIX: REMIX_SUCCESSOR}
EVERY = (*MODELS.values(), *SUCCESSORS.values())
LEAST = {Kind.IMAGINE: 0, Kind.REMIX: 1}


def references(count):
    return tuple(
        Reference(url=f"https://cdn.example/{number}.png", filename=f"{number}.png")
        for number in range(count)
    )


def ask(kind=Kind.IMAGINE, **changes):
    model = MODELS[kind]
    values = {
        "kind": kind,
        "model": model.id,
        "prompt": "a heron at dawn",
        "aspect_ratio": model.default_ratio,
        "resolution": model.default_resolution,
        "references": references(LEAST[kind]),
    }
    return Request(**values | changes)


def words(complaint):
    values = dict(complaint.values)
    return complaint.problem.format(**values), complaint.fix.format(**values)


@pytest.mark.parametrize("kind", Kind)
def test_the_table_says_what_the_stand_in_says(kind):
    model, rules = MODELS[kind], contract.MODELS[MODELS[kind].id]
    assert model.ratios == rules.ratios
    assert model.default_ratio == rules.default_ratio
    assert model.resolutions == rules.resolutions
    assert model.references == (rules.references or (0, 0))
    assert model.kind is kind


@pytest.mark.parametrize(
    ("kind", "ratio", "resolution"),
    [
        (kind, *options)
        for kind, model in MODELS.items()
        for options in itertools.product(model.ratios, model.resolutions)
    ],
)
def test_every_option_on_offer_is_taken_here_and_there(kind, ratio, resolution):
    request = ask(kind, aspect_ratio=ratio, resolution=resolution)
    assert Catalog().check(request) is None
    order = contract.read_order(encode(request))
    assert (order.aspect_ratio, order.resolution) == (ratio, resolution)


def test_the_ratio_auto_is_for_remixes_alone():
    assert Catalog().check(ask(aspect_ratio="auto")) is not None


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("ratio", ["", "1:2", "16:9 ", "AUTO"])
def test_another_ratio_is_refused_with_those_on_offer(kind, ratio):
    _, fix = words(Catalog().check(ask(kind, aspect_ratio=ratio)))
    assert all(known in fix for known in MODELS[kind].ratios)


@pytest.mark.parametrize("resolution", ["", "1k", "4K"])
def test_another_resolution_is_refused_with_those_on_offer(resolution):
    _, fix = words(Catalog().check(ask(resolution=resolution)))
    assert "1K, 2K" in fix


@pytest.mark.parametrize(
    ("prompt", "fits"),
    [
        ("x" * PROMPT_LIMIT, True),
        ("x" * (PROMPT_LIMIT + 1), False),
        ("\N{FOX FACE}" * (PROMPT_LIMIT // 2), True),
        ("\N{FOX FACE}" * (PROMPT_LIMIT // 2) + "x", False),
        ("é" * PROMPT_LIMIT, True),
        (" " + "x" * PROMPT_LIMIT + " \n", True),
    ],
    ids=["full", "one over", "full of pairs", "one over after pairs", "accents", "spaces around"],
)
def test_a_prompt_is_counted_in_utf_16_units_of_the_trimmed_text(prompt, fits):
    request = ask(prompt=prompt)
    assert (Catalog().check(request) is None) is fits
    if fits:
        assert contract.read_order(encode(request)).prompt == prompt.strip()


def test_a_long_prompt_is_refused_with_both_figures():
    problem, _ = words(Catalog().check(ask(prompt="x" * 20_001)))
    assert "20001" in problem
    assert "20000" in problem


@pytest.mark.parametrize("prompt", ["", " ", "\n\t ", "\u3000"])
def test_a_blank_prompt_is_refused_unless_its_rest_is_to_come(prompt):
    assert Catalog().check(ask(prompt=prompt)) is not None
    assert Catalog().check(ask(prompt=prompt), unfinished=True) is None


@pytest.mark.parametrize("count", range(7))
def test_a_remix_takes_one_to_five_images_and_imagine_none(count):
    assert (Catalog().check(ask(Kind.REMIX, references=references(count))) is None) is (
        1 <= count <= 5
    )
    assert (Catalog().check(ask(Kind.IMAGINE, references=references(count))) is None) is (
        count == 0
    )


def test_the_images_are_sent_in_their_order():
    sent = contract.read_order(encode(ask(Kind.REMIX, references=references(5))))
    assert sent.input_urls == tuple(reference.url for reference in references(5))


def test_without_images_no_field_for_them_is_sent():
    assert "input_urls" not in IMAGINE.input(ask())


def test_other_ids_change_nothing_but_the_ids():
    renamed = Catalog.with_ids(imagine="new", remix="newer")
    assert (renamed.model(Kind.IMAGINE).id, renamed.model(Kind.REMIX).id) == ("new", "newer")
    assert renamed.model(Kind.REMIX).ratios == REMIX.ratios


# Successors ---------------------------------------------------------------------------------


def by_successor(kind, **changes):
    return ask(kind, **{"model": SUCCESSORS[kind].id, "aspect_ratio": "1:1"} | changes)


@pytest.mark.parametrize("kind", Kind)
def test_the_table_of_successors_says_what_the_stand_in_says(kind):
    model, rules = SUCCESSORS[kind], contract.MODELS[SUCCESSORS[kind].id]
    assert set(model.ratios) == set(rules.ratios)
    assert model.resolutions == rules.resolutions
    assert {at: set(ratios) for at, ratios in model.barred} == {
        at: set(ratios) for at, ratios in rules.barred.items()
    }
    # Fewer images than it takes: no more can be handed in.
    assert model.references == ((1, 5) if kind is Kind.REMIX else (0, 0))
    assert rules.references == ((1, 16) if kind is Kind.REMIX else None)


@pytest.mark.parametrize("model", EVERY, ids=lambda model: model.id)
@pytest.mark.parametrize("resolution", ["1K", "2K", "4K", "8K"])
@pytest.mark.parametrize("ratio", [*REMIX_SUCCESSOR.ratios, "7:5"])
def test_every_pair_is_judged_by_the_rules_of_its_own_model(model, resolution, ratio):
    request = ask(model.kind, model=model.id, aspect_ratio=ratio, resolution=resolution)
    complaint = Catalog().check(request)
    if complaint is None:
        contract.read_order(encode(request))
        return
    with pytest.raises(contract.RejectedError):
        contract.read_order(encode(request))
    problem, fix = words(complaint)
    assert ratio in problem or resolution in problem
    # What is named instead is what would be taken.
    named = [each for each in model.ratios_at(resolution) if each in fix.split(": ")[-1]]
    if ratio in model.ratios and resolution in model.resolutions:
        assert named
        for other in named:
            assert Catalog().check(replace(request, aspect_ratio=other)) is None


@pytest.mark.parametrize(
    ("kind", "ratio", "resolution", "at"),
    [
        (Kind.IMAGINE, "auto", "2K", "1K"),
        (Kind.REMIX, "auto", "2K", "1K"),
        (Kind.IMAGINE, "4:5", "2K", "1K, 4K"),
        (Kind.IMAGINE, "1:1", "4K", "1K, 2K"),
    ],
)
def test_a_pair_that_does_not_go_together_is_named_with_what_would(kind, ratio, resolution, at):
    said = Catalog().check(by_successor(kind, aspect_ratio=ratio, resolution=resolution))
    problem, fix = words(said)
    assert problem == f"{SUCCESSORS[kind].id} does not make {ratio} pictures at {resolution}."
    assert fix.startswith(f"It makes {ratio} at {at}, and at {resolution}: ")


def test_the_successor_takes_as_many_images_as_can_be_handed_in():
    for count in range(7):
        request = by_successor(Kind.REMIX, references=references(count))
        assert (Catalog().check(request) is None) is (1 <= count <= 5)
    assert Catalog().check(by_successor(Kind.IMAGINE, references=references(1))) is not None


@pytest.mark.parametrize("kind", Kind)
def test_a_model_that_is_not_in_use_is_the_default_one_today(kind):
    old = ask(kind, model="retired")
    assert Catalog().current(old) == replace(old, model=MODELS[kind].id)
    for known in (ask(kind), by_successor(kind)):
        assert Catalog().current(known) == known
    # Its ratio may be one that is not on offer any more.
    assert Catalog().check(replace(old, aspect_ratio="3:1")) is not None


@pytest.mark.parametrize("kind", Kind)
def test_the_successor_is_named_for_every_model_but_itself(kind):
    for model in (MODELS[kind].id, "retired"):
        assert Catalog().instead(ask(kind, model=model)) == SUCCESSORS[kind]
    assert Catalog().instead(by_successor(kind)) is None


@pytest.mark.parametrize("kind", Kind)
def test_successors_are_offered_only_where_the_operator_says_so(kind):
    assert Catalog().offered(kind) == (MODELS[kind],)
    offering = Catalog(offer_successors=True)
    assert offering.offered(kind) == (MODELS[kind], SUCCESSORS[kind])


@pytest.mark.parametrize("kind", Kind)
def test_an_empty_successor_is_none(kind):
    alone = Catalog.with_ids(
        imagine=IMAGINE.id,
        remix=REMIX.id,
        imagine_successor="",
        remix_successor="",
        offer_successors=True,
    )
    assert alone.offered(kind) == (MODELS[kind],)
    assert alone.instead(ask(kind)) is None
    assert alone.ids == (IMAGINE.id, REMIX.id)


def test_a_known_model_brings_its_own_rules_wherever_it_is_used():
    moved = Catalog.with_ids(imagine=IMAGINE_SUCCESSOR.id, remix=REMIX_SUCCESSOR.id)
    assert moved.imagine == IMAGINE_SUCCESSOR
    assert moved.check(by_successor(Kind.IMAGINE, aspect_ratio="4:5", resolution="2K"))
    # It is not its own successor.
    assert moved.ids == (IMAGINE_SUCCESSOR.id, REMIX_SUCCESSOR.id)
    # Not even a known one where it is of the other kind.
    assert Catalog.with_ids(imagine=REMIX.id, remix="x").imagine.kind is Kind.IMAGINE


def test_an_unknown_successor_takes_the_rules_of_the_known_one():
    renamed = Catalog.with_ids(imagine="a", remix="b", imagine_successor="c", remix_successor="d")
    assert renamed.ids == ("a", "b", "c", "d")
    assert renamed.imagine_successor == replace(IMAGINE_SUCCESSOR, id="c")


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("ratio", IMAGINE_SUCCESSOR.ratios)
def test_what_a_card_offers_is_taken(kind, ratio):
    for ours in (ask(kind, aspect_ratio=ratio), by_successor(kind, aspect_ratio=ratio)):
        sharp = Catalog().sharper(ours)
        if sharp is not None:
            assert sharp == replace(ours, resolution="2K")
            assert Catalog().check(sharp) is None
            assert Catalog().sharper(sharp) is None
        others = Catalog().other_ratios(ours)
        assert ratio not in others
        for other in others:
            assert Catalog().check(replace(ours, aspect_ratio=other)) is None
        assert len(others) <= 25, "a select holds no more"


def test_2k_is_not_offered_where_it_does_not_go_with_the_ratio():
    assert Catalog().sharper(ask(Kind.REMIX, aspect_ratio="auto")) is not None
    assert Catalog().sharper(by_successor(Kind.REMIX, aspect_ratio="auto")) is None


anything = st.text(max_size=30)


@given(
    kind=st.sampled_from(Kind),
    prompt=st.one_of(anything, st.integers(0, 20_010).map(lambda count: " x" * (count // 2))),
    ratio=st.one_of(st.sampled_from(REMIX.ratios), anything),
    resolution=st.one_of(st.sampled_from(catalog.RESOLUTIONS), anything),
    count=st.integers(0, 6),
)
def test_what_the_catalog_takes_the_service_takes(kind, prompt, ratio, resolution, count):
    request = ask(
        kind,
        prompt=prompt,
        aspect_ratio=ratio,
        resolution=resolution,
        references=references(count),
    )
    complaint = Catalog().check(request)
    if complaint is None:
        contract.read_order(encode(request))
    else:
        assert all(sentence.strip() for sentence in words(complaint))


def encode(request):
    return wire.encode(
        model=request.model, input=MODELS[request.kind].input(request), callback_url=None
    )
