"""What was handed in with a wish, read and kept: images, prompt files, references of old.

It owns the work between the acknowledgement and the queue; it never answers anybody.
"""

from dataclasses import replace

import discord

from bot.catalog import Complaint
from bot.intake import Intake
from bot.model import Reply, Request
from cogs import uploads
from cogs.reuploads import Reupload


def owned(request: Request, images: tuple[uploads.Image, ...], *, user_id: int) -> Request:
    """The request, whose images are this person's if they were handed in or picked just now."""
    if not images:
        return request
    references = tuple(replace(each, owner=user_id) for each in request.references)
    return replace(request, references=references)


async def complete(
    images: tuple[uploads.Image, ...],
    prompt_file: discord.Attachment | None,
    *,
    intake: Intake,
    reply: Reply,
    upload: Reupload,
) -> Complaint | None:
    """Read what was handed in, and let every image have an address that HiAPI can fetch."""
    digests = await uploads.look(images, keep=intake.references.keep)
    if isinstance(digests, Complaint):
        return digests
    rest = await uploads.text(prompt_file) if prompt_file is not None else None
    if isinstance(rest, Complaint):
        return rest
    references = reply.jobs[0].request.references
    if images:
        pairs = zip(references, digests, strict=True)
        references = tuple(replace(each, digest=digest) for each, digest in pairs)
    renewed = await intake.references.renew(
        references,
        user_id=reply.target.user_id,
        upload=upload,
        limit=reply.target.upload_limit,
    )
    if isinstance(renewed, Complaint):
        return renewed
    return await intake.complete(reply, rest=rest, references=renewed)
