//! What nginx itself says of a configuration: its answer decides what the own checks of its text left open.

use std::sync::Arc;

use super::private_nginx::{ConfigurationAnswer, NginxProgram, test};
use super::source::Configuration;
use crate::audit::rule::RuleGroup;
use crate::audit::rules::configuration::rule;
use crate::cli::errors::warn;
use crate::nginx::facts::{Fact, FactKind};
use crate::nginx::rehearsal::{Message, switched_off};
use crate::targets::Target;
use crate::targets::from_nginx::unreadable::{UnreadablePair, UnreadableSetting};

impl Configuration {
    /// Tests the configuration with `nginx -t`. A configuration for another root cannot be tested.
    pub(super) fn ask(&mut self, program: &NginxProgram, has_root: bool) {
        let Some(tree) = self.tree.as_ref().filter(|tree| tree.main.starts_with('/')) else {
            return;
        };
        if has_root {
            return;
        }
        match test(tree, program) {
            Ok(answer) => self.hear(answer),
            Err(error) => warn(&format!("could not run nginx -t on the configuration: {error:#}")),
        }
    }

    /// A private nginx serves the configuration, except for what the copy switches off, and for certificates and settings that
    /// cannot be loaded: what the own checks say of that remains.
    pub(super) fn is_served(
        &mut self,
        unreadable: &[UnreadablePair],
        settings: &[UnreadableSetting],
    ) {
        let off = self.tree.as_ref().map(switched_off).unwrap_or_default();
        let is_about =
            |words: &str, file: &str| words.split([' ', ':', '"']).any(|word| word == file);
        self.facts.retain(|fact| {
            let words = fact.kind.to_string();
            let is_replaced = |pair: &UnreadablePair| {
                is_about(&words, &pair.certificate) || is_about(&words, &pair.key)
            };
            let is_removed = settings.iter().any(|setting| setting.span == fact.span);
            !is_refusal(fact)
                || is_removed
                || off.contains(&fact.span)
                || unreadable.iter().any(is_replaced)
        });
        for UnreadableSetting { name, span, reason } in settings {
            if !self.facts.iter().any(|fact| fact.span == *span) {
                let reason = format!("could not test {name}: {reason}");
                self.facts.push(Fact { span: span.clone(), kind: FactKind::Untested { reason } });
            }
        }
    }

    /// Applies nginx's answer: if it accepts the configuration, no refusal remains and nothing is undecided; if not, its
    /// message is reported, unless the own checks say the same.
    pub(super) fn hear(&mut self, answer: ConfigurationAnswer) {
        match answer {
            ConfigurationAnswer::Accepted => self.facts.retain(|fact| !is_refusal(fact)),
            ConfigurationAnswer::Untested(message) if self.leaves_open(&message) => {}
            ConfigurationAnswer::Untested(Message { words, span }) => {
                let reason = format!("could not test: {words}");
                self.facts.push(Fact { span, kind: FactKind::Untested { reason } });
            }
            // Only nginx elsewhere has the file.
            ConfigurationAnswer::Refused(message) if self.leaves_open(&message) => {}
            ConfigurationAnswer::Refused(message) => {
                let file = message.file().map(|name| format!("\"{name}\""));
                let Message { words, span } = &message;
                let kind = FactKind::TestFailed { words: words.clone() };
                let theirs = Fact { span: span.clone(), kind };
                let is_of_file = |own: &Fact| match (&own.kind, &file) {
                    (FactKind::FileRefused { words }, Some(file)) => words.contains(file.as_str()),
                    _ => false,
                };
                let is_same =
                    |own: &Fact| is_refusal(own) && says_the_same(own, &theirs) || is_of_file(own);
                if !self.facts.iter().any(is_same) {
                    let at = (&theirs.span.file, theirs.span.line);
                    self.facts
                        .retain(|own| !is_refusal(own) || (&own.span.file, own.span.line) != at);
                    self.facts.push(theirs);
                }
            }
        }
    }

    /// Whether the own checks could not read the file that nginx's message names.
    fn leaves_open(&self, message: &Message) -> bool {
        let Some(file) = message.file() else { return false };
        self.facts.iter().any(|own| match &own.kind {
            FactKind::Untested { reason } => reason.split([' ', ':']).any(|word| word == file),
            _ => false,
        })
    }

    /// Drops nginx's message about a key that the audit of these targets finds itself.
    pub(super) fn leave_keys_to(&mut self, targets: &[Arc<Target>]) {
        let files = targets.iter().flat_map(|target| &target.files);
        let found: Vec<String> = files
            .filter_map(|file| {
                let key = file.key.as_ref()?;
                let differs = *key.spki.as_ref().ok()? != file.chain.leaf()?.public_key.spki;
                differs.then(|| format!("SSL_CTX_use_PrivateKey(\"{}\")", key.path))
            })
            .collect();
        self.facts.retain(|fact| match &fact.kind {
            FactKind::TestFailed { words } => !found.iter().any(|key| words.starts_with(key)),
            _ => true,
        });
    }
}

fn is_refusal(fact: &Fact) -> bool {
    rule(&fact.kind).group() == Some(RuleGroup::Refused)
}

/// Whether two facts have the same message, except for what OpenSSL adds in parentheses.
fn says_the_same(own: &Fact, theirs: &Fact) -> bool {
    let head = |fact: &Fact| {
        let words = fact.kind.to_string();
        words.split(" (").next().unwrap_or_default().to_owned()
    };
    head(own) == head(theirs)
}
