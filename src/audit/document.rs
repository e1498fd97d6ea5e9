//! `docs/rules.md`: the registry as a page, so that the texts have one home.

use std::fmt::Write;

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
        let _ =
            writeln!(page, "| [`{0}`](#{0}) | {1} | {2} |", rule.id, rule.severity, rule.summary);
    }
    for rule in RULES {
        chapter(&mut page, rule);
    }
    page
}

fn chapter(page: &mut String, rule: &Rule) {
    let group = rule.group().map(|group| format!(" · group `{}`", group.id()));
    let _ = write!(
        page,
        "\n## {}\n\n{} · section `{}`{}\n\n**What:** {}.\n\n**Why it matters:** {}\n\n**Fix:** {}\n\n**See:** {}\n",
        rule.id,
        rule.severity,
        rule.section,
        group.unwrap_or_default(),
        rule.summary,
        rule.why,
        rule.fix,
        rule.references.join(" · ")
    );
}
