"""The client for programs without an event loop."""

import time
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Self

import httpx

from chestxray.client import calls
from chestxray.client.attempts import Retries
from chestxray.client.calls import Answer, Call, Heatmaps, Result
from chestxray.client.errors import ChestXrayError
from chestxray.client.exchange import (
    DEFAULT_TIMEOUT,
    Options,
    Outcome,
    Pause,
    Receiving,
    Send,
    failure,
    with_key,
)
from chestxray.client.images import Image, read
from chestxray.client.jobs import Jobs
from chestxray.client.kept import Kept
from chestxray.client.results import Analysis, Problem


class Client:
    """Calls the service at `url`, of which a path is kept; may be shared by threads.

    `timeout` is the deadline of a call in seconds, tries and pauses included; a method's own
    `timeout` goes before it. A server that sends single bytes may exceed it by one wait, which
    `AsyncClient` does not allow. `headers` are added to every request, and `api_key` as
    the service's operator has given it. TLS and proxies are those of `http`, a client of httpx that
    is then not closed here.

    `kept` has what the service keeps for the caller, and `jobs` analyses many images when there is
    capacity. Without an API key the caller is who has the cookies of this client.

    Every method raises ChestXrayError, and OSError where an image cannot be opened.
    """

    def __init__(
        self,
        url: str,
        *,
        timeout: float = DEFAULT_TIMEOUT,
        retries: Retries = Retries(),  # noqa: B008, frozen
        headers: Mapping[str, str] | None = None,
        api_key: str | None = None,
        http: httpx.Client | None = None,
    ) -> None:
        self._options = Options(url, timeout, retries, with_key(headers, api_key))
        self._owned = http is None
        self._http = http or httpx.Client()
        self.kept, self.jobs = Kept(self._call), Jobs(self._call)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connections."""
        if self._owned:
            self._http.close()

    def analyze(
        self,
        image: Image,
        *,
        heatmap: Heatmaps = "cam",
        keep: bool = False,
        timeout: float | None = None,
    ) -> Analysis:
        """Analyses one image; one that is no frontal chest radiograph raises ProblemError.

        With `keep` the service keeps the film and the result for the caller, in `kept`.
        """
        return self._call(calls.analyze(read(image), heatmap, keep=keep), timeout)

    def analyze_batch(
        self, images: Iterable[Image], *, heatmap: Heatmaps = "cam", timeout: float | None = None
    ) -> list[Analysis | Problem]:
        """Returns the analysis of each image, or why there is none, in the same order."""
        return self._call(calls.analyze_batch([read(each) for each in images], heatmap), timeout)

    def heatmap(self, image: Image, *, timeout: float | None = None) -> bytes:
        """Returns the heatmap drawn over the image, as a PNG file."""
        return self._call(calls.heatmap(read(image)), timeout)

    def report(self, image: Image, *, language: str = "en", timeout: float | None = None) -> bytes:
        """Returns a DICOM structured report for the study of a DICOM image.

        Its language is the nearest to `language` that the service has: en, pt-BR or es.
        """
        return self._call(calls.report(read(image), language), timeout)

    def dicom_objects(
        self, image: Image, *, language: str = "en", timeout: float | None = None
    ) -> list[bytes]:
        """Returns the report, the heatmap as a picture, and its outlines, as DICOM files."""
        return self._call(calls.dicom_objects(read(image), language), timeout)

    def _call(self, call: Call[Result], timeout: float | None) -> Result:
        exchange = self._options.start(call, timeout)
        outcome: Outcome = None
        while True:
            try:
                step = exchange.send(outcome)
            except StopIteration as done:
                result: Result = done.value
                return result
            outcome = self._take(step)

    def _take(self, step: Send | Pause) -> Outcome:
        if isinstance(step, Pause):
            time.sleep(step.seconds)
            return None
        try:
            return self._receive(step)
        except httpx.RequestError as error:
            return failure(error)
        except ChestXrayError as error:
            return error

    def _receive(self, step: Send) -> Answer:
        receiving = Receiving(step)
        response = self._http.send(self._http.build_request(**step.request), stream=True)
        try:
            for chunk in response.iter_bytes():
                receiving.add(chunk)
        finally:
            response.close()
        return receiving.answer(response)
