"""A minute of each trial. What depends on the machine's other work is judged by the long ones."""

import asyncio
from pathlib import Path

from tests.service.server import serve
from tests.trials import chaos, decoders, hostile, mixed, overload, rolling, soak
from tests.trials.table import Table

SECONDS = 60.0


def judge(table: Table) -> None:
    """Fails where a figure is missed that the machine's other work does not explain."""
    for row in table.left_to_the_long_trial:
        print(f"{table.trial}, left to `make trials`: {row}")
    assert not table.missed_whatever_the_machine, table.render()


def test_overload_sheds_and_serves_all_who_obey(tmp_path: Path) -> None:
    with serve(tmp_path) as server:
        table = asyncio.run(overload.trial(server, SECONDS / 2))

    judge(table)


def test_kills_give_no_wrong_answer(tmp_path: Path) -> None:
    table = asyncio.run(chaos.trial(SECONDS))

    judge(table)


def test_failures_of_decoders_cost_nobody_else_an_answer(tmp_path: Path) -> None:
    with decoders.served(tmp_path) as server:
        table = asyncio.run(decoders.trial(server, 60))

    judge(table)


def test_new_versions_lose_nothing() -> None:
    table = asyncio.run(rolling.trial(2))

    judge(table)


def test_good_address_is_served_beside_a_hostile_one(tmp_path: Path) -> None:
    with serve(tmp_path) as server:
        table = asyncio.run(hostile.trial(server, 2 * SECONDS))

    judge(table)


def test_mixed_requests_are_all_answered_within_the_pod_s_memory(tmp_path: Path) -> None:
    with serve(tmp_path) as server:
        table = asyncio.run(mixed.trial(server, 1500, SECONDS))

    judge(table)


def test_steady_load_is_all_served_and_opens_no_files(tmp_path: Path) -> None:
    with serve(tmp_path) as server:
        table = asyncio.run(soak.trial(server, SECONDS))

    judge(table)
