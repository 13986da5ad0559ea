"""PASCAL VOC 2012: photographs, what the filter must refuse.

Everingham, Van Gool, Williams, Winn, Zisserman: The PASCAL Visual Object Classes (VOC) Challenge,
IJCV 2010 (doi 10.1007/s11263-009-0275-4); host.robots.ox.ac.uk/pascal/VOC/voc2012. The pictures are
Flickr's, under its terms of use.
"""

from pathlib import Path

from training.datasets.records import Record, find, with_digests

NAME = "voc2012"
SOURCE = "host.robots.ox.ac.uk/pascal/VOC/voc2012 (the folder VOCdevkit/VOC2012)"


def load(root: Path) -> list[Record]:
    """Reads `JPEGImages/*.jpg`; every image counts as a patient of its own."""
    paths = find(root, "JPEGImages/*.jpg", SOURCE)
    return with_digests(
        [Record(p, "natural", f"{NAME}-{p.stem}", NAME, split="", sha256="") for p in paths]
    )
