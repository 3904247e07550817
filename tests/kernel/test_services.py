"""Services: one provider per contract."""

from typing import Protocol

import pytest

from kombuse_kernel.services import ServiceRegistry


class Greeter(Protocol):
    def greet(self) -> str: ...


class English:
    def greet(self) -> str:
        return "hello"


def test_the_provider_of_a_contract_is_found() -> None:
    services = ServiceRegistry()
    provider = English()

    services.provide("english", Greeter, provider)

    assert services.get(Greeter) is provider
    assert services.find(Greeter) is provider


def test_an_absent_contract_is_none_or_a_lookup_error_that_names_it() -> None:
    services = ServiceRegistry()

    assert services.find(Greeter) is None
    with pytest.raises(LookupError, match="no plugin provides Greeter"):
        services.get(Greeter)


def test_a_second_provider_is_refused_with_the_name_of_the_first() -> None:
    services = ServiceRegistry()
    services.provide("english", Greeter, English())

    with pytest.raises(ValueError, match="Greeter is provided by english already"):
        services.provide("french", Greeter, English())


def test_a_withdrawn_owner_takes_only_its_own_providers_along() -> None:
    services = ServiceRegistry()
    services.provide("english", Greeter, English())
    services.provide("other", English, English())

    services.withdraw("english")

    assert services.find(Greeter) is None
    assert services.find(English) is not None
