"""Plain FastAPI: one process per core, one thread-pool thread per request, no batching.

READING_ENGINE=torch uvicorn loadtests.peers.plain_fastapi:app --workers 2 --port PORT
"""

import os
from typing import Any

from fastapi import FastAPI, Request
from fastapi.concurrency import run_in_threadpool

from loadtests.reading import Reader

app = FastAPI()
reader = Reader(os.environ["READING_ENGINE"], threads=1)


@app.post("/v1/analyses")
async def analyse(request: Request) -> dict[str, Any]:
    return await run_in_threadpool(reader.read_file, await request.body())
