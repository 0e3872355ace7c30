"""Faults a person can ask for inside a prompt, e.g. `a red fox [slow] [twice]`.

Owns the table of prompt words; it never decides when they apply: the stand-in does, at create.

| word            | what happens                                                             |
| --------------- | ------------------------------------------------------------------------ |
| `[fail]`        | the task ends in `fail`, TASK_FAILED "provider could not finish the task" |
| `[policy]`      | the task ends in `fail`, TASK_FAILED "rejected by content policy"          |
| `[timeout]`     | the task ends in `fail`, TASK_TIMEOUT                                    |
| `[storage]`     | the task ends in `fail`, STORAGE_UNAVAILABLE                             |
| `[slow]`        | every stage takes six times as long                                      |
| `[forever]`     | the task never ends                                                      |
| `[strange]`     | the status `moderating` stands in for `handling`                         |
| `[empty]`       | success without any output                                               |
| `[thumbnail]`   | the first output item is a thumbnail, the picture is the second          |
| `[broken]`      | the picture's address serves bytes that are no picture                   |
| `[late]`        | the picture's address answers 404 to the first two reads                 |
| `[expired]`     | the picture's address is past its time from the start: 403 XML           |
| `[silent]`      | no callback is sent                                                      |
| `[twice]`       | the callback is sent twice at once                                       |
| `[early]`       | the callback comes before the create answer                              |
| `[forged]`      | a forged callback precedes the true one                                  |
| `[quota]`       | create answers 402 INSUFFICIENT_QUOTA                                    |
| `[unavailable]` | create answers 400 MODEL_UNAVAILABLE for the Pro models, not for the base |
| `[busy]`        | create answers 429 (Retry-After 2) to the first try of the request       |
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from sandbox import faults

_WORD = re.compile(r"\[([a-z]+)\]")

FATES: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "fail": {"error": ("TASK_FAILED", "provider could not finish the task")},
        "policy": {"error": ("TASK_FAILED", "rejected by content policy")},
        "timeout": {"error": ("TASK_TIMEOUT", "the upstream task timed out")},
        "storage": {"error": ("STORAGE_UNAVAILABLE", "output storage error")},
        "slow": {"pace": 6.0},
        "forever": {"never": True},
        "strange": {"strange": "moderating"},
        "empty": {"output": ()},
        "thumbnail": {"output": faults.thumbnail_first().output},
        "broken": {"file": faults.wrong_bytes().answer},
        "late": {"ready_after": 2},
        "expired": {"lifetime": 0},
    }
)
TRICKS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "silent": {"silent": True},
        "twice": {"copies": 2},
        "early": {"early": True},
        "forged": {"forged": True},
    }
)
UNAVAILABLE = "unavailable"
RETIRING = "-pro"  # how the names of the models end that it is said of
REFUSALS: Mapping[str, faults.Reply] = MappingProxyType(
    {"quota": faults.out_of_quota(), UNAVAILABLE: faults.model_unavailable()}
)
BUSY = "busy"


def found(prompt: str) -> tuple[str, ...]:
    """The known words of a prompt, in order."""
    if "[" not in prompt:
        return ()
    known = FATES.keys() | TRICKS.keys() | REFUSALS.keys() | {BUSY}
    return tuple(word for word in _WORD.findall(prompt.lower()) if word in known)


def fate(words: tuple[str, ...]) -> faults.Fate:
    """Every fate asked for, joined."""
    told = faults.Fate()
    for word in words:
        told = dataclasses.replace(told, **FATES.get(word, {}))
    return told


def trick(words: tuple[str, ...]) -> faults.Trick:
    """Every callback trick asked for, joined."""
    told = faults.Trick()
    for word in words:
        told = dataclasses.replace(told, **TRICKS.get(word, {}))
    return told
