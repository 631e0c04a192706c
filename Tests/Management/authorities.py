"""Certificate authorities, and certificates of theirs, for tests."""

import datetime
import ipaddress

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


class Certificate:
    def __init__(self, certificate, key):
        self.certificate, self.key = certificate, key

    @property
    def pem(self):
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    @property
    def key_pem(self):
        return self.key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                      serialization.NoEncryption()).decode()

    def encrypted_key_pem(self, password):
        return self.key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                      serialization.BestAvailableEncryption(password.encode())).decode()


class Authority(Certificate):
    """Signs itself; valid for a day."""

    def __init__(self, name):
        key = ec.generate_private_key(ec.SECP256R1())
        super().__init__(_certificate(name, name, key, key, is_authority=True), key)
        self.name = name

    def issue(self, name, host=None):
        """`host` is a name or an IP address of a server."""
        key = ec.generate_private_key(ec.SECP256R1())
        return Certificate(_certificate(name, self.name, key, self.key, host=host), key)


def _certificate(subject, issuer, key, signer, is_authority=False, host=None):
    def common(name):
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])

    today = datetime.datetime.now(datetime.timezone.utc)
    builder = (
        x509.CertificateBuilder().subject_name(common(subject)).issuer_name(common(issuer)).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(today - datetime.timedelta(hours=1))
        .not_valid_after(today + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
    )
    if host:
        builder = builder.add_extension(x509.SubjectAlternativeName([_general_name(host)]), critical=False)
    return builder.sign(signer, hashes.SHA256())


def _general_name(host):
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
