"""Which software wrote a tape."""

from importlib.metadata import PackageNotFoundError, version


def software_version() -> str:
    """Return the installed version of booktape, `0` where it runs uninstalled."""
    try:
        return version("booktape")
    except PackageNotFoundError:
        return "0"


SOFTWARE = f"booktape {software_version()}"
