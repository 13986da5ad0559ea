"""A portal's folder is read whole or not at all; each fault names file, key and remedy."""

import json
from pathlib import Path

import pytest

from bentos.page import theme
from bentos.portal import folder
from bentos.portal.errors import PortalError
from bentos.settings import WEB
from tests import portal

NAMED = 'name = "Portal"\n'


def faults(place: Path) -> list[str]:
    with pytest.raises(PortalError) as error:
        folder.read(str(place))
    return list(error.value.faults)


def test_no_folder_is_no_portal() -> None:
    assert folder.read("") is None
    assert theme.changed_files(None) == {}


def test_example_is_read_whole() -> None:
    read = folder.read(str(portal.EXAMPLE))

    assert read
    declared = read.declaration
    assert (declared.name, declared.language) == (portal.NAME, "pt")
    assert declared.contact and declared.controller and declared.data_protection_officer
    assert set(read.pictures) == {"logo.svg", "icon.svg", "card.png"}
    assert set(read.texts) == {"es", "pt"}
    assert {page for page, _ in read.statements} == {"privacy", "terms"}
    assert len(read.statements) == 6


def test_missing_folder_and_declaration_are_named(tmp_path: Path) -> None:
    (there_is_none,) = faults(tmp_path / "nowhere")
    (empty,) = faults(tmp_path)

    assert there_is_none == f"{tmp_path}/nowhere: there is no such folder; make it, or set another"
    assert empty.startswith(f"{tmp_path}/portal.toml: there is no such file; docs/portal.md")


@pytest.mark.parametrize(
    ("declaration", "said"),
    [
        ("", "name: is missing; add it"),
        ('name = ""\n', "name: write one line of 1 to 200 characters"),
        ('name = "a\\nb"\n', "name: write one line"),
        ("name = 3\n", "name: input should be a valid string; see docs/portal.md"),
        ("name = ", "is no TOML: "),
        (NAMED + 'nmae = "x"\n', "nmae: there is no such key; did you mean name?"),
        (NAMED + 'zzz = "x"\n', "zzz: there is no such key; keys are name, language"),
        (NAMED + 'language = "fr"\n', "language: input should be 'en', 'es' or 'pt'"),
        (NAMED + "[contact]\nemail = 'a@b.example'\n", "contact.name: is missing; add it"),
        (
            NAMED + "[contact]\nname = 'x'\nemail = 'javascript:alert(1)'\n",
            "contact.email: is 'javascript:alert(1)'; write an address such as help@",
        ),
        (
            NAMED + "[contact]\nname = 'x'\nurl = 'javascript:alert(1)'\n",
            "contact.url: is 'javascript:alert(1)'; write an address such as https://",
        ),
        (
            NAMED + "[colours.light]\naccent = 'red'\n",
            "colours.light.accent: is 'red'; write a colour as \"#1a2b3c\"",
        ),
        (
            NAMED + "[colours.dark]\nacent = '#112233'\n",
            "colours.dark.acent: there is no such key; did you mean accent?",
        ),
        (
            NAMED + "[colours.dark]\ntext = '#101010'\n",
            "colours.dark.text: text #101010 on page #0e151b has a contrast of 1.",
        ),
        (NAMED + 'logo = "../secret.png"\n', "logo: is '../secret.png'; name a .svg or .png file"),
        (NAMED + 'logo = "logo.gif"\n', "logo: is 'logo.gif'; name a .svg or .png file"),
        (
            NAMED + 'logo = "logo.svg"\n',
            "logo: logo.svg cannot be read (No such file or directory); put it into this folder",
        ),
    ],
)
def test_fault_of_the_declaration_names_file_key_and_remedy(
    tmp_path: Path, declaration: str, said: str
) -> None:
    place = portal.write(tmp_path, declaration)

    found = faults(place)

    assert found[0].startswith(f"{place}/portal.toml: {said}")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "is no JSON: "),
        ("[]", "must be an object such as"),
        ('{"nav.tri": "x"}', "nav.tri: there is no such key; did you mean nav.try?"),
        ('{"nav.try": " "}', "nav.try: must be a text that is not empty"),
        ('{"nav.try": 3}', "nav.try: must be a text that is not empty"),
        ('{"nav.try": "{x}"}', "nav.try: has an unknown placeholder {x}; this text has none"),
        (
            '{"progress.sending": "{shar}"}',
            "progress.sending: has an unknown placeholder {shar}; this text has share",
        ),
        ('{"disclaimer.short": "x"}', "disclaimer.short: no portal changes this text; remove"),
        ('{"language.code": "x"}', "language.code: no portal changes this text; remove"),
    ],
)
def test_fault_of_a_dictionary_names_file_key_and_remedy(
    tmp_path: Path, text: str, said: str
) -> None:
    place = portal.write(tmp_path, locales_pt__json=text)

    assert faults(place)[0].startswith(f"{place}/locales/pt.json: {said}")


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("privacy__br__md", "did you mean privacy.en.md?"),
        ("locales_fr__json", "did you mean locales/"),
        ("README__md", "the names are privacy.en.md"),
    ],
)
def test_text_that_no_page_would_show_is_a_fault(tmp_path: Path, name: str, near: str) -> None:
    (found,) = faults(portal.write(tmp_path, **{name: "# Title"}))

    assert "no page shows a file of this name; " in found
    assert near.split(".")[0] in found


def test_picture_is_what_its_name_says(tmp_path: Path) -> None:
    declaration = NAMED + 'logo = "logo.png"\nicon = "icon.svg"\n'
    place = portal.write(tmp_path, declaration, logo__png="<svg/>", icon__svg="GIF89a")

    assert faults(place) == [
        f"{place}/portal.toml: logo: logo.png is no PNG; save it as one",
        f"{place}/portal.toml: icon: icon.svg is no SVG; save it as one",
    ]


def test_picture_is_not_larger_than_a_page_can_bear(tmp_path: Path) -> None:
    place = portal.write(tmp_path, NAMED + 'logo = "logo.svg"\n')
    (place / "logo.svg").write_bytes(b"<svg>" + bytes(2**20))

    (found,) = faults(place)
    assert found.endswith("has 1048581 bytes; 524288 is the most")


def test_statement_begins_with_its_title(tmp_path: Path) -> None:
    place = portal.write(tmp_path, privacy__pt__md="Sem título")

    (found,) = faults(place)
    assert found == (
        f'{place}/privacy.pt.md: does not begin with its title; write "# ..." on the first line'
    )


def test_every_fault_is_named_at_once(tmp_path: Path) -> None:
    place = portal.write(
        tmp_path,
        NAMED + "[colours.light]\ntext = '#eeeeee'\n",
        locales_es__json='{"x": "y"}',
        terms__en__md="no title",
    )

    found = "\n".join(faults(place))
    assert all(each in found for each in ("colours.light.text", "es.json: x", "terms.en.md"))


def test_folder_may_be_a_mounted_config_map(tmp_path: Path) -> None:
    """Its files are links into a hidden folder."""
    hidden = portal.copy(tmp_path).rename(tmp_path / "..data")
    place = tmp_path / "mounted"
    place.mkdir()
    (place / "..data").symlink_to(hidden)
    for each in hidden.iterdir():
        (place / each.name).symlink_to(Path("..data") / each.name)

    assert folder.read(str(place)) == folder.read(str(portal.EXAMPLE))


def test_dictionaries_have_what_changes_and_the_name() -> None:
    files = theme.changed_files(folder.read(str(portal.EXAMPLE)))
    texts = json.loads(files["locales/pt.json"])
    shipped = json.loads((WEB / "locales/pt.json").read_text())
    changed = json.loads((portal.EXAMPLE / "locales/pt.json").read_text())

    assert texts == shipped | changed | {
        key: shipped[key].replace("chestxray", portal.NAME)
        for key in ("page.title", "page.needsScript")
    }
    assert next(iter(files)) == "locales/pt.json"  # the language of those who speak none


def test_manifest_has_name_icon_and_colour_of_the_portal() -> None:
    manifest = json.loads(
        theme.changed_files(folder.read(str(portal.EXAMPLE)))["manifest.webmanifest"]
    )

    assert (manifest["name"], manifest["theme_color"]) == (portal.NAME, "#1351b4")
    assert manifest["icons"][0]["src"] == "portal/icon.svg"
    assert manifest["start_url"] == manifest["scope"] == "../../"
