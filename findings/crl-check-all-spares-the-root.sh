#!/usr/bin/env bash
# OpenSSL: with revocation lists required for the whole chain (X509_V_FLAG_CRL_CHECK_ALL, which nginx sets with `ssl_crl` and
# `proxy_ssl_crl`), 3.5 also requires the list of a self-signed certificate's own issuer, 4.0 does not.
#
# A root that is itself presented, or a self-signed certificate that is trusted as it is, fails with "unable to get certificate
# CRL" under 3.5, and passes under 4.0. A chain below the root still needs the root's list under both, because the root issued
# the intermediate.
#
# Seen with: cryptography 46.0.3 (OpenSSL 3.5.4) and 47.0.0 (OpenSSL 4.0.0), through pyOpenSSL. Needs python3 with venv.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

cat >crl.py <<'PY'
import sys
from datetime import datetime, timedelta, timezone

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from OpenSSL import SSL, crypto

now = datetime.now(timezone.utc)


def issued(subject, issuer=None):
    """A certificate and its key; self-signed without an issuer."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, subject)])
    authority, signer = issuer or (None, key)
    builder = x509.CertificateBuilder(
        authority.subject if authority else name, name, key.public_key(), x509.random_serial_number()
    )
    builder = builder.not_valid_before(now - timedelta(1)).not_valid_after(now + timedelta(30))
    builder = builder.add_extension(x509.BasicConstraints(subject != "leaf", None), True)
    return builder.sign(signer, hashes.SHA256()), key


def revocations(authority):
    """An empty list of this issuer."""
    builder = x509.CertificateRevocationListBuilder().issuer_name(authority[0].subject)
    return builder.last_update(now - timedelta(1)).next_update(now + timedelta(7)).sign(authority[1], hashes.SHA256())


def verified(certificate, between, lists, trusted):
    store = crypto.X509Store()
    store.add_cert(crypto.X509.from_cryptography(trusted[0]))
    for each in lists:
        store.add_crl(each)
    store.set_flags(crypto.X509StoreFlags.CRL_CHECK | crypto.X509StoreFlags.CRL_CHECK_ALL)
    others = [crypto.X509.from_cryptography(each[0]) for each in between]
    context = crypto.X509StoreContext(store, crypto.X509.from_cryptography(certificate[0]), others)
    try:
        context.verify_certificate()
    except crypto.X509StoreContextError as error:
        return str(error)
    return "ok"


root = issued("root")
intermediate = issued("intermediate", root)
leaf = issued("leaf", intermediate)
print(SSL.SSLeay_version(0).decode())
seen = {
    "chain, both lists": verified(leaf, [intermediate], [revocations(root), revocations(intermediate)], root),
    "chain, no list of the root": verified(leaf, [intermediate], [revocations(intermediate)], root),
    "root alone, no list": verified(root, [], [], root),
}
for case, result in seen.items():
    print(f"{case}: {result}")
missing = "unable to get certificate CRL"
assert list(seen.values()) == ["ok", missing, sys.argv[1]], seen
PY

python3 -m venv venv
venv/bin/pip install --quiet cryptography==46.0.3 pyOpenSSL==25.3.0
venv/bin/python crl.py "unable to get certificate CRL"
python3 -m venv --clear venv
venv/bin/pip install --quiet cryptography==47.0.0 pyOpenSSL==26.1.0
venv/bin/python crl.py ok
echo "as described"
