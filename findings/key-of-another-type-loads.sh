#!/usr/bin/env bash
# OpenSSL: a private key of another type than the certificate is loaded without an error; a wrong key of the same type is
# refused at once ("key values mismatch").
#
# Each type of key has a place of its own beside its certificate, so an EC key goes to an empty place and nothing is compared.
# A server that only loads both files (as `nginx -t` does) starts, and every client then gets "no shared cipher".
# `SSL_CTX_check_private_key` tells, but only if it is called after both.
#
# Seen with: cryptography 46.0.3 (OpenSSL 3.5.4) and 50.0.2 (OpenSSL 4.0.3), through pyOpenSSL. Needs python3 with venv.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

cat >key.py <<'PY'
from datetime import datetime, timedelta, timezone

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from OpenSSL import SSL

right = rsa.generate_private_key(65537, 2048)
name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a.test")])
now = datetime.now(timezone.utc)
builder = x509.CertificateBuilder(name, name, right.public_key(), x509.random_serial_number())
certificate = builder.not_valid_before(now - timedelta(1)).not_valid_after(now + timedelta(1)).sign(right, hashes.SHA256())


def served(key):
    """What a client gets from a server with the RSA certificate and this key."""
    server = SSL.Context(SSL.TLS_SERVER_METHOD)
    server.use_certificate(certificate)
    try:
        server.use_privatekey(key)
    except SSL.Error as error:
        return "not loaded: " + error.args[0][0][2]
    ends = SSL.Connection(SSL.Context(SSL.TLS_CLIENT_METHOD)), SSL.Connection(server)
    ends[0].set_connect_state()
    ends[1].set_accept_state()
    for one, other in [ends, ends[::-1]] * 4:
        try:
            one.do_handshake()
        except SSL.WantReadError:
            pass
        except SSL.Error as error:
            return "loaded, then: " + error.args[0][0][2]
        try:
            other.bio_write(one.bio_read(65536))
        except SSL.WantReadError:
            pass
    return ends[0].get_protocol_version_name()


print(SSL.SSLeay_version(0).decode())
seen = {
    "its own key": served(right),
    "another RSA key": served(rsa.generate_private_key(65537, 2048)),
    "an EC key": served(ec.generate_private_key(ec.SECP256R1())),
}
for key, result in seen.items():
    print(f"{key}: {result}")
assert list(seen.values()) == ["TLSv1.3", "not loaded: key values mismatch", "loaded, then: no shared cipher"]
PY

for pins in "cryptography==46.0.3 pyOpenSSL==25.3.0" "cryptography==50.0.2 pyOpenSSL==26.4.0"; do
    python3 -m venv --clear venv
    # Word splitting is meant: a word a package.
    venv/bin/pip install --quiet $pins
    venv/bin/python key.py
done
echo "as described"
