"""Where a server of ours is to listen, as people write it: HOST:PORT."""

from __future__ import annotations

from typing import Final

_PORTS: Final = 65535


def parse(text: str) -> tuple[str, int]:
    """Host, without the brackets of IPv6, and port; "" is every address of the machine. ValueError says what is wrong.

    Port 0 is a free one, which the system picks.
    """
    host, colon, port = text.rpartition(":")
    if not colon or not (port.isascii() and port.isdigit()):
        raise ValueError(f"{text!r}: not HOST:PORT, such as 127.0.0.1:8080 or [::1]:8080")
    if len(port) > 5 or int(port) > _PORTS:
        raise ValueError(f"{text!r}: a port is a number from 0 to {_PORTS}")
    if any(char.isspace() for char in host) or (":" in host and not (host.startswith("[") and host.endswith("]"))):
        raise ValueError(f"{text!r}: not HOST:PORT; IPv6 goes into brackets, such as [::1]:8080")
    return host.strip("[]"), int(port)
