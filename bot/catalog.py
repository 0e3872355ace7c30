"""The models on offer as data: ids, enums, defaults and limits, and the check of a request.

It owns what a model accepts (HiAPI's model pages) and which one takes the place of another; it
never asks HiAPI anything, and never puts one model in the place of another that is in use.
"""

import unicodedata
from dataclasses import dataclass, replace

from bot.i18n import N_
from bot.model import Kind, Request

# Counted as the API counts: UTF-16 units of the trimmed text.
PROMPT_LIMIT = 20_000
REFERENCE_LIMIT = 5
# The Pro pages name no reference format; this is what the sibling models all take.
REFERENCE_TYPES = {"image/png": "PNG", "image/jpeg": "JPEG", "image/webp": "WebP"}
REFERENCE_BYTES = 10 * 1024 * 1024

RATIOS = ("1:1", "2:3", "3:2", "3:4", "4:3", "4:5", "5:4", "9:16", "16:9", "21:9")
RESOLUTIONS = ("1K", "2K")
SHARP = "2K"  # what the button and the forms offer beside the default
AUTO = "auto"  # as the words or the images suggest


@dataclass(frozen=True, slots=True)
class Model:
    """What one model accepts. `references` is (least, most); `(0, 0)` takes none.

    `barred` are the ratios that a resolution does not go with.
    """

    id: str
    kind: Kind
    ratios: tuple[str, ...]
    default_ratio: str
    resolutions: tuple[str, ...] = RESOLUTIONS
    default_resolution: str = "1K"
    references: tuple[int, int] = (0, 0)
    barred: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def ratios_at(self, resolution: str) -> tuple[str, ...]:
        """The ratios that go with a resolution, in the model's order."""
        barred = dict(self.barred).get(resolution, ())
        return tuple(ratio for ratio in self.ratios if ratio not in barred)

    def input(self, request: Request) -> dict[str, object]:
        """The `input` object of a task. Ratio and resolution are always sent: defaults differ."""
        fields: dict[str, object] = {
            "prompt": request.prompt.strip(),  # as it was counted
            "aspect_ratio": request.aspect_ratio,
            "resolution": request.resolution,
        }
        if request.references:
            fields["input_urls"] = [reference.url for reference in request.references]
        return fields


IMAGINE = Model(id="gpt-image-2-pro", kind=Kind.IMAGINE, ratios=RATIOS, default_ratio="1:1")
REMIX = Model(
    id="gpt-image-2-image-to-image-pro",
    kind=Kind.REMIX,
    ratios=(AUTO, *RATIOS),
    default_ratio=AUTO,
    references=(1, REFERENCE_LIMIT),
)

# The base family takes more ratios, and not each of them at each resolution (its model pages,
# default route). It takes up to 16 images; more than REFERENCE_LIMIT nobody can hand in here.
_BASE_RATIOS = (AUTO, *RATIOS, "1:2", "2:1", "1:3", "3:1", "9:21")
_BARRED_2K = (AUTO, "4:5", "5:4", "1:3", "3:1", "9:21")
IMAGINE_SUCCESSOR = Model(
    id="gpt-image-2/text-to-image",
    kind=Kind.IMAGINE,
    ratios=_BASE_RATIOS,
    default_ratio="1:1",  # as IMAGINE: whoever names no ratio gets what the command says
    resolutions=("1K", "2K", "4K"),
    barred=(("2K", _BARRED_2K), ("4K", (AUTO, "1:1", "1:3", "3:1", "9:21"))),
)
REMIX_SUCCESSOR = Model(
    id="gpt-image-2/image-to-image",
    kind=Kind.REMIX,
    ratios=_BASE_RATIOS,
    default_ratio=AUTO,
    resolutions=("1K", "2K", "4K"),
    references=(1, REFERENCE_LIMIT),
    barred=(("2K", _BARRED_2K), ("4K", (AUTO, "1:3", "3:1", "9:21"))),
)
_KNOWN = {model.id: model for model in (IMAGINE, REMIX, IMAGINE_SUCCESSOR, REMIX_SUCCESSOR)}


@dataclass(frozen=True, slots=True)
class Complaint:
    """Why a request cannot be taken: message ids with their values, translated where shown."""

    problem: str
    fix: str
    values: tuple[tuple[str, object], ...] = ()


@dataclass(frozen=True, slots=True)
class Catalog:
    """The models in use; their ids are settings because the vendor may rename them."""

    imagine: Model = IMAGINE
    remix: Model = REMIX
    imagine_successor: Model | None = IMAGINE_SUCCESSOR
    remix_successor: Model | None = REMIX_SUCCESSOR
    offer_successors: bool = False  # people may choose them, not only after a failure

    @classmethod
    def with_ids(
        cls,
        *,
        imagine: str,
        remix: str,
        imagine_successor: str = IMAGINE_SUCCESSOR.id,
        remix_successor: str = REMIX_SUCCESSOR.id,
        offer_successors: bool = False,
    ) -> "Catalog":
        """The models of these ids; an empty successor is none.

        An id that is known brings its own rules, any other takes those of the model it replaces.
        """
        return cls(
            imagine=_named(imagine, IMAGINE),
            remix=_named(remix, REMIX),
            imagine_successor=_successor(imagine_successor, IMAGINE_SUCCESSOR, of=imagine),
            remix_successor=_successor(remix_successor, REMIX_SUCCESSOR, of=remix),
            offer_successors=offer_successors,
        )

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of all models that a job may have."""
        models = (self.imagine, self.remix, self.imagine_successor, self.remix_successor)
        return tuple(model.id for model in models if model is not None)

    def model(self, kind: Kind) -> Model:
        """The model behind a command."""
        return self.imagine if kind is Kind.IMAGINE else self.remix

    def successor(self, kind: Kind) -> Model | None:
        """The model that is named where the one behind a command is unavailable."""
        return self.imagine_successor if kind is Kind.IMAGINE else self.remix_successor

    def instead(self, request: Request) -> Model | None:
        """The successor to name where the model of this request is unavailable; not itself."""
        successor = self.successor(request.kind)
        return successor if successor and successor.id != request.model else None

    def offered(self, kind: Kind) -> tuple[Model, ...]:
        """The models that people may choose from, the default first."""
        successor = self.successor(kind) if self.offer_successors else None
        return (self.model(kind), *((successor,) if successor else ()))

    def of(self, request: Request) -> Model:
        """The model whose rules a request is under: its own, or the default if that is retired."""
        successor = self.successor(request.kind)
        if successor is not None and request.model == successor.id:
            return successor
        return self.model(request.kind)

    @property
    def made(self) -> tuple[tuple[str, str], ...]:
        """Every model with each resolution that may be asked of it.

        A resolution is chosen among those of a command's model; its successor gets the same.
        """
        chosen = {*self.imagine.resolutions, *self.remix.resolutions}
        found = [
            (each.id, size) for each in (self.imagine, self.remix) for size in each.resolutions
        ]
        for successor in (self.imagine_successor, self.remix_successor):
            if successor is not None:
                found += [(successor.id, size) for size in successor.resolutions if size in chosen]
        return tuple(dict.fromkeys(found))

    def current(self, request: Request) -> Request:
        """The request as it would be asked today: by the default if its own model is retired."""
        return replace(request, model=self.of(request).id)

    def sharper(self, request: Request) -> Request | None:
        """The same request at 2K, if it is not and its model takes that."""
        if request.resolution != self.of(request).default_resolution:
            return None
        sharp = replace(self.current(request), resolution=SHARP)
        return sharp if self.check(sharp) is None else None

    def other_ratios(self, request: Request) -> tuple[str, ...]:
        """The ratios in which the same could be made, without its own."""
        ratios = self.of(request).ratios_at(request.resolution)
        return tuple(ratio for ratio in ratios if ratio != request.aspect_ratio)

    def check(self, request: Request, *, unfinished: bool = False) -> Complaint | None:
        """The first thing that HiAPI would refuse about this request, or None.

        An unfinished prompt (the rest stands in a file that is not read yet) may be blank.
        """
        model = self.of(request)
        length = prompt_units(request.prompt)
        if not _visible(request.prompt) and not unfinished:
            return Complaint(
                N_("Your prompt is empty."), N_("Describe the picture you want in a few words.")
            )
        if length > PROMPT_LIMIT:
            return Complaint(
                N_("Your prompt is too long: {length} characters, {limit} are allowed."),
                N_("Shorten it, or the text file you attached."),
                (("length", length), ("limit", PROMPT_LIMIT)),
            )
        least, most = model.references
        if not least <= len(request.references) <= most:
            return Complaint(
                N_("This takes {least} to {most} images, you handed in {count}."),
                N_("Attach the images you want to remix."),
                (("least", least), ("most", most), ("count", len(request.references))),
            )
        return _misfit(model, request)


def _misfit(model: Model, request: Request) -> Complaint | None:
    """What about ratio and resolution a model does not take, alone or together."""
    if request.aspect_ratio not in model.ratios:
        return Complaint(
            N_("The ratio {value} is not on offer here."),
            N_("Choose one of: {choices}."),
            (("value", request.aspect_ratio), ("choices", ", ".join(model.ratios))),
        )
    if request.resolution not in model.resolutions:
        return Complaint(
            N_("The resolution {value} is not on offer here."),
            N_("Choose one of: {choices}."),
            (("value", request.resolution), ("choices", ", ".join(model.resolutions))),
        )
    together = model.ratios_at(request.resolution)
    if request.aspect_ratio not in together:
        return Complaint(
            N_("{model} does not make {ratio} pictures at {resolution}."),
            N_("It makes {ratio} at {resolutions}, and at {resolution}: {choices}."),
            (
                ("model", model.id),
                ("ratio", request.aspect_ratio),
                ("resolution", request.resolution),
                (
                    "resolutions",
                    ", ".join(
                        each
                        for each in model.resolutions
                        if request.aspect_ratio in model.ratios_at(each)
                    ),
                ),
                ("choices", ", ".join(together)),
            ),
        )
    return None


def _named(model_id: str, otherwise: Model) -> Model:
    """The model of this id by its own rules if they are known, else by those of `otherwise`."""
    known = _KNOWN.get(model_id)
    if known is not None and known.kind is otherwise.kind:
        return known
    return replace(otherwise, id=model_id)


def _successor(model_id: str, otherwise: Model, *, of: str) -> Model | None:
    """The successor of this id; no model is its own."""
    return None if model_id in ("", of) else _named(model_id, otherwise)


def prompt_units(prompt: str) -> int:
    """The length of a prompt as the API counts it: UTF-16 units of the trimmed text."""
    return len(prompt.strip().encode("utf-16-le", "surrogatepass")) // 2


def _visible(prompt: str) -> bool:
    """Whether there is anything to see in a prompt: zero-width characters alone are none."""
    return any(unicodedata.category(c)[0] not in "CZ" for c in prompt)
