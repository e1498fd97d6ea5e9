use proptest::prelude::*;

use super::*;
use crate::nginx::source::MemoryFiles;

fn read(files: &[(&str, &str)]) -> Tree {
    let files = files.iter().map(|(path, text)| (*path, text.as_bytes()));
    Tree::read(&MemoryFiles::of(files), "/etc/nginx/nginx.conf")
}

/// The first problem, as nginx prints it.
fn problem(text: &str) -> String {
    let tree = read(&[("/etc/nginx/nginx.conf", text)]);
    tree.problems.first().map(ToString::to_string).unwrap_or_default()
}

fn count(directives: &[Directive]) -> usize {
    directives.iter().map(|one| 1 + count(one.children())).sum()
}

#[test]
fn every_directive_keeps_its_place_and_its_bytes() {
    let text = "events {}\nhttp {\n  server {\n    listen 1; # x\n  }\n}\n";
    let tree = read(&[("/etc/nginx/nginx.conf", text)]);
    assert_eq!(tree.problems, []);
    let server = &tree.directives[1].children()[0];
    let listen = &server.children()[0];
    assert_eq!((server.span.line, server.span.column), (3, 3));
    assert_eq!((listen.span.line, listen.span.column), (4, 5));
    assert_eq!(&text[listen.extent.clone()], "listen 1;");
    assert_eq!(&text[server.extent.clone()], "server {\n    listen 1; # x\n  }");
    assert_eq!(&text[..server.opens_at.unwrap()], "events {}\nhttp {\n  server {");
    assert_eq!(tree.at(&listen.span), Some(listen));
}

#[test]
fn included_directives_stand_in_place_of_their_include() {
    let tree = read(&[
        ("/etc/nginx/nginx.conf", "events {} http { include conf.d/*.conf; x; }"),
        ("/etc/nginx/conf.d/b.conf", "b { include /etc/nginx/c; }"),
        ("/etc/nginx/conf.d/a.conf", "a;"),
        ("/etc/nginx/c", "c;"),
    ]);
    assert_eq!(tree.problems, []);
    let inside = tree.directives[1].children();
    let names: Vec<&str> = inside.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["a", "b", "x"]);
    assert_eq!(&*inside[1].children()[0].span.file, "/etc/nginx/c");
    assert_eq!(tree.files.len(), 4);
}

#[test]
fn a_file_that_includes_itself_ends() {
    let tree =
        read(&[("/etc/nginx/nginx.conf", "events {} include a;"), ("/etc/nginx/a", "include a;")]);
    assert_eq!(tree.problems[0].fault, Fault::TooDeep(MAX_DEPTH));
    let twice = "a; include nginx.conf; include nginx.conf;";
    let tree = read(&[("/etc/nginx/nginx.conf", twice)]);
    assert_eq!((count(&tree.directives), tree.problems.len()), (1, 2));
    assert_eq!(tree.problems[0].fault, Fault::TooDeep(MAX_DEPTH));
    let circle = [
        ("/etc/nginx/nginx.conf", "include a; include a;"),
        ("/etc/nginx/a", "include b; include b;"),
        ("/etc/nginx/b", "x; include a;"),
    ];
    assert_eq!(count(&read(&circle).directives), 4);
}

#[test]
fn what_grows_by_its_includes_is_too_large() {
    let main = "include a;".repeat(300);
    let tree = read(&[("/etc/nginx/nginx.conf", &main), ("/etc/nginx/a", &"x;".repeat(5000))]);
    assert_eq!(tree.problems[0].fault, Fault::TooLarge);
    assert!(count(&tree.directives) <= MAX_DIRECTIVES);
}

#[test]
fn blocks_of_lua_are_passed_over() {
    let text = "events {} http { init_by_lua_block { local a = { \"}\" } -- } \n } server { } }";
    assert_eq!(problem(text), "");
    let open = "events {} http { init_by_lua_block { [[ } ";
    assert_eq!(
        problem(open),
        "the Lua code of \"init_by_lua_block\" does not end in /etc/nginx/nginx.conf:1"
    );
}

#[test]
fn deep_nesting_is_a_problem_and_no_crash() {
    let tree = read(&[("/etc/nginx/nginx.conf", &"a {".repeat(100_000))]);
    assert_eq!(tree.problems[0].fault, Fault::TooDeep(MAX_DEPTH));
}

proptest! {
    #[test]
    fn any_bytes_are_read(text in proptest::collection::vec(any::<u8>(), 0..300)) {
        let files = MemoryFiles::of([("n", &*text)]);
        let tree = Tree::read(&files, "n");
        prop_assert!(count(&tree.directives) <= text.len());
    }

    #[test]
    fn any_mix_of_what_the_syntax_is_made_of_is_read(
        parts in proptest::collection::vec(
            proptest::sample::select(vec![
                "{", "}", ";", "\"", "'", "#", "\\", "$", "\n", " ", "a", "http {", "server {", "map $a $b {",
                "include n;", "include *;", "x_by_lua_block {", "[[", "]]", "--", "if (", ")", "é",
            ]),
            0..40,
        )
    ) {
        let text = parts.concat();
        let tree = Tree::read(&MemoryFiles::of([("n", text.as_bytes())]), "n");
        for problem in &tree.problems {
            let line = problem.span.as_ref().map_or(1, |span| span.line);
            prop_assert!(line as usize <= text.lines().count() + 1);
        }
    }
}
