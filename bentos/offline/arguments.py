"""What the command `chestxray analyze` takes."""

import argparse
from dataclasses import dataclass
from pathlib import Path

from chestxray.texts import LANGUAGES


@dataclass(frozen=True)
class Wanted:
    """What is written; None for what is not."""

    output: Path | None = None
    heatmaps: Path | None = None
    objects: Path | None = None
    language: str = LANGUAGES[0]


FORMATS = (".jsonl", ".csv", ".parquet")
"""Suffixes of the results."""

DESCRIPTION = """\
Analyses radiographs without a server: JPEG, PNG, TIFF, WebP, BMP and DICOM.

examples:
  chestxray analyze film.dcm                             one film; its JSON on standard output
  chestxray analyze folder --output results.jsonl        a folder, with all folders in it
  chestxray analyze folder --output results.csv          a table instead; .parquet needs pyarrow
  find . -name '*.dcm' | chestxray analyze - -o r.jsonl  the files that another program names
  chestxray analyze folder -o r.jsonl --heatmaps maps    and where it looked, as PNG
  chestxray analyze folder -o r.jsonl --objects objects  and reports for the studies of DICOM files

An interrupted run goes on where it ended if it is started again with the same --output. What is
there already is kept where the file has the same content (SHA-256) and the models are the same.
For a table that is FILE.jsonl, beside it.

Settings are those of the service (CHESTXRAY_DEVICE, CHESTXRAY_MAX_IMAGE_BYTES, ...).

exit status:
  0    every file was analysed
  1    some were not; their records say why
  2    the command cannot start
  130  interrupted

Research use only. Not a diagnosis."""


def add_to(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments to a parser."""
    parser.add_argument(
        "paths", nargs="+", metavar="FILE|FOLDER|-", help="- reads names from standard input"
    )
    parser.add_argument(
        "-o",
        "--output",
        type=_output,
        metavar="FILE",
        help="results: .jsonl, .csv or .parquet; without it JSON Lines on standard output",
    )
    parser.add_argument(
        "--heatmaps", type=Path, metavar="FOLDER", help="write heatmaps there, named by SHA-256"
    )
    parser.add_argument(
        "--objects",
        type=Path,
        metavar="FOLDER",
        help="write the DICOM objects of DICOM files there: report, picture, overlay",
    )
    parser.add_argument(
        "--language", choices=LANGUAGES, default=LANGUAGES[0], help="of the objects' words"
    )


def _output(text: str) -> Path:
    path = Path(text)
    if path.suffix not in FORMATS:
        raise argparse.ArgumentTypeError("must end with .jsonl, .csv or .parquet")
    return path
