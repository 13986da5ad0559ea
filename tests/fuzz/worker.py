"""Decodes damaged images one after another, in a process that dies when a limit is exceeded.

For each image it identifies a DICOM file with a damaged header, too.
"""

import os
import resource
import signal
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from multiprocessing.connection import Connection
from multiprocessing.sharedctypes import Synchronized
from random import Random

import numpy as np

from chestxray.confinement import DEFAULT_PROCESS_LIMITS, address_space, processor_time
from chestxray.dicom.identification import identify
from chestxray.dicom.instance import Instance
from chestxray.dicom.signature import is_dicom
from chestxray.errors import AnalysisError
from chestxray.images import crop_and_window, read
from chestxray.preprocessing import SIZE
from tests.fuzz import corpus, headers
from tests.fuzz.mutations import mutate

LIMIT_SECONDS = 1.0
"""CPU seconds for one image; wall-clock time would depend on the machine's other load."""
LIMIT_SECONDS_PER_MEGABYTE = 5.0
LIMIT_FREE_SECONDS = 0.05
"""CPU seconds allowed regardless of size: finding the crop takes 2 to 15 ms for the smallest
file."""
LIMIT_BYTES = DEFAULT_PROCESS_LIMITS.memory
"""Bytes of address space that a process may add to what it had before its first image."""
LIMIT_LOG_BYTES = 1000
"""Bytes on standard error for one image."""
_DEADLOCK_SECONDS = 60


@dataclass
class Outcomes:
    """Outcomes of many images; `findings` has the violations by seed."""

    codes: Counter[str] = field(default_factory=Counter)
    dicoms: Counter[str] = field(default_factory=Counter)  # those among them of DICOM files
    headers: Counter[str] = field(default_factory=Counter)  # of DICOM files that are identified
    findings: dict[int, str] = field(default_factory=dict)
    slowest: tuple[float, int] = (0.0, -1)  # seconds of CPU time, seed
    dearest: tuple[float, int] = (0.0, -1)  # above the free seconds, per megabyte; seed
    peak_bytes: int = 0

    def add(self, other: "Outcomes") -> None:
        """Merges the outcomes of other images."""
        self.codes += other.codes
        self.dicoms += other.dicoms
        self.headers += other.headers
        self.findings |= other.findings
        self.slowest = max(self.slowest, other.slowest)
        self.dearest = max(self.dearest, other.dearest)
        self.peak_bytes = max(self.peak_bytes, other.peak_bytes)


@cache
def _corpora() -> tuple[list[bytes], list[bytes]]:
    return list(corpus.make().values()), list(corpus.make_large().values())


def image_of(seed: int) -> bytes:
    """Creates the damaged image of a seed."""
    return mutate(Random(seed), *_corpora())


def header_of(seed: int) -> bytes:
    """Creates the DICOM file of a seed whose header is damaged."""
    return headers.damaged(Random(f"header {seed}"))


def work(seeds: range, place: "Synchronized[int]", answers: Connection) -> None:
    """Decodes the images of all seeds; `place` holds the current one."""
    outcomes = Outcomes()
    for data in _corpora()[0]:  # as warm as a decoder of the service
        with suppress(AnalysisError):
            crop_and_window(read(data), least_side=0)
            identify(data)
    before = _peak_bytes()
    resource.setrlimit(resource.RLIMIT_AS, (address_space() + LIMIT_BYTES,) * 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with tempfile.TemporaryFile() as log, _standard_error(log.fileno()):
        for seed in seeds:
            place.value, start = seed, os.fstat(log.fileno()).st_size
            _try(seed, outcomes)
            _try_header(seed, outcomes)
            if (written := os.fstat(log.fileno()).st_size - start) > LIMIT_LOG_BYTES:
                outcomes.findings[seed] = f"writes {written} bytes to the log"
    outcomes.peak_bytes = _peak_bytes() - before
    answers.send(outcomes)


def _try(seed: int, outcomes: Outcomes) -> None:
    data = image_of(seed)
    started = time.process_time()
    try:
        with _limited_time(), warnings.catch_warnings(record=True) as warned:
            pixels = crop_and_window(read(data), least_side=0).pixels
        code, wrong = "decoded", ""
        if pixels.shape != (1, SIZE, SIZE) or pixels.dtype != np.uint8:
            wrong = f"decoded to {pixels.dtype} {pixels.shape}"
        if warned:
            wrong = f"warns: {warned[0].message}"
    except AnalysisError as error:
        code = error.code
        wrong = "takes too much memory" if isinstance(error.__cause__, MemoryError) else ""
    except Exception as error:
        code, wrong = "crash", repr(error)
    seconds = time.process_time() - started
    dear = max(0.0, seconds - LIMIT_FREE_SECONDS) / max(1, len(data)) * 2**20
    if dear > LIMIT_SECONDS_PER_MEGABYTE:
        wrong = wrong or f"takes {seconds:.3f} s for {len(data)} bytes"
    outcomes.slowest = max(outcomes.slowest, (round(seconds, 3), seed))
    outcomes.dearest = max(outcomes.dearest, (round(dear, 3), seed))
    outcomes.codes[code] += 1
    if is_dicom(data):
        outcomes.dicoms[code] += 1
    if wrong:
        outcomes.findings[seed] = wrong


def _try_header(seed: int, outcomes: Outcomes) -> None:
    wrong = ""
    try:
        with _limited_time(), warnings.catch_warnings(record=True) as warned:
            found = identify(header_of(seed))
        code = "identified"
        if Instance.model_validate_json(found.model_dump_json()) != found:
            wrong = "identified as what the gateway would not read"
        if warned:
            wrong = f"warns: {warned[0].message}"
    except AnalysisError as error:
        code = error.code
    except Exception as error:
        code, wrong = "crash", repr(error)
    outcomes.headers[code] += 1
    if wrong:
        outcomes.findings[seed] = f"header: {wrong}"


@contextmanager
def _limited_time() -> Iterator[None]:
    """Makes the kernel kill the process when its time is up."""
    signal.setitimer(signal.ITIMER_REAL, _DEADLOCK_SECONDS)
    try:
        with processor_time(LIMIT_SECONDS):
            yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


@contextmanager
def _standard_error(target: int) -> Iterator[None]:
    """Redirects output that libraries write past Python."""
    kept = os.dup(2)
    os.dup2(target, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
