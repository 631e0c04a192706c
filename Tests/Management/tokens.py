"""JSON Web Tokens, signed as an identity provider would."""

import base64
import hashlib
import hmac
import json
import time

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature


def _encoded(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=")


class Secret:
    """The key of HS256."""

    algorithm = "HS256"

    def __init__(self, text):
        self.file_content = text + "\n"
        self._bytes = text.encode()

    def sign(self, message):
        return hmac.new(self._bytes, message, hashlib.sha256).digest()


class _Pair:
    @property
    def file_content(self):
        return self._key.public_key().public_bytes(serialization.Encoding.PEM,
                                                   serialization.PublicFormat.SubjectPublicKeyInfo).decode()


class Rsa(_Pair):
    algorithm = "RS256"

    def __init__(self):
        self._key = rsa.generate_private_key(65537, 2048)

    def sign(self, message):
        return self._key.sign(message, padding.PKCS1v15(), hashes.SHA256())


class Elliptic(_Pair):
    algorithm = "ES256"

    def __init__(self):
        self._key = ec.generate_private_key(ec.SECP256R1())

    def sign(self, message):
        r, s = decode_dss_signature(self._key.sign(message, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def token(key, kid=None, lifetime=3600, **claims):
    """A token that ends in `lifetime` seconds."""
    header = {"alg": key.algorithm, "typ": "JWT", **({"kid": kid} if kid else {})}
    payload = {"exp": int(time.time()) + lifetime, **claims}
    message = b".".join(_encoded(json.dumps(part).encode()) for part in (header, payload))
    return (message + b"." + _encoded(key.sign(message))).decode()
