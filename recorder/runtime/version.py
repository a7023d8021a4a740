"""The version of the installed software."""


def software_version() -> str:
    """Return the installed version of booktape, `0` if it is not installed."""
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415  a fifth of what `--help` takes

    try:
        return version("booktape")
    except PackageNotFoundError:
        return "0"


def software() -> str:
    """Return the name and version of the software for a tape's manifest."""
    return f"booktape {software_version()}"
