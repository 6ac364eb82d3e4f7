# SPDX-License-Identifier: Apache-2.0
"""Certificates of the tests that no server should have, made with python3-cryptography."""
import datetime
import ipaddress

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

NOW = datetime.datetime.utcnow()
DAY = datetime.timedelta(days=1)
KEYS = {"p256": lambda: ec.generate_private_key(ec.SECP256R1()), "p384": lambda: ec.generate_private_key(ec.SECP384R1()),
        "p521": lambda: ec.generate_private_key(ec.SECP521R1()), "rsa2048": lambda: rsa.generate_private_key(65537, 2048),
        "rsa1024": lambda: rsa.generate_private_key(65537, 1024)}


def name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


class Pair:
    """A certificate and its key; `issuer` None: self-signed."""

    def __init__(self, subject, issuer=None, key="p256", start=-DAY, end=2 * DAY, ca=False, path_length=None, sans=(),
                 usage=None, extended=(), permitted=None, digest=None, basic=True):
        self.key = KEYS[key]()
        signer = issuer or self
        builder = (x509.CertificateBuilder().subject_name(name(subject))
                   .issuer_name(issuer.cert.subject if issuer else name(subject)).public_key(self.key.public_key())
                   .serial_number(x509.random_serial_number()).not_valid_before(NOW + start).not_valid_after(NOW + end))
        if basic:
            builder = builder.add_extension(x509.BasicConstraints(ca, path_length), critical=True)
        if usage is not None:
            flags = dict.fromkeys(("digital_signature", "content_commitment", "key_encipherment", "data_encipherment",
                                   "key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only"), False)
            flags.update(dict.fromkeys(usage, True))
            builder = builder.add_extension(x509.KeyUsage(**flags), critical=True)
        if extended:
            builder = builder.add_extension(x509.ExtendedKeyUsage(extended), critical=False)
        if sans:
            builder = builder.add_extension(x509.SubjectAlternativeName(
                [x509.IPAddress(ipaddress.ip_address(s[3:])) if s.startswith("IP:") else x509.DNSName(s) for s in sans]),
                critical=False)
        if permitted:
            builder = builder.add_extension(x509.NameConstraints([x509.DNSName(permitted)], None), critical=True)
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(self.key.public_key()), critical=False)
        builder = builder.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.key.public_key()),
                                        critical=False)
        self.cert = builder.sign(signer.key, digest or hashes.SHA256())

    def pem(self):
        return self.cert.public_bytes(serialization.Encoding.PEM)

    def key_pem(self, passphrase=None):
        how = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
        return self.key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, how)

    def write(self, path, *chain):
        """PATH.pem (with the chain behind it) and PATH.key."""
        with open(path + ".pem", "wb") as f:
            f.write(self.pem() + b"".join(c.pem() for c in chain))
        with open(path + ".key", "wb") as f:
            f.write(self.key_pem())


SERVER = (ExtendedKeyUsageOID.SERVER_AUTH,)
CLIENT = (ExtendedKeyUsageOID.CLIENT_AUTH,)
SIGN = ("key_cert_sign", "crl_sign")
