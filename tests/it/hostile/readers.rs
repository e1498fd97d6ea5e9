//! Whatever reads a format, as far as hostile text could mean something to it.

use serde_json::Value;

/// Text that means something to everything that may read it: a spreadsheet, a terminal, a CI runner, XML, HTML, Markdown, a
/// label, a shell, and the eye.
pub(super) const HOSTILE: &str = "=cmd|' /C calc'!A0\u{1b}]0;x\u{7}\u{1b}[31m\r\n::error::x\n##[error]x\n##vso[task.x]\
    \u{202e}\u{200b}\u{feff}\u{9b}2J\0\u{fffe}]]><script>alert(1)</script><img src=x onerror=alert(1)>-->\
    '\"`|\\[a](javascript:b)![c](http://x.test/d)${x}%0A::error::y\u{2028}{{x}}";

/// The same for what holds only ASCII.
pub(super) const HOSTILE_ASCII: &str = "=cmd|' /C calc'!A0\u{1b}]0;x\u{7}\u{1b}[31m\r\n::error::x\n##[error]x\
    ]]><script>alert(1)</script><img src=x onerror=alert(1)>-->'\"`|\\[a](javascript:b)![c](http://x.test/d)%0A\u{7f}";

/// Checks a text in a format, by the name that the format has on the command line.
#[track_caller]
pub(super) fn check(format: &str, text: &str, what: &str) {
    check_characters(text, what);
    match format {
        "table" | "text" => check_lines(text, what),
        "json" | "gitlab" | "sarif" => drop(parsed(text, what)),
        "ndjson" => text.lines().for_each(|line| drop(parsed(line, what))),
        "junit" => check_xml(text, what),
        "github" => check_commands(text, what),
        "markdown" => check_markdown(text, what),
        "csv" => check_cells(text, what),
        "prometheus" => check_metrics(text, what),
        "nagios" => check_plugin(text, what),
        "html" => check_page(text, what),
        new => panic!("say here what {new} must not contain"),
    }
}

#[track_caller]
fn parsed(text: &str, what: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{what}: {error}: {text}"))
}

/// No format holds what steers a terminal, reorders text or hides it, even as text that is quoted.
#[track_caller]
fn check_characters(text: &str, what: &str) {
    let text = text.replace("\r\n", "\n");
    let steers = |c: char| {
        (c.is_control() && c != '\n' && c != '\t')
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}')
            || matches!(c, '\u{feff}' | '\u{fffe}')
    };
    let found = text.find(steers);
    let around = found.map(|at| text[at..].chars().take(20).collect::<String>());
    assert_eq!(around, None, "{what}: {text}");
}

/// No line is a command of a CI runner.
#[track_caller]
fn check_lines(text: &str, what: &str) {
    for line in text.lines() {
        let is_command = line.trim_start().starts_with("::") && line.matches("::").count() > 1;
        assert!(!is_command && !line.contains("##[") && !line.contains("##vso["), "{what}: {line}");
    }
}

#[track_caller]
fn check_xml(text: &str, what: &str) {
    let document = roxmltree::Document::parse(text);
    let document = document.unwrap_or_else(|error| panic!("{what}: {error}: {text}"));
    let known =
        ["testsuites", "testsuite", "testcase", "failure", "skipped", "properties", "property"];
    for node in document.descendants().filter(roxmltree::Node::is_element) {
        let name = node.tag_name().name();
        assert!(known.contains(&name) || name.starts_with("system-"), "{what}: <{name}>");
    }
}

/// Each line but the last is a command of its own.
#[track_caller]
fn check_commands(text: &str, what: &str) {
    let lines: Vec<&str> = text.lines().collect();
    let Some((last, commands)) = lines.split_last() else { return };
    assert!(!last.starts_with("::"), "{what}: {last}");
    for line in commands {
        let word = line.strip_prefix("::").and_then(|line| line.split(' ').next());
        assert!(
            word.is_some_and(|word| ["error", "warning", "notice"].contains(&word)),
            "{what}: {line}"
        );
        let properties = line[2..].split("::").next().unwrap().split_once(' ').unwrap().1;
        for property in properties.split(',') {
            let name = property.split('=').next().unwrap();
            assert!(["file", "line", "col", "title"].contains(&name), "{what}: {line}");
        }
        assert!(!line.contains("##["), "{what}: {line}");
    }
}

#[track_caller]
fn check_markdown(text: &str, what: &str) {
    use pulldown_cmark::{Event, Options, Parser, Tag};
    for event in Parser::new_ext(text, Options::ENABLE_TABLES) {
        let is_markup = match &event {
            Event::Start(Tag::Link { .. } | Tag::Image { .. }) => true,
            Event::Html(html) | Event::InlineHtml(html) => html.as_ref() != "<!-- -->",
            _ => false,
        };
        assert!(!is_markup, "{what}: {event:?}: {text}");
    }
}

#[track_caller]
fn check_cells(text: &str, what: &str) {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    // A row of another length is an error of this reader.
    for row in reader.records() {
        let row = row.unwrap_or_else(|error| panic!("{what}: {error}: {text}"));
        for cell in &row {
            let first = cell.trim_start().chars().next();
            assert!(!first.is_some_and(|c| "=+-@|%".contains(c)), "{what}: {cell}");
        }
    }
}

/// Each line is a comment, or a name, labels and a number.
#[track_caller]
fn check_metrics(text: &str, what: &str) {
    for line in text.lines().filter(|line| !line.starts_with("# ")) {
        let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("{what}: {line}"));
        assert!(value.parse::<f64>().is_ok(), "{what}: {line}");
        let name = series.split('{').next().unwrap();
        assert!(name.starts_with("shakedown_") || name.starts_with("probe_"), "{what}: {line}");
        // Without escapes, quotes come in pairs, and braces stand only around the labels.
        let plain = series.replace("\\\\", "").replace("\\\"", "");
        let outside: String = plain.split('"').step_by(2).collect();
        assert_eq!(plain.matches('"').count() % 2, 0, "{what}: {line}");
        assert!(
            outside.matches('{').count() <= 1 && outside.matches('}').count() <= 1,
            "{what}: {line}"
        );
    }
}

#[track_caller]
fn check_plugin(text: &str, what: &str) {
    let mut lines = text.lines();
    let first = lines.next().unwrap_or_default();
    assert!(first.starts_with("SHAKEDOWN "), "{what}: {first}");
    assert!(first.matches('|').count() <= 1, "{what}: {first}");
    assert!(lines.all(|line| !line.contains('|')), "{what}: {text}");
}

#[track_caller]
fn check_page(text: &str, what: &str) {
    use html5gum::{Token, Tokenizer};
    let known = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    for token in Tokenizer::new(text) {
        match token.unwrap() {
            Token::StartTag(tag) => {
                assert_ne!(known(&tag.name), "img", "{what}: {text}");
                for (name, value) in &tag.attributes {
                    let (name, value) = (known(name), known(&value.value));
                    assert!(!name.starts_with("on") && name != "src", "{what}: {name}={value}");
                    assert!(name != "href" || value.starts_with('#'), "{what}: {value}");
                }
            }
            Token::Error(error) => panic!("{what}: {error:?}: {text}"),
            _ => {}
        }
    }
    assert!(text.matches("<script").count() <= 1, "{what}: {text}");
}
