use super::*;
use crate::nginx::source::Single;
use crate::nginx::tree::Tree;

fn read(text: &str, given: &[(&str, &str)]) -> Vec<Upstream> {
    let source = Single { path: "/etc/nginx/nginx.conf", text: text.as_bytes() };
    let tree = Tree::read(&source, "/etc/nginx/nginx.conf");
    assert_eq!(tree.problems, [], "{text}");
    let given = given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    upstreams(&tree, &given.collect())
}

/// The upstreams of a `server` block in `http`, next to `more`.
fn http(more: &str, server: &str) -> Vec<Upstream> {
    read(&format!("events {{}} http {{ {more} server {{ {server} }} }}"), &[])
}

/// One line: the name, the SNI if it is sent, and the peers, or why they are unknown.
fn line(upstream: &Upstream) -> String {
    let name = upstream.name.as_deref().unwrap_or("?");
    let sent = if upstream.ssl.sends_name() && upstream.name.is_ok() { name } else { "-" };
    let peers: Vec<String> = match &upstream.destination {
        Ok(destination) => destination.peers.iter().map(peer).collect(),
        Err(reason) => return reason.to_string(),
    };
    format!("{name} {sent} {}", peers.join(","))
}

fn peer(peer: &Peer) -> String {
    match &peer.address {
        PeerAddress::Host { host, port } => format!("{host}:{port}"),
        PeerAddress::Service { host, service } => format!("{service}.{host}"),
        PeerAddress::Unix(path) => format!("unix:{path}"),
    }
}

#[track_caller]
fn check(more: &str, server: &str, expected: &[&str]) {
    let lines: Vec<String> = http(more, server).iter().map(line).collect();
    assert_eq!(lines, expected, "{server}");
}

const ON: &str = "proxy_ssl_server_name on;";

#[test]
fn the_name_is_that_of_the_url_without_its_port() {
    let pass = |url: &str| format!("{ON} location / {{ proxy_pass {url}; }}");
    check("", &pass("https://A.test:8443/x"), &["A.test A.test A.test:8443"]);
    check("", &pass("HTTPS://a.test"), &["a.test a.test a.test:443"]);
    check("", &pass("https://10.0.0.1"), &["10.0.0.1 10.0.0.1 10.0.0.1:443"]);
    check("", &pass("https://[::1]:444"), &["[::1] [::1] ::1:444"]);
    check("", &pass("https://unix:/run/x.sock:/"), &["/run/x.sock /run/x.sock unix:/run/x.sock"]);
    check("", &pass("http://a.test"), &[]);
    check(
        "",
        &pass("https://a.test:0"),
        &["nginx refuses it: invalid port in upstream \"a.test:0\""],
    );
}

#[test]
fn an_upstream_block_gives_its_own_name_and_port_80() {
    let group = "upstream Group { server a.test; server b.test:443 weight=3 backup; server c.test:1 down resolve; server unix:/s; }";
    let pass = format!("{ON} location / {{ proxy_pass https://group; }}");
    check(group, &pass, &["group group a.test:80,b.test:443,c.test:1,unix:/s"]);
    let found = http(group, &pass);
    let destination = found[0].destination.as_ref().unwrap();
    let [first, second, third, _] = &*destination.peers else { panic!("{destination:?}") };
    assert!(first.assumed_port_80 && !second.assumed_port_80);
    assert_eq!((second.weight, second.backup), (3, true));
    assert!(third.down && third.resolve);
    assert_eq!(destination.group.as_ref().unwrap().name, "Group");
    let refused = "nginx refuses it: a port that it may not have in upstream \"group:444\"";
    check(group, "location / { proxy_pass https://group:444; }", &[refused]);
}

#[test]
fn other_modules_need_a_port() {
    check("", "location / { grpc_pass grpcs://a:50051; }", &["a - a:50051"]);
    check("", "location / { uwsgi_pass suwsgi://a:1; uwsgi_ssl_name b:2; }", &["b - a:1"]);
    let refused = "nginx refuses it: no port in upstream \"a\"";
    check("", "location / { grpc_pass grpcs://a; }", &[refused]);
    check("", "location / { grpc_pass grpc://a:1; }", &[]);
    check("", "location / { grpc_pass a:1; uwsgi_pass b:1; }", &[]);
}

#[test]
fn stream_uses_tls_only_with_proxy_ssl() {
    let stream = |inside: &str| {
        let text = format!("events {{}} stream {{ upstream g {{ server a:1; }} {inside} }}");
        read(&text, &[]).iter().map(line).collect::<Vec<_>>()
    };
    let server = "server { listen 1; proxy_pass g; proxy_ssl_server_name on; }";
    assert_eq!(stream(&format!("proxy_ssl on; {server}")), ["g g a:1"]);
    assert_eq!(stream(server), [""; 0]);
    assert_eq!(stream("server { listen 1; proxy_pass b:2; proxy_ssl on; }"), ["b - b:2"]);
}

#[test]
fn settings_come_from_the_innermost_block_that_has_them() {
    let found = http(
        "proxy_ssl_verify on; proxy_ssl_trusted_certificate ca.pem; proxy_ssl_conf_command A 1; proxy_ssl_conf_command B 2;",
        "proxy_ssl_protocols TLSv1.2; location /a { proxy_ssl_verify off; proxy_ssl_conf_command C 3;
           location /a/b { if ($x) { proxy_pass https://a; } } }",
    );
    let ssl = &found[0].ssl;
    assert!(!ssl.verifies() && ssl.verify.is_some());
    assert_eq!(**ssl.trusted_certificate.as_ref().unwrap(), "/etc/nginx/ca.pem");
    assert_eq!(ssl.conf_command.len(), 1);
    assert_eq!(ssl.conf_command[0].value, ("C".to_owned(), "3".to_owned()));
    let names: Vec<&str> = found[0].blocks.iter().map(|block| &*block.name).collect();
    assert_eq!(names, ["http", "server", "location", "location", "if"]);
}

#[test]
fn constants_are_followed_and_the_rest_is_asked_for() {
    check("", "set $b a.test; location / { proxy_pass https://$b:1; }", &["a.test - a.test:1"]);
    check(
        "upstream g { server a:443; }",
        "location / { set $b g; proxy_pass https://${b}/x; }",
        &["g - a:443"],
    );
    check(
        "",
        "location / { proxy_pass $b; }",
        &["$b depends on the request; give a value with --var b=VALUE"],
    );
    check(
        "",
        "location ~ ^/(.*)$ { proxy_pass https://$1.test; }",
        &["$1 is captured by a regular expression; give a value with --var 1=VALUE"],
    );
    check(
        "",
        "location / { set $a $b; set $b $a; proxy_pass https://$a; }",
        &["$a is defined through too many other variables"],
    );
    let outer = "location /a { set $b outer; location /a/b { proxy_pass https://$b; } }";
    check("", &format!("set $b server; {outer}"), &["server - server:443"]);
    check(
        "",
        "set $b a; location / { if ($x) { set $b c; } proxy_pass https://$b; }",
        &["a - a:443", "c - c:443"],
    );
}

#[test]
fn only_scheme_host_and_port_of_a_url_need_a_value() {
    for path in [
        "/$1$is_args$args",
        "/x/${rest}",
        "/?a=$arg_a",
        "/$cookie_c/$http_x",
        "/$host",
        "?$arg_a",
        "$request_uri",
    ] {
        check(
            "",
            &format!("location ~ ^/api/(?<rest>.*)$ {{ proxy_pass https://a.test:8443{path}; }}"),
            &["a.test - a.test:8443"],
        );
    }
    check(
        "map $http_x $to { default https://a.test/$arg_x; ~^(?<p>.*)$ https://b.test/$p; }",
        "location / { set $u $to$2; proxy_pass $u; }",
        &["a.test - a.test:443", "b.test - b.test:443"],
    );
    let unix = "location / { proxy_pass https://unix:/run/s:/$1; }";
    check("", unix, &["/run/s - unix:/run/s"]);
    let host = "$arg_h depends on the request; give a value with --var arg_h=VALUE";
    check("", "location / { proxy_pass https://a.$arg_h/x; }", &[host]);
    let port = "$1 is captured by a regular expression; give a value with --var 1=VALUE";
    check("", "location ~ (.) { proxy_pass https://a:4$1/x; }", &[port]);
    // A key that looks like a URL is looked up as a whole.
    check(
        "map https://a/$arg_k $to { default a; https://a/b b; }",
        "location / { proxy_pass https://$to/$1; }",
        &["a - a:443", "b - b:443"],
    );
}

#[test]
fn tables_give_every_value_and_what_depends_on_the_same_key_stays_together() {
    let maps = "map $http_x $to { default a.test; one b.test; \"two\" http://plain; }
                map $http_x $as { default a.sni; one b.sni; }";
    let server = format!("{ON} location / {{ proxy_ssl_name $as; proxy_pass https://$to; }}");
    let found = http(maps, &server);
    let lines: Vec<String> = found.iter().map(line).collect();
    assert_eq!(lines[..2], ["a.sni a.sni a.test:443", "b.sni b.sni b.test:443"]);
    assert_eq!(found[1].assumed["to"], "b.test");
    check(
        "map $host $to { hostnames; default c; .a.test b; x.a.test d; }",
        "server_name x.a.test y.a.test z.test; location / { proxy_pass https://$to; }",
        &["d - d:443", "b - b:443", "c - c:443"],
    );
    check(
        "split_clients $x $to { 50% a; * b; }",
        "location / { proxy_pass https://$to; }",
        &["b - b:443", "a - a:443"],
    );
}

#[test]
fn names_of_the_server_stand_for_the_host_that_is_asked_for() {
    let pass = "location / { proxy_pass https://b; proxy_ssl_name $host; }";
    check("", &format!("server_name a.test c.test; {pass}"), &["a.test - b:443", "c.test - b:443"]);
    let found = http("", &format!("server_name *.a.test; {pass}"));
    assert_eq!(found[0].name, Err(Unresolved::PerRequest("host".to_owned())));
    assert!(found[0].destination.is_ok());
    let proxy_host = "location / { proxy_pass https://b:444; proxy_ssl_name $proxy_host; }";
    check("", proxy_host, &["b - b:444"]);
}

#[test]
fn given_values_come_first() {
    let text = "events {} http { server { location / { set $b x; proxy_pass https://$b.$c; } } }";
    let found = read(text, &[("b", "a"), ("c", "test")]);
    assert_eq!(line(&found[0]), "a.test - a.test:443");
    assert_eq!(found[0].assumed.len(), 2);
}

#[test]
fn too_many_combinations_are_not_followed() {
    let rows: Vec<String> = (0..30).map(|row| format!("{row} v{row};")).collect();
    let rows = rows.join(" ");
    let maps: Vec<String> = (0..4).map(|n| format!("map $http_x{n} $m{n} {{ {rows} }}")).collect();
    let maps = maps.join(" ");
    let found = http(&maps, "location / { proxy_pass https://$m0$m1$m2$m3; }");
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].destination, Err(Unresolved::TooMany));
}

#[test]
fn variables_that_grow_without_end_are_not_followed() {
    let sets: Vec<String> =
        (0..18).map(|n| format!("set $v{n} {};", format!("$v{}", n + 1).repeat(500))).collect();
    for last in ["\"\"", "x"] {
        let server =
            format!("{} set $v18 {last}; location / {{ proxy_pass https://$v0; }}", sets.join(" "));
        let found = http("", &server);
        assert_eq!(found[0].destination, Err(Unresolved::TooMany));
    }
}

#[test]
fn settings_that_repeat_are_cut() {
    let commands = "proxy_ssl_conf_command Options X; ".repeat(1000);
    let found = http(&commands, "location / { proxy_pass https://a; }");
    assert_eq!(found[0].ssl.conf_command.len(), 100);
}
