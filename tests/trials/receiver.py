"""`kill -9` of the DICOM node while a PACS sends: what is acknowledged is answered exactly once.

    python -m tests.trials.receiver --objects 2000 --kills 50

One sender stores radiographs one after the other; what is not acknowledged it sends again, as a
PACS does. The node dies without warning at random moments, spread over the stream, and is started
again. An archive counts the reports of each radiograph by their SOP Instance UIDs: what is sent
again after a crash has the same UID, so that an archive keeps it once.
"""

import argparse
import random
import sys
import tempfile
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread

import numpy as np
from pydicom.uid import generate_uid
from pynetdicom.association import Association
from tqdm import tqdm

from loadtests.load_generator import free_port
from tests import dicoms
from tests.phantoms import phantom
from tests.results_in_study import IN_A_STUDY
from tests.service import passing
from tests.service.dicom_node import RESULTS, Archive, archive, associated, start, status_of, to
from tests.service.server import serve
from tests.trials.table import Table
from tests.waiting import until

_PATIENCE_SECONDS = 600.0
_PER_ASSOCIATION = 20
_SIDE = 360


@dataclass
class Sender:
    """A PACS with a number of objects, each of a patient of its own."""

    objects: int
    acknowledged: int = 0
    sent_again: int = 0
    _film: np.ndarray = field(default_factory=lambda: phantom(_SIDE, _SIDE).astype(np.uint16) * 16)

    def run(self, port: int) -> None:
        """Sends every object until it is acknowledged."""
        waiting = [self._object(number) for number in range(self.objects)]
        while waiting:
            with associated(port, acse_timeout=5, dimse_timeout=10) as association:
                for _ in range(_PER_ASSOCIATION):
                    if not (waiting and association.is_established):
                        break
                    if _is_stored(association, waiting[-1]):
                        waiting.pop()
                        self.acknowledged += 1
                    else:
                        self.sent_again += 1
            if not association.is_released:
                time.sleep(0.1)

    def _object(self, number: int) -> bytes:
        uids = {"StudyInstanceUID": generate_uid(), "SeriesInstanceUID": generate_uid()}
        return dicoms.film(self._film, **{**IN_A_STUDY, **uids, "PatientID": str(number)})


def _is_stored(association: Association, file: bytes) -> bool:
    try:
        return status_of(association, file) == 0
    except (AttributeError, RuntimeError):  # no answer: the node died
        return False


def trial(objects: int, kills: int) -> Table:
    """Sends, kills, and counts."""
    with tempfile.TemporaryDirectory() as name, archive() as store:
        folder = Path(name)
        settings = {"CHESTXRAY_FILTER_CHECKPOINT": str(passing.write_filter(folder))}
        with serve(folder, CHESTXRAY_MAX_QUEUE_SECONDS="60", **settings) as service:
            began = time.monotonic()
            sender = _send(folder, service.url, store, objects, kills)
            seconds = time.monotonic() - began
    return _table(sender, store, kills, seconds)


def _send(folder: Path, service: str, store: Archive, objects: int, kills: int) -> Sender:
    port, generator, sender = free_port(), random.Random(0), Sender(objects)
    marks = sorted(generator.sample(range(1, 3 * objects), kills))  # by the results that arrived
    node = start(folder, service, to(store), port=port)
    until(node.is_listening)
    thread = Thread(target=sender.run, args=(port,))
    thread.start()
    try:
        with tqdm(total=3 * objects, unit=" results") as bar:
            for mark in marks:
                _await(store, mark, bar)
                node.process.kill()
                node.process.wait()
                node = start(folder, service, to(store), port=port)
                until(node.is_listening)
            thread.join(_PATIENCE_SECONDS)
            until(lambda: not node.waiting(), seconds=_PATIENCE_SECONDS)
            bar.update(len(store.received) - bar.n)
        return sender
    finally:
        node.process.kill()
        node.process.wait()


def _await(store: Archive, results: int, bar: "tqdm[None]") -> None:
    until(lambda: len(store.received) >= results, seconds=_PATIENCE_SECONDS)
    bar.update(len(store.received) - bar.n)


def _table(sender: Sender, store: Archive, kills: int, seconds: float) -> Table:
    reports: dict[str, set[str]] = defaultdict(set)
    for each in store.received:
        if each.SOPClassUID == RESULTS[0]:
            reports[each.PatientID].add(each.SOPInstanceUID)
    counts = Counter(len(each) for each in reports.values())
    instances = {each.SOPInstanceUID for each in store.received}
    table = Table(
        "receiver", f"{kills} times kill -9 of the DICOM node, {seconds:.0f} s, one sender."
    )
    every, wanted = sender.objects, 3 * sender.objects
    more = sum(count for number, count in counts.items() if number > 1)
    lost = sender.acknowledged - len(reports)
    acknowledged = sender.acknowledged
    table.add("objects acknowledged", acknowledged, str(every), met=acknowledged == every)
    table.add("objects sent again, since no answer came", sender.sent_again)
    table.add("answered exactly once", counts[1], str(every), met=counts[1] == every)
    table.add("answered more than once", more, "0", met=more == 0)
    table.add("acknowledged and not answered", lost, "0", met=lost == 0)
    found = len(instances)
    table.add("result objects in the archive", found, str(wanted), met=found == wanted)
    table.add("sent again with the same UID", len(store.received) - len(instances))
    return table


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--objects", type=int, default=2000)
    parser.add_argument("--kills", type=int, default=50)
    flags = parser.parse_args()
    table = trial(flags.objects, flags.kills)
    table.write()
    print(table.render())
    sys.exit(not table.met)
