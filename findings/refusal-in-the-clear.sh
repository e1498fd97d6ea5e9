#!/usr/bin/env bash
# OpenSSL as a client refuses a certificate with an alert that is not encrypted, in TLS 1.3 too, where everything after the ServerHello
# should be (RFC 8446 section 5). Its handshake keys are only put in place for its own next message.
#
# So whoever captures packets can read why such a client left ("unknown ca", "certificate expired"), and a peer must accept a record
# in the clear where it expects an encrypted one. The server's own alerts are encrypted.
#
# Seen with: cryptography 46.0.3 (OpenSSL 3.5.4) and 50.0.2 (OpenSSL 4.0.3), through pyOpenSSL. Needs python3 with venv.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

cat >refuse.py <<'PY'
from datetime import datetime, timedelta, timezone

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from OpenSSL import SSL

ALERT, APPLICATION_DATA = 21, 23

key = ec.generate_private_key(ec.SECP256R1())
name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a.test")])
now = datetime.now(timezone.utc)
builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
certificate = builder.not_valid_before(now - timedelta(1)).not_valid_after(now + timedelta(1)).sign(key, hashes.SHA256())


def records(flight):
    while flight:
        end = 5 + int.from_bytes(flight[3:5], "big")
        yield flight[0], flight[5:end]
        flight = flight[end:]


def last_of(refuses):
    """The last record of the end that refuses the other's certificate, and the error that the other end reports."""
    ends = {}
    for role, method in (("client", SSL.TLS_CLIENT_METHOD), ("server", SSL.TLS_SERVER_METHOD)):
        context = SSL.Context(method)
        context.use_certificate(certificate)
        context.use_privatekey(key)
        context.set_min_proto_version(SSL.TLS1_3_VERSION)
        if role == refuses:
            context.set_verify(SSL.VERIFY_PEER, None)
        ends[role] = SSL.Connection(context)
    ends["client"].set_connect_state()
    ends["server"].set_accept_state()
    sent, told = [], None
    for role, other in [("client", "server"), ("server", "client")] * 4:
        try:
            ends[role].do_handshake()
            ends[role].recv(1)
        except SSL.WantReadError:
            pass
        except SSL.Error as error:
            if role != refuses and error.args and error.args[0] and isinstance(error.args[0], list):
                told = told or error.args[0][0][2]
        try:
            flight = ends[role].bio_read(65536)
        except SSL.WantReadError:
            continue
        if role == refuses:
            sent += records(flight)
        ends[other].bio_write(flight)
    return sent[-1], told


print(SSL.SSLeay_version(0).decode())
(kind, alert), told = last_of("client")
print(f"a client that refuses ends with a record of type {kind}, {alert.hex(' ')}; the server reports: {told}")
assert (kind, alert, told) == (ALERT, bytes([2, 48]), "tlsv1 alert unknown ca")
(kind, alert), told = last_of("server")
print(f"a server that refuses ends with a record of type {kind}, {len(alert)} bytes; the client reports: {told}")
assert (kind, told) == (APPLICATION_DATA, "tlsv1 alert unknown ca")
PY

for pins in "cryptography==46.0.3 pyOpenSSL==25.3.0" "cryptography==50.0.2 pyOpenSSL==26.4.0"; do
    python3 -m venv --clear venv
    # Word splitting is meant: a word a package.
    venv/bin/pip install --quiet $pins
    venv/bin/python refuse.py
done
echo "as described"
