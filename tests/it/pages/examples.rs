//! The examples of a page: commands behind `    $ `, each with what it prints.

use std::process::{Command, Stdio};

use regex::Regex;

use super::scene::Scene;

/// A line that stands for output that the page leaves out.
const LEFT_OUT: &str = "…";

/// A piece of a page.
enum Piece<'a> {
    Text(&'a str),
    /// The lines of a command, and those of its output without their indentation.
    Example(Vec<&'a str>, Vec<&'a str>),
}

/// Runs every command of the page in its order.
///
/// Returns the page with what they print, and their number. Output that says the same as before stays as it is: dates,
/// times, process numbers and releases may differ, and line breaks with them.
pub(super) fn refreshed(page: &str, scene: &Scene) -> (String, usize) {
    let (mut fresh, mut commands) = (String::new(), 0);
    let mut add = |line: &str| {
        fresh.push_str(line);
        fresh.push('\n');
    };
    for piece in pieces(page) {
        match piece {
            Piece::Text(line) => add(line),
            Piece::Example(command, shown) => {
                commands += 1;
                for line in &command {
                    add(line);
                }
                let printed = run(&command, scene);
                if is_shown(&shown, &printed) {
                    for line in &shown {
                        add(&indented(line));
                    }
                } else {
                    printed.lines().for_each(|line| add(&indented(line)));
                }
            }
        }
    }
    (fresh, commands)
}

fn indented(line: &str) -> String {
    format!("    {line}").trim_end().to_owned()
}

fn pieces(page: &str) -> Vec<Piece<'_>> {
    let mut lines = page.lines().peekable();
    let mut pieces = Vec::new();
    while let Some(line) = lines.next() {
        if !line.starts_with("    $ ") {
            pieces.push(Piece::Text(line));
            continue;
        }
        let mut command = vec![line];
        while command.last().is_some_and(|line| line.ends_with('\\')) {
            command.push(lines.next().unwrap());
        }
        let mut output = Vec::new();
        // The indented lines that follow, and empty lines between them.
        loop {
            let empty = lines.clone().take_while(|line| line.is_empty()).count();
            let goes_on = lines.clone().nth(empty);
            let goes_on = goes_on.is_some_and(|line| line.starts_with("    "));
            let is_command =
                lines.clone().nth(empty).is_some_and(|line| line.starts_with("    $ "));
            if !goes_on || is_command {
                break;
            }
            output.extend(lines.by_ref().take(empty));
            output.extend(lines.next().and_then(|line| line.strip_prefix("    ")));
        }
        pieces.push(Piece::Example(command, output));
    }
    pieces
}

/// What the shell prints on stdout for a command of a page.
fn run(command: &[&str], scene: &Scene) -> String {
    let command: Vec<&str> =
        command.iter().map(|line| line.trim_start().trim_start_matches("$ ")).collect();
    let output = Command::new("sh")
        .args(["-c", &scene.real(&command.join("\n"))])
        .current_dir(scene.folder())
        .env_clear()
        .env("PATH", scene.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    scene.shown(&String::from_utf8(output.stdout).unwrap()).trim_end().to_owned()
}

/// Whether the output of a page, with its gaps, is what was printed.
fn is_shown(shown: &[&str], printed: &str) -> bool {
    let printed = words(printed);
    let parts: Vec<Vec<String>> =
        shown.split(|line| *line == LEFT_OUT).map(|part| words(&part.join("\n"))).collect();
    if let [whole] = &parts[..] {
        return *whole == printed;
    }
    let mut rest = &printed[..];
    for (number, part) in parts.iter().enumerate() {
        let at = if number == 0 {
            rest.starts_with(part).then_some(0)
        } else if number + 1 == parts.len() {
            rest.ends_with(part).then(|| rest.len() - part.len())
        } else {
            rest.windows(part.len().max(1)).position(|window| window == part)
        };
        let Some(at) = at else { return false };
        rest = &rest[at + part.len()..];
    }
    true
}

/// The words of an output, without what differs from run to run and from machine to machine.
fn words(text: &str) -> Vec<String> {
    let changing = [
        (r"\d{4}[-/]\d\d[-/]\d\d", "DATE"),
        (r"\d\d:\d\d:\d\d(\.\d+)?", "TIME"),
        (r"\d+#\d+: \*\d+", "PROCESS"),
        (r"process \d+", "process"),
        (r"nginx \d+\.\d+\.\d+", "nginx"),
        (r"OpenSSL \d+\.\d+\.\d+\w*( \d+ \w+ \d{4})?", "OpenSSL"),
        (r"\b\d+(\.\d+)? m?s\b", "DURATION"),
        (r"\b\d{4} days left", "YEARS"),
        (r"\b[0-9a-f]{64}\b", "HASH"),
        (r"\b1[789]\d{8}\b", "TIMESTAMP"),
        (r"\b\d+ frames", "FRAMES"),
        (r"─+", ""),
    ];
    let text = changing.iter().fold(text.to_owned(), |text, (pattern, word)| {
        Regex::new(pattern).unwrap().replace_all(&text, *word).into_owned()
    });
    text.split_whitespace().map(str::to_owned).collect()
}

#[test]
fn the_output_of_a_page_may_have_gaps_but_nothing_else() {
    let printed = "on 2026-11-29 one\ntwo three\nfour";
    let check =
        |shown: &[&str], same: bool| assert_eq!(is_shown(shown, printed), same, "{shown:?}");
    check(&["on 2027-01-01 one two", "three four"], true);
    check(&["on 2027-01-01 one", "…", "four"], true);
    check(&["…", "two", "…"], true);
    check(&["…", "three", "…", "two", "…"], false);
    check(&["on 2027-01-01 one two three"], false);
    check(&["…", "three"], false);
}
