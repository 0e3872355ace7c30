"""What can go wrong with a job: one code per cause, with words for people and for operators.

It owns the vocabulary of failure; it never raises, retries or sends anything.

    how a job can end badly (Code)             whose problem it is
    ├── REFUSED_PROMPT, BAD_REFERENCE,         the person's: reword, or hand in another image
    │   BAD_REQUEST
    ├── FAILED, TIMED_OUT, NOT_STORED,         the picture service's: try again
    │   NO_PICTURE, PICTURE_LOST, BUSY
    ├── MODEL_GONE, NO_CREDIT,                 the operator's: told by an alarm
    │   MISCONFIGURED, INTERNAL
    └── INTERRUPTED, EXPIRED, LOST             Easel's own: restart, queue too old, outcome unknown

Exceptions live beside what raises them: `bot.hiapi` (the vendor's classes and ours below them),
`bot.fetch`, `bot.images`, `bot.ledger`. Each stage turns them into a `Code`; nobody else does.
"""

from dataclasses import dataclass
from enum import StrEnum

from bot.i18n import N_


class Code(StrEnum):
    """Why a job ended without a picture. Stored in the ledger, so a value is never renamed."""

    REFUSED_PROMPT = "refused_prompt"
    BAD_REFERENCE = "bad_reference"
    BAD_REQUEST = "bad_request"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    NOT_STORED = "not_stored"
    NO_PICTURE = "no_picture"
    PICTURE_LOST = "picture_lost"
    BUSY = "busy"
    MODEL_GONE = "model_gone"
    NO_CREDIT = "no_credit"
    MISCONFIGURED = "misconfigured"
    INTERNAL = "internal"
    INTERRUPTED = "interrupted"
    EXPIRED = "expired"
    LOST = "lost"


# Whose problem is the operator's: nobody else's attempt is counted.
OPERATORS = frozenset({Code.MODEL_GONE, Code.NO_CREDIT, Code.MISCONFIGURED, Code.INTERNAL})


@dataclass(frozen=True, slots=True)
class Words:
    """What a person reads (`title`, `advice`) and what the operator reads (`operator`).

    The two for people are message ids: they are translated where the card is drawn.
    """

    title: str
    advice: str
    operator: str


WORDS: dict[Code, Words] = {
    Code.REFUSED_PROMPT: Words(
        N_("The picture service refused this prompt"),
        N_("It breaks the service's content rules. Reword it and ask again."),
        "the task was refused by content policy",
    ),
    Code.BAD_REFERENCE: Words(
        N_("One of your images could not be used"),
        N_("Hand it in again as a PNG, JPEG or WebP file and ask once more."),
        "a reference image could not be fetched or read by the picture service",
    ),
    Code.BAD_REQUEST: Words(
        N_("The picture service did not accept these options"),
        N_("Choose another ratio or resolution and ask again."),
        "the request was refused as invalid: the catalog and the service disagree",
    ),
    Code.FAILED: Words(
        N_("The picture could not be made"),
        N_("Something went wrong at the picture service. Asking again often helps."),
        "the task ended in failure",
    ),
    Code.TIMED_OUT: Words(
        N_("The picture took too long"),
        N_("The service gave up on it. Try again in a minute."),
        "the task timed out at the picture service",
    ),
    Code.NOT_STORED: Words(
        N_("The picture was made but could not be stored"),
        N_("That is the service's fault, not yours. Please try again."),
        "the picture service could not store its output",
    ),
    Code.NO_PICTURE: Words(
        N_("No picture came back"),
        N_("The service said it had finished, yet sent nothing. Please try again."),
        "the task succeeded without an image in its output",
    ),
    Code.PICTURE_LOST: Words(
        N_("The picture was made but could not be fetched"),
        N_("Its address does not answer. Please try again."),
        "the picture could not be downloaded or posted",
    ),
    Code.BUSY: Words(
        N_("The picture service is too busy"),
        N_("It turned the request away several times. Try again in a few minutes."),
        "submission was given up after repeated 429, 5xx or network errors",
    ),
    Code.MODEL_GONE: Words(
        N_("This model is not available right now"),
        N_("The people who run this bot have been told. Try again later."),
        "the model is unavailable: see IMAGINE_MODEL and REMIX_MODEL",
    ),
    Code.NO_CREDIT: Words(
        N_("The picture service is out of credit"),
        N_("It is not your fault. The people who run this bot have been told."),
        "the HiAPI account has no credit left: top it up",
    ),
    Code.MISCONFIGURED: Words(
        N_("The bot is not set up correctly"),
        N_("The people who run this bot have been told. Try again later."),
        "HiAPI refuses the key: check HIAPI_API_KEY and its permissions",
    ),
    Code.INTERNAL: Words(
        N_("Something went wrong inside the bot"),
        N_("The people who run it can see why. Please try again."),
        "a defect in Easel: see the log lines with this job id",
    ),
    Code.INTERRUPTED: Words(
        N_("The bot was restarted before your request began"),
        N_("Nothing was made and nothing was counted. Please ask again."),
        "interrupted before the first request to HiAPI: not billed",
    ),
    Code.EXPIRED: Words(
        N_("Your request waited too long"),
        N_("It never left the queue, so nothing was counted. Please ask again."),
        "expired in the queue before the first request to HiAPI: not billed",
    ),
    Code.LOST: Words(
        N_("Nobody knows what became of this picture"),
        N_("The picture service never said how it ended. If you still want it, ask again."),
        "the outcome is unknown: check the task in the HiAPI console before repeating it",
    ),
}
