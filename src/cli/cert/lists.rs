//! Revocation lists among the files: when each ends.

use std::sync::Arc;

use time::{Duration, OffsetDateTime};

use crate::audit::judge::judge_settings;
use crate::certificate::crl::{ListDate, RevocationList, RevocationLists};
use crate::certificate::file::mentions_certificate;
use crate::cli::args::CertArgs;
use crate::cli::errors::note;
use crate::nginx::facts::Fact;
use crate::nginx::problem::Span;
use crate::observation::{Observation, Untried};
use crate::report::words::counted;
use crate::run::TargetReport;
use crate::targets::from_nginx::lists::facts;
use crate::targets::options::Options;
use crate::targets::{FilePart, Host, Origin, TargetKind};

/// A file with revocation lists.
pub(super) struct ListFile {
    name: String,
    origin: Option<Origin>,
    lists: RevocationLists,
    /// Whether it has no certificates.
    pub(super) is_alone: bool,
}

impl ListFile {
    /// The lists of a file in PEM or DER, or what is damaged; `None` if it has none.
    pub(super) fn read(
        name: &str,
        origin: Option<Origin>,
        bytes: &[u8],
    ) -> Option<Result<Self, String>> {
        let name = name.to_owned();
        if let Ok(list) = RevocationList::parse(bytes) {
            let lists = RevocationLists(vec![list]);
            return Some(Ok(Self { name, origin, lists, is_alone: true }));
        }
        memchr::memmem::find(bytes, b"-----BEGIN X509 CRL-----")?;
        match RevocationLists::read(bytes) {
            Ok(RevocationLists(lists)) if lists.is_empty() => None,
            Ok(lists) => {
                let is_alone = !mentions_certificate(bytes);
                Some(Ok(Self { name, origin, lists, is_alone }))
            }
            Err(error) => Some(Err(format!("damaged: {error}"))),
        }
    }

    /// Judges the lists at that time, and says on stderr which they are.
    pub(super) fn report(
        &self,
        args: &CertArgs,
        options: &Options,
        now: OffsetDateTime,
    ) -> TargetReport {
        let RevocationLists(lists) = &self.lists;
        for list in lists {
            note(&format!("{}: {}", self.name, description(list)));
        }
        let days = args.expiry.warning_days.max(args.expiry.critical_days);
        let notice = days.map(|days| Duration::days(days.into()));
        let span = Span { file: self.name.as_str().into(), line: 0, column: 0 };
        let found = facts((&self.name, &self.lists), &[], notice, now).into_iter();
        let found: Vec<Fact> = found.map(|kind| Fact { span: span.clone(), kind }).collect();
        let issuer = lists.first().and_then(|list| list.issuer.common_name());
        let host = Host::Name(issuer.unwrap_or_else(|| "unnamed".to_owned()));
        let kind = TargetKind::File { host, part: FilePart::RevocationLists };
        let target = options.target_of(kind, self.name.clone(), self.origin.clone());
        let seen = Observation::not_tried(Untried::TextOnly);
        let threshold = args.gate.fail_on.threshold();
        TargetReport::new(Arc::new(target), seen, judge_settings(&found), threshold)
    }
}

fn description(list: &RevocationList) -> String {
    let day = |date: ListDate| date.moment().map_or("?".to_owned(), |at| at.date().to_string());
    let ends = match list.ends {
        ListDate::Absent => "without an end".to_owned(),
        ends => format!("to {}", day(ends)),
    };
    format!(
        "revocation list of {}, from {} {ends}, {}",
        list.issuer.text,
        day(list.issued),
        counted(list.entries(), "revoked certificate")
    )
}
