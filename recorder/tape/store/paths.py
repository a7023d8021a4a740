"""Where a tape may be: a directory, or a prefix in the bucket of an object store, written as a URL."""

import re
from pathlib import Path, PosixPath
from typing import Final
from urllib.parse import unquote

SCHEMES: Final = ("s3", "gs", "az")
"""S3 and what speaks it (R2, MinIO, SeaweedFS), Google Cloud Storage, Azure Blob Storage."""

_URL: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(.*)", re.DOTALL)
_BUCKET: Final = re.compile(r"[a-z0-9][a-z0-9._-]{1,62}")


class RemotePath(PosixPath):
    """The URL of an object or of a prefix, such as `s3://bucket/tape`, that can be taken apart like a path.

    Only `recorder.tape.store` reaches what is there: to the operating system it is no path.

    >>> path = RemotePath("s3://bucket/tape") / "_tape.json"
    >>> str(path), path.bucket, path.key, str(path.parent)
    ('s3://bucket/tape/_tape.json', 's3://bucket', 'tape/_tape.json', 's3://bucket/tape')
    """

    __slots__ = ()

    def __str__(self) -> str:
        """Return the URL; a path has one slash where it has two."""
        scheme, _, rest = super().__str__().partition(":/")
        return f"{scheme}://{rest}"

    def __fspath__(self) -> str:
        return str(self)

    @property
    def bucket(self) -> str:
        """The URL of the bucket, or of the container."""
        scheme, bucket = self.parts[:2]
        return f"{scheme}//{bucket}"

    @property
    def key(self) -> str:
        """What comes after the bucket, without a slash at its beginning or end."""
        return "/".join(self.parts[2:])


def noted_path(text: str) -> Path:
    """Return the path in a text that booktape has written, such as that of the tape of a RUN."""
    try:
        return path_of(text)
    except ValueError:
        return Path(text)


def path_of(text: str) -> Path:
    """Return the path that a text names: a URL of `SCHEMES` or of `file`, or a path.

    Raises:
        ValueError: if it is a URL that names no place; the message never quotes what may be a password.

    >>> path_of("file:///data/tape"), path_of("tape"), type(path_of("gs://bucket/tape")).__name__
    (PosixPath('/data/tape'), PosixPath('tape'), 'RemotePath')
    """
    match = _URL.fullmatch(text)
    if match is None:
        return Path(text)
    scheme, rest = match.groups()
    if scheme not in {*SCHEMES, "file"}:
        raise ValueError("write a path, or a URL that begins with s3://, gs://, az:// or file://")
    if scheme == "file":
        host, slash, path = rest.partition("/")
        if host not in ("", "localhost") or not slash:
            raise ValueError("write file:///absolute/path")
        return Path(f"/{unquote(path)}")
    bucket, _, key = rest.partition("/")
    if "@" in bucket:
        raise ValueError("credentials are read from the environment: leave them out of the URL")
    if _BUCKET.fullmatch(bucket) is None or {"?", "#"} & set(rest) or {".", ".."} & set(key.split("/")):
        raise ValueError(f"write {scheme}://bucket/tape")
    return RemotePath(text)
