"""Contrast as WCAG defines it, of the shipped colours and of a portal's."""

import pytest

from bentos.portal import colours, contrast
from bentos.portal.declaration import Colours, Schemes


@pytest.mark.parametrize(
    ("first", "second", "ratio"),
    [
        ("#000000", "#ffffff", 21),
        ("#ffffff", "#FFFFFF", 1),
        ("#767676", "#ffffff", 4.54),
        ("#777777", "#ffffff", 4.48),
        ("#ff0000", "#0000ff", 2.15),
    ],
)
def test_ratio_is_that_of_wcag(first: str, second: str, ratio: float) -> None:
    assert contrast.ratio(first, second) == pytest.approx(ratio, abs=0.005)
    assert contrast.ratio(second, first) == contrast.ratio(first, second)


def test_shipped_colours_can_be_read() -> None:
    assert list(colours.faults(Schemes())) == []
    assert colours.style_sheet(Schemes()) == ""


@pytest.mark.parametrize("name", Colours.model_fields)
def test_every_colour_that_a_portal_may_set_is_one_of_the_page(name: str) -> None:
    made = colours.style_sheet(Schemes(dark=Colours(**{name: "#123456"})))

    assert f"--{name.replace('_', '-')}: var(--light, #" in made
    assert "var(--dark, #123456);" in made


def test_colour_is_judged_with_the_shipped_ones_around_it() -> None:
    (fault,) = colours.faults(Schemes(light=Colours(on_accent="#0b5f94")))

    assert fault.startswith("colours.light.on_accent: on_accent #0b5f94 on accent #0b5f94")
    assert "1.00:1; 4.5:1 is the least" in fault
    assert fault.endswith("make on_accent lighter or accent darker")


def test_text_that_is_too_pale_is_named_on_everything_behind_it() -> None:
    faults = list(colours.faults(Schemes(light=Colours(muted="#999999"))))

    assert [each.split(" on ")[1].split()[0] for each in faults] == ["page", "surface", "sunken"]
    assert all(each.endswith("lighter") and "make muted darker" in each for each in faults)


def test_bars_are_seen_on_the_colours_of_a_portal() -> None:
    dark = Colours(sunken="#7a6200", text="#ffffff", muted="#ffffff")

    faults = list(colours.faults(Schemes(dark=dark)))

    assert len(faults) == 3
    assert faults[1].startswith("colours.dark.sunken: lung_opacity #e69f00 on sunken #7a6200 has")
    assert faults[1].endswith("3:1 is the least (WCAG 2.2); make sunken darker")
