"""aiohttp, unchanged, over the daemon's Unix socket: many requests at once over kept connections."""

import asyncio
import os

import aiohttp


async def main() -> None:
    connector = aiohttp.UnixConnector(path=os.environ["SOCKET"])
    async with aiohttp.ClientSession(connector=connector) as session:

        async def picture(seed: int) -> int:
            body = {"prompt": "x", "seed": seed, "steps": 1}
            async with session.post("http://localhost/v1/generate", json=body) as reply:
                return (await reply.json())["pictures"][0]["seed"]

        # No more than one user may have waiting at once.
        for first in range(0, 24, 8):
            seeds = range(first, first + 8)
            assert await asyncio.gather(*map(picture, seeds)) == list(seeds)
    print("aiohttp: done")


asyncio.run(main())
