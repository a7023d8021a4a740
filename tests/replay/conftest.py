"""One browser for all tests of pages: starting it takes a second."""

from collections.abc import Iterator

import pytest

from tests.support.browser import Page, browser, chromium


@pytest.fixture
def page(any_page: Page) -> Iterator[Page]:
    """Return the page, and leave what a test shows there: it would draw on and on to the end of the run."""
    yield any_page
    any_page.leave()


@pytest.fixture(scope="session")
def any_page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """Return a page of a browser without a network but this machine."""
    program = chromium()
    if program is None:
        pytest.skip("no Chromium is here: install one, or name it in BOOKTAPE_CHROMIUM")
    with browser(program, tmp_path_factory.mktemp("chromium")) as page:
        yield page
