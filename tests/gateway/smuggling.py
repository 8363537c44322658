"""Requests that two readers could read as two things, as data: each is refused, or is one request with a known body.

After each comes CANARY, a whole request for another model. What is refused takes it along; a request that claims it
as its body has it there; only what is whole and clean leaves it to be a second request, and then it is one.
"""

from __future__ import annotations

from dataclasses import dataclass

LINE = b"POST /v1/chat/completions HTTP/1.1\r\n"
BODY = b'{"model": "assistant", "messages": []}'
SMUGGLED = b'{"model": "smuggled", "messages": []}'
CANARY = LINE + b"Host: x\r\nX-Smuggled: 1\r\nContent-Length: %d\r\n\r\n%b" % (len(SMUGGLED), SMUGGLED)
REFUSALS = frozenset({400, 413, 417, 431, 501, 505})


@dataclass(frozen=True)
class Case:
    """`bodies`: of the requests that it is, the canary's not among them; none: it is refused."""

    data: bytes
    bodies: tuple[bytes, ...] = ()
    then: bytes = CANARY


def request(*fields: bytes, body: bytes = b"", line: bytes = LINE, end: bytes = b"\r\n") -> bytes:
    """A request with a Host and these fields."""
    return line + end.join((b"Host: x", *fields, b"", b"")) + body


def length(value: bytes, *more: bytes, body: bytes = b"hello") -> Case:
    return Case(request(b"Content-Length:" + value, *more, body=body))


def coding(value: bytes, *more: bytes) -> Case:
    return Case(request(b"Transfer-Encoding:" + value, *more, body=CHUNKED))


def chunks(body: bytes) -> Case:
    return Case(request(b"Transfer-Encoding: chunked", body=body))


def field(line: bytes) -> Case:
    return Case(request(line, b"Content-Length: 0"))


def head(line: bytes, host: bytes = b"Host: x\r\n") -> Case:
    return Case(line + b"\r\n" + host + b"Content-Length: %d\r\n\r\n%b" % (len(BODY), BODY))


def one(data: bytes, body: bytes = BODY) -> Case:
    return Case(data, (body,))


def one_chunk(body: bytes) -> bytes:
    return b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)


CHUNKED = one_chunk(BODY)
CL = b"Content-Length: %d" % len(BODY)
TE = b"Transfer-Encoding: chunked"
SHORT = b"0\r\n\r\n"

LENGTHS = {
    "cl+te": Case(request(CL, TE, body=CHUNKED)),
    "te+cl": Case(request(TE, CL, body=CHUNKED)),
    "cl.te: the canary in front of the end": Case(request(b"Content-Length: 5", TE, body=SHORT + CANARY)),
    "te.cl: the canary in a chunk": Case(request(b"Content-Length: 4", TE, body=one_chunk(CANARY))),
    "cl+te, odd case": Case(request(b"content-LENGTH: 5", b"TRANSFER-encoding: cHuNkEd", body=CHUNKED)),
    "two lengths": length(b" 5", b"Content-Length: 6"),
    "the same length twice": length(b" 5", b"Content-Length: 5"),
    "two lengths, odd case": length(b" 5", b"content-length: 0"),
    "list": length(b" 5, 5"),
    "list of different": length(b" 5, 6"),
    "plus": length(b" +5"),
    "minus": length(b" -5"),
    "hex": length(b" 0x5"),
    "exponent": length(b" 5e0"),
    "fraction": length(b" 5.0"),
    "underscore": length(b" 0_5"),
    "quotes": length(b' "5"'),
    "space within": length(b" 0 5"),
    "empty": length(b""),
    "blank": length(b"   "),
    "letters": length(b" five"),
    "semicolon": length(b" 5;x"),
    "overflow of 32 bits": length(b" 4294967301"),
    "overflow of 64 bits": length(b" 18446744073709551621"),
    "many digits": length(b" " + b"9" * 5000),
    "many zeros": length(b" " + b"0" * 5000 + b"5"),
    "twenty zeros": length(b" " + b"0" * 20 + b"5"),
    "arabic digits": length(" \u0665".encode()),
    "space before the colon": Case(request(b"Content-Length : 5", body=b"hello")),
    "tab before the colon": Case(request(b"Content-Length\t: 5", body=b"hello")),
    "space before the name": Case(request(b" Content-Length: 5", body=b"hello")),
    "folded": Case(request(b"Content-Length:", b" 5", body=b"hello")),
    "NUL behind": length(b" 5\0"),
    "vertical tab": length(b" \x0b5"),
    "no length, the canary follows": Case(request(), (b"",)),
    "the canary as a body": one(request(b"Content-Length: %d" % len(CANARY), body=CANARY), CANARY),
    "the canary as a chunk": one(request(TE, body=one_chunk(CANARY)), CANARY),
    "tab behind": length(b" 5\t"),
    "tab in front": one(request(b"Content-Length:\t%d" % len(BODY), body=BODY)),
    "a zero in front": one(request(b"Content-Length: 0%d" % len(BODY), body=BODY)),
}  # fmt: skip

CODINGS = {
    "identity": coding(b" identity"),
    "chunked, identity": coding(b" chunked, identity"),
    "identity, chunked": coding(b" identity, chunked"),
    "chunked, chunked": coding(b" chunked, chunked"),
    "gzip, chunked": coding(b" gzip, chunked"),
    "xchunked": coding(b" xchunked"),
    "chunkedx": coding(b" chunkedx"),
    "chunke": coding(b" chunke"),
    "quotes": coding(b' "chunked"'),
    "parameter": coding(b" chunked;q=1"),
    "comma": coding(b" chunked,"),
    "comma in front": coding(b" ,chunked"),
    "vertical tab": coding(b" \x0bchunked"),
    "form feed": coding(b" \x0cchunked"),
    "no-break space": coding(b" \xa0chunked"),
    "NUL": coding(b" chunked\0"),
    "empty": coding(b""),
    "folded": Case(request(b"Transfer-Encoding:", b" chunked", body=CHUNKED)),
    "folded behind": Case(request(b"Transfer-Encoding: chunked", b" , identity", body=CHUNKED)),
    "twice": coding(b" chunked", TE),
    "twice, odd case": coding(b" chunked", b"transfer-encoding: chunked"),
    "twice, different": coding(b" chunked", b"Transfer-Encoding: identity"),
    "twice, the other order": coding(b" identity", TE),
    "space before the colon": Case(request(b"Transfer-Encoding : chunked", body=CHUNKED)),
    "underscore is another field": Case(request(b"Transfer_Encoding: chunked", CL, body=BODY), (BODY,)),
    "HTTP/1.0": Case(request(TE, body=CHUNKED, line=LINE.replace(b"1.1", b"1.0"))),
    "tab behind": coding(b" chunked\t"),
    "tab in front": one(request(b"Transfer-Encoding:\tchunked", body=CHUNKED)),
    "odd case": one(request(b"Transfer-Encoding: cHUNKED", body=CHUNKED)),
}

CHUNKS = {
    "0x": chunks(b"0x5\r\nhello\r\n0\r\n\r\n"),
    "minus": chunks(b"-5\r\nhello\r\n0\r\n\r\n"),
    "plus": chunks(b"+5\r\nhello\r\n0\r\n\r\n"),
    "letters": chunks(b"zz\r\nhello\r\n0\r\n\r\n"),
    "empty": chunks(b"\r\nhello\r\n0\r\n\r\n"),
    "space in front": chunks(b" 5\r\nhello\r\n0\r\n\r\n"),
    "space behind": chunks(b"5 \r\nhello\r\n0\r\n\r\n"),
    "overflow": chunks(b"10000000000000005\r\nhello\r\n0\r\n\r\n"),
    "overflow with f": chunks(b"f" * 40 + b"\r\nhello\r\n0\r\n\r\n"),
    "more than a body may have": chunks(b"fffff\r\n" + b"x" * 100_000),
    "long body": chunks(b"3000\r\n" + b"x" * 0x3000 + b"\r\n0\r\n\r\n"),
    "endless extension": chunks(b"5;" + b"a" * 100_000),
    "endless zeros": chunks(b"0" * 100_000),
    "64 KiB of extension": one(request(TE, body=b"5;" + b"a" * 65536 + b"\r\nhello\r\n0\r\n\r\n"), b"hello"),
    "no CRLF behind the data": chunks(b"5\r\nhello0\r\n\r\n"),
    "data too long": chunks(b"5\r\nhello!\r\n0\r\n\r\n"),
    "data too short": chunks(b"5\r\nhell\r\n0\r\n\r\n"),
    "LF only": chunks(b"5\nhello\n0\n\n"),
    "LF behind the size": chunks(b"5\nhello\r\n0\r\n\r\n"),
    "LF behind the data": chunks(b"5\r\nhello\n0\r\n\r\n"),
    "CR only behind the size": chunks(b"5\rhello\r\n0\r\n\r\n"),
    "CR within an extension": chunks(b"5;a\rb\r\nhello\r\n0\r\n\r\n"),
    "LF within an extension": chunks(b"5;a\nb\r\nhello\r\n0\r\n\r\n"),
    "NUL in an extension": chunks(b"5;a\0b\r\nhello\r\n0\r\n\r\n"),
    "LF behind the last": chunks(b"5\r\nhello\r\n0\n\n"),
    "Content-Length in the trailer": chunks(b"5\r\nhello\r\n0\r\nContent-Length: 50\r\n\r\n"),
    "Transfer-Encoding in the trailer": chunks(b"5\r\nhello\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n"),
    "Host in the trailer": chunks(b"5\r\nhello\r\n0\r\nHost: y\r\n\r\n"),
    "Authorization in the trailer": chunks(b"5\r\nhello\r\n0\r\nAuthorization: Bearer x\r\n\r\n"),
    "policy in the trailer": chunks(b"5\r\nhello\r\n0\r\nX-Pointsman-Data-Policy: any\r\n\r\n"),
    "space before the colon in the trailer": chunks(b"5\r\nhello\r\n0\r\nX : y\r\n\r\n"),
    "bare LF in the trailer": chunks(b"5\r\nhello\r\n0\r\nX: y\n\r\n"),
    "endless trailer": chunks(b"5\r\nhello\r\n0\r\n" + b"".join(b"X-%d: y\r\n" % i for i in range(5000)) + b"\r\n"),
    "extension": one(request(TE, body=b"5;name=value\r\nhello\r\n0;last\r\n\r\n"), b"hello"),
    "upper case": one(request(TE, body=b"A\r\nhellohello\r\n0\r\n\r\n"), b"hellohello"),
    "zeros in front": one(request(TE, body=b"0005\r\nhello\r\n0000\r\n\r\n"), b"hello"),
    "trailer": one(request(TE, body=b"5\r\nhello\r\n0\r\nX-Checksum: y\r\n\r\n"), b"hello"),
    "no data": one(request(TE, body=SHORT), b""),
}

HEADS = {
    "bare LF": Case(request(CL, body=BODY).replace(b"\r\n", b"\n")),
    "bare LF behind a field": Case(request(b"X: a\nContent-Length: 5", body=b"hello")),
    "bare LF at the end of the head": Case(LINE + b"Host: x\r\nContent-Length: 5\r\n\nhello"),
    "bare CR behind a field": Case(request(b"X: a\rContent-Length: 5", body=b"hello")),
    "bare CR at the end of the head": Case(LINE + b"Host: x\r\nContent-Length: 5\r\n\rhello"),
    "bare CR in the request line": Case(LINE.replace(b" HTTP", b"\rHTTP") + b"Host: x\r\n\r\n"),
    "NUL in a value": field(b"X: a\0b"),
    "NUL in a name": field(b"X\0Y: a"),
    "NUL in the path": head(b"POST /v1/chat\0/completions HTTP/1.1"),
    "space in a name": field(b"X Y: a"),
    "bracket in a name": field(b"X(Y: a"),
    "no name": field(b": a"),
    "no colon": field(b"Content-Length 5"),
    "folded": Case(request(b"X: a", b" b", b"Content-Length: 0")),
    "folded with a tab": Case(request(b"X: a", b"\tContent-Length: 5", b"Content-Length: 0")),
    "folded first line": Case(LINE + b" Host: x\r\nHost: x\r\nContent-Length: 0\r\n\r\n"),
    "DEL in a value": field(b"X: a\x7fb"),
    "many fields": Case(request(*[b"X-%d: a" % i for i in range(300)], CL, body=BODY)),
    "many of one field": Case(request(*[b"X: a"] * 300, CL, body=BODY)),
    "long field": Case(request(b"X: " + b"a" * 70_000, CL, body=BODY)),
    "no host": head(b"POST /v1/chat/completions HTTP/1.1", b""),
    "two hosts": head(b"POST /v1/chat/completions HTTP/1.1", b"Host: x\r\nHost: y\r\n"),
    "the same host twice": head(b"POST /v1/chat/completions HTTP/1.1", b"Host: x\r\nhost: x\r\n"),
    "two policies": Case(request(b"X-Pointsman-Data-Policy: a", b"X-Pointsman-Data-Policy: b", CL, body=BODY)),
    "HTTP/0.9": Case(b"GET /v1/models\r\n\r\n"),
    "HTTP/0.9 by name": head(b"POST /v1/chat/completions HTTP/0.9"),
    "HTTP/2.0 by name": head(b"POST /v1/chat/completions HTTP/2.0"),
    "HTTP/1.2": head(b"POST /v1/chat/completions HTTP/1.2"),
    "HTTP/1.10": head(b"POST /v1/chat/completions HTTP/1.10"),
    "HTTP/11": head(b"POST /v1/chat/completions HTTP/11"),
    "http/1.1": head(b"POST /v1/chat/completions http/1.1"),
    "HTTP twice": head(b"POST /v1/chat/completions HTTP/1.1 HTTP/1.1"),
    "no version": head(b"POST /v1/chat/completions"),
    "no target": head(b"POST HTTP/1.1"),
    "space in the target": head(b"POST /v1/chat completions HTTP/1.1"),
    "tab behind the method": head(b"POST\t/v1/chat/completions HTTP/1.1"),
    "unknown method": head(b"PSOT /v1/chat/completions HTTP/1.1"),
    "small method": head(b"post /v1/chat/completions HTTP/1.1"),
    "long target": head(b"POST /" + b"a" * 70_000 + b" HTTP/1.1"),
    "HTTP/2 preface": Case(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    "TLS": Case(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 50),
    "PROXY": Case(b"PROXY TCP4 1.2.3.4 1.2.3.4 1 2\r\n" + request(CL, body=BODY)),
    "CONNECT": Case(b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n"),
    "upgrade": Case(request(b"Connection: upgrade", b"Upgrade: websocket", CL, body=BODY)),
    "unknown expectation": Case(request(b"Expect: 200-ok", CL, body=BODY)),
    "two expectations": Case(request(b"Expect: 100-continue", b"Expect: 100-continue", CL, body=BODY)),
    "expectation": one(request(b"Expect: 100-Continue", CL, body=BODY)),
    "empty lines in front": one(b"\r\n\r\n" + request(CL, body=BODY)),
    "absolute form": one(request(CL, body=BODY, line=b"POST http://x/v1/chat/completions HTTP/1.1\r\n")),
    "a field twice": one(request(b"Accept: a", b"Accept: b", CL, body=BODY)),
    "high bytes in a value": one(request(b"X: \xc3\xa4\xff", CL, body=BODY)),
    "empty value": one(request(b"X:", CL, body=BODY)),
    "h2c is not taken up": one(request(b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", CL, body=BODY)),
    "h2c with chunks": one(request(b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", TE, body=CHUNKED)),
    "h2c with both lengths": Case(request(b"Connection: Upgrade", b"Upgrade: h2c", TE, CL, body=CHUNKED)),
    "close": Case(request(b"Connection: close", CL, body=BODY), (BODY,)),
}  # fmt: skip

ALL = {
    f"{kind}: {name}": case
    for kind, cases in (("length", LENGTHS), ("coding", CODINGS), ("chunk", CHUNKS), ("head", HEADS))
    for name, case in cases.items()
}
# After these nothing more is read, canary or not: the connection closes.
LAST = frozenset({"head: close"})
