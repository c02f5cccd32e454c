"""Every pair of colour tokens for text has a contrast of 4.5:1, every field border 3:1, light and dark."""

import re
from pathlib import Path

import pytest
from django.conf import settings

TOKENS = (Path(settings.BASE_DIR) / "static" / "css" / "tokens.css").read_text()
COLOURS = {
    name: {"light": light, "dark": dark}
    for name, light, dark in re.findall(r"--([a-z-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\)", TOKENS)
}
SURFACES = ("ground", "panel", "sunk")
TINTS = ("accent-tint", "confirmed-tint", "look-tint", "broken-tint")
PAIRS = [
    *((text, ground) for text in ("ink", "second", "third") for ground in SURFACES),
    *((text, ground) for text in ("accent", "confirmed", "look", "broken") for ground in SURFACES),
    *((text, tint) for text in ("ink", "second") for tint in TINTS),
    *((tint.removesuffix("-tint"), tint) for tint in TINTS),
    ("third", "accent-tint"),
    ("confirmed", "accent-tint"),
    ("on-accent", "accent"),
    ("ground", "ink"),
]


def luminance(colour: str) -> float:
    shares = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    red, green, blue = (share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(first: str, second: str, scheme: str) -> float:
    dark, light = sorted(luminance(COLOURS[name][scheme]) for name in (first, second))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("text", "ground"), PAIRS)
def test_it_has_readable_text(text: str, ground: str, scheme: str) -> None:
    assert contrast(text, ground, scheme) >= 4.5


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("ground", SURFACES)
@pytest.mark.parametrize("edge", ["edge", "accent"])
def test_it_has_visible_field_borders(edge: str, ground: str, scheme: str) -> None:
    assert contrast(edge, ground, scheme) >= 3
