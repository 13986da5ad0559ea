"""Packs the data into parts, to copy them to a machine without a network.

    python -m gpu.packing build/gpu --megabytes 60
    python -m gpu.packing build/gpu --films                 # only frontal chest images
    python -m gpu.packing build/gpu --films --splits val    # enough for parity

Every part is a tar file of the collection's original files. The first has the manifests, reduced to
what is packed, followed by the validation images, so that steps that need few images can start
early. Extracting all parts into one folder gives a collection for --data.
"""

import argparse
import csv
import io
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from training.datasets import curated
from training.datasets.records import Record
from training.shared_folder import DATA
from training.train_filter import FRONTAL_LABELS

SPLITS = ("val", "train", "test", "external")
_BLOCK = 512
"""Size of a tar header, and the block size that every file is padded to."""


def files_of(record: Record) -> Iterator[Path]:
    """An image and its segmentation masks."""
    yield record.path
    for mask in (record.regions.lung_mask, record.regions.infection_mask):
        if mask is not None:
            yield mask


def select_records(root: Path, splits: Sequence[str], *, films: bool) -> list[Record]:
    """Lists the files to pack, in order of the splits: frontal images only, or everything."""
    records = [
        r
        for r in curated.load(root)
        if r.split in splits and (not films or r.label in FRONTAL_LABELS)
    ]
    return sorted(records, key=lambda r: splits.index(r.split))


def pack(records: Sequence[Record], root: Path, output: Path, *, megabytes: float) -> list[Path]:
    """Writes part_00.tar.gz and so on, each of at most this many megabytes; returns their paths.

    Raises ValueError if a single file is larger.
    """
    output.mkdir(parents=True, exist_ok=True)
    for old in output.glob("part_*.tar.gz"):
        old.unlink()
    entries = [
        *_manifests(root, {str(r.path.relative_to(root)) for r in records}),
        *(
            (str(path.relative_to(root)), path.read_bytes())
            for r in records
            for path in files_of(r)
        ),
    ]
    paths = []
    for number, part in enumerate(_parts(entries, int(megabytes * 10**6))):
        path = output / f"part_{number:02}.tar.gz"
        with tarfile.open(path, "w:gz", compresslevel=1) as tar:
            for name, data in part:
                header = tarfile.TarInfo(name)
                header.size = len(data)
                tar.addfile(header, io.BytesIO(data))
        paths.append(path)
    return paths


def _manifests(root: Path, kept: set[str]) -> Iterator[tuple[str, bytes]]:
    for name in (curated.MANIFEST, curated.EXTERNAL, curated.MORE, curated.CORRECTIONS):
        if not (root / name).is_file():
            continue
        with (root / name).open(newline="") as file:
            reader = csv.DictReader(file)
            text = io.StringIO(newline="")
            writer = csv.DictWriter(text, reader.fieldnames or ())
            writer.writeheader()
            writer.writerows(row for row in reader if row["path"] in kept)
        yield name, text.getvalue().encode()


def _parts(
    entries: Iterable[tuple[str, bytes]], most: int
) -> Iterator[Sequence[tuple[str, bytes]]]:
    part: list[tuple[str, bytes]] = []
    capacity = most - tarfile.RECORDSIZE  # padding at the end of a tar file
    left = capacity
    for name, data in entries:
        size = _BLOCK * (1 + -(-len(data) // _BLOCK))
        if size > capacity:
            raise ValueError(f"{name} has {len(data)} bytes; a part may have {most}")
        if size > left:
            yield part
            part, left = [], capacity
        part.append((name, data))
        left -= size
    if part:
        yield part


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("output", type=Path)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--megabytes", type=float, default=60.0, help="of a part, at most")
    parser.add_argument("--films", action="store_true", help="leave out what only the filter needs")
    parser.add_argument("--splits", nargs="+", default=SPLITS, choices=SPLITS, help="in this order")
    flags = parser.parse_args()
    records = select_records(flags.data, flags.splits, films=flags.films)
    for path in pack(records, flags.data, flags.output, megabytes=flags.megabytes):
        print(f"{path}\t{path.stat().st_size / 10**6:.1f} MB")


if __name__ == "__main__":
    main()
