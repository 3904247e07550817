"""Profile settings."""

from collections.abc import Mapping
from typing import Protocol

from kombuse_sdk.contracts.profiles import LOCAL_USER
from kombuse_sdk.storage import ReadTx, WriteTx

__all__ = ["Settings"]


class Settings(Protocol):
    def value(self, tx: ReadTx, key: str, profile_id: str = LOCAL_USER) -> str | None:
        """What is stored under a key; None when it is unset."""
        ...

    def starting_with(
        self, tx: ReadTx, prefix: str, profile_id: str = LOCAL_USER
    ) -> Mapping[str, str]:
        """Every stored setting whose key starts with a prefix."""
        ...

    def store(self, tx: WriteTx, key: str, value: str, profile_id: str = LOCAL_USER) -> None:
        """Set a value, under a key that is as long as the settings API allows."""
        ...
