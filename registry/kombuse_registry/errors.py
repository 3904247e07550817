"""What can be wrong with packages and with the places that they come from.

BadRequest
├── InvalidArchive        400  Invalid archive: <reason>
├── UnsafeArchiveEntry    400  Invalid archive: <reason>
└── InvalidPackage        400  plugin.json, manifest.json, agent files
TooLarge
└── ArchiveTooLarge       413  Archive too large: <what>
BadGateway
├── FeedError             502  Feed "<id>": <text>
│   └── KeyChanged        502  Feed "<id>": Registry key changed
└── IntegrityError        502  Integrity check failed: <text>
NotFound
└── VersionNotFound       404  Version <v> of "<name>" not found
"""

from collections.abc import Iterable
from typing import Any

from kombuse_sdk.errors import BadGateway, BadRequest, NotFound, TooLarge

__all__ = [
    "ArchiveTooLarge",
    "FeedError",
    "IntegrityError",
    "InvalidArchive",
    "InvalidPackage",
    "KeyChanged",
    "UnsafeArchiveEntry",
    "VersionNotFound",
]


class InvalidArchive(BadRequest):
    """Bytes that are no whole, undamaged .tar.gz."""

    code = "INVALID_ARCHIVE"

    def __init__(self, reason: str) -> None:
        super().__init__(f"Invalid archive: {reason}")
        self.reason = reason


class UnsafeArchiveEntry(BadRequest):
    """A well-formed entry that would be more than a plain file inside of the package's folder."""

    code = "UNSAFE_ARCHIVE_ENTRY"

    def __init__(self, reason: str) -> None:
        super().__init__(f"Invalid archive: {reason}")
        self.reason = reason


class ArchiveTooLarge(TooLarge):
    code = "ARCHIVE_TOO_LARGE"

    def __init__(self, what: str) -> None:
        super().__init__(f"Archive too large: {what}")
        self.what = what


class InvalidPackage(BadRequest):
    """`issues` are made by `kombuse_sdk.errors.issue`, where single fields are wrong."""

    def __init__(self, message: str, issues: Iterable[dict[str, Any]] = ()) -> None:
        super().__init__(message)
        self.issues = list(issues)


class FeedError(BadGateway):
    def __init__(self, feed_id: str, text: str) -> None:
        super().__init__(f'Feed "{feed_id}": {text}')
        self.feed_id = feed_id
        self.text = text


class KeyChanged(FeedError):
    """Signed by none of the keys that the registry had when it was first met."""

    code = "KEY_CHANGED"

    def __init__(self, feed_id: str) -> None:
        super().__init__(feed_id, "Registry key changed")


class IntegrityError(BadGateway):
    """Bytes that are not the ones that were announced or signed."""

    code = "INTEGRITY"

    def __init__(self, text: str) -> None:
        super().__init__(f"Integrity check failed: {text}")

    @classmethod
    def mismatch(cls, expected: str, got: str) -> "IntegrityError":
        return cls(f"expected {expected[:12]}..., got {got[:12]}...")


class VersionNotFound(NotFound):
    def __init__(self, version: str, name: str) -> None:
        super().__init__(f'Version {version} of "{name}" not found')
