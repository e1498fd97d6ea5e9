//! The pages are a book: each is in its summary, and every link leads somewhere.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use clap::CommandFactory;
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};
use shakedown::cli::args::Args;

use super::ROOT;
use crate::contrib::check_command;

/// Where a page links to, the anchors that its headings are, and its blocks of code.
struct Page {
    links: Vec<String>,
    anchors: BTreeSet<String>,
    code: Vec<String>,
}

fn page(path: &Path) -> Page {
    let text = fs::read_to_string(path).unwrap_or_else(|_| panic!("{}", path.display()));
    let mut page = Page { links: Vec::new(), anchors: BTreeSet::new(), code: Vec::new() };
    let (mut heading, mut is_code): (Option<String>, bool) = (None, false);
    for event in Parser::new_ext(&text, Options::ENABLE_TABLES) {
        match event {
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                page.links.push(dest_url.into_string());
            }
            Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
            Event::End(TagEnd::Heading(_)) => {
                page.anchors.extend(heading.take().map(|text| anchor(&text)));
            }
            Event::Start(Tag::CodeBlock(_)) => {
                is_code = true;
                page.code.push(String::new());
            }
            Event::End(TagEnd::CodeBlock) => is_code = false,
            Event::Text(text) if is_code => {
                page.code.last_mut().unwrap().push_str(&text);
            }
            Event::Text(text) | Event::Code(text) => {
                if let Some(heading) = &mut heading {
                    heading.push_str(&text);
                }
            }
            _ => (),
        }
    }
    page
}

/// The anchor that mdBook and GitHub give a heading.
fn anchor(heading: &str) -> String {
    let kept = heading.to_lowercase();
    let kept = kept.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

fn markdown(folder: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|extension| extension == "md")).collect()
}

#[test]
fn every_link_of_a_page_leads_somewhere() {
    let root = Path::new(ROOT);
    let docs = root.join("docs");
    let mut followed = 0;
    for file in [markdown(root), markdown(&docs), markdown(&root.join("contrib"))].concat() {
        for link in page(&file).links {
            if link.starts_with("https://") {
                continue;
            }
            let (path, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let folder = file.parent().unwrap();
            let to = if path.is_empty() { file.clone() } else { folder.join(path) };
            assert!(to.exists(), "{}: {link}", file.display());
            if folder == docs {
                // The book has only this folder.
                assert_eq!(to.parent(), Some(docs.as_path()), "{}: {link}", file.display());
            }
            if !anchor.is_empty() {
                assert!(page(&to).anchors.contains(anchor), "{}: {link}", file.display());
            }
            followed += 1;
        }
    }
    assert!(followed > 30, "{followed}");
}

/// The words behind `shakedown` of every command in a block of code.
fn commands(code: &str) -> Vec<Vec<String>> {
    let known: Vec<String> =
        Args::command().get_subcommands().map(|command| command.get_name().to_owned()).collect();
    let mut commands = Vec::new();
    let code = code.replace("\\\n", " ");
    for line in code.lines().filter(|line| !line.trim_start().starts_with('#')) {
        let line = line.split("  #").next().unwrap();
        for part in line.split(['|', ';', '&']) {
            let Some((before, rest)) = part.split_once("shakedown ") else { continue };
            let is_word = before.is_empty() || before.ends_with(' ');
            let Some(words) = shlex::split(rest).filter(|_| is_word) else { continue };
            if words.first().is_some_and(|word| known.contains(word)) {
                let is_argument = |word: &String| !word.contains(['<', '>']);
                commands.push(words.into_iter().take_while(is_argument).collect());
            }
        }
    }
    commands
}

#[test]
fn every_command_of_a_page_is_one_of_the_program() {
    let root = Path::new(ROOT);
    let mut checked = 0;
    let rules = root.join("docs/rules.md");
    for file in
        [markdown(root), markdown(&root.join("docs")), markdown(&root.join("contrib"))].concat()
    {
        if file == rules {
            continue;
        }
        for words in page(&file).code.iter().flat_map(|code| commands(code)) {
            // A file of clients would be read.
            let is_file = |word: &str| ["failing.toml", "FILE"].contains(&word);
            let known = words.iter().map(|word| if is_file(word) { "modern" } else { word });
            check_command(&known.map(str::to_owned).collect::<Vec<_>>());
            checked += 1;
        }
    }
    assert!(checked > 40, "{checked}");
}

#[test]
fn the_summary_has_every_page_once() {
    let docs = Path::new(ROOT).join("docs");
    let summary = page(&docs.join("SUMMARY.md")).links;
    let named: BTreeSet<PathBuf> = summary.iter().map(|link| docs.join(link)).collect();
    assert_eq!(named.len(), summary.len());
    let pages = markdown(&docs).into_iter().filter(|path| !path.ends_with("SUMMARY.md"));
    assert_eq!(pages.collect::<BTreeSet<_>>(), named);
}

#[test]
fn the_book_is_built_from_these_pages() {
    let book = fs::read_to_string(Path::new(ROOT).join("book.toml")).unwrap();
    let book: toml::Table = toml::from_str(&book).unwrap();
    assert_eq!(book["book"]["src"].as_str(), Some("docs"));
    assert_eq!(book["build"]["create-missing"].as_bool(), Some(false));
}
