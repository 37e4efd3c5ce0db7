"""Which addresses a key may travel to: https anywhere public, http on this machine, private networks only when allowed.

A base_url from a file or the environment is somebody's text. It is checked when it is read, and every address that its
name resolves to is checked again when a connection is opened, which then goes to exactly that address.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from ledger_tui.errors import AddressRefused

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
Reach = Literal["loopback", "private", "public", "never"]

_METADATA_NAMES = {"metadata", "metadata.google.internal", "metadata.goog", "instance-data"}
_METADATA_ADDRESSES = {
    ipaddress.ip_address(text) for text in ("169.254.169.254", "fd00:ec2::254", "100.100.100.200", "192.0.0.192")
}
_SHARED = ipaddress.ip_network("100.64.0.0/10")
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_NUMERIC = re.compile(r"(0[xX][0-9a-fA-F]*|[0-9]+)(\.(0[xX][0-9a-fA-F]*|[0-9]+)){0,3}\.?\Z")
_NAME = re.compile(r"(?=.{1,253}\Z)[a-z0-9_]([a-z0-9_-]{0,62})(\.[a-z0-9_]([a-z0-9_-]{0,62}))*\Z")


@dataclass(frozen=True, slots=True)
class Address:
    """A checked base address. ``host`` is ASCII (punycode for other scripts), without brackets."""

    url: str
    scheme: str
    host: str
    port: int
    allow_private: bool = False

    @property
    def origin(self) -> str:
        """``host:port``: what a key is bound to."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_local(self) -> bool:
        """Whether it names this machine."""
        ip = _as_ip(self.host)
        return is_localhost(self.host) if ip is None else reach_of(ip) == "loopback"


def check_address(url: str, *, allow_private: bool = False) -> Address:
    """The address in ``url``, or AddressRefused with the reason. Asks no name server."""
    scheme, host, port, path = _parts(url)
    ip = _as_ip(host)
    if host.rstrip(".") in _METADATA_NAMES:
        raise _refused(host, "it is a cloud machine's metadata service")
    if ip is not None:
        check_reach(ip, scheme, host, allow_private=allow_private)
    elif scheme == "http" and not is_localhost(host) and not allow_private:
        raise _refused(host, "plain http would show the key and the texts to the network")
    shown = f"[{host}]" if ":" in host else host
    default_port = 443 if scheme == "https" else 80
    netloc = shown if port == default_port else f"{shown}:{port}"
    return Address(f"{scheme}://{netloc}{path.rstrip('/')}", scheme, host, port, allow_private)


def is_localhost(host: str) -> bool:
    """Whether a name is bound to mean this machine."""
    name = host.rstrip(".").lower()
    return name == "localhost" or name.endswith(".localhost")


def reach_of(ip: IPAddress) -> Reach:
    """How far an address reaches; "never" for link-local, metadata and addresses that are no host."""
    inner = _unwrapped(ip)
    if inner in _METADATA_ADDRESSES or ip in _METADATA_ADDRESSES:
        return "never"
    if inner.is_loopback:
        return "loopback"
    if inner.is_link_local or inner.is_unspecified or inner.is_multicast:
        return "never"
    if inner.is_private or (inner.version == 4 and inner in _SHARED):
        return "never" if inner.is_reserved else "private"
    return "never" if inner.is_reserved else "public"


def check_reach(ip: IPAddress, scheme: str, host: str, *, allow_private: bool) -> None:
    """Raise AddressRefused unless a connection for ``scheme://host`` may go to ``ip``."""
    reach = reach_of(ip)
    if reach == "never":
        raise _refused(host, f"{ip} is link-local, a metadata service or no host at all")
    literal = _as_ip(host) is not None
    if reach == "loopback" and not (literal or is_localhost(host) or allow_private):
        raise _refused(host, f"a name of the network leads to this machine ({ip})")
    if reach == "private" and not allow_private:
        raise _refused(
            host, f"{ip} is in a private network", remedy="Set allow_private = true for this provider if that is meant."
        )
    if reach == "public" and scheme == "http":
        raise _refused(host, "plain http would show the key and the texts to the network")


def usable(found: Iterable[IPAddress], scheme: str, host: str, *, allow_private: bool) -> list[IPAddress]:
    """The resolved addresses that may be connected to, in order; AddressRefused when none may."""
    good: list[IPAddress] = []
    refusal: AddressRefused | None = None
    for ip in found:
        try:
            check_reach(ip, scheme, host, allow_private=allow_private)
            good.append(ip)
        except AddressRefused as error:
            refusal = error
    if not good and refusal is not None:
        raise refusal
    return good


def _refused(host: str, reason: str, remedy: str = "") -> AddressRefused:
    return AddressRefused(f"{host}: {reason}"[:300], remedy=remedy)


def _parts(url: str) -> tuple[str, str, int, str]:
    if re.search(r"[\x00-\x20\x7f\\]", url):
        raise AddressRefused("it holds a space, a control character or a backslash")
    try:
        parts = urlsplit(url)
        port = parts.port
        raw_host = parts.hostname or ""
    except ValueError as error:
        raise AddressRefused(f"it is no address ({error})"[:300]) from None
    if parts.scheme not in ("http", "https"):
        raise AddressRefused(f"{parts.scheme or 'it'} is neither https nor http"[:300])
    if "@" in parts.netloc:
        raise AddressRefused(
            "it holds a user name or password before an @", remedy="Give the key apart, not in the address."
        )
    if parts.query or parts.fragment or "?" in url or "#" in url:
        raise AddressRefused("it has a part after ? or #")
    if not raw_host or port == 0:
        raise AddressRefused("it names no host")
    host = _plain_host(raw_host)
    return parts.scheme, host, port or (443 if parts.scheme == "https" else 80), parts.path


def _plain_host(host: str) -> str:
    if ":" in host:
        if "%" in host:
            raise _refused(host, "it names a network card")
        try:
            return str(ipaddress.IPv6Address(host))
        except ValueError:
            raise _refused(host, "it is no IPv6 address") from None
    try:
        plain = host.encode("idna").decode("ascii").lower() if not host.isascii() else host.lower()
    except UnicodeError:
        raise _refused(ascii(host), "it is no host name") from None
    if _NUMERIC.match(plain):
        return str(_plain_ipv4(plain))
    if not _NAME.match(plain.removesuffix(".")):
        raise _refused(ascii(plain), "it is no host name")
    return plain


def _plain_ipv4(host: str) -> ipaddress.IPv4Address:
    """The IPv4 address as a system library would read it: decimal, octal and hexadecimal spellings too."""
    try:
        return ipaddress.IPv4Address(socket.inet_aton(host.removesuffix(".")))
    except (OSError, ValueError):
        raise _refused(host, "it is no IPv4 address") from None


def _as_ip(host: str) -> IPAddress | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _unwrapped(ip: IPAddress) -> IPAddress:
    """The IPv4 address inside an IPv6 one that carries it (mapped, 6to4, Teredo, NAT64), else ``ip``."""
    if isinstance(ip, ipaddress.IPv4Address):
        return ip
    if ip in _NAT64 or (int(ip) >> 32 == 0 and int(ip) > 0xFFFF):
        return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else ip)
