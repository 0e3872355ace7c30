"""Components of messages: what Discord takes, and how it gives them back.

Owns the limits of the documentation's component reference and the resolving of attachment://
addresses; it never knows who pressed what.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from sandbox.wirecord import wire
from sandbox.wirecord.cdn import Attachment

V2_FLAG = 1 << 15
V2_TYPES = frozenset({9, 10, 11, 12, 13, 14, 17})
SELECTS = frozenset({3, 5, 6, 7, 8})
BUTTON, SECTION, TEXT, THUMBNAIL, GALLERY, FILE, CONTAINER = 2, 9, 10, 11, 12, 13, 17
ROW, LINK, PREMIUM = 1, 5, 6
MOST, MOST_TEXT, MOST_ROWS = 40, 4000, 5
PREFIX = "attachment://"
_IN_V2 = V2_TYPES | {ROW}
# Which children a parent may have, and how many; None: any of those at the top of a message.
_CHILDREN: Mapping[int, tuple[frozenset[int] | None, int, int]] = {
    SECTION: (frozenset({TEXT}), 1, 3),
    CONTAINER: (_IN_V2 - {CONTAINER, THUMBNAIL}, 1, MOST),
    ROW: (frozenset({BUTTON}) | SELECTS, 1, 5),
}

Json = dict[str, Any]


def walk(components: list[Json]) -> Iterator[Json]:
    """Every component, parents first, accessories and labelled ones included."""
    for component in components:
        yield component
        yield from walk(component.get("components") or [])
        for inner in (component.get("accessory"), component.get("component")):
            if inner:
                yield from walk([inner])


def find(components: list[Json], custom_id: str) -> Json:
    """The component of that custom_id. Raises LookupError if nobody could press it."""
    for component in walk(components):
        if component.get("custom_id") == custom_id:
            if component.get("disabled"):
                raise LookupError(f"{custom_id} is disabled")
            return component
    raise LookupError(f"no component {custom_id}")


def custom_ids(components: list[Json]) -> list[str]:
    """What can be pressed or filled in, in order of appearance."""
    found = (component.get("custom_id") for component in walk(components))
    return [custom_id for custom_id in found if custom_id]


def texts(components: list[Json]) -> list[str]:
    """The words of every text display."""
    return [c.get("content", "") for c in walk(components) if c.get("type") == TEXT]


def accept(
    components: object, *, v2: bool, find_file: Callable[[str], Attachment | None]
) -> list[Json]:
    """Check a message's components; the stored form, ids given and files found.

    Raises RefusedError as Discord would. `find_file` knows what the message will carry.
    """
    if not isinstance(components, list):
        raise wire.malformed("components", "Only lists are allowed.")
    stored: list[Json] = _clone(components)
    every = list(walk(stored))
    if v2:
        _check_total(every)
    elif len(stored) > MOST_ROWS:
        raise _wrong("components", f"Must be {MOST_ROWS} or fewer in length.")
    for component in stored:
        kind = component.get("type")
        if kind not in (_IN_V2 if v2 else {ROW}) or kind == THUMBNAIL:
            raise _wrong(
                "components.0.type", "Value of field 'type' must be one of the top level types."
            )
    seen: set[str] = set()
    for number, component in enumerate(every, start=1):
        component.setdefault("id", number)
        _check(component, seen)
        for media in media_of(component):
            _resolve(media, find_file)
    return stored


def render(components: list[Json], *, media: Callable[[int], Json | None]) -> list[Json]:
    """The stored form as Discord sends it, with fresh addresses from `media(attachment id)`."""
    shown: list[Json] = _clone(components)
    for component in walk(shown):
        for item in media_of(component):
            fresh = media(int(item.get("attachment_id", 0)))
            if fresh is not None:
                item.update(fresh)
    return shown


def media_of(component: Json) -> list[Json]:
    """The media objects directly in a component: `{"url": ...}` each."""
    kind = component.get("type")
    if kind == GALLERY:
        return [item["media"] for item in component.get("items", []) if "media" in item]
    if kind == THUMBNAIL and "media" in component:
        return [component["media"]]
    if kind == FILE and "file" in component:
        return [component["file"]]
    return []


def _clone(value: Any) -> Any:
    """A deep copy of JSON, several times as quick as copy.deepcopy."""
    if isinstance(value, dict):
        return {key: _clone(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_clone(inner) for inner in value]
    return value


def _check_total(every: list[Json]) -> None:
    if len(every) > MOST:
        raise _wrong("components", f"The maximum number of components is {MOST}.")
    size = sum(len(c.get("content") or "") for c in every if c.get("type") == TEXT)
    if size > MOST_TEXT:
        raise _wrong("components", f"The displayable text is longer than {MOST_TEXT} characters.")


def _check(component: Json, seen: set[str]) -> None:
    kind = int(component.get("type") or 0)
    if kind in _CHILDREN:
        allowed, least, most = _CHILDREN[kind]
        children = component.get("components") or []
        if not least <= len(children) <= most:
            raise _wrong("components", f"Must be between {least} and {most} in length.")
        if allowed is not None and any(child.get("type") not in allowed for child in children):
            raise _wrong("components", f"A child of a component of type {kind} has a wrong type.")
        if kind == ROW and len(children) > 1 and any(c["type"] in SELECTS for c in children):
            raise _wrong("components", "A select stands alone in its row.")
    elif kind == TEXT and not 1 <= len(component.get("content") or "") <= MOST_TEXT:
        raise _wrong("components.content", f"Must be between 1 and {MOST_TEXT} in length.")
    elif kind == GALLERY and not 1 <= len(component.get("items") or []) <= 10:  # noqa: PLR2004
        raise _wrong("components.items", "Must be between 1 and 10 in length.")
    elif kind == SECTION and not component.get("accessory"):
        raise _wrong("components.accessory", "This field is required")
    if kind == BUTTON or kind in SELECTS:
        _check_pressable(component, seen)


def _check_pressable(component: Json, seen: set[str]) -> None:
    custom_id = component.get("custom_id")
    if component["type"] == BUTTON:
        if len(component.get("label") or "") > 80:  # noqa: PLR2004
            raise _wrong("components.label", "Must be 80 or fewer in length.")
        if component.get("style") in (LINK, PREMIUM):
            if custom_id:
                raise _wrong("components.custom_id", "A custom id and url cannot both be specified")
            return
    elif component["type"] == 3 and not 1 <= len(component.get("options") or []) <= 25:  # noqa: PLR2004
        raise _wrong("components.options", "Must be between 1 and 25 in length.")
    if not isinstance(custom_id, str) or not 1 <= len(custom_id) <= 100:  # noqa: PLR2004
        raise _wrong("components.custom_id", "Must be between 1 and 100 in length.")
    if custom_id in seen:
        raise _wrong("components.custom_id", "Component custom id cannot be duplicated")
    seen.add(custom_id)


def _resolve(media: Json, find_file: Callable[[str], Attachment | None]) -> None:
    url = str(media.get("url", ""))
    media.pop("attachment_id", None)  # ours to say
    if url.startswith(PREFIX):
        attachment = find_file(url.removeprefix(PREFIX))
        if attachment is None:
            raise _wrong("components.media.url", f"The referenced attachment {url} was not found.")
        media["attachment_id"] = str(attachment.id)
    elif not url.startswith(("http://", "https://")):
        raise _wrong("components.media.url", "Not a well formed URL.")


def _wrong(where: str, complaint: str) -> wire.RefusedError:
    return wire.malformed(where, complaint, code="COMPONENT_VALIDATION_FAILED")
