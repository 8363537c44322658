"""Ports on which nothing listens."""

import socket


def free_port(host: str = "127.0.0.1") -> int:
    """A port that was free a moment ago, for servers that cannot be told to take any and say which."""
    with socket.socket() as listener:
        listener.bind((host, 0))
        port: int = listener.getsockname()[1]
        return port
