//! `docs/rules.md`: generated from the registry, so that the texts exist only once.

use std::fmt::Write;

use super::example;
use super::registry::RULES;
use super::rule::Rule;

/// The whole page, in Markdown.
pub fn page() -> String {
    let mut page = String::from(
        "# Rules\n\n\
         Every finding names one of these rules. `shakedown explain RULE` prints the same text. The severity is that of the\n\
         usual case; role and expectations can change it, as the text says. The rules about a configuration are in three\n\
         groups, `configuration-refused`, `configuration-ineffective` and `configuration-doubtful`; the name of a group stands\n\
         for all its rules in a gate file, in a comment `# shakedown: ignore[...]` and in `shakedown explain`.\n\n\
         | rule | severity | what is wrong |\n|---|---|---|\n",
    );
    for rule in RULES {
        // Writing to a string cannot fail.
        let _ = writeln!(
            page,
            "| [`{0}`](#{0}) | {1} | {2} |",
            rule.id,
            rule.severity,
            code_font(rule.summary)
        );
    }
    for rule in RULES {
        chapter(&mut page, rule);
    }
    page
}

fn chapter(page: &mut String, rule: &Rule) {
    let group = rule.group().map(|group| format!(" · group `{}`", group.id()));
    let example = example::of(rule.id).map(|example| {
        format!(
            "**With the fault:**\n\n```nginx\n{}\n```\n\n**With the fix:**\n\n```nginx\n{}\n```\n\n",
            example.fault, example.fix
        )
    });
    let _ = write!(
        page,
        "\n## {}\n\n{} · section `{}`{}\n\n**What:** {}.\n\n**Why it matters:** {}\n\n**Fix:** {}\n\n{}**See:** {}\n",
        rule.id,
        rule.severity,
        rule.section,
        group.unwrap_or_default(),
        code_font(rule.summary),
        code_font(rule.why),
        code_font(rule.fix),
        example.unwrap_or_default(),
        rule.references.join(" · ")
    );
}

/// The text with directives, options and settings in code font. They are recognized by an underscore or two leading
/// dashes, which no English word has.
fn code_font(text: &str) -> String {
    let words = text.split(' ').map(|word| {
        let bare = word.trim_matches(|c: char| "(),;:.…\"".contains(c));
        let is_code = bare.starts_with("--") && bare.len() > 2
            || bare.contains('_')
                && bare.chars().all(|c| c.is_ascii_alphanumeric() || "_.*$-@".contains(c));
        if is_code { word.replacen(bare, &format!("`{bare}`"), 1) } else { word.to_owned() }
    });
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_directives_and_options_are_in_code_font() {
        let text = "Set ssl_ciphers, ssl_protocols TLSv1.2 (or proxy_ssl_*), or --server-name.";
        let expected =
            "Set `ssl_ciphers`, `ssl_protocols` TLSv1.2 (or `proxy_ssl_*`), or `--server-name`.";
        assert_eq!(code_font(text), expected);
    }
}
