#!/usr/bin/env bash
# OpenSSL: with a gap in the enabled versions (TLS 1.1 and 1.3, as in nginx's `ssl_protocols TLSv1.1 TLSv1.3;`), a server whose
# TLS 1.2 suites are all AEAD refuses every client, and those that only speak TLS 1.3 as well.
#
# The server fails with "no ciphers available" before it looks at what the client offers: it asks for a suite that fits the
# newest version below the gap, and an AEAD suite needs TLS 1.2. Without the gap, with TLS 1.3 alone, or with one old suite in
# the list, the same client gets TLS 1.3.
#
# Seen with: cryptography 44.0.0 (PyPI; OpenSSL 3.4.0) through pyOpenSSL 24.3.0. Needs python3 with venv.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet cryptography==44.0.0 pyOpenSSL==24.3.0

cat >gap.py <<'PY'
from datetime import datetime, timedelta, timezone

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from OpenSSL import SSL

key = rsa.generate_private_key(65537, 2048)
name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a.test")])
now = datetime.now(timezone.utc)
builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
certificate = builder.not_valid_before(now - timedelta(1)).not_valid_after(now + timedelta(1)).sign(key, hashes.SHA256())


def handshake(without, suites):
    """What a client of TLS 1.3 gets from a server without these versions, and with these suites for older ones."""
    server, client = SSL.Context(SSL.TLS_SERVER_METHOD), SSL.Context(SSL.TLS_CLIENT_METHOD)
    server.use_privatekey(key)
    server.use_certificate(certificate)
    for version in without:
        server.set_options(version)
    # Level 0, because higher ones switch TLS 1.1 off altogether, and then there is no gap.
    server.set_cipher_list(suites + b":@SECLEVEL=0")
    client.set_min_proto_version(SSL.TLS1_3_VERSION)
    ends = SSL.Connection(client), SSL.Connection(server)
    ends[0].set_connect_state()
    ends[1].set_accept_state()
    for one, other in [ends, ends[::-1]] * 4:
        try:
            one.do_handshake()
        except SSL.WantReadError:
            pass
        except SSL.Error as error:
            return error.args[0][0][2]
        try:
            other.bio_write(one.bio_read(65536))
        except SSL.WantReadError:
            pass
    return ends[0].get_protocol_version_name()


aead, old = b"ECDHE-RSA-AES128-GCM-SHA256", b"ECDHE-RSA-AES128-SHA"
print(SSL.SSLeay_version(0).decode())
seen = {
    "1.3 alone, AEAD": handshake([SSL.OP_NO_TLSv1, SSL.OP_NO_TLSv1_1, SSL.OP_NO_TLSv1_2], aead),
    "1.1 to 1.3, AEAD": handshake([SSL.OP_NO_TLSv1], aead),
    "1.1 and 1.3, AEAD": handshake([SSL.OP_NO_TLSv1, SSL.OP_NO_TLSv1_2], aead),
    "1.1 and 1.3, AEAD and CBC": handshake([SSL.OP_NO_TLSv1, SSL.OP_NO_TLSv1_2], aead + b":" + old),
}
for server, result in seen.items():
    print(f"{server}: {result}")
assert list(seen.values()) == ["TLSv1.3", "TLSv1.3", "no ciphers available", "TLSv1.3"]
PY
venv/bin/python gap.py
echo "as described"
