"""What fails costs its own file an answer, and no other; what cannot be written ends the run."""

import json
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bentos.gateway.uploads import Upload
from bentos.offline import analysis
from bentos.offline.arguments import Wanted
from chestxray.errors import EmptyImage
from tests import results_in_study

BUG, REFUSED = b"bug", b"refused"


class FakeModels:
    served = (SimpleNamespace(card=SimpleNamespace(name="model"), digest="sha256:0"),)
    parallel = 1

    def __init__(self, settings: object) -> None:
        pass


class FakePipeline:
    """Answers every upload alike, but for those of which it fails."""

    def __init__(self, *_: object, **__: object) -> None:
        self.analysis = results_in_study.analysis(results_in_study.film())

    async def warm_up(self) -> None:
        pass

    async def analyse(self, uploads: Sequence[Upload], **_: object) -> list[Any]:
        if uploads[0].data == BUG:
            raise RuntimeError("the decoder raised ZeroDivisionError")
        if uploads[0].data == REFUSED:
            raise EmptyImage("nothing")
        return [SimpleNamespace(result=self.analysis)]

    async def draw(self, _: object) -> bytes:
        return b"heatmap"

    async def write_objects(self, _: object, **__: object) -> list[bytes]:
        return [b"report", b"picture"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """With five films, one that shows a bug, and one that is refused."""
    monkeypatch.setattr(analysis, "LocalModels", FakeModels)
    monkeypatch.setattr(analysis, "Pipeline", FakePipeline)
    films = tmp_path / "films"
    films.mkdir()
    for number in range(5):
        (films / f"{number}.dcm").write_bytes(bytes([number]))
    (films / "bug.dcm").write_bytes(BUG)
    (films / "refused.dcm").write_bytes(REFUSED)
    return tmp_path


def test_unexpected_failure_costs_its_own_file_alone(folder: Path) -> None:
    results = folder / "r.jsonl"

    assert analysis.run([str(folder / "films")], Wanted(output=results)) == 1

    records = {Path(r["file"]).stem: r for r in map(json.loads, results.read_text().splitlines())}
    assert {name for name, each in records.items() if "analysis" in each} == {*"01234"}
    assert records["bug"]["problem"] == {"code": "analysis-failed", "detail": "RuntimeError"}
    assert records["refused"]["problem"]["code"] == "empty-image"


def test_heatmaps_and_objects_are_named_by_the_digest_of_their_file(folder: Path) -> None:
    wanted = Wanted(folder / "r.jsonl", folder / "maps", folder / "objects")
    analysis.run([str(folder / "films" / "0.dcm")], wanted)
    (record,) = map(json.loads, (folder / "r.jsonl").read_text().splitlines())
    name = record["sha256"].replace(":", "-")

    assert (folder / "maps" / f"{name}.png").read_bytes() == b"heatmap"
    written = {path.name: path.read_bytes() for path in (folder / "objects").iterdir()}
    assert written == {f"{name}-1.dcm": b"report", f"{name}-2.dcm": b"picture"}


def test_result_that_cannot_be_written_ends_the_run_with_its_error(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)

    with pytest.raises(OSError, match="No space left"):
        analysis.run([str(folder / "films")], Wanted(folder / "r.jsonl", folder / "maps"))
