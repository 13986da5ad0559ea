"""Plain FastAPI: one process per core, one thread-pool thread per request, no batching.

PIPELINE_ENGINE=torch uvicorn loadtests.peers.plain_fastapi:app --workers 2 --port PORT
"""

import os
from typing import Any

from fastapi import FastAPI, Request
from fastapi.concurrency import run_in_threadpool

from loadtests.baseline import InferencePipeline

app = FastAPI()
pipeline = InferencePipeline(os.environ["PIPELINE_ENGINE"], threads=1)


@app.post("/v1/analyses")
async def analyse(request: Request) -> dict[str, Any]:
    return await run_in_threadpool(pipeline.predict_file, await request.body())
