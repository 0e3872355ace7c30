"""The models on offer as data: ids, enums, defaults and limits, and the check of a request.

It owns what a model accepts (HiAPI's model pages); it never asks HiAPI anything.
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


@dataclass(frozen=True, slots=True)
class Model:
    """What one model accepts. `references` is (least, most); `(0, 0)` takes none."""

    id: str
    kind: Kind
    ratios: tuple[str, ...]
    default_ratio: str
    resolutions: tuple[str, ...] = RESOLUTIONS
    default_resolution: str = "1K"
    references: tuple[int, int] = (0, 0)

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
    ratios=("auto", *RATIOS),
    default_ratio="auto",
    references=(1, REFERENCE_LIMIT),
)


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

    @classmethod
    def with_ids(cls, *, imagine: str, remix: str) -> "Catalog":
        return cls(imagine=replace(IMAGINE, id=imagine), remix=replace(REMIX, id=remix))

    def model(self, kind: Kind) -> Model:
        return self.imagine if kind is Kind.IMAGINE else self.remix

    def check(self, request: Request, *, unfinished: bool = False) -> Complaint | None:
        """The first thing that HiAPI would refuse about this request, or None.

        An unfinished prompt (the rest stands in a file that is not read yet) may be blank.
        """
        model = self.model(request.kind)
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
        least, most = model.references
        if not least <= len(request.references) <= most:
            return Complaint(
                N_("This takes {least} to {most} images, you handed in {count}."),
                N_("Attach the images you want to remix."),
                (("least", least), ("most", most), ("count", len(request.references))),
            )
        return None


def prompt_units(prompt: str) -> int:
    """The length of a prompt as the API counts it: UTF-16 units of the trimmed text."""
    return len(prompt.strip().encode("utf-16-le", "surrogatepass")) // 2


def _visible(prompt: str) -> bool:
    """Whether there is anything to see in a prompt: zero-width characters alone are none."""
    return any(unicodedata.category(c)[0] not in "CZ" for c in prompt)
