"""The same service without Easel: defer, submit, ask after each task, edit. The measure to beat.

It keeps nothing: whatever is under way when it stops is lost.
"""

import asyncio
import io
import os

import aiohttp
import discord
from discord import app_commands

from sandbox.wirecord import launch

LOOK_EVERY = 2.0  # seconds between two looks at a task
TASKS = os.environ["HIAPI_BASE_URL"] + "/v1/tasks"
HEADERS = {"Authorization": f"Bearer {os.environ['HIAPI_API_KEY']}"}


class Bot(discord.Client):
    """One command."""

    http_session: aiohttp.ClientSession

    async def setup_hook(self) -> None:
        self.http_session = aiohttp.ClientSession(
            headers=HEADERS, connector=aiohttp.TCPConnector(limit=0)
        )
        tree = app_commands.CommandTree(self)
        tree.command(name="imagine", description="Make a picture from your words")(imagine)


async def imagine(interaction: discord.Interaction[Bot], prompt: str) -> None:
    await interaction.response.defer()
    session = interaction.client.http_session
    body = {"model": "gpt-image-2-pro", "input": {"prompt": prompt}}
    async with session.post(TASKS, json=body) as answer:
        address = f"{TASKS}/{(await answer.json())['data']['taskId']}"
    while True:
        await asyncio.sleep(LOOK_EVERY)
        async with session.get(address) as answer:
            task = (await answer.json())["data"]
        if task["status"] == "success":
            break
        if task["status"] == "fail":
            await interaction.edit_original_response(content="It failed.")
            return
    async with session.get(task["output"][0]["url"]) as answer:
        picture = await answer.read()
    file = discord.File(io.BytesIO(picture), filename="picture.png")
    await interaction.edit_original_response(content=prompt, attachments=[file])


if __name__ == "__main__":
    with launch.aimed(os.environ["DISCORD_BASE"]):
        Bot(intents=discord.Intents.none()).run(os.environ["DISCORD_TOKEN"], log_handler=None)
