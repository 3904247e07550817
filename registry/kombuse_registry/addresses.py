"""Where requests may go: the origin that a person named, and public addresses over https."""

import ipaddress
import socket
from dataclasses import dataclass

import httpx2

__all__ = ["Origin", "Reach", "RequestFailed", "RequestRefused", "is_public"]

Origin = tuple[str, str, int]
_PORTS = {"http": 80, "https": 443}
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_PRIVATE = [
    ipaddress.ip_network(text)
    for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")
]
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class RequestFailed(Exception):
    """Why there is no usable answer; the text never holds a token."""


class RequestRefused(RequestFailed):
    """A request that was not made because of where it would go."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """The places that requests on behalf of one source may go to.

    Its own origin may be this machine when its URL says so plainly (`localhost`, `127.0.0.1`,
    `[::1]`); `allow_insecure` lets it also be a private network, and use http. Every other place,
    to which a redirect or an answer may point, must be public and use https.
    """

    origin: Origin
    is_loopback: bool
    allow_insecure: bool

    @classmethod
    def of(cls, base_url: str, *, allow_insecure: bool = False) -> "Reach":
        url = parse(base_url)
        origin = origin_of(url)
        reach = cls(
            origin=origin, is_loopback=_is_plain_loopback(url.host), allow_insecure=allow_insecure
        )
        reach.check(url)
        return reach

    def is_own(self, url: httpx2.URL) -> bool:
        return origin_of(url) == self.origin

    def check(self, url: httpx2.URL) -> None:
        """Raises RequestRefused for what may not be asked, before any name is looked up."""
        is_plain_allowed = self.is_own(url) and (self.is_loopback or self.allow_insecure)
        if url.scheme == "http" and not is_plain_allowed:
            raise RequestRefused(f"https is required for {url.host}")

    def addresses(self, host: str, port: int) -> list[str]:
        """The addresses to connect to: what is checked here is what is used.

        One address that is not allowed refuses the whole name. Raises RequestRefused, or
        RequestFailed when the name has no address.
        """
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            raise RequestFailed(f"{host} has no address") from None
        addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        is_own = (host, port) == self.origin[1:]
        if not all(self._is_allowed(address, is_own=is_own) for address in addresses):
            raise RequestRefused(f"{host} is not a public address")
        return addresses

    def _is_allowed(self, text: str, *, is_own: bool) -> bool:
        address = _embedded(ipaddress.ip_address(text.partition("%")[0]))
        if is_own and self.is_loopback:
            return address.is_loopback
        if is_own and self.allow_insecure and _is_private_network(address):
            return True
        return is_public(address)


def parse(text: str) -> httpx2.URL:
    """An absolute http or https URL without a user name in it. Raises RequestRefused."""
    try:
        url = httpx2.URL(text)
        host = url.host
    except (httpx2.InvalidURL, TypeError, ValueError):
        raise RequestRefused("not a URL") from None
    if url.scheme not in _PORTS:
        raise RequestRefused(f"only http and https are followed, not {url.scheme or 'no scheme'}")
    if not 0 < (url.port or _PORTS[url.scheme]) < 1 << 16:
        raise RequestRefused(f"there is no port {url.port}")
    if not host or url.userinfo:
        raise RequestRefused("a URL needs a host, and has no user name or password here")
    return url


def origin_of(url: httpx2.URL) -> Origin:
    return url.scheme, url.raw_host.decode(), url.port or _PORTS[url.scheme]


def is_public(address: _Address) -> bool:
    """Whether an address belongs to the open internet, whatever wraps it."""
    address = _embedded(address)
    return address.is_global and not address.is_multicast


def _embedded(address: _Address) -> _Address:
    """The IPv4 address that an IPv6 address stands for, where it does."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _NAT64 or (int(address) < 1 << 32 and int(address) > 1):
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return (
        address.ipv4_mapped or address.sixtofour or (address.teredo or [None, None])[1] or address
    )


def _is_private_network(address: _Address) -> bool:
    """Home and company networks; neither this machine nor link-local (metadata services)."""
    return any(address in network for network in _PRIVATE if network.version == address.version)


def _is_plain_loopback(host: str) -> bool:
    return host in ("localhost", "127.0.0.1", "::1")
