//! Compares the reader with nginx: whether a configuration can be read, and the message if not.

use std::fs;
use std::path::Path;
use std::process::Command;

use shakedown::nginx::dump::Dump;
use shakedown::nginx::problem::ConfigurationProblem;
use shakedown::nginx::tree::{Directive, Tree};
use shakedown::targets::disk::Disk;
use tempfile::TempDir;

use crate::support::dice::Dice;
use crate::support::server::nginx_binary;

/// A configuration in its own folder.
struct Case {
    folder: TempDir,
}

impl Case {
    fn new(files: &[(&str, &[u8])]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        Self { folder }
    }

    fn main(&self) -> String {
        self.folder.path().join("nginx.conf").to_str().unwrap().to_owned()
    }

    /// The reader's first message, in nginx's format.
    fn ours(&self) -> Option<ConfigurationProblem> {
        Tree::read(&Disk::default(), &self.main()).problems.into_iter().next()
    }

    /// nginx's first message, if it refuses the configuration.
    fn theirs(&self) -> Option<String> {
        let (text, accepted) = self.nginx("-t");
        let error = text.lines().find_map(|line| line.split_once("[emerg] ")).map(|(_, text)| text);
        assert_eq!(error.is_none(), accepted, "{text}");
        let error = error?;
        let has_number = error.starts_with(|c: char| c.is_ascii_digit());
        let error = error.split_once(": ").filter(|_| has_number).map_or(error, |(_, rest)| rest);
        Some(error.to_owned())
    }

    /// nginx's output, and whether it accepts the configuration.
    fn nginx(&self, option: &str) -> (String, bool) {
        let output = Command::new(nginx_binary())
            .arg("-p")
            .arg(self.folder.path())
            .args(["-e", "stderr", option, "-c"])
            .arg(self.main())
            .output()
            .expect("nginx is needed: install the package nginx-light or nginx");
        let text = if option == "-T" { output.stdout } else { output.stderr };
        (String::from_utf8_lossy(&text).into_owned(), output.status.success())
    }
}

/// A prefix of each configuration, so that nginx needs no special rights.
const HEAD: &str = "pid nginx.pid; error_log stderr; events {} ";

/// Both refuse the main file with this message, in which `MAIN` is replaced by its name; if empty, both accept it.
#[track_caller]
fn check(text: &str, message: &str) {
    check_files(&[("nginx.conf", &format!("{HEAD}{text}"))], message);
}

#[track_caller]
fn check_files(files: &[(&str, &str)], message: &str) {
    let bytes: Vec<(&str, &[u8])> =
        files.iter().map(|(path, text)| (*path, text.as_bytes())).collect();
    let case = Case::new(&bytes);
    let folder = case.folder.path().to_str().unwrap();
    let expected = message.replace("DIR", folder);
    assert_eq!(case.theirs().unwrap_or_default(), expected, "nginx: {files:?}");
    let ours = case.ours().map(|problem| problem.to_string()).unwrap_or_default();
    assert_eq!(ours, expected, "{files:?}");
}

#[test]
fn broken_syntax_is_named_as_nginx_names_it() {
    check("http {\n\n}\n}", "unexpected \"}\" in DIR/nginx.conf:4");
    check("http {\n", "unexpected end of file, expecting \"}\" in DIR/nginx.conf:2");
    check(
        "http { server_tokens off",
        "unexpected end of file, expecting \";\" or \"}\" in DIR/nginx.conf:1",
    );
    check("http {\nserver_tokens off\n}", "unexpected \"}\" in DIR/nginx.conf:3");
    check(
        "http {\ngzip on {\n}}",
        "directive \"gzip\" is not terminated by \";\" in DIR/nginx.conf:2",
    );
    check("\nhttp;", "directive \"http\" has no opening \"{\" in DIR/nginx.conf:2");
    check("http { ; }", "unexpected \";\" in DIR/nginx.conf:1");
    check("http { { } }", "unexpected \"{\" in DIR/nginx.conf:1");
    check("http { root \"a\"b; }", "unexpected \"b\" in DIR/nginx.conf:1");
    check(
        "http { root \"a\n;",
        "unexpected end of file, expecting \";\" or \"}\" in DIR/nginx.conf:2",
    );
    check(
        "http {\nroot a b;\n}",
        "invalid number of arguments in \"root\" directive in DIR/nginx.conf:2",
    );
    check("http {\nlisten 1;\n}", "\"listen\" directive is not allowed here in DIR/nginx.conf:2");
    check("http { gzip on;\n gzip off; }", "\"gzip\" directive is duplicate in DIR/nginx.conf:2");
    check(
        "http { gzip yes; }",
        "invalid value \"yes\" in \"gzip\" directive, it must be \"on\" or \"off\" in DIR/nginx.conf:1",
    );
    check(
        "http { keepalive_requests x; }",
        "\"keepalive_requests\" directive invalid number in DIR/nginx.conf:1",
    );
    check("http { ssl_protocols TLSv9; }", "invalid value \"TLSv9\" in DIR/nginx.conf:1");
    check("http { map $uri $x { a { } } }", "unexpected \"{\" in DIR/nginx.conf:1");
    let in_if = "http { server { location / { if ($uri) { proxy_ssl_verify on; } } } }";
    check(in_if, "\"proxy_ssl_verify\" directive is not allowed here in DIR/nginx.conf:1");
    let in_location = "http { server { location / { ssl_verify_client on; } } }";
    check(in_location, "\"ssl_verify_client\" directive is not allowed here in DIR/nginx.conf:1");
    check_files(
        &[("nginx.conf", "pid nginx.pid; http {}")],
        "no \"events\" section in configuration",
    );
}

#[test]
fn words_that_look_broken_are_read_as_in_nginx() {
    check("http { root a}b; }", "");
    check("http { root a#b; index \"x;{}#\" 'y\\'z' ${uri}a; }", "");
    check("http { server { location ~ \"^/a{2}$\" { return 204; } } }", "");
    check("http { \"root\" a; \nserver{return 204;}}", "");
    check("http { server { if ( $uri = \"a\") { return 204; } } }", "");
    check("http { map $uri $a { default b; ~x{2} d; } }", "unexpected \"{\" in DIR/nginx.conf:1");
    check("http { index a\\ b c\\;d; }", "");
    check("http {\r\n\tgzip\ton;\r\n}\r\n# the end", "");
}

#[test]
fn includes_are_followed_as_nginx_follows_them() {
    let main = |text: &str| format!("{HEAD}{text}");
    let include = main("http {\n include c/*.conf; include d; }");
    let files = |broken: &'static str| {
        [("nginx.conf", include.clone()), ("c/b.conf", broken.to_owned()), ("d", String::new())]
    };
    let check = |files: &[(&str, String)], message: &str| {
        let files: Vec<(&str, &str)> =
            files.iter().map(|(path, text)| (*path, text.as_str())).collect();
        check_files(&files, message);
    };
    check(&files("gzip on;\nserver {\n}"), "");
    check(&files("gzip on;\n}"), "unexpected \"}\" in DIR/c/b.conf:2");
    check(&files("server {\n"), "unexpected end of file, expecting \"}\" in DIR/c/b.conf:2");
    check(&files("gzip on"), "unexpected end of file, expecting \";\" or \"}\" in DIR/c/b.conf:1");
    check(
        &files("include ../no-such-file;"),
        "open() \"DIR/../no-such-file\" failed (2: No such file or directory) in DIR/c/b.conf:1",
    );
    let twice = [
        ("nginx.conf", main("http { include d; server { include d; } }")),
        ("d", "gzip on;".to_owned()),
    ];
    check(&twice, "");
    let cut = [("nginx.conf", main("include d; }")), ("d", "http {".to_owned())];
    check(&cut, "unexpected end of file, expecting \"}\" in DIR/d:1");
    check(
        &[("nginx.conf", main("include none;"))],
        "open() \"DIR/none\" failed (2: No such file or directory) in DIR/nginx.conf:1",
    );
    check(&[("nginx.conf", main("include none*;"))], "");
}

/// nginx's messages about syntax, not those of modules about the meaning of directives.
const SYNTAX: [&str; 11] = [
    "unexpected ",
    "too long parameter",
    "is not terminated by",
    "has no opening",
    "directive is not allowed here",
    "invalid number of arguments in",
    "directive is duplicate",
    "directive invalid number",
    "it must be \"on\" or \"off\"",
    "open() \"",
    "no \"events\" section",
];

const SEED: &str = "events {}\npid nginx.pid;\nerror_log stderr;\nhttp {\n  upstream b { server 127.0.0.1:1 weight=2; least_conn; }\n\
    map $uri $m { default \"a b\"; ~^/x{ 'c'; }\n  server { listen 127.0.0.1:1 default_server; server_name \"a\" ~^b; # why {\n\
    ssl_protocols TLSv1.2 TLSv1.3;\n gzip off; location / { if ($uri = \"/x\") { return 204; } proxy_pass https://b/${uri};\n\
    proxy_ssl_verify off; proxy_ssl_name $m; limit_except GET { deny all; } } } }\n";

/// The inserted texts: syntax, and misplaced directives.
const PIECES: [&str; 20] = [
    "{",
    "}",
    ";",
    "\"",
    "'",
    "#",
    "\\",
    "$",
    "${",
    "\n",
    " ",
    "http {",
    "gzip on;",
    "listen 1;",
    "a b {",
    "}}",
    ";;",
    "proxy_ssl_verify on;",
    "include x;",
    "ssl_protocols X;",
];

/// The number of generated configurations.
const MUTATIONS: usize = 400;

#[test]
fn mutated_configurations_are_read_as_nginx_reads_them() {
    let mut dice = Dice(0x5eed);
    let mut refused = 0;
    for _ in 0..MUTATIONS {
        let mut text = SEED.as_bytes().to_vec();
        for _ in 0..=dice.below(2) {
            let at = dice.below(text.len());
            match dice.below(4) {
                0 => drop(text.remove(at)),
                1 => text.truncate(at.max(1)),
                _ => drop(text.splice(at..at, PIECES[dice.below(PIECES.len())].bytes())),
            }
        }
        let case = Case::new(&[("nginx.conf", &text)]);
        let (ours, theirs) = (case.ours(), case.theirs());
        refused += usize::from(theirs.is_some());
        compare(&String::from_utf8_lossy(&text), ours, theirs);
    }
    assert!(refused > MUTATIONS / 4, "{refused} of {MUTATIONS}");
}

#[track_caller]
fn compare(text: &str, ours: Option<ConfigurationProblem>, theirs: Option<String>) {
    let said = ours.as_ref().map(ToString::to_string);
    let known = |message: &String| SYNTAX.iter().any(|words| message.contains(words));
    match theirs {
        Some(theirs) if known(&theirs) => {
            assert_eq!(said.as_deref(), Some(&*theirs), "{text}");
        }
        Some(theirs) => {
            // nginx refused a directive's meaning; before that, the reader must report no problem.
            let line =
                |text: &str| text.rsplit(':').next().and_then(|line| line.parse::<u32>().ok());
            let own = ours.and_then(|problem| problem.span).map(|span| span.line);
            let is_later = own.zip(line(&theirs)).is_none_or(|(own, theirs)| own >= theirs);
            assert!(is_later, "{said:?} before {theirs}: {text}");
        }
        None => assert_eq!(said, None, "{text}"),
    }
}

#[test]
fn a_dump_of_nginx_reads_as_the_files_do() {
    let case = Case::new(&[
        (
            "nginx.conf",
            b"pid nginx.pid;\nevents {}\nhttp {\n  include c/*.conf;\n  include c/a.conf;\n}",
        ),
        ("c/a.conf", b"# configuration file /etc/shadow:\nserver { server_name a; }\n"),
        ("c/b.conf", b"server { server_name \"\n# configuration file x:\n\"; }"),
    ]);
    let (text, accepted) = case.nginx("-T");
    assert!(accepted, "{text}");
    let dump = Dump::read(text.as_bytes()).unwrap();
    let (from_dump, from_disk) =
        (Tree::read(&dump, &dump.main), Tree::read(&Disk::default(), &case.main()));
    assert_eq!(from_dump.problems, []);
    assert_eq!(from_dump.directives, from_disk.directives);
    let servers = |tree: &Tree| {
        let http = tree.blocks("http").next().unwrap();
        http.children()
            .iter()
            .map(Directive::clone)
            .map(|one| one.span.to_string())
            .collect::<Vec<_>>()
    };
    let folder = case.folder.path().display();
    assert_eq!(
        servers(&from_dump),
        [
            format!("{folder}/c/a.conf:2"),
            format!("{folder}/c/b.conf:1"),
            format!("{folder}/c/a.conf:2")
        ]
    );
    assert!(Path::new(&dump.main).is_absolute());
}
