"""Where the page's files are."""

import re

import httpx


async def files_address(client: httpx.AsyncClient) -> str:
    """The folder of the page's files, as its document names it."""
    found = re.search(r'src="(web/\w{12}/)main.js"', (await client.get("/")).text)
    assert found
    return f"/{found[1]}"
