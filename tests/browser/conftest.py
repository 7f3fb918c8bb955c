"""A real browser on a real server with committed rows. Debian's Chromium, no download.

pytest-django's `live_server` would flush the tables, which the append-only logs refuse; so the
server is started here, on the rows of `committed_db`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.conf import settings
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright
from pytest_django.live_server_helper import LiveServer

from kura.accounts.models import User
from tests.admin.conftest import Practice, logged_in, make_practice, plain_http

__all__ = ["plain_http"]

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = [
    "--no-sandbox", "--headless", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip


@pytest.fixture(autouse=True)
def orm_beside_playwright(monkeypatch: pytest.MonkeyPatch) -> None:
    """Playwright keeps an event loop in this thread; Django would refuse to query beside it."""
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")


@pytest.fixture(scope="module")
def chromium(django_db_setup: None) -> Iterator[Browser]:
    """Closed with its module: Playwright's event loop must not outlive it in this thread.

    The database comes first: beside that loop Django would not make one.
    """
    if not CHROMIUM.exists():
        pytest.skip("Chromium is not installed: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def server(committed_db: None, plain_http: None) -> Iterator[str]:
    live = LiveServer("127.0.0.1")
    yield live.url
    live.stop()


@pytest.fixture
def ours(server: str) -> Practice:
    return make_practice("Om")


OpenPage = Callable[..., Page]


@pytest.fixture
def open_page(chromium: Browser, server: str) -> Iterator[OpenPage]:
    """`open_page(user, width=390, color_scheme="dark")`: a page that is logged in."""
    contexts: list[BrowserContext] = []

    def open_one(user: User | None = None, *, width: int = 1320, **options: object) -> Page:
        context = chromium.new_context(
            base_url=server, viewport={"width": width, "height": 900}, **options
        )
        context.set_default_timeout(10_000)  # milliseconds
        contexts.append(context)
        page = context.new_page()
        if user is not None:
            context.add_cookies([session_of(user, server)])  # type: ignore[list-item]
            page.goto("/admin/")
        return page

    yield open_one
    for context in contexts:
        context.close()


def session_of(user: User, server: str) -> dict[str, str]:
    """As after a log-in; `test_logging_in_by_keyboard` goes through the page."""
    name = settings.SESSION_COOKIE_NAME
    return {"name": name, "value": logged_in(user).cookies[name].value, "url": server}


def tab_to(page: Page, selector: str) -> None:
    """Press Tab until the focus is there; a person has no other way."""
    for _ in range(80):
        page.keyboard.press("Tab")
        if page.locator(f"{selector}:focus").count():
            return
    pytest.fail(f"the keyboard does not reach {selector}")
