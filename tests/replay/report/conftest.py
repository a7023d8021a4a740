"""One browser for all tests of reports: starting it takes a second."""

from collections.abc import Iterator

import pytest

from tests.support.browser import Page, browser, chromium


@pytest.fixture(scope="package")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """Return a page of a browser without a network."""
    program = chromium()
    if program is None:
        pytest.skip("no Chromium is here: install one, or name it in BOOKTAPE_CHROMIUM")
    with browser(program, tmp_path_factory.mktemp("chromium")) as page:
        yield page
