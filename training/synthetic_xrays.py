"""Synthetic radiographs for the page: drawn by code, from no patient's image.

    python -m training.synthetic_xrays --output web/examples

Casts rays through a body of simple solids, attenuated by the Beer-Lambert law; adds scatter, photon
noise and a detector's response curve.
"""

import argparse
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise, product
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from scipy.special import expit

from training import anatomy
from training.anatomy import (
    Detector,
    Plane,
    Points,
    ellipsoid,
    normalise,
    superellipse_stack,
    tube,
    vessel_tree,
)

DETECTOR = Detector(512, 512)
_QUALITY = 80  # of the JPEG files
_SIDES = (-1, 1)  # the patient's right is on the picture's left

# Per cm, at the 100 kV of chests; an inflated lung lacks three quarters of the tissue in it.
_SOFT, _BONE = 0.185, 0.31
_INFLATED = 0.74
_HAND_SOFT, _HAND_BONE = 0.75, 1.4  # at 50 kV
_PHOTONS = 5e5  # per cm² of the unattenuated beam
_SCATTERED, _SCATTER_CM = 0.2, 1.5
_BLACK, _RANGE = 0.95, 2.6  # optical density at black, and range up to white

# Radii along a bone and along a finger, in cm.
_RIB = (0.5, 0.58, 0.62, 0.6, 0.62, 0.72)
_PHALANX = (0.5, 0.32, 0.27, 0.32, 0.45)
_FINGER = (0.9, 0.85, 0.8, 0.6)

Opacity = Callable[[Detector, np.random.Generator], Plane]  # share of the displaced air


class BodyParameters(NamedTuple):
    """Parameters that vary between bodies; factors are relative to typical."""

    breadth: float
    girth: float  # thickness of soft tissue
    heart: float
    breath: float  # cm that the diaphragm is lower than usual
    contrast: float  # rotation of the image
    soft: float = _SOFT
    inflated: float = _INFLATED
    gamma: float = 1  # of the picture; below 1 it is brighter

    @classmethod
    def sample(cls, rng: np.random.Generator) -> "BodyParameters":
        """A random body."""
        return cls(*rng.normal((1, 1, 1, 0, 1), (0.02, 0.03, 0.04, 0.5, 0.04)))


_SLIM = BodyParameters(1, 0.83, 1, 0, 1, soft=0.12, inflated=0.92, gamma=0.65)
"""Drawn so, clear lungs are answered as such by every classifier that ships; most others of our
drawings are answered as an opacity (tests/models/test_examples.py)."""


def chest_xray(
    detector: Detector,
    rng: np.random.Generator,
    opacity: Opacity | None = None,
    patient: BodyParameters | None = None,
) -> Image.Image:
    """An upright frontal chest, mode L; `opacity` adds opacities to its lungs.

    Without a `patient` the body is a random one.
    """
    patient = patient or BodyParameters.sample(rng)
    air = np.clip(_lungs(detector, patient, rng) - 0.85 * _heart(detector, patient), 0, None)
    if opacity is not None:
        air *= 1 - opacity(detector, rng)
    vessels = np.minimum(_vessels(detector, rng), 2) * np.clip(air / 4, 0, 1)
    lungs = patient.inflated * air * (1 + 0.03 * detector.smooth_noise(0.5, rng)) - vessels
    soft = _trunk(detector, patient, rng) - lungs - _air_cavities(detector, patient)
    bone = (
        _ribs(detector, patient, rng) + _shoulder_girdle(detector, patient) + 0.4 * _spine(detector)
    )
    body = detector.warp(patient.soft * soft + _BONE * bone, 0.12, rng)
    return _render(detector, body, rng, patient.contrast, patient.gamma)


def consolidation(detector: Detector, rng: np.random.Generator) -> Plane:
    """A dense lower zone of the right lung, (H, W) in [0, 1]."""
    edge = 0.17 * detector.smooth_noise(1.8, rng) + 0.05 * detector.smooth_noise(0.6, rng)
    radius = np.hypot((detector.x + 8) / 4.4, (detector.y - 20) / 4.6) + edge
    return np.asarray(
        0.72 * expit((1 - radius) / 0.16) * (1 + 0.08 * detector.smooth_noise(0.8, rng))
    )


def ground_glass(detector: Detector, rng: np.random.Generator) -> Plane:
    """Peripheral ground-glass opacities in both lungs, (H, W) in [0, 1]."""
    glass = np.zeros((detector.height, detector.width))
    for side in _SIDES:
        for y in np.array([12, 16, 19.5, 23]) + rng.normal(0, 0.7, 4):
            x = side * (_lung_width(y) - rng.uniform(1.6, 3.4))
            width, height = rng.uniform(1.4, 2.4, 2)
            radius = np.hypot((detector.x - x) / width, (detector.y - y) / height)
            glass += rng.uniform(0.6, 1) * np.exp(
                -(radius**2) * (1 + 0.25 * detector.smooth_noise(1.2, rng))
            )
    return np.asarray(0.66 * np.tanh(glass * (1 + 0.1 * detector.smooth_noise(0.6, rng))))


def hand_xray(detector: Detector, rng: np.random.Generator) -> Image.Image:
    """A hand, mode L, on an image of about 20 cm: an X-ray, but not of a chest."""
    flesh = [superellipse_stack(detector, anatomy.PALM, 3)]
    bones = [bone.sample(hollow=0.6) for bone in anatomy.FOREARM]
    for wrist, tip, joints in anatomy.HAND:
        way = np.subtract(tip, wrist)
        flesh.append(detector.splat(tube(wrist + np.outer((0.4, 1.04), way), _FINGER)))
        for start, end in pairwise(joints):
            course = wrist + np.outer((start, end - 0.01), way)  # cartilage is not visible
            bones.append(tube(course, _PHALANX, hollow=0.7))
    carpals = [ellipsoid(detector, centre, (0.72, 0.6, 0.45)) for centre in anatomy.CARPALS]
    bone = detector.splat(np.concatenate(bones)) + 0.7 * np.max(carpals, axis=0)
    soft = detector.blur(np.max(flesh, axis=0), 0.12)
    return _render(
        detector, detector.warp(_HAND_SOFT * soft + _HAND_BONE * bone, 0.06, rng), rng, 1.0
    )


def examples() -> dict[str, Image.Image]:
    """The page's example images by file name; the filter rejects the last two."""
    clear, opacity, glass, other = (np.random.default_rng(seed) for seed in (82, 1, 2, 3))
    return {
        "clear.jpg": (upright := chest_xray(DETECTOR, clear, patient=_SLIM)),
        "opacity.jpg": chest_xray(DETECTOR, opacity, consolidation),
        "patches.jpg": chest_xray(DETECTOR, glass, ground_glass),
        "turned.jpg": upright.transpose(Image.Transpose.ROTATE_270),  # clockwise by 90 degrees
        "hand.jpg": hand_xray(replace(DETECTOR, span=21), other),
    }


def _trunk(detector: Detector, patient: BodyParameters, rng: np.random.Generator) -> Plane:
    """Soft tissue of trunk, neck and arms, without lungs."""
    solids = [
        patient.girth * superellipse_stack(detector, _scaled_sections(anatomy.TRUNK, 1, patient))
    ]
    solids += [
        superellipse_stack(detector, _scaled_sections(anatomy.ARM, side, patient), 2)
        for side in _SIDES
    ]
    uneven = 0.02 * detector.smooth_noise(3, rng) + 0.008 * detector.smooth_noise(0.8, rng)
    return detector.blur(np.max(solids, axis=0), 0.25) * (1 + uneven)


def _lungs(detector: Detector, patient: BodyParameters, rng: np.random.Generator) -> Plane:
    """Lungs above the domes of the diaphragm, and a little in front of and behind them."""
    air = np.zeros((detector.height, detector.width))
    for side in _SIDES:
        lung = superellipse_stack(detector, _scaled_sections(anatomy.LUNG, side, patient))
        aside = side * detector.x / patient.breadth - 6  # height of the dome's top
        dome = 25.8 + patient.breath + 0.5 * side + aside**2 * np.where(aside > 0, 0.095, 0.05)
        below = detector.y - dome - 0.12 * detector.smooth_noise(4, rng)
        recess = 0.2 * np.exp(-np.clip(below, 0, None) / 1.5) * expit(below / 0.08)
        air += lung * (expit(-below / 0.08) + recess)
    return air


def _heart(detector: Detector, patient: BodyParameters) -> Plane:
    """Mediastinum: heart, great vessels and the rest between the lungs."""
    size, low = patient.heart, patient.breath
    parts = (
        ellipsoid(
            detector, (2.9 * size, 22 + low), (6.1 * size, 4.3 * size, 4.6), 36
        ),  # ventricles
        ellipsoid(detector, (-size, 21.4 + low), (3.3 * size, 4.9 * size, 4.2), -8),  # right atrium
        ellipsoid(detector, (1, 24.6 + low), (4.6 * size, 3.2, 4)),  # resting on the diaphragm
        ellipsoid(detector, (1.7, 16.9), (2.9, 3.2, 3.2), 30),  # pulmonary trunk
        ellipsoid(detector, (1.35, 12.2), (2.4, 1.8, 3.2), 20),  # arch of the aorta
        ellipsoid(detector, (-0.9, 13.5), (2.2, 6, 2.6), 4),  # superior vena cava
        ellipsoid(detector, (0, 7), (2.4, 7, 2.5)),  # neck
    )
    return np.asarray(np.max(parts, axis=0))


def _air_cavities(detector: Detector, patient: BodyParameters) -> Plane:
    """Tissue missing in airways and stomach, less the blood of the aorta."""
    airways = np.concatenate([airway.sample() for airway in anatomy.AIRWAYS])
    stomach = ellipsoid(detector, (5.5, 29.8 + patient.breath), (2.6, 1.5, 2.5), -12)
    return (
        0.9 * detector.splat(airways) + 0.5 * stomach - 0.4 * detector.splat(anatomy.AORTA.sample())
    )


def _vessels(detector: Detector, rng: np.random.Generator) -> Plane:
    twigs: list[Points] = []
    for side, (angle, radius) in product(_SIDES, anatomy.VESSELS):
        steep = np.radians(angle + rng.normal(0, 6))
        away = normalise(np.array([side * np.cos(steep), np.sin(steep), rng.normal(0, 0.4)]))
        hilum = np.array([3.1 * side, 15.8 - 0.4 * side, 0]) + rng.normal(0, 0.6, 3)
        twigs += vessel_tree(hilum, away, rng.uniform(2.4, 3.4), radius, rng)
    return detector.splat(np.concatenate(twigs))


def _ribs(detector: Detector, patient: BodyParameters, rng: np.random.Generator) -> Plane:
    """Twelve pairs of ribs, from the spine out, down and around the lungs, steeper lower down."""
    ribs = []
    for side, (number, (end, drop)) in product(_SIDES, enumerate(anatomy.RIBS.T)):
        turn = np.linspace(9, end, 9)  # degrees from the spine
        top = 4.4 + 2.2 * number + rng.normal(0, 0.06)
        arch = 0.5 * np.sin(np.pi * np.clip(turn / 54, 0, 1))
        width = _lung_width(top + 0.31 * drop) + 0.25 + rng.normal(0, 0.08)
        x = side * patient.breadth * width * np.sin(np.radians(turn)) ** 0.85
        y = top + 1.25 * drop * (turn / 180) ** 2 - arch
        z = -(4 + 0.8 * min(number, 5)) * np.cos(np.radians(turn))
        ribs.append(tube(np.column_stack([x, y, z]), _RIB, flat=0.5, hollow=0.6))
    return detector.splat(np.concatenate(ribs))


def _shoulder_girdle(detector: Detector, patient: BodyParameters) -> Plane:
    """Clavicles, scapulae and arms."""
    pairs = product(anatomy.SHOULDER_GIRDLE, (-patient.breadth, patient.breadth))
    bones = [bone.sample(side, hollow=0.5) for bone, side in pairs]
    return detector.splat(np.concatenate(bones))


def _spine(detector: Detector) -> Plane:
    """Vertebrae with discs between them, and their pedicles, spinous and transverse processes."""
    boxes = np.full(
        (detector.height, detector.width), np.inf
    )  # 1 on the end plates of a vertebral body
    processes, tubes = np.zeros_like(boxes), []
    for number in range(-1, 17):
        height, width = 1.75 + 0.05 * number, 1.25 + 0.05 * number
        y = 1.2 + 1.75 * number + 0.025 * number**2
        down = np.abs((detector.y - y) / (0.46 * height))
        boxes = np.minimum(boxes, np.abs(detector.x / width) ** 5 + down**6)
        processes += 1.5 * ellipsoid(detector, (0.04, y + 0.55 * height), (0.26, 0.4 * height, 0.6))
        for side in _SIDES:
            processes += 0.9 * ellipsoid(
                detector, (0.68 * side * width, y - 0.2), (0.32, 0.46, 0.8)
            )
            ends = [(0.6 * side * width, y - 0.2, -3), (side * (width + 1.4), y - 0.5, -4)]
            tubes.append(tube(np.array(ends), (0.4, 0.32)))
    bodies = np.clip(1 - boxes, 0, 1) ** 0.4
    bodies += 1.1 * np.clip(bodies - detector.blur(bodies, 0.15), 0, None)  # denser at the edge
    return np.asarray(2.2 * bodies + processes + 1.2 * detector.splat(np.concatenate(tubes)))


def _render(
    detector: Detector, body: Plane, rng: np.random.Generator, contrast: float, gamma: float = 1
) -> Image.Image:
    """Renders the image behind a body with attenuation exponents (H, W); marked as synthetic."""
    light = np.exp(-body)
    light += _SCATTERED * (detector.blur(light, _SCATTER_CM) - light) + 0.004
    photons = _PHOTONS * detector.pixel**2
    density = -np.log(detector.blur(rng.poisson(photons * light) / photons, 0.05) + 1e-4)
    # Detectors compress large dense areas, so that the spine leaves grey levels for the lungs.
    evened = density - 0.35 * (detector.blur(density, 3) - 2.2) * np.clip(density, 0, 1)
    rising = contrast * np.clip((evened - _BLACK) / _RANGE, 0, None)
    grey = 263 * rising / np.cbrt(1 + rising**3) + 8 * np.clip(density / 0.6, 0, 1)
    grey = 255 * np.clip(grey / 255, 0, 1) ** gamma
    image = Image.fromarray(grey.round().astype(np.uint8))
    margin, font = detector.height // 64, ImageFont.load_default(detector.height // 36)
    ImageDraw.Draw(image).text((margin, margin), "SYNTHETIC", fill=200, font=font)
    return image


def _scaled_sections(sections: Plane, side: int, patient: BodyParameters) -> Plane:
    breadth = side * patient.breadth
    return np.asarray(sections * np.array([[1], [breadth], [breadth], [1]]))


def _lung_width(y: float) -> float:
    """Half width of the inner chest, in cm."""
    return float(np.interp(y, anatomy.LUNG[0], anatomy.LUNG[2]))


def main(folder: Path) -> None:
    """Writes the examples as JPEG files into the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, image in examples().items():
        image.save(folder / name, quality=_QUALITY, optimize=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("web/examples"))
    main(parser.parse_args().output)
