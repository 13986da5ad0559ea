"""What is done to jobs is in the audit file, without the ids, which are their callers' own."""

from collections.abc import Callable
from pathlib import Path

from bentos.audit.trail import digest_of
from tests.service.fakes import DARK, form
from tests.service.job_steps import JOBS, finished, submit, working
from tests.service.keeping import Gateway
from tests.service.test_audit import read, told

Run = Callable[..., None]
ID = "Maria.da.Silva"


def test_what_a_caller_does_to_jobs_has_a_line_each(run_keeping: Run, tmp_path: Path) -> None:
    file = tmp_path / "audit.jsonl"

    async def test(gateway: Gateway) -> None:
        holder, stranger = await gateway.holder(), await gateway.holder()
        owner = (await gateway.history.keys.list())[0].caller.owner
        job = await submit(holder, DARK, DARK, params={"id": ID})
        await submit(holder, DARK, DARK, params={"id": ID})
        async with working(gateway):
            await finished(holder, job)
        file.unlink(), await holder.post(JOBS, **form(DARK), params={"id": ID})
        await holder.get(JOBS)
        await holder.get(job)
        await holder.get(f"{job}/results", params={"begin": 1})
        await holder.post(f"{job}/cancel")
        assert (await stranger.get(f"{job}/results")).status_code == 404
        assert (await holder.delete(job)).status_code == 204
        assert (await holder.delete(job)).status_code == 404

        assert ID not in file.read_text()
        lines = read(file)
        assert told(lines) == [
            ("job.read", "success"),
            ("job.listed", "success"),
            ("job.read", "success"),
            ("job.results_read", "success"),
            ("job.cancelled", "success"),
            ("job.read", "not_found"),
            ("job.deleted", "success"),
            ("job.read", "not_found"),
        ]
        assert lines[1]["jobs"] == [digest_of(ID)]
        assert {line["job"] for line in lines if line["event"] != "job.listed"} == {digest_of(ID)}
        assert (lines[3]["begin"], lines[3]["count"]) == (1, 1)
        assert {line["actor"] for line in [*lines[:5], *lines[6:]]} == {owner}
        assert lines[5]["actor"] != owner

    run_keeping(test, audit_file=str(file))


def test_submission_has_the_number_of_images(run_keeping: Run, tmp_path: Path) -> None:
    file = tmp_path / "audit.jsonl"

    async def test(gateway: Gateway) -> None:
        await submit(gateway.client, DARK, DARK)

        (line,) = read(file)
        assert (line["event"], line["images"]) == ("job.submitted", 2)

    run_keeping(test, audit_file=str(file))
