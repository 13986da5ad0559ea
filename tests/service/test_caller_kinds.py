"""The access log says what kind of caller sent a request, and never which one."""

import logging
from collections.abc import Callable

import pytest

from bentos.callers.visitors import COOKIE
from tests.service.fakes import DARK, form
from tests.service.keeping import Gateway, keep

Run = Callable[..., None]


def test_line_of_a_request_has_the_kind_of_its_caller(
    run_keeping: Run, caplog: pytest.LogCaptureFixture
) -> None:
    async def test(gateway: Gateway) -> None:
        holder, visitor = await gateway.holder(), gateway.visitor()
        wrong = {"authorization": holder.headers["authorization"][:-4] + "AAAA"}
        with caplog.at_level(logging.INFO, "bentos.http.exchange"):
            await holder.post("/v1/analyses", **form(DARK))
            await keep(visitor)
            await visitor.get("/v1/analyses")
            await gateway.client.post("/v1/analyses", **form(DARK), headers=wrong)
            await gateway.client.get("/v1/limits")

        lines = [line for line in caplog.records if line.name == "bentos.http.exchange"]
        kinds = [vars(line)["caller"] for line in lines]
        assert kinds == ["key", "none", "visitor", "none", "none"]
        (key,) = await gateway.history.keys.list()
        said = str([vars(line) for line in lines])
        assert key.id not in said
        assert visitor.cookies[COOKIE].partition(".")[0] not in said

    run_keeping(test)
