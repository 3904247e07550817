"""Services: one provider per contract protocol."""

from typing import Any, TypeVar

from typing_extensions import TypeForm

__all__ = ["ServiceRegistry"]

T = TypeVar("T")


class ServiceRegistry:
    def __init__(self) -> None:
        self._providers: dict[Any, tuple[str, Any]] = {}

    def provide(self, owner: str, protocol: TypeForm[T], provider: T) -> None:
        if protocol in self._providers:
            name = getattr(protocol, "__name__", protocol)
            raise ValueError(f"{name} is provided by {self._providers[protocol][0]} already")
        self._providers[protocol] = (owner, provider)

    def withdraw(self, owner: str) -> None:
        self._providers = {k: v for k, v in self._providers.items() if v[0] != owner}

    def get(self, protocol: TypeForm[T]) -> T:
        found = self.find(protocol)
        if found is None:
            raise LookupError(f"no plugin provides {getattr(protocol, '__name__', protocol)}")
        return found

    def find(self, protocol: TypeForm[T]) -> T | None:
        entry = self._providers.get(protocol)
        return entry[1] if entry else None
