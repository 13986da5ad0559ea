"""Analyses files and folders in this process, with the pipeline of the service."""

import asyncio
import logging
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NoReturn

from tqdm import tqdm

from bentos.decoding.decoders import Decoders
from bentos.gateway.image_task import ImageTask
from bentos.gateway.pipeline import Pipeline
from bentos.gateway.uploads import Upload
from bentos.http.negotiation import DICOM
from bentos.offline import files, records
from bentos.offline.arguments import Wanted
from bentos.offline.files import File
from bentos.offline.models import LocalModels
from bentos.offline.records import Journal, Record
from bentos.settings import Settings, get_settings
from chestxray.cores import usable_cores
from chestxray.errors import AnalysisError

logger = logging.getLogger(__name__)

_IN_FLIGHT = 2
"""Images in flight for each that a model takes at once: the others are being read or decoded."""
_TABLES = {".csv": records.write_csv, ".parquet": records.write_parquet}


def run(paths: Sequence[str], wanted: Wanted) -> int:
    """Analyses all files; returns 1 if some could not be analysed, else 0.

    Raises CheckpointError, or OSError where the results cannot be written.
    """
    for folder in filter(None, (wanted.heatmaps, wanted.objects)):
        folder.mkdir(parents=True, exist_ok=True)
    settings = get_settings()
    models = LocalModels(settings)
    digests = {each.card.name: each.digest for each in models.served}
    with ExitStack() as stack:
        journal = Journal(sys.stdout)
        if wanted.output:
            journal = stack.enter_context(Journal.resume(_journal_of(wanted.output), digests))
        names = [each for each in files.find(paths) if each not in journal.done]
        bar = stack.enter_context(
            tqdm(
                total=len(names) + len(journal.done),
                initial=len(journal.done),
                unit=" images",
                dynamic_ncols=True,
            )
        )
        asyncio.run(_Run(models, settings, wanted, journal, bar).analyse(names))
    if wanted.output and (write := _TABLES.get(wanted.output.suffix)):
        write(records.read(_journal_of(wanted.output)), wanted.output)
    return int(journal.problems > 0)


def _journal_of(output: Path) -> Path:
    """The JSON Lines that a run writes, from which a table is made."""
    return output.with_name(output.name + records.JOURNAL) if output.suffix in _TABLES else output


class _Run:
    """Analyses files with the pipeline of the service, several at once."""

    def __init__(
        self,
        models: LocalModels,
        settings: Settings,
        wanted: Wanted,
        journal: Journal,
        bar: "tqdm[NoReturn]",
    ) -> None:
        self._settings, self._wanted, self._journal, self._bar = settings, wanted, journal, bar
        self._digests = {each.card.name: each.digest for each in models.served}
        self._in_flight = _IN_FLIGHT * max(models.parallel, settings.max_model_batch)
        self._decoders = Decoders(
            settings.limits, settings.process_limits, processes=usable_cores()
        )
        self._pipeline = Pipeline(models, models.served, decoders=self._decoders)

    async def analyse(self, names: Sequence[str]) -> None:
        """Analyses the files and writes a record of each as soon as it has one.

        Raises the OSError of the first result that cannot be written.
        """
        await self._pipeline.warm_up()
        left = iter(names)
        try:
            async with asyncio.TaskGroup() as tasks:
                for _ in range(min(self._in_flight, len(names))):
                    tasks.create_task(self._work(left))
        except ExceptionGroup as group:
            raise group.exceptions[0] from None
        finally:
            self._decoders.close()

    async def _work(self, names: Iterator[str]) -> None:
        for name in names:
            read, limit = files.read, self._settings.max_image_bytes
            file = await asyncio.to_thread(read, name, max_bytes=limit)
            self._journal.write(await self._record(file))
            self._bar.update()

    async def _record(self, file: File) -> Record:
        if file.error:
            return records.of_problem(file, file.error, self._digests)
        try:
            (task,) = await self._pipeline.analyse(
                [Upload(file.data, None)], heatmap="cam", picture=self._wanted.heatmaps is not None
            )
            result = task.result
            objects = await self._objects(task)
            heatmap = await self._pipeline.draw(task) if self._wanted.heatmaps else b""
        except AnalysisError as error:
            return records.of_problem(file, error, self._digests)
        except Exception as error:  # a bug costs its own file an answer, and no other
            logger.exception("%s was not analysed", file.digest)
            return records.of_problem(file, AnalysisError(type(error).__name__), self._digests)
        await asyncio.to_thread(self._write, file, heatmap, objects)
        return records.of_analysis(file, result)

    async def _objects(self, task: ImageTask) -> list[bytes]:
        """The DICOM objects of a DICOM file, if they are wanted."""
        if not self._wanted.objects or task.result.input.media_type != DICOM:
            return []
        language = self._wanted.language
        return await self._pipeline.write_objects(task, language=language, report_alone=False)

    def _write(self, file: File, heatmap: bytes, objects: Sequence[bytes]) -> None:
        """Writes what is wanted beside the record, named by the digest of the file."""
        name = file.digest.replace(":", "-")
        if self._wanted.heatmaps:
            (self._wanted.heatmaps / f"{name}.png").write_bytes(heatmap)
        if self._wanted.objects:
            for number, content in enumerate(objects, 1):
                (self._wanted.objects / f"{name}-{number}.dcm").write_bytes(content)
