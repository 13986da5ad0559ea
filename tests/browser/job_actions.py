"""A visitor's actions on jobs, and what is visible of them."""

import shutil
import zipfile
from pathlib import Path

from playwright.sync_api import Locator, Page, Request, expect

from tests.browser import page_actions
from tests.browser.page_actions import CLEAR, ENGLISH, HAND, OPACITY, PATCHES

NAMES = ["clear 1.jpg", "hand 2.jpg", "notes.txt", "opacity 3.jpg", "patches 10.jpg"]
"""Of the files in a folder, in the order in which they are sent."""


def folder_of_films(place: Path) -> Path:
    """A folder of films, of what is none, and of files that are left out."""
    folder = place / "ward"
    (folder / "deep").mkdir(parents=True)
    for source, name in zip((CLEAR, HAND, OPACITY, PATCHES), NAMES[:2] + NAMES[3:], strict=True):
        shutil.copy(source, folder / name)
    (folder / "notes.txt").write_text("no film")
    (folder / "Thumbs.db").write_text("no film, and not sent")
    return folder


def zip_of_films(place: Path) -> Path:
    """A zip file of the same folder."""
    folder, path = folder_of_films(place), place / "night.zip"
    with zipfile.ZipFile(path, "w") as bundle:
        for name in [*NAMES, "Thumbs.db"]:
            bundle.write(folder / name, f"ward/{name}")
    return path


def choose_folder(page: Page, folder: Path) -> None:
    page.set_input_files("[id='jobs.pickFolder']", folder)


def choose_zip(page: Page, *files: Path) -> None:
    page.set_input_files("[id='jobs.pickZip']", files)


def answer(page: Page, key: str) -> None:
    """Answers the question whether films are to be sent as a job."""
    dialog = page.get_by_role("dialog", name=ENGLISH["jobs.offer.title"])
    dialog.get_by_role("button", name=ENGLISH[key], exact=True).click()
    expect(dialog).to_have_count(0)


def send_folder(page: Page, folder: Path) -> Locator:
    """Sends a folder as a job, and returns its card."""
    choose_folder(page, folder)
    answer(page, "jobs.offer.send")
    return jobs(page)


def send_zip(page: Page, file: Path) -> Locator:
    choose_zip(page, file)
    answer(page, "jobs.offer.send")
    return jobs(page)


def jobs(page: Page) -> Locator:
    return page.locator(".job")


def rows(page: Page) -> Locator:
    return page.locator(".films tbody tr")


def state(key: str, done: int, total: int | str) -> str:
    """How far a job is."""
    return ENGLISH[f"jobs.state.{key}"].format(done=done, total=total)


def expect_finished(page: Page, total: int) -> None:
    expect(page.locator(".job-state")).to_have_text(state("finished", total, total))


def confirm(page: Page, action: str, choice: str) -> None:
    """Asks for the end of a job, and answers the question."""
    page_actions.press_button(page, ENGLISH[f"jobs.{action}"])
    dialog = page.get_by_role("dialog", name=ENGLISH[f"jobs.{action}.question"])
    dialog.get_by_role("button", name=ENGLISH[f"jobs.{action}.{choice}"], exact=True).click()
    expect(dialog).to_be_hidden()


def posts_of_jobs(page: Page) -> list[Request]:
    """Jobs that the page sends from now on."""
    sent: list[Request] = []
    page.on("request", lambda each: sent.append(each) if is_post(each) else None)
    return sent


def is_post(request: Request) -> bool:
    return request.method == "POST" and "/v1/jobs?" in request.url
