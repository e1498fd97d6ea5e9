use proptest::prelude::*;

use super::*;

const MAIN: &str = "/etc/nginx/nginx.conf";

fn tree(files: &[(&str, &str)]) -> Tree {
    Tree::read(&MemoryFiles::of(files.iter().map(|(path, text)| (*path, text.as_bytes()))), MAIN)
}

/// The place of the first directive of this name.
fn place(tree: &Tree, name: &str) -> Span {
    fn find<'t>(directives: &'t [Directive], name: &str) -> Option<&'t Directive> {
        directives
            .iter()
            .find_map(|one| if one.name == name { Some(one) } else { find(one.children(), name) })
    }
    find(&tree.directives, name).unwrap().span.clone()
}

fn edit(tree: &Tree, (name, at): (&str, &str), arguments: &[&str]) -> Edit {
    let arguments = arguments.iter().map(|&word| word.to_owned()).collect();
    Edit { name: name.to_owned(), arguments, at: place(tree, at) }
}

/// The main file with these edits: name, anchor and arguments.
#[track_caller]
fn check(before: &str, edits: &[(&str, &str, &[&str])], expected: &str) {
    let tree = tree(&[(MAIN, before)]);
    let edits: Vec<Edit> =
        edits.iter().map(|(name, at, words)| edit(&tree, (name, at), words)).collect();
    let patch = patch(&tree, &edits).unwrap();
    let after = patch.files.first().map_or(before.as_bytes(), |file| &file.after);
    assert_eq!(String::from_utf8_lossy(after), expected);
}

const NAME: (&str, &str, &[&str]) = ("proxy_ssl_server_name", "proxy_pass", &["on"]);

#[test]
fn a_new_directive_follows_its_anchor_with_the_same_indentation() {
    check(
        "a {\n\tproxy_pass x; # why\n}\n",
        &[NAME],
        "a {\n\tproxy_pass x; # why\n\tproxy_ssl_server_name on;\n}\n",
    );
    check(
        "a {\r\n  proxy_pass x;\r\n}\r\n",
        &[NAME],
        "a {\r\n  proxy_pass x;\r\n  proxy_ssl_server_name on;\r\n}\r\n",
    );
    check("a { proxy_pass x; }", &[NAME], "a { proxy_pass x; proxy_ssl_server_name on; }");
    check("proxy_pass x;", &[NAME], "proxy_pass x;\nproxy_ssl_server_name on;");
    let two = [NAME, ("proxy_ssl_name", "proxy_pass", &["a b"] as &[&str])];
    check(
        " proxy_pass\n   x;\n",
        &two,
        " proxy_pass\n   x;\n proxy_ssl_server_name on;\n proxy_ssl_name \"a b\";\n",
    );
}

#[test]
fn a_new_directive_goes_to_the_start_of_the_block() {
    let edit: &[(&str, &str, &[&str])] = &[("ssl_protocols", "server", &["TLSv1.2", "TLSv1.3"])];
    check("  server {\n  }\n", edit, "  server {\n      ssl_protocols TLSv1.2 TLSv1.3;\n  }\n");
    check("server {\n\tx;\n}\n", edit, "server {\n\tssl_protocols TLSv1.2 TLSv1.3;\n\tx;\n}\n");
    check("server {x;}", edit, "server { ssl_protocols TLSv1.2 TLSv1.3;x;}");
}

#[test]
fn a_directive_in_the_same_block_is_replaced_in_place() {
    check(
        "proxy_ssl_server_name  on ; proxy_pass x;",
        &[NAME],
        "proxy_ssl_server_name  on ; proxy_pass x;",
    );
    check(
        "proxy_ssl_server_name  off ; proxy_pass x;",
        &[NAME],
        "proxy_ssl_server_name  on; proxy_pass x;",
    );
    check(
        "proxy_ssl_server_name off;\nlocation / {\n  proxy_pass x;\n}\n",
        &[NAME],
        "proxy_ssl_server_name off;\nlocation / {\n  proxy_pass x;\n  proxy_ssl_server_name on;\n}\n",
    );
    let protocols: &[(&str, &str, &[&str])] = &[("ssl_protocols", "listen", &["TLSv1.3"])];
    check(
        "listen 1;\nssl_protocols TLSv1;\nssl_protocols TLSv1.1;\n",
        protocols,
        "listen 1;\nssl_protocols TLSv1.3;\n",
    );
    let none: &[(&str, &str, &[&str])] = &[("proxy_ssl_name", "proxy_pass", &[])];
    check("proxy_pass x; proxy_ssl_name y;\n", none, "proxy_pass x; \n");
    check("proxy_pass x;\n  proxy_ssl_name y;\nz;\n", none, "proxy_pass x;\nz;\n");
}

#[test]
fn commands_are_distinguished_and_the_outer_ones_are_repeated() {
    let edits: &[(&str, &str, &[&str])] =
        &[("proxy_ssl_conf_command", "proxy_pass", &["Options", "X"])];
    check(
        "proxy_ssl_conf_command Groups P-256;\nproxy_ssl_conf_command Options Y;\nlocation / {\n  proxy_pass x;\n}\n",
        edits,
        "proxy_ssl_conf_command Groups P-256;\nproxy_ssl_conf_command Options Y;\nlocation / {\n  proxy_pass x;\n  proxy_ssl_conf_command Groups P-256;\n  proxy_ssl_conf_command Options X;\n}\n",
    );
    check(
        "proxy_ssl_conf_command Groups P-256;\nproxy_ssl_conf_command Options Y;\nproxy_pass x;\n",
        edits,
        "proxy_ssl_conf_command Groups P-256;\nproxy_ssl_conf_command Options X;\nproxy_pass x;\n",
    );
}

#[test]
fn a_condition_may_not_contain_a_tls_directive() {
    check(
        "location / {\n  if ($x) {\n    proxy_pass x;\n  }\n}\n",
        &[NAME],
        "location / {\n  proxy_ssl_server_name on;\n  if ($x) {\n    proxy_pass x;\n  }\n}\n",
    );
}

#[test]
fn included_files_are_patched_at_the_place_of_the_directive() {
    let files = [
        (
            MAIN,
            "events {}\nhttp {\n  server {\n    location / {\n      include tls.inc;\n      proxy_pass x;\n    }\n  }\n}\n",
        ),
        ("/etc/nginx/tls.inc", "proxy_ssl_server_name off;"),
    ];
    let tree = tree(&files);
    let patch =
        patch(&tree, &[edit(&tree, ("proxy_ssl_server_name", "proxy_pass"), &["on"])]).unwrap();
    assert_eq!(
        patch.diff(),
        "--- a/etc/nginx/tls.inc\n+++ b/etc/nginx/tls.inc\n@@ -1 +1 @@\n-proxy_ssl_server_name off;\n\\ No newline at end of file\n+proxy_ssl_server_name on;\n\\ No newline at end of file\n"
    );
    let after = patch.apply(&tree);
    assert_eq!(after.problems, []);
    assert!(after.at(&place(&tree, "proxy_ssl_server_name")).unwrap().is_on());
}

#[test]
fn equal_edits_count_once_and_contradictions_are_reported() {
    let text = "location / {\n  if ($a) {\n    proxy_pass x;\n  }\n  y;\n}\n";
    let twice = [NAME, NAME, ("proxy_ssl_server_name", "y", &["on"] as &[&str])];
    check(
        text,
        &twice,
        "location / {\n  proxy_ssl_server_name on;\n  if ($a) {\n    proxy_pass x;\n  }\n  y;\n}\n",
    );
    let tree = tree(&[(MAIN, text)]);
    let edits = ["on", "off"].map(|word| edit(&tree, ("proxy_ssl_server_name", "y"), &[word]));
    assert_eq!(patch(&tree, &edits), Err(EditError::Conflict(place(&tree, "y"))));
}

#[test]
fn a_patch_that_breaks_another_block_is_reported() {
    let tree = tree(&[
        (
            MAIN,
            "events {} http { server { location / { include p; } location /b { proxy_ssl_name b; include p; } } }",
        ),
        ("/etc/nginx/p", "proxy_pass x;\n"),
    ]);
    let patched = |words: &[(&str, &[&str])]| {
        let edits: Vec<Edit> =
            words.iter().map(|(name, words)| edit(&tree, (name, "proxy_pass"), words)).collect();
        patch(&tree, &edits).unwrap().fault(&tree).map(|problem| problem.to_string())
    };
    assert_eq!(patched(&[("proxy_ssl_server_name", &["on"])]), None);
    let duplicate = "\"proxy_ssl_name\" directive is duplicate in /etc/nginx/p:2";
    assert_eq!(patched(&[("proxy_ssl_name", &["a"])]), Some(duplicate.to_owned()));
}

#[test]
fn an_invalid_place_is_reported() {
    let tree = tree(&[(MAIN, "a;\n")]);
    let mut at = place(&tree, "a");
    at.line = 9;
    let edit = Edit { name: "b".to_owned(), arguments: vec!["c".to_owned()], at: at.clone() };
    assert_eq!(patch(&tree, &[edit]), Err(EditError::NoPlace(at)));
}

#[test]
fn an_empty_argument_is_written_into_the_block_of_its_anchor() {
    check(
        " events {}\thttp {\tx y;\tserver { x \"z\" ;\tz 1; }}",
        &[("a_name", "http", &[""])],
        " events {}\thttp { a_name \"\";\tx y;\tserver { x \"z\" ;\tz 1; }}",
    );
}

proptest! {
    /// Whatever the layout, the edited directive has the right value, and no other one changes.
    #[test]
    fn an_edit_changes_one_directive(
        gaps in proptest::collection::vec("[ \t\r\n]{1,3}(#[ -~]{0,5}\n)?", 8),
        name in 0..4_usize,
        at in 0..3_usize,
        word in "[ -~é]{0,6}",
    ) {
        let [a, b, c, d, e, f, g, h] = &gaps[..] else { unreachable!() };
        let text = format!("{a}events{b}{{}}{c}http {{{d}x y;{e}server{f}{{ x \"z\" ;{g}z 1;{h}}}}}");
        let before = tree(&[(MAIN, &text)]);
        let name = ["x", "y", "z", "a_name"][name];
        let edit = Edit {
            name: name.to_owned(),
            arguments: vec![word.clone()],
            at: place(&before, ["http", "server", "z"][at]),
        };
        let after = patch(&before, &[edit]).unwrap().apply(&before);
        prop_assert_eq!(&after.problems, &before.problems);
        let words = |tree: &Tree, inner: bool| -> Vec<Vec<String>> {
            let http = tree.blocks("http").next().unwrap();
            let server = http.children().iter().find(|one| one.name == "server").unwrap();
            let block = if inner { server } else { http };
            let simple = block.children().iter().filter(|one| one.block.is_none());
            simple.map(|one| [vec![one.name.to_string()], one.arguments.clone()].concat()).collect()
        };
        let inner = at != 0;
        prop_assert_eq!(words(&after, !inner), words(&before, !inner));
        let others = |tree: &Tree| words(tree, inner).into_iter().filter(|words| words[0] != name).collect::<Vec<_>>();
        prop_assert_eq!(others(&after), others(&before));
        let meant: Vec<_> = words(&after, inner).into_iter().filter(|words| words[0] == name).collect();
        prop_assert_eq!(meant, [vec![name.to_owned(), word]]);
    }
}
