//! Any text can be analysed without a panic.

use proptest::prelude::*;

use super::build::Build;
use super::defaults::NginxRelease;
use super::dump::Dump;
use super::edit::{Edit, patch};
use super::facts::facts;
use super::listener::listeners;
use super::problem::Fault;
use super::server_name::ServerName;
use super::source::MemoryFiles;
use super::tree::{Directive, Tree};
use super::upstream::upstreams;
use super::variable::Variables;
use super::{glob, kubernetes};

/// Parts of configurations, mostly valid.
const PIECES: [&str; 44] = [
    "http {",
    "stream {",
    "mail {",
    "server {",
    "location / {",
    "if ($a) {",
    "limit_except GET {",
    "upstream g {",
    "map $a $b {",
    "geo $c {",
    "split_clients $a $d {",
    "}",
    "}",
    "}",
    "}",
    "listen 443 ssl;",
    "listen [::]:1-9 ssl;",
    "listen unix:/a ssl;",
    "listen 443 quic;",
    "listen x:y ssl;",
    "server_name a *.b ~c d.* $e .f \"\" é;",
    "ssl_certificate data:$a;",
    "ssl_certificate a;",
    "ssl_certificate_key b;",
    "ssl_protocols TLSv1.3;",
    "ssl on;",
    "ssl_protocols;",
    "proxy_pass https://$b;",
    "proxy_pass https://g;",
    "proxy_pass $d$c;",
    "proxy_pass https://[::1]:2/;",
    "grpc_pass grpcs://g:1;",
    "proxy_pass;",
    "proxy_ssl on;",
    "proxy_ssl_name $b;",
    "proxy_ssl_verify on;",
    "proxy_ssl_conf_command;",
    "server a:1 weight=x backup;",
    "set $a $b;",
    "set $b $a$b;",
    "a b;",
    "default $b;",
    "é é;",
    "\"\" \"$\";",
];

fn places(directives: &[Directive], into: &mut Vec<Edit>) {
    for one in directives {
        for name in ["proxy_ssl_conf_command", "ssl_protocols"] {
            let arguments = vec!["Options".to_owned(), "é;".to_owned()];
            into.push(Edit { name: name.to_owned(), arguments, at: one.span.clone() });
        }
        places(one.children(), into);
    }
}

/// The number of syntax errors, ignoring misplaced directives.
fn broken(tree: &Tree) -> usize {
    let faults = tree.problems.iter().map(|problem| &problem.fault);
    let is_syntax = |fault: &&Fault| {
        matches!(fault, Fault::Unexpected(_) | Fault::UnexpectedEnd | Fault::UnclosedBlock)
    };
    faults.filter(is_syntax).count()
}

proptest! {
    #[test]
    fn nothing_panics(pieces in proptest::collection::vec(proptest::sample::select(&PIECES[..]), 0..60)) {
        let text = pieces.join(" ");
        let tree = Tree::read(&MemoryFiles::of([("n", text.as_bytes())]), "n");
        let sockets = listeners(&tree);
        let passes = upstreams(&tree, &Variables::new());
        for listener in &sockets {
            for server in &listener.servers {
                let _ = listener.protocols(server, NginxRelease::new(1, 22, 1));
            }
            let _ = listener.server_for("a.b");
        }
        for fact in facts(&tree, &sockets, &passes, Some(NginxRelease::new(1, 18, 0))) {
            prop_assert!(!fact.to_string().is_empty());
        }
        let mut edits = Vec::new();
        places(&tree.directives, &mut edits);
        for edit in edits {
            let after = patch(&tree, &[edit]).unwrap().apply(&tree);
            prop_assert_eq!(broken(&after), broken(&tree));
        }
    }

    #[test]
    fn any_text_is_taken_apart(text in "(# configuration file [a-c/*]{1,4}:\n|[ -~é]|[{};\n]|include [a-c/*]{1,3};){0,40}") {
        if let Some(dump) = Dump::read(text.as_bytes()) {
            let _ = Tree::read(&dump, &dump.main);
        }
        let _ = (Build::read(&text), text.parse::<NginxRelease>(), ServerName::read(&text));
        let _ = kubernetes::read(text.as_bytes(), &Variables::new(), None);
        prop_assert!(glob::matches(&text, &text) || text.contains(['[', '\\', '*', '?', '.']));
    }
}
