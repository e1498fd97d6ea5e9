#!/usr/bin/env bash
# libcurl with OpenSSL: 8.19 refuses a certificate of an unknown issuer only after it has completed the handshake. The server
# gets no alert: to it, the handshake succeeded and the client closed without a request. 8.16 sent the alert "unknown ca".
#
# A wrong name has always been refused so. Since this change a server's log (nginx's "tlsv1 alert unknown ca", for one) no longer
# tells that such clients do not trust the certificate.
#
# Seen with: pycurl 7.45.7 (libcurl 8.16.0, OpenSSL 3.5.3) and 7.46.0 (libcurl 8.19.0, OpenSSL 3.6.2), over TLS 1.2 and 1.3.
# Needs python3 with venv.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

cat >refuse.py <<'PY'
import socket
import ssl
import sys
import threading
from datetime import datetime, timedelta, timezone

import pycurl
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

now = datetime.now(timezone.utc)


def write(name):
    """A self-signed certificate for a.test, alone and with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    builder = x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(1)).not_valid_after(now + timedelta(1))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName("a.test")]), False)
    certificate = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    with open(name + ".pem", "wb") as file:
        file.write(certificate)
    with open(name + ".both.pem", "wb") as file:
        file.write(key.private_bytes(encoding, form, serialization.NoEncryption()) + certificate)


def server_sees(version, host, trusted):
    """How the handshake ended for the server, while curl fails with 60 (the certificate is refused)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain("own.both.pem")
    context.minimum_version = context.maximum_version = version
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    seen = []

    def serve():
        connection, _ = listener.accept()
        try:
            wrapped = context.wrap_socket(connection, server_side=True)
            seen.append(f"complete, then {wrapped.recv(1)!r}")
        except ssl.SSLError as error:
            seen.append(error.reason)

    thread = threading.Thread(target=serve)
    thread.start()
    client = pycurl.Curl()
    client.setopt(client.URL, f"https://{host}:{port}/")
    client.setopt(client.RESOLVE, [f"{host}:{port}:127.0.0.1"])
    client.setopt(client.CAINFO, trusted)
    code = None
    try:
        client.perform()
    except pycurl.error as error:
        code = error.args[0]
    thread.join()
    listener.close()
    assert code == pycurl.E_SSL_PEER_CERTIFICATE, code
    return seen[0]


write("own")
write("other")
print(pycurl.version)
for version in ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3:
    name = server_sees(version, "b.test", "own.pem")
    issuer = server_sees(version, "a.test", "other.pem")
    print(f"{version.name}: wrong name: {name}; unknown issuer: {issuer}")
    assert name == "complete, then b''", name
    assert issuer == sys.argv[1], issuer
PY

python3 -m venv venv
venv/bin/pip install --quiet --only-binary :all: cryptography==46.0.3 pycurl==7.45.7
venv/bin/python refuse.py TLSV1_ALERT_UNKNOWN_CA
venv/bin/pip install --quiet --only-binary :all: pycurl==7.46.0
venv/bin/python refuse.py "complete, then b''"
echo "as described"
