//! A copy of a configuration in another folder, which `nginx -t` can test without touching the original's files: line
//! numbers are kept, absolute includes lead to the copy, and logs, the pid file and temporary files are in the copy.

use std::sync::Arc;

use super::token::{Lexer, Statement, Token, quoted};
use super::tree::Tree;

/// The path of a file's copy.
pub fn place(folder: &str, name: &str) -> String {
    format!("{folder}/files/{}", name.trim_start_matches('/'))
}

/// The original's name of a copied file in a message.
pub fn original(folder: &str, message: &str) -> String {
    message.replace(&format!("{folder}/files/"), "/")
}

/// Every file of a configuration with its new path and text.
pub fn copy<'t>(tree: &'t Tree, folder: &str) -> impl Iterator<Item = (&'t Arc<str>, Vec<u8>)> {
    let folder = folder.to_owned();
    tree.files.iter().map(move |(name, text)| (name, rewrite(text, &folder)))
}

fn rewrite(text: &[u8], folder: &str) -> Vec<u8> {
    let mut lexer = Lexer::new(text);
    let mut out = Vec::with_capacity(text.len());
    let mut copied = 0;
    loop {
        match lexer.token() {
            Ok(Token::Simple(statement)) => {
                let (start, end) = (statement.start, lexer.offset());
                if let Some(words) = moved(&statement, folder) {
                    out.extend_from_slice(&text[copied..start]);
                    let words: Vec<String> = words.iter().map(|word| quoted(word)).collect();
                    out.extend_from_slice(words.join(" ").as_bytes());
                    // nginx reports the line of the semicolon.
                    out.extend(text[start..end].iter().filter(|byte| **byte == b'\n'));
                    out.push(b';');
                    copied = end;
                }
            }
            Ok(Token::Open(statement)) => {
                let is_lua =
                    statement.words.first().is_some_and(|name| name.ends_with("_by_lua_block"));
                if is_lua && !lexer.skip_lua() {
                    break;
                }
            }
            Ok(Token::Close) => {}
            Ok(Token::End) | Err(_) => break,
        }
    }
    out.extend_from_slice(&text[copied..]);
    out
}

/// A directive with its path in the copy; `None` if it is unchanged.
fn moved(statement: &Statement, folder: &str) -> Option<Vec<String>> {
    let [name, path, ..] = statement.words.as_slice() else { return None };
    let inside = || format!("{folder}/run/{}", path.replace(['/', '*'], "_"));
    let path = match name.as_str() {
        "include" if path.starts_with('/') => place(folder, path),
        "pid" | "lock_file" => inside(),
        "error_log" | "access_log" => {
            let special = ["stderr", "off", "syslog:", "memory:"];
            let stays = special.iter().any(|word| path.starts_with(word)) || path.contains('$');
            if stays {
                return None;
            }
            inside()
        }
        name if name.ends_with("_temp_path") || name.ends_with("_cache_path") => inside(),
        _ => return None,
    };
    let mut words = statement.words.clone();
    words[1] = path;
    Some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(String::from_utf8(rewrite(text.as_bytes(), "/t")).unwrap(), expected);
    }

    #[test]
    fn paths_lead_into_the_copy_and_lines_stay() {
        check("a b;\npid /run/n.pid; # x\n", "a b;\npid /t/run/_run_n.pid; # x\n");
        check("include\n  /etc/a/*.conf ;\nb;", "include /t/files/etc/a/*.conf\n;\nb;");
        check("include a.conf; error_log stderr info;", "include a.conf; error_log stderr info;");
        check(
            "http { access_log /var/log/a.log short; access_log off; }",
            "http { access_log /t/run/_var_log_a.log short; access_log off; }",
        );
        check(
            "x_by_lua_block { pid = 'a;' } pid p;",
            "x_by_lua_block { pid = 'a;' } pid /t/run/p;",
        );
        check("ssl_certificate /a.pem;\nroot \"x", "ssl_certificate /a.pem;\nroot \"x");
        let said = "unknown directive \"x\" in /t/files/etc/nginx/a.conf:3";
        assert_eq!(original("/t", said), "unknown directive \"x\" in /etc/nginx/a.conf:3");
    }
}
