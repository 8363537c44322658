"""`relay.py FD HOST PORT`: joins each connection that the listening socket FD accepts to HOST:PORT.

A socket stays in the network namespace that it was made in, so a listener of the host, handed to this
process inside the sandbox, is a door between the two.
"""

import asyncio
import socket
import sys
from contextlib import suppress


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.write_eof()


async def join(near: tuple[asyncio.StreamReader, asyncio.StreamWriter], host: str, port: int) -> None:
    with suppress(OSError):  # an end that refuses or resets: the client sees its connection closed
        far = await asyncio.open_connection(host, port)
        with suppress(asyncio.CancelledError):
            await asyncio.gather(pump(near[0], far[1]), pump(far[0], near[1]))
        far[1].close()
    near[1].close()


async def main(listener: socket.socket, host: str, port: int) -> None:
    # The event loop holds a half-closed connection's task by nothing: without this, the collector would cut it off.
    joined: set[asyncio.Task[None]] = set()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(join((reader, writer), host, port))
        joined.add(task)
        task.add_done_callback(joined.discard)
        await task

    server = await asyncio.start_server(accept, sock=listener)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(socket.socket(fileno=int(sys.argv[1])), sys.argv[2], int(sys.argv[3])))
