"""What a process writes outside of its log becomes lines of the log."""

import asyncio
import logging
import os

import pytest

from bentos.logs.lines import SOURCE
from bentos.process.output import Output
from tests.waiting import until_async


def test_line_is_logged_with_the_name_and_id_of_the_process(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def main() -> None:
        output = Output("xray_filter")
        output.watch(7)
        os.write(output.writer, b"\x1b[31mnative 100%s warning\xff\nhalf a")
        await until_async(lambda: caplog.records)
        os.write(output.writer, b" line\n\n")
        await until_async(lambda: len(caplog.records) == 2)
        output.close()

    asyncio.run(main())

    assert [record.getMessage() for record in caplog.records] == [
        "\x1b[31mnative 100%s warning\\xff",
        "half a line",
    ]
    assert {getattr(record, SOURCE) for record in caplog.records} == {("xray_filter", 7)}
    assert {record.levelno for record in caplog.records} == {logging.WARNING}


def test_last_words_without_an_end_of_line_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    output = Output("gateway")
    os.write(output.writer, b"Segmentation fault")

    output.flush()

    assert caplog.messages == ["Segmentation fault"]


def test_output_without_an_end_of_line_is_bounded(caplog: pytest.LogCaptureFixture) -> None:
    output = Output("gateway")
    for _ in range(3):
        os.write(output.writer, 2**16 * b"x")
        output._read()

    assert len(caplog.messages) == 3


def test_closed_output_can_be_closed_and_flushed_again() -> None:
    async def main() -> None:
        output = Output("gateway")
        output.close()
        output.close()
        output.flush()

    asyncio.run(main())
