"""Objects of a store, by obstore: one client a bucket, and one line for everything that a store answers.

What an error of obstore says is never passed on: it has the whole answer of the store, and the URL that was
asked for, in which Azure has the key. obstore retries what can be retried, as `_RETRIES` says.
"""

import os
import re
from collections.abc import Callable
from datetime import timedelta
from errno import ENOENT
from functools import cache
from os import strerror
from typing import TYPE_CHECKING, Any, Final, TypeVar

from recorder.tape.errors import StoreError
from recorder.tape.store.paths import RemotePath

T = TypeVar("T")

if TYPE_CHECKING:
    from obstore.store import ObjectStore

RETRIES: Final[dict[str, Any]] = {
    "max_retries": 8,
    "retry_timeout": timedelta(seconds=60),
    "backoff": {"init_backoff": timedelta(milliseconds=100), "max_backoff": timedelta(seconds=5), "base": 2},
}
"""How often a request is repeated that failed or was answered with 5xx: for half a minute, about."""

_CLIENT: Final[dict[str, Any]] = {
    "connect_timeout": timedelta(seconds=5),
    "read_timeout": timedelta(seconds=15),  # without a byte: a store that stalls, not one that is slow
    "timeout": timedelta(seconds=120),
}
_FROM_ENVIRONMENT: Final = (
    *(
        "allow_http",
        "allow_invalid_certificates",
        "connect_timeout",
        "proxy_ca_certificate",
        "proxy_excludes",
    ),
    *("proxy_url", "read_timeout", "timeout"),
)
"""Settings of a client that the environment can have, such as AWS_ALLOW_HTTP: ours would hide them."""
_PREFIXES: Final = {"s3": "AWS_", "gs": "GOOGLE_", "az": "AZURE_"}

_STATUS: Final = re.compile(r"status code: (\d{3})")
_CODE: Final = re.compile(r"<Code>([A-Za-z]{1,60})</Code>")
_RETRIED: Final = re.compile(r"after (\d{1,3}) retries")
_UNUSABLE: Final = "the store gave no usable answer"
_REPEATS: Final = 4  # of a question whose answer breaks off: obstore repeats those that fail at once
_CREDENTIALS: Final = "check the credentials in the environment"


@cache
def client(bucket: str) -> "ObjectStore":
    """Return the client of a bucket; its settings and credentials are those of the environment."""
    try:
        from obstore.store import AzureStore, GCSStore, S3Store  # noqa: PLC0415  an optional extra
    except ImportError:
        raise StoreError(f"{bucket}: stores need obstore, pip install 'booktape[s3]'") from None
    scheme, name = bucket.split("://")
    known = {key: os.environ.get(f"{_PREFIXES[scheme]}{key.upper()}") for key in _FROM_ENVIRONMENT}
    chosen = {key: value for key, value in known.items() if value}
    attempts = os.environ.get(f"{_PREFIXES[scheme]}MAX_ATTEMPTS")
    retries = {**RETRIES, "max_retries": int(attempts) - 1} if attempts else RETRIES
    options: dict[str, Any] = {"client_options": {**_CLIENT, **chosen}, "retry_config": retries}
    if scheme == "s3":
        return S3Store(name, **options)
    return GCSStore(name, **options) if scheme == "gs" else AzureStore(name, **options)


def ask(path: RemotePath, question: Callable[[Any, "ObjectStore"], T]) -> T:
    """Return what a store answers about a path; an answer that ends in the middle is asked for again.

    Args:
        path: the object or prefix, to be named in errors.
        question: called with the module obstore and the client of the path's bucket; it may be repeated.

    Raises:
        FileNotFoundError: if there is no such object.
        StoreError: if the store cannot be reached, refuses the request, or answers in no way that we know.
        AlreadyExistsError, PreconditionError: of obstore, if the condition of a put is not met.
    """
    try:
        found = client(path.bucket)
    except StoreError:
        raise
    except Exception:  # noqa: BLE001  a setting in the environment that obstore cannot use
        reason = "the settings of the store in the environment cannot be used"
        raise StoreError(f"{path.bucket}: {reason}", path) from None
    import obstore  # noqa: PLC0415  an optional extra, there by now
    from obstore.exceptions import AlreadyExistsError, BaseError, PreconditionError  # noqa: PLC0415

    for left in reversed(range(_REPEATS)):
        try:
            return question(obstore, found)
        except (AlreadyExistsError, PreconditionError):
            raise
        except (BaseError, OSError, ValueError) as error:
            text = str(error)
            if isinstance(error, FileNotFoundError) and "<Code>NoSuchBucket</Code>" not in text:
                raise FileNotFoundError(ENOENT, strerror(ENOENT), str(path)) from None
            reason = _reason(text)
            if reason != _UNUSABLE or not left:
                raise StoreError(f"{path}: {reason}", path) from None
    raise AssertionError


def _reason(text: str) -> str:
    """Return what is wrong by what a store or its client said; only numbers and names of codes are quoted."""
    status, code, retried = (
        found[1] if (found := pattern.search(text)) else "" for pattern in (_STATUS, _CODE, _RETRIED)
    )
    answer = " ".join(part for part in (status, code) if part)
    after = f" after {retried} retries" if retried else ""
    if code == "NoSuchBucket":
        return "there is no such bucket"
    if status in {"401", "403"} or code in {"ExpiredToken", "InvalidToken"}:
        return f"the store refuses access ({answer}): {_CREDENTIALS}"
    if status:
        return f"the store answered {answer}{after}"
    told = {
        "BadScheme": "the endpoint is not https: set AWS_ALLOW_HTTP=true if that is meant",
        "imed out": f"the store does not answer in time{after}",
        "TimedOut": f"the store does not answer in time{after}",
        "error sending request": f"the store cannot be reached{after}: check its address and the network",
        "redential": f"no credentials were found: {_CREDENTIALS}",
    }
    return next((reason for words, reason in told.items() if words in text), _UNUSABLE)
