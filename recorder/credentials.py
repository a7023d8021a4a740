"""The key of an Exchange account, for the channels that need one: from the environment, and no further.

No secret is written, logged or shown: the class has no text form, and what the tape holds of a subscribe
message is the message before it was signed.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, NoReturn

from recorder.feeds import Endpoint, FeedError

_NAMES: Final = ("COINBASE_API_KEY", "COINBASE_API_SECRET", "COINBASE_API_PASSPHRASE")
_SIGNED_REQUEST: Final = "GET/users/self/verify"

AUTHENTICATED_CHANNELS: Final = frozenset({"level2", "level3", "full"})
"""Channels of the Exchange feed that want a key since 2023-08-01."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """An API key; the secret is held decoded."""

    key: str = field(repr=False)
    secret: bytes = field(repr=False)
    passphrase: str = field(repr=False)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Credentials":
        """Read the key from COINBASE_API_KEY, COINBASE_API_SECRET and COINBASE_API_PASSPHRASE.

        Raises:
            FeedError: naming the variable that is missing, or saying that the secret is not base64.
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
        """Refuse to be pickled: a secret must not travel, not even to a process of ours."""
        raise TypeError("credentials are not pickled")

    def sign(self, message: str, time_s: float) -> str:
        """Return a subscribe message with the key's fields.

        Args:
            message: a JSON object.
            time_s: seconds since 1970; the exchange takes it within 30 s of its own clock.
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


def credentials_for(endpoint: Endpoint, environment: Mapping[str, str]) -> Credentials | None:
    """Return the key where the endpoint's channel needs one; None where it is public.

    Raises:
        FeedError: where a key is needed and the environment has none.
    """
    if endpoint.feed == "exchange" and endpoint.channel in AUTHENTICATED_CHANNELS:
        return Credentials.from_environment(environment)
    return None
