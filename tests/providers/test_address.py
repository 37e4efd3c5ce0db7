"""Which addresses may be called with a key: the table of bad ones, and what a name resolves to."""

from __future__ import annotations

import asyncio
import ipaddress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ledger_tui.errors import AddressRefused
from ledger_tui.providers.address import check_address, reach_of, usable

from tests.providers.conftest import DoorMaker, asking, hear
from tests.servers.failures import FailingServer

REFUSED = [
    "http://169.254.169.254/",
    "https://169.254.169.254/latest",
    "http://[::ffff:169.254.169.254]/",
    "https://[::ffff:a9fe:a9fe]/",
    "http://2852039166/",
    "https://2852039166/",
    "https://0xA9FEA9FE/",
    "https://0251.0376.0251.0376/",
    "https://169.254.43518/",
    "https://１６９.254.169.254/",
    "https://[64:ff9b::169.254.169.254]/",
    "https://[fe80::1]/",
    "https://[fe80::1%25eth0]/",
    "https://[fd00:ec2::254]/",
    "https://100.100.100.200/",
    "https://metadata.google.internal/",
    "https://good@evil.example/",
    "https://user:pass@api.openai.com/v1",
    "https://api.openai.com\\@evil.example/",
    "https://api.openai.com/v1?key=1",
    "https://api.openai.com/v1#x",
    "https://api.openai.com:0/",
    "https://api.openai.com:99999/",
    "https://",
    "https:///v1",
    "file:///etc/passwd",
    "ftp://example.com/",
    "javascript:alert(1)",
    "api.openai.com/v1",
    "",
    "https://exa mple.com/",
    "https://example.com\n.evil/",
    "https://0.0.0.0/",
    "https://224.0.0.1/",
    "https://255.255.255.255/",
    "https://[::]/",
    "https://-bad.example/",
    "https://a..b/",
    "http://api.openai.com/v1",
    "http://8.8.8.8/",
    "http://10.0.0.5:8000/v1",
    "https://192.168.1.7/v1",
    "https://[fd12:3456::1]/",
    "http://mybox.lan:11434/v1",
]


@pytest.mark.parametrize("url", REFUSED)
def test_refused(url: str) -> None:
    """Metadata services in any spelling, other schemes, user names and open networks are refused with a reason."""
    with pytest.raises(AddressRefused) as caught:
        check_address(url)
    assert caught.value.cause


@pytest.mark.parametrize("url", REFUSED[:29])
def test_allowing_private_networks_opens_nothing_else(url: str) -> None:
    """The permission for private networks does not let metadata services, user names or other schemes through."""
    with pytest.raises(AddressRefused):
        check_address(url, allow_private=True)


@pytest.mark.parametrize(
    ("url", "allow_private", "host", "origin", "normal"),
    [
        ("https://api.openai.com/v1/", False, "api.openai.com", "api.openai.com:443", "https://api.openai.com/v1"),
        ("HTTPS://API.OpenAI.com:443", False, "api.openai.com", "api.openai.com:443", "https://api.openai.com"),
        ("http://localhost:11434/v1", False, "localhost", "localhost:11434", "http://localhost:11434/v1"),
        ("http://127.0.0.1:80/v1", False, "127.0.0.1", "127.0.0.1:80", "http://127.0.0.1/v1"),
        ("http://[::1]:8080/v1", False, "::1", "[::1]:8080", "http://[::1]:8080/v1"),
        ("https://8.8.8.8/", False, "8.8.8.8", "8.8.8.8:443", "https://8.8.8.8"),
        ("https://bücher.example/v1", False, "xn--bcher-kva.example", "xn--bcher-kva.example:443", None),
        ("https://аpi.openai.com/v1", False, "xn--pi-6kc.openai.com", "xn--pi-6kc.openai.com:443", None),
        ("http://10.0.0.5:8000/v1", True, "10.0.0.5", "10.0.0.5:8000", "http://10.0.0.5:8000/v1"),
        ("https://192.168.1.7/v1", True, "192.168.1.7", "192.168.1.7:443", "https://192.168.1.7/v1"),
        ("http://mybox.lan:11434/v1", True, "mybox.lan", "mybox.lan:11434", "http://mybox.lan:11434/v1"),
    ],
)
def test_allowed(url: str, allow_private: bool, host: str, origin: str, normal: str | None) -> None:
    """Good addresses are normalised, and a look-alike host shows as punycode."""
    address = check_address(url, allow_private=allow_private)
    assert (address.host, address.origin) == (host, origin)
    assert address.url == (normal or f"https://{host}/v1")


@given(st.ip_addresses())
def test_no_address_escapes_the_table(ip: Any) -> None:
    """Whatever an address is, link-local and metadata ones are never reachable, plain or inside IPv6."""
    reach = reach_of(ip)
    assert reach in ("loopback", "private", "public", "never")
    if ip.version == 4:
        assert reach_of(ipaddress.ip_address(f"::ffff:{ip}")) == reach
    if ip.is_link_local:
        assert reach == "never"


def test_every_resolved_address_is_checked() -> None:
    """A name that turns out to lead to metadata or this machine is refused; good addresses beside it still serve."""
    good, bad, here = (ipaddress.ip_address(text) for text in ("93.184.216.34", "169.254.169.254", "127.0.0.1"))
    assert usable([bad, good], "https", "example.com", allow_private=False) == [good]
    with pytest.raises(AddressRefused):
        usable([bad], "https", "example.com", allow_private=True)
    with pytest.raises(AddressRefused):
        usable([here], "https", "example.com", allow_private=False)
    with pytest.raises(AddressRefused):
        usable([good], "http", "localhost", allow_private=False)


async def test_rebinding_name_is_refused_when_connecting(
    failing_server: FailingServer, open_door: DoorMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A good name that resolves to a metadata service at the moment of the call is refused, and nothing is sent."""
    loop = asyncio.get_running_loop()

    async def resolve(host: str, port: int, **kwargs: Any) -> list[Any]:
        return [(2, 1, 6, "", ("169.254.169.254", port))]

    monkeypatch.setattr(loop, "getaddrinfo", resolve)
    provider = open_door("https://models.example/v1", "chat")
    with pytest.raises(AddressRefused):
        await hear(provider, asking())
    await provider.aclose()


async def test_localhost_is_pinned_to_a_checked_address(failing_server: FailingServer, open_door: DoorMaker) -> None:
    """The name localhost reaches a server on 127.0.0.1 although it may first mean ::1, and the server sees the name."""
    provider = open_door(failing_server.url("ok", host="localhost"), "chat")
    heard = await hear(provider, asking())
    await provider.aclose()
    assert heard.text
    assert failing_server.requests[0].headers["Host"] == f"localhost:{failing_server.port}"


async def test_a_refused_address_fails_the_call(open_door: DoorMaker) -> None:
    """An address that may not be called is an error of the call, with the provider's name, before anything is sent."""
    provider = open_door("http://169.254.169.254/v1", "chat")
    with pytest.raises(AddressRefused) as caught:
        await hear(provider, asking())
    assert caught.value.provider == "own"
