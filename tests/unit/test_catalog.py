"""What the models take: the bot's table against the stand-in's, and the check at its borders."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot import catalog
from bot.catalog import IMAGINE, PROMPT_LIMIT, REMIX, Catalog
from bot.hiapi import wire
from bot.model import Kind, Reference, Request
from sandbox import contract

MODELS = {Kind.IMAGINE: IMAGINE, Kind.REMIX: REMIX}
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
