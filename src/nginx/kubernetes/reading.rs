//! Reads a controller's lines as nginx does, and puts the objects in the place of the lines.

use std::sync::Arc;

use super::lines::{ControllerLines, ObjectPlace, whole};
use super::{RELEASE, fields};
use crate::nginx::facts::{Fact, FactKind, facts};
use crate::nginx::listener::{Listener, Server, listeners};
use crate::nginx::problem::Span;
use crate::nginx::source::Single;
use crate::nginx::tree::Tree;
use crate::nginx::upstream::{Upstream, plain_upstreams, upstreams};
use crate::nginx::variable::Variables;

/// The end of the directives that name trusted certificates.
const TRUSTED: &str = "trusted_certificate";

/// The name of the text; it has no folder, so files keep their names.
const NAME: &str = "kubernetes";

/// A controller's lines, and the object of each.
pub(super) struct ControllerText {
    pub(super) text: String,
    places: Vec<ObjectPlace>,
    facts: Vec<Fact>,
}

/// What the lines mean.
pub(super) struct TextMeaning {
    pub(super) listeners: Vec<Listener>,
    pub(super) upstreams: Vec<Upstream>,
    pub(super) plain_upstreams: Vec<Upstream>,
    pub(super) facts: Vec<Fact>,
}

impl ControllerText {
    pub(super) fn of(lines: ControllerLines) -> Self {
        let (text, places, facts) = lines.finish();
        Self { text, places, facts }
    }

    pub(super) fn read(&self, variables: &Variables) -> TextMeaning {
        let source = Single { path: NAME, text: self.text.as_bytes() };
        let tree = Tree::read(&source, NAME);
        let mut listeners = listeners(&tree);
        let mut upstreams = upstreams(&tree, variables);
        let mut plain_upstreams = plain_upstreams(&tree, variables);
        let own = facts(&tree, &listeners, &upstreams, Some(RELEASE));
        let mut facts = self.facts.clone();
        let lines: Vec<&str> = self.text.lines().collect();
        facts.extend(own.into_iter().filter_map(|fact| self.fact(fact, &lines)));
        for server in listeners.iter_mut().flat_map(|one| &mut one.servers) {
            self.move_server(server);
        }
        for upstream in upstreams.iter_mut().chain(&mut plain_upstreams) {
            upstream.settings_at = self.settings(&upstream.span);
            upstream.span = self.object(&upstream.span);
            for block in &mut upstream.blocks {
                block.span = self.object(&block.span);
            }
        }
        TextMeaning { listeners, upstreams, plain_upstreams, facts }
    }

    fn place(&self, span: &Span) -> Option<&ObjectPlace> {
        let line = usize::try_from(span.line).ok()?;
        self.places.get(line.checked_sub(1)?)
    }

    fn object(&self, span: &Span) -> Span {
        self.place(span).map_or_else(|| whole(NAME), |place| whole(&place.object))
    }

    fn settings(&self, span: &Span) -> Span {
        self.place(span).map_or_else(|| whole(NAME), |place| whole(&place.settings))
    }

    fn move_server(&self, server: &mut Server) {
        server.span = self.object(&server.span);
        server.listen = self.object(&server.listen);
        for first in server.taken.values_mut() {
            *first = self.object(first);
        }
        let names = server.names.iter().cloned().map(|mut name| {
            name.span = self.object(&name.span);
            name
        });
        server.names = names.collect::<Arc<[_]>>();
    }

    /// A fact that an object can be blamed for; the controller writes the rest on purpose.
    fn fact(&self, fact: Fact, lines: &[&str]) -> Option<Fact> {
        let span = self.settings(&fact.span);
        let line = usize::try_from(fact.span.line).ok()?;
        let written = lines.get(line.checked_sub(1)?)?;
        let kind = match fact.kind {
            FactKind::VerifySettingUnused { directive } if directive.ends_with(TRUSTED) => {
                let field = fields::of_setting(&span.file, TRUSTED)?;
                FactKind::AnnotationIgnored {
                    annotation: field.name,
                    reason: "verification is off".to_owned(),
                }
            }
            FactKind::NameNotSent { .. } if written.contains("$proxy_host") => return None,
            FactKind::SharedSession { other } => {
                FactKind::SharedSession { other: self.settings(&other) }
            }
            FactKind::SharedIdentity { other } => {
                FactKind::SharedIdentity { other: self.settings(&other) }
            }
            kind @ (FactKind::NameNotSent { .. } | FactKind::SuitesIgnored { .. }) => kind,
            _ => return None,
        };
        Some(Fact { span, kind })
    }
}
