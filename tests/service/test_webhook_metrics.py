"""What is exported of webhooks: attempts by outcome, what waits, and how late it is."""

from datetime import timedelta

from bentos.history_metrics import get_history_metrics
from bentos.metric_labels import WebhookOutcome
from tests.service.keeping import Gateway
from tests.service.receivers import Receiver
from tests.service.webhook_steps import (
    ON,
    Clock,
    Run,
    attempt,
    create,
    deliverer,
    due_at,
    end_job,
    set_failing_since,
)


def test_backlog_counts_no_receiver_that_fails_as_late(
    run_keeping: Run, hospital: Receiver
) -> None:
    async def test(gateway: Gateway) -> None:
        client, clock = await gateway.holder(), Clock()
        await create(client, hospital.url)
        await end_job(client)
        (clock.now,) = await due_at(gateway)
        clock.advance(timedelta(minutes=3))
        deliveries = gateway.webhooks.deliveries
        assert await deliveries.backlog(now=clock.now) == (1, 180)
        await set_failing_since(gateway, clock.now)

        assert await deliveries.backlog(now=clock.now) == (1, 0)

    run_keeping(test, **ON)


def test_outcomes_are_counted(run_keeping: Run, hospital: Receiver) -> None:
    def count(outcome: WebhookOutcome) -> float:
        series = get_history_metrics().webhook_deliveries.labels(outcome)
        return float(series._value.get())

    async def test(gateway: Gateway) -> None:
        before = [count(each) for each in WebhookOutcome]
        client, clock = await gateway.holder(), Clock()
        await create(client, hospital.url)
        for _ in range(3):
            await end_job(client)
        clock.now = max(await due_at(gateway))
        by = deliverer(gateway, hospital, now=clock)
        for hospital.status in (204, 500, 410):
            assert await attempt(by, gateway, clock)

        assert [count(each) for each in WebhookOutcome] == [each + 1 for each in before]

    run_keeping(test, **ON)


def test_what_waits_is_measured(run_keeping: Run, hospital: Receiver) -> None:
    async def test(gateway: Gateway) -> None:
        client, clock = await gateway.holder(), Clock()
        await create(client, hospital.url)
        await end_job(client)
        clock.now = (await due_at(gateway))[0] + timedelta(seconds=90)
        await deliverer(gateway, hospital, now=clock).measure()

        metrics = get_history_metrics()
        assert metrics.webhooks_waiting._value.get() == 1
        assert metrics.webhooks_overdue._value.get() == 90

    run_keeping(test, **ON)
