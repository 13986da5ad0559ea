"""Synthetic radiographs for the page: drawn by code, from no patient's image.

    python -m training.radiographs --output web/examples

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
from training.anatomy import Film, Plane, Points, ellipsoid, pile, tree, tube, unit

FILM = Film(512, 512)
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

Opacity = Callable[[Film, np.random.Generator], Plane]  # share of the displaced air


class Build(NamedTuple):
    """Parameters that vary between bodies; factors are relative to typical."""

    breadth: float
    girth: float  # thickness of soft tissue
    heart: float
    breath: float  # cm that the diaphragm is lower than usual
    contrast: float  # rotation of the image

    @classmethod
    def drawn(cls, rng: np.random.Generator) -> "Build":
        """A random body."""
        return cls(*rng.normal((1, 1, 1, 0, 1), (0.02, 0.03, 0.04, 0.5, 0.04)))


def chest(film: Film, rng: np.random.Generator, opacity: Opacity | None = None) -> Image.Image:
    """An upright frontal chest, mode L; `opacity` adds opacities to its lungs."""
    build = Build.drawn(rng)
    air = np.clip(_lungs(film, build, rng) - 0.85 * _heart(film, build), 0, None)
    if opacity is not None:
        air *= 1 - opacity(film, rng)
    vessels = np.minimum(_vessels(film, rng), 2) * np.clip(air / 4, 0, 1)
    lungs = _INFLATED * air * (1 + 0.03 * film.clouds(0.5, rng)) - vessels
    soft = _trunk(film, build, rng) - lungs - _hollows(film, build)
    bone = _ribs(film, build, rng) + _girdle(film, build) + 0.4 * _spine(film)
    body = film.warp(_SOFT * soft + _BONE * bone, 0.12, rng)
    return _develop(film, body, rng, build.contrast)


def consolidation(film: Film, rng: np.random.Generator) -> Plane:
    """A dense lower zone of the right lung, (H, W) in [0, 1]."""
    edge = 0.17 * film.clouds(1.8, rng) + 0.05 * film.clouds(0.6, rng)
    radius = np.hypot((film.x + 8) / 4.4, (film.y - 20) / 4.6) + edge
    return np.asarray(0.72 * expit((1 - radius) / 0.16) * (1 + 0.08 * film.clouds(0.8, rng)))


def patches(film: Film, rng: np.random.Generator) -> Plane:
    """Peripheral ground-glass opacities in both lungs, (H, W) in [0, 1]."""
    glass = np.zeros((film.height, film.width))
    for side in _SIDES:
        for y in np.array([12, 16, 19.5, 23]) + rng.normal(0, 0.7, 4):
            x = side * (_lung_width(y) - rng.uniform(1.6, 3.4))
            width, height = rng.uniform(1.4, 2.4, 2)
            radius = np.hypot((film.x - x) / width, (film.y - y) / height)
            glass += rng.uniform(0.6, 1) * np.exp(-(radius**2) * (1 + 0.25 * film.clouds(1.2, rng)))
    return np.asarray(0.66 * np.tanh(glass * (1 + 0.1 * film.clouds(0.6, rng))))


def hand(film: Film, rng: np.random.Generator) -> Image.Image:
    """A hand, mode L, on an image of about 20 cm: an X-ray, but not of a chest."""
    flesh = [pile(film, anatomy.PALM, 3)]
    bones = [bone.strewn(hollow=0.6) for bone in anatomy.FOREARM]
    for wrist, tip, joints in anatomy.HAND:
        way = np.subtract(tip, wrist)
        flesh.append(film.chords(tube(wrist + np.outer((0.4, 1.04), way), _FINGER)))
        for start, end in pairwise(joints):
            course = wrist + np.outer((start, end - 0.01), way)  # cartilage is not visible
            bones.append(tube(course, _PHALANX, hollow=0.7))
    carpals = [ellipsoid(film, centre, (0.72, 0.6, 0.45)) for centre in anatomy.CARPALS]
    bone = film.chords(np.concatenate(bones)) + 0.7 * np.max(carpals, axis=0)
    soft = film.blur(np.max(flesh, axis=0), 0.12)
    return _develop(film, film.warp(_HAND_SOFT * soft + _HAND_BONE * bone, 0.06, rng), rng, 1.0)


def examples() -> dict[str, Image.Image]:
    """The page's example images by file name; the filter rejects the last two."""
    clear, opacity, glass, other = (np.random.default_rng(seed) for seed in range(4))
    return {
        "clear.jpg": (upright := chest(FILM, clear)),
        "opacity.jpg": chest(FILM, opacity, consolidation),
        "patches.jpg": chest(FILM, glass, patches),
        "turned.jpg": upright.transpose(Image.Transpose.ROTATE_270),  # clockwise by 90 degrees
        "hand.jpg": hand(replace(FILM, span=21), other),
    }


def _trunk(film: Film, build: Build, rng: np.random.Generator) -> Plane:
    """Soft tissue of trunk, neck and arms, without lungs."""
    solids = [build.girth * pile(film, _sized(anatomy.TRUNK, 1, build))]
    solids += [pile(film, _sized(anatomy.ARM, side, build), 2) for side in _SIDES]
    uneven = 0.02 * film.clouds(3, rng) + 0.008 * film.clouds(0.8, rng)
    return film.blur(np.max(solids, axis=0), 0.25) * (1 + uneven)


def _lungs(film: Film, build: Build, rng: np.random.Generator) -> Plane:
    """Lungs above the domes of the diaphragm, and a little in front of and behind them."""
    air = np.zeros((film.height, film.width))
    for side in _SIDES:
        lung = pile(film, _sized(anatomy.LUNG, side, build))
        aside = side * film.x / build.breadth - 6  # height of the dome's top
        dome = 25.8 + build.breath + 0.5 * side + aside**2 * np.where(aside > 0, 0.095, 0.05)
        below = film.y - dome - 0.12 * film.clouds(4, rng)
        recess = 0.2 * np.exp(-np.clip(below, 0, None) / 1.5) * expit(below / 0.08)
        air += lung * (expit(-below / 0.08) + recess)
    return air


def _heart(film: Film, build: Build) -> Plane:
    """Mediastinum: heart, great vessels and the rest between the lungs."""
    size, low = build.heart, build.breath
    parts = (
        ellipsoid(film, (2.9 * size, 22 + low), (6.1 * size, 4.3 * size, 4.6), 36),  # ventricles
        ellipsoid(film, (-size, 21.4 + low), (3.3 * size, 4.9 * size, 4.2), -8),  # right atrium
        ellipsoid(film, (1, 24.6 + low), (4.6 * size, 3.2, 4)),  # resting on the diaphragm
        ellipsoid(film, (1.7, 16.9), (2.9, 3.2, 3.2), 30),  # pulmonary trunk
        ellipsoid(film, (1.35, 12.2), (2.4, 1.8, 3.2), 20),  # arch of the aorta
        ellipsoid(film, (-0.9, 13.5), (2.2, 6, 2.6), 4),  # superior vena cava
        ellipsoid(film, (0, 7), (2.4, 7, 2.5)),  # neck
    )
    return np.asarray(np.max(parts, axis=0))


def _hollows(film: Film, build: Build) -> Plane:
    """Tissue missing in airways and stomach, less the blood of the aorta."""
    airways = np.concatenate([pipe.strewn() for pipe in anatomy.AIRWAYS])
    stomach = ellipsoid(film, (5.5, 29.8 + build.breath), (2.6, 1.5, 2.5), -12)
    return 0.9 * film.chords(airways) + 0.5 * stomach - 0.4 * film.chords(anatomy.AORTA.strewn())


def _vessels(film: Film, rng: np.random.Generator) -> Plane:
    twigs: list[Points] = []
    for side, (angle, radius) in product(_SIDES, anatomy.VESSELS):
        steep = np.radians(angle + rng.normal(0, 6))
        away = unit(np.array([side * np.cos(steep), np.sin(steep), rng.normal(0, 0.4)]))
        hilum = np.array([3.1 * side, 15.8 - 0.4 * side, 0]) + rng.normal(0, 0.6, 3)
        twigs += tree(hilum, away, rng.uniform(2.4, 3.4), radius, rng)
    return film.chords(np.concatenate(twigs))


def _ribs(film: Film, build: Build, rng: np.random.Generator) -> Plane:
    """Twelve pairs of ribs, from the spine out, down and around the lungs, steeper lower down."""
    ribs = []
    for side, (number, (end, drop)) in product(_SIDES, enumerate(anatomy.RIBS.T)):
        turn = np.linspace(9, end, 9)  # degrees from the spine
        top = 4.4 + 2.2 * number + rng.normal(0, 0.06)
        arch = 0.5 * np.sin(np.pi * np.clip(turn / 54, 0, 1))
        width = _lung_width(top + 0.31 * drop) + 0.25 + rng.normal(0, 0.08)
        x = side * build.breadth * width * np.sin(np.radians(turn)) ** 0.85
        y = top + 1.25 * drop * (turn / 180) ** 2 - arch
        z = -(4 + 0.8 * min(number, 5)) * np.cos(np.radians(turn))
        ribs.append(tube(np.column_stack([x, y, z]), _RIB, flat=0.5, hollow=0.6))
    return film.chords(np.concatenate(ribs))


def _girdle(film: Film, build: Build) -> Plane:
    """Clavicles, scapulae and arms."""
    pairs = product(anatomy.GIRDLE, (-build.breadth, build.breadth))
    bones = [bone.strewn(side, hollow=0.5) for bone, side in pairs]
    return film.chords(np.concatenate(bones))


def _spine(film: Film) -> Plane:
    """Vertebrae with discs between them, and their pedicles, spinous and transverse processes."""
    boxes = np.full((film.height, film.width), np.inf)  # 1 on the end plates of a vertebral body
    processes, strewn = np.zeros_like(boxes), []
    for number in range(-1, 17):
        height, width = 1.75 + 0.05 * number, 1.25 + 0.05 * number
        y = 1.2 + 1.75 * number + 0.025 * number**2
        down = np.abs((film.y - y) / (0.46 * height))
        boxes = np.minimum(boxes, np.abs(film.x / width) ** 5 + down**6)
        processes += 1.5 * ellipsoid(film, (0.04, y + 0.55 * height), (0.26, 0.4 * height, 0.6))
        for side in _SIDES:
            processes += 0.9 * ellipsoid(film, (0.68 * side * width, y - 0.2), (0.32, 0.46, 0.8))
            ends = [(0.6 * side * width, y - 0.2, -3), (side * (width + 1.4), y - 0.5, -4)]
            strewn.append(tube(np.array(ends), (0.4, 0.32)))
    bodies = np.clip(1 - boxes, 0, 1) ** 0.4
    bodies += 1.1 * np.clip(bodies - film.blur(bodies, 0.15), 0, None)  # denser at the edge
    return np.asarray(2.2 * bodies + processes + 1.2 * film.chords(np.concatenate(strewn)))


def _develop(film: Film, body: Plane, rng: np.random.Generator, contrast: float) -> Image.Image:
    """Renders the image behind a body with attenuation exponents (H, W); marked as synthetic."""
    light = np.exp(-body)
    light += _SCATTERED * (film.blur(light, _SCATTER_CM) - light) + 0.004
    photons = _PHOTONS * film.pixel**2
    density = -np.log(film.blur(rng.poisson(photons * light) / photons, 0.05) + 1e-4)
    # Detectors compress large dense areas, so that the spine leaves grey levels for the lungs.
    evened = density - 0.35 * (film.blur(density, 3) - 2.2) * np.clip(density, 0, 1)
    rising = contrast * np.clip((evened - _BLACK) / _RANGE, 0, None)
    grey = 263 * rising / np.cbrt(1 + rising**3) + 8 * np.clip(density / 0.6, 0, 1)
    image = Image.fromarray(np.clip(grey, 0, 255).round().astype(np.uint8))
    margin, font = film.height // 64, ImageFont.load_default(film.height // 36)
    ImageDraw.Draw(image).text((margin, margin), "SYNTHETIC", fill=200, font=font)
    return image


def _sized(sections: Plane, side: int, build: Build) -> Plane:
    breadth = side * build.breadth
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
