"""Raw requests over connections that use little CPU time in the client."""

import asyncio

BATCH_SIZE = 16
SINGLE, BATCH = "/v1/analyses", "/v1/analyses/batch"


class Connection:
    """One connection from a given local address."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def open(cls, host: str, port: int, *, address: str) -> "Connection":
        return cls(*await asyncio.open_connection(host, port, local_addr=(address, 0)))

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def answer(self, *, with_body: bool = True) -> int:
        """Reads one response, and returns its status. Raises IncompleteReadError, ValueError."""
        head = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        length = head.partition(b"content-length:")[2].partition(b"\r\n")[0]
        if with_body:
            await self._reader.readexactly(int(length or b"0"))
        return int(head.split()[1])

    def close(self) -> None:
        self._writer.transport.abort()


def get(path: str, *, method: str = "GET") -> bytes:
    return f"{method} {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()


def post(path: str, body: bytes, media_type: str = "application/octet-stream") -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: {media_type}\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def batch(*files: bytes) -> bytes:
    part = b'--x\r\nContent-Disposition: form-data; name="image"; filename="f"\r\n\r\n'
    body = b"".join(part + data + b"\r\n" for data in files) + b"--x--\r\n"
    return post(BATCH, body, "multipart/form-data; boundary=x")
