"""`chestxray.client` keeps analyses and submits jobs, against a running service."""

import asyncio
import io
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from chestxray.client import Analysis, AsyncClient, Client, Problem, ProblemError
from tests.phantoms import encode, phantom
from tests.service.job_steps import zip_of
from tests.service.server import Server

CHEST = encode(phantom(300, 300), "PNG")


class Sync:
    """The client without an event loop; iterators are read to their end."""

    def __init__(self, url: str, key: str) -> None:
        self._client = Client(url, api_key=key)

    def close(self) -> None:
        self._client.close()

    def __call__(self, path: str, *arguments: Any, **options: Any) -> Any:
        part, _, method = path.rpartition(".")
        found = getattr(getattr(self._client, part) if part else self._client, method)
        made = found(*arguments, **options)
        return list(made) if isinstance(made, Iterator) else made


class Async:
    """The client with one, for one call each."""

    def __init__(self, url: str, key: str) -> None:
        self._url, self._key = url, key

    def close(self) -> None:
        """Each call has closed its connections."""

    def __call__(self, path: str, *arguments: Any, **options: Any) -> Any:
        part, _, method = path.rpartition(".")

        async def main() -> Any:
            async with AsyncClient(self._url, api_key=self._key) as client:
                found = getattr(getattr(client, part) if part else client, method)
                made = found(*arguments, **options)
                if isinstance(made, AsyncIterator):
                    return [each async for each in made]
                return await made

        return asyncio.run(main())


@pytest.fixture(params=[Sync, Async])
def client(
    request: pytest.FixtureRequest, keeping_server: Server, keeping_key: str
) -> Iterator[Any]:
    made = request.param(keeping_server.url, keeping_key)
    yield made
    made("kept.delete_all")
    for job in made("jobs.list"):
        made("jobs.delete", job.id)
    made.close()


def test_kept_analysis_is_listed_read_and_deleted(client: Any) -> None:
    made = client("analyze", CHEST, keep=True)
    assert made.kept and made.expires_at

    (listed,) = client("kept.list")
    assert (listed.id, listed.prediction) == (made.id, made.prediction)
    assert client("kept.get", made.id).prediction == made.prediction
    for part in ("image", "heatmap"):
        with Image.open(io.BytesIO(client(f"kept.{part}", made.id))) as picture:
            assert picture.format == "PNG"
    client("kept.delete", made.id)
    client("kept.delete", made.id)
    with pytest.raises(ProblemError) as raised:
        client("kept.get", made.id)
    assert raised.value.code == "no-such-analysis"
    client("analyze", CHEST, keep=True)
    assert client("kept.delete_all") == 1


@pytest.mark.parametrize("way", ["files", "zip"])
def test_job_is_submitted_waited_for_and_read(client: Any, tmp_path: Path, way: str) -> None:
    film = tmp_path / "maria_silva.png"
    film.write_bytes(CHEST)
    if way == "zip":
        bundle = tmp_path / "films.zip"
        bundle.write_bytes(zip_of(CHEST, b"text", CHEST))
        job = client("jobs.submit_zip", bundle, name="mine")
        again = client("jobs.submit_zip", bundle, name="mine")
    else:
        job = client("jobs.submit", [film, b"text", CHEST], name="mine")
        again = client("jobs.submit", [film, b"text", CHEST], name="mine")
    told: list[int] = []

    status = client("jobs.wait", job.id, timeout=60, progress=lambda each: told.append(each.done))

    assert (job.id, again.id, again.created_at) == ("mine", "mine", job.created_at)
    assert (status.state, status.total, told[-1]) == ("finished", 3, 3)
    results = [item.result for item in client("jobs.results", job.id)]
    assert [type(each) for each in results] == [Analysis, Problem, Analysis]
    assert [each.id for each in client("jobs.list")] == ["mine"]
    client("jobs.delete", job.id)
    client("jobs.delete", job.id)
    with pytest.raises(ProblemError) as raised:
        client("jobs.get", job.id)
    assert raised.value.code == "no-such-job"


def test_cancelled_job_keeps_its_place_in_the_list(client: Any) -> None:
    job = client("jobs.submit", 5 * [CHEST])

    status = client("jobs.cancel", job.id)

    assert status.state in ("cancelled", "finished")  # all may have been analysed meanwhile
    assert client("jobs.wait", job.id, timeout=10).state == status.state
    assert len(client("jobs.results", job.id)) == 5


def test_job_of_more_images_than_the_service_takes_is_refused(client: Any) -> None:
    with pytest.raises(ProblemError) as raised:
        client("jobs.submit", 6 * [CHEST])

    assert raised.value.code == "too-many-images"
    assert client("jobs.list") == []
