"""Which software wrote a tape."""


def software_version() -> str:
    """Return the installed version of booktape, `0` where it runs uninstalled."""
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415  a fifth of what `--help` takes

    try:
        return version("booktape")
    except PackageNotFoundError:
        return "0"


def software() -> str:
    """Return what a tape says of its writer."""
    return f"booktape {software_version()}"
