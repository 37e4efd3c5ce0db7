"""The last door before the network: looks up, checks and pins addresses, adds the key, caps answers.

The key is added here and nowhere earlier, so no request object, exception or log of an SDK ever holds it. Imported in a
thread at first use: the HTTP library is heavy.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import AsyncIterator, Mapping

import httpx2

from ledger_tui.errors import BadResponse, ProviderUnavailable
from ledger_tui.providers.address import Address, IPAddress, usable

MAX_RESPONSE_BYTES = 32 * 1024 * 1024
_PASSING_HEADERS = {
    "accept",
    "anthropic-beta",
    "anthropic-version",
    "content-length",
    "content-type",
    "transfer-encoding",
    "user-agent",
}


class GuardedTransport(httpx2.AsyncBaseTransport):
    """Sends requests to one checked address only."""

    def __init__(self, address: Address, key_headers: Mapping[str, str], connect_timeout_s: float) -> None:
        self._address = address
        self._key_headers = dict(key_headers)
        self._connect_timeout_s = connect_timeout_s
        self._inner = httpx2.AsyncHTTPTransport(trust_env=False)

    def __repr__(self) -> str:
        return f"GuardedTransport({self._address.origin})"

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send ``request`` to an address that was checked a moment ago, and cap what comes back."""
        if (request.url.scheme, request.url.raw_host.decode("ascii").strip("[]"), self._port(request)) != (
            self._address.scheme,
            self._address.host,
            self._address.port,
        ):
            raise BadResponse("it leads to another host, where the key does not belong")
        addresses = await self._resolve()
        for number, ip in enumerate(addresses, 1):
            try:
                response = await self._inner.handle_async_request(self._pinned(request, ip))
            except (httpx2.ConnectError, httpx2.ConnectTimeout):
                if number == len(addresses):
                    raise
                continue
            return _capped(response)
        raise ProviderUnavailable(f"the name {self._address.host} leads nowhere")

    async def aclose(self) -> None:
        """Close all connections."""
        await self._inner.aclose()

    def _port(self, request: httpx2.Request) -> int:
        return request.url.port or (443 if request.url.scheme == "https" else 80)

    def _pinned(self, request: httpx2.Request, ip: IPAddress) -> httpx2.Request:
        kept = [(name, value) for name, value in request.headers.multi_items() if name.lower() in _PASSING_HEADERS]
        timeout = {**request.extensions.get("timeout", {}), "connect": self._connect_timeout_s}
        default = self._address.port == (443 if self._address.scheme == "https" else 80)
        host = self._address.origin.rpartition(":")[0] if default else self._address.origin
        return httpx2.Request(
            request.method,
            request.url.copy_with(host=str(ip)),
            headers=[("Host", host), *kept, ("Accept-Encoding", "identity"), *self._key_headers.items()],
            stream=request.stream,
            extensions={**request.extensions, "sni_hostname": self._address.host, "timeout": timeout},
        )

    async def _resolve(self) -> list[IPAddress]:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._connect_timeout_s):
                found = await loop.getaddrinfo(self._address.host, self._address.port, type=socket.SOCK_STREAM)
        except TimeoutError:
            raise ProviderUnavailable(f"no name server answered for {self._address.host}") from None
        except (OSError, UnicodeError) as error:
            raise ProviderUnavailable(f"the name {self._address.host} is not known ({error})"[:300]) from None
        addresses = dict.fromkeys(ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found)
        return usable(addresses, self._address.scheme, self._address.host, allow_private=self._address.allow_private)


def _capped(response: httpx2.Response) -> httpx2.Response:
    packed = response.headers.get("content-encoding", "identity").strip().lower()
    if packed not in ("", "identity"):
        # A few kilobytes could unpack to gigabytes; nobody asked for packing.
        raise BadResponse("it is packed, which was not asked for")
    stream = response.stream
    if not isinstance(stream, httpx2.AsyncByteStream):
        raise BadResponse("it cannot be read as a stream")
    return httpx2.Response(
        response.status_code, headers=response.headers, stream=_Capped(stream), extensions=response.extensions
    )


class _Capped(httpx2.AsyncByteStream):
    """A body that ends in BadResponse past ``MAX_RESPONSE_BYTES``."""

    def __init__(self, inner: httpx2.AsyncByteStream) -> None:
        self._inner = inner
        self._left = MAX_RESPONSE_BYTES

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in self._inner:
            self._left -= len(piece)
            if self._left < 0:
                raise BadResponse(f"it is larger than {MAX_RESPONSE_BYTES // 1024 // 1024} MB")
            yield piece

    async def aclose(self) -> None:
        await self._inner.aclose()


def client_for(address: Address, key_headers: Mapping[str, str], connect_timeout_s: float) -> httpx2.AsyncClient:
    """An HTTP client that reaches ``address`` only, follows no redirect and obeys no proxy variables."""
    return httpx2.AsyncClient(
        transport=GuardedTransport(address, key_headers, connect_timeout_s), follow_redirects=False, trust_env=False
    )
