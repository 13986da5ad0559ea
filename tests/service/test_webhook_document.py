"""The receiver in docs/webhooks.md verifies what the service sends."""

import re
from typing import Any

from bentos.webhooks import schedule
from bentos.webhooks.addresses import MAX_URL
from bentos.webhooks.endpoints import MOST
from bentos.webhooks.sending import SECONDS
from tests.conftest import ROOT
from tests.service.keeping import Gateway
from tests.service.receivers import Receiver
from tests.service.webhook_steps import ON, Clock, Run, attempt, create, deliverer, end_job

TEXT = (ROOT / "docs/webhooks.md").read_text()


def test_receiver_of_the_document_takes_a_message_once_and_no_other(
    run_keeping: Run, hospital: Receiver
) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", TEXT, re.S)
    defined: dict[str, Any] = {}
    exec(code, defined)
    receive = defined["receive"]

    async def test(gateway: Gateway) -> None:
        client = await gateway.holder()
        made = await create(client, hospital.url)
        await end_job(client)
        await attempt(deliverer(gateway, hospital), gateway, Clock())

        (message,) = hospital.received
        seen = set[str]()
        for _ in range(2):
            assert receive(made["secret"], message.headers, message.body, seen) == 204
        assert seen == set(hospital.ids)
        assert receive(made["secret"], message.headers, message.body + b" ", seen) == 401

    run_keeping(test, **ON)


def test_numbers_of_the_document_are_those_of_the_program() -> None:
    pauses = re.search(r"tried again after (.*?), each pause", TEXT, re.S)
    assert pauses
    units = {"s": 1, "min": 60, "h": 3600}
    found = [
        int(number) * units[unit] for number, unit in re.findall(r"(\d+) (s|min|h)", pauses[1])
    ]

    assert found == [each.total_seconds() for each in schedule.PAUSES]
    assert f"within {SECONDS:.0f} seconds" in TEXT
    assert f"at most {MAX_URL:,}" in TEXT
    assert MOST == 10 and "A key has ten webhooks at most" in TEXT
    assert schedule.FAILING.days == 5 and "for five days" in TEXT
