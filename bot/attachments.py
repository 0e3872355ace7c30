"""The files in a message of Discord's, whether they are attached or shown by a component.

It owns where they stand in a message object; it never fetches one.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yarl


@dataclass(frozen=True, slots=True)
class Media:
    """A file in a message: its fresh address, signed for about a day, and its name."""

    url: str
    filename: str


def media_of(message: Mapping[str, Any]) -> tuple[Media, ...]:
    """The files of a message object, each once."""
    shown = [*_shown(message.get("components") or ())]
    named = [(each["url"], each["filename"]) for each in message.get("attachments") or ()]
    named += [(url, yarl.URL(url, encoded=True).name) for url in shown]
    # One file may stand in both; the first address is as good as the second.
    by_name = {filename: url for url, filename in reversed(named)}
    return tuple(Media(url=url, filename=filename) for filename, url in by_name.items())


def _shown(components: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """The addresses of what components show, wherever they are nested."""
    for component in components:
        for item in (component, *component.get("items", ())):
            url = (item.get("media") or {}).get("url") or ""
            if url.startswith("http"):
                yield url
        yield from _shown(component.get("components") or ())
        if "accessory" in component:
            yield from _shown([component["accessory"]])
