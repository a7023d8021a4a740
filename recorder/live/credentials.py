"""The API key of an Exchange account, for the channels that need one, read from the environment.

No secret is written, logged or shown: the repr of `Credentials` is empty, the tape holds the subscribe
message as it was before it was signed, and a frame that repeats a secret is kept without it.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NoReturn

from recorder.live.endpoint import Endpoint, FeedError
from recorder.live.redaction import Redaction

_NAMES: Final = ("COINBASE_API_KEY", "COINBASE_API_SECRET", "COINBASE_API_PASSPHRASE")
_SIGNED_REQUEST: Final = "GET/users/self/verify"


@dataclass(frozen=True, slots=True)
class Credentials:
    """An API key; the secret is decoded."""

    key: str = field(repr=False)
    secret: bytes = field(repr=False)
    passphrase: str = field(repr=False)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Credentials":
        """Read the key from COINBASE_API_KEY, COINBASE_API_SECRET and COINBASE_API_PASSPHRASE.

        Raises:
            FeedError: if a variable is missing, which it names, or the secret is not base64.
        """
        missing = [name for name in _NAMES if not environment.get(name)]
        if missing:
            raise FeedError(f"this channel needs an API key: {', '.join(missing)} not set in the environment")
        key, secret, passphrase = (environment[name] for name in _NAMES)
        try:
            return cls(key, base64.b64decode(secret, validate=True), passphrase)
        except ValueError:  # not base64, or not even ASCII
            raise FeedError("COINBASE_API_SECRET is not base64") from None

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled: the secret must not leave this process."""
        raise TypeError("credentials are not pickled")

    def sign(self, message: str, time_s: float) -> str:
        """Return a subscribe message with the fields that authenticate it.

        Args:
            message: a JSON object.
            time_s: seconds since the epoch; the exchange accepts it within 30 s of its own clock.
        """
        timestamp = f"{time_s:.3f}"
        signature = hmac.digest(self.secret, (timestamp + _SIGNED_REQUEST).encode(), hashlib.sha256)
        signed = json.loads(message) | {
            "signature": base64.b64encode(signature).decode(),
            "key": self.key,
            "passphrase": self.passphrase,
            "timestamp": timestamp,
        }
        return json.dumps(signed, separators=(",", ":"))

    def redaction(self, signed: Sequence[str]) -> Redaction:
        """Return what replaces the key, and the signatures of sent messages, in what is received."""
        signatures = (json.loads(message)["signature"] for message in signed)
        return Redaction([self.key, self.passphrase, base64.b64encode(self.secret).decode(), *signatures])


def credentials_for(endpoint: Endpoint, environment: Mapping[str, str]) -> Credentials | None:
    """Return the API key if the endpoint's channel needs one; None if it is public.

    Raises:
        FeedError: if a key is needed and the environment does not have a valid one.
    """
    if endpoint.channel in endpoint.venue.keyed_channels:
        return Credentials.from_environment(environment)
    return None
