"""A provider of OpenID Connect on the loopback interface that can be told to do everything wrong.

The flow against a provider that others wrote is in test_sign_in_flow.py.
"""

import base64
import hashlib
import hmac
import json
import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT, SECRET = "chestxray", "a secret of the client"
PLACES = ("/.well-known/openid-configuration", "/keys", "/token", "/userinfo")


class Provider:
    """What it says, which a test may change, and how often it was asked."""

    def __init__(self, address: str) -> None:
        self.issuer = address
        self.key = RSAKey.generate_key(2048, {"kid": "first"})
        self.published = [self.key]
        self.metadata: dict[str, Any] = {
            "issuer": address,
            "authorization_endpoint": f"{address}/authorize",
            "token_endpoint": f"{address}/token",
            "jwks_uri": f"{address}/keys",
            "userinfo_endpoint": f"{address}/userinfo",
            "end_session_endpoint": f"{address}/logout",
        }
        self.claims: dict[str, Any] = {}
        """Changes of the claims of an ID token; None leaves one out."""
        self.userinfo: dict[str, Any] = {}
        self.subject = "12345678901"
        self.sign: Callable[[dict[str, Any]], str] = self.signed
        self.asked: Counter[str] = Counter()
        self.raw: dict[str, tuple[int, dict[str, str], bytes]] = {}
        """What is answered instead, by path."""
        self._codes: dict[str, dict[str, str]] = {}

    def authorise(self, address: str) -> str:
        """Lets the person agree; returns where the browser is sent then."""
        asked = dict(parse_qsl(urlsplit(address).query))
        assert asked["response_type"] == "code" and asked["code_challenge_method"] == "S256"
        assert asked["client_id"] == CLIENT and "openid" in asked["scope"].split()
        code = secrets.token_urlsafe(16)
        self._codes[code] = asked
        answer = {"code": code, "state": asked["state"], "iss": self.issuer}
        return f"{asked['redirect_uri']}?{urlencode(answer)}"

    def signed(self, claims: dict[str, Any], **header: Any) -> str:
        return jwt.encode({"alg": "RS256", "kid": self.key.kid} | header, claims, self.key)

    def unsigned(self, claims: dict[str, Any]) -> str:
        return _unsigned({"alg": "none"}, claims) + "."

    def signed_by_the_public_key(self, claims: dict[str, Any]) -> str:
        """The confusion of algorithms: HMAC with what everybody can read."""
        text = _unsigned({"alg": "HS256", "kid": self.key.kid}, claims)
        secret = self.key.as_pem(private=False)
        return f"{text}.{_base64(hmac.digest(secret, text.encode(), 'sha256'))}"

    def answer(self, path: str, form: dict[str, str], authorization: str) -> tuple[int, Any]:
        match path:
            case "/.well-known/openid-configuration":
                return 200, self.metadata
            case "/keys":
                return 200, {"keys": [each.as_dict(private=False) for each in self.published]}
            case "/token":
                return self._token(form, authorization)
            case "/userinfo" if authorization == "Bearer an access token":
                return 200, {"sub": self.subject} | self.userinfo
        return 404, {}

    def _token(self, form: dict[str, str], authorization: str) -> tuple[int, Any]:
        asked = self._codes.pop(form.get("code", ""), None)  # a code is good once
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = _base64(digest)
        if (
            asked is None
            or asked["code_challenge"] != challenge
            or asked["redirect_uri"] != form["redirect_uri"]
        ):
            return 400, {"error": "invalid_grant"}
        basic = base64.b64encode(f"{CLIENT}:{SECRET.replace(' ', '+')}".encode()).decode()
        if authorization != f"Basic {basic}":
            return 401, {"error": "invalid_client"}
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "sub": self.subject,
            "aud": CLIENT,
            "iat": now,
            "exp": now + 300,
            "nonce": asked["nonce"],
            "name": "Maria Silva",
            "email": "maria@example.org",
        }
        kept = {k: v for k, v in (claims | self.claims).items() if v is not None}
        return 200, {
            "access_token": "an access token",
            "token_type": "Bearer",
            "id_token": self.sign(kept),
        }


def _unsigned(*parts: dict[str, Any]) -> str:
    return ".".join(_base64(json.dumps(each).encode()) for each in parts)


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


@contextmanager
def faulty_provider() -> Iterator[Provider]:
    """Runs one; its `raw` answers come first."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer({})

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            self._answer({name: values[0] for name, values in parse_qs(body).items()})

        def _answer(self, form: dict[str, str]) -> None:
            path = urlsplit(self.path).path
            provider.asked[path] += 1
            if path in provider.raw:
                status, headers, body = provider.raw[path]
            else:
                status, found = provider.answer(path, form, self.headers.get("Authorization", ""))
                headers, body = {"Content-Type": "application/json"}, json.dumps(found).encode()
            self.send_response(status)
            for name, value in (headers | {"Content-Length": str(len(body))}).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    provider = Provider(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
