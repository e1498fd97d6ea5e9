//! Targets that wait for the end of the run as compressed text: the document begins with the counts of the whole run and
//! has its targets in input order, and the reports themselves would take several times the memory.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, Read, Write};

use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use serde::ser::Error;
use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::report::formats::ndjson;
use crate::run::TargetReport;

/// Bytes of text from which a block is compressed.
const BLOCK: usize = 64 * 1024;

/// Blocks that stay unpacked while the document is written: targets finish nearly in input order.
const RECENT: usize = 16;

/// The texts of targets.
#[derive(Debug, Default)]
pub struct KeptTargets {
    /// The block that is being filled.
    open: Vec<u8>,
    blocks: Vec<Box<[u8]>>,
    /// Where each target is, by its position in the document.
    places: Vec<Option<TextPlace>>,
}

/// Where a text is: the block, the first byte in it, and the number of bytes.
#[derive(Clone, Copy, Debug)]
struct TextPlace {
    block: usize,
    start: usize,
    length: usize,
}

impl KeptTargets {
    /// Keeps the text of the target at this position of the document.
    pub fn keep(&mut self, position: usize, report: &TargetReport) -> io::Result<()> {
        let (block, start) = (self.blocks.len(), self.open.len());
        ndjson::line(report, &mut self.open)?;
        if self.places.len() <= position {
            self.places.resize(position + 1, None);
        }
        self.places[position] = Some(TextPlace { block, start, length: self.open.len() - start });
        if self.open.len() >= BLOCK {
            let text = std::mem::take(&mut self.open);
            let packed = Vec::with_capacity(text.len() / 8);
            let mut encoder = DeflateEncoder::new(packed, Compression::fast());
            encoder.write_all(&text)?;
            self.blocks.push(encoder.finish()?.into_boxed_slice());
        }
        Ok(())
    }

    /// The targets in the order of the document, each read when it is written.
    pub(super) fn views<'k>(&'k self, unpacked: &'k RefCell<RecentBlocks>) -> Vec<KeptView<'k>> {
        let places = self.places.iter().flatten();
        places.map(|place| KeptView { kept: self, unpacked, place: *place }).collect()
    }
}

/// The blocks that were read last.
#[derive(Default)]
pub(super) struct RecentBlocks(VecDeque<(usize, Vec<u8>)>);

impl RecentBlocks {
    fn value(&mut self, kept: &KeptTargets, place: TextPlace) -> io::Result<Value> {
        let range = place.start..place.start + place.length;
        let text = match kept.blocks.get(place.block) {
            Some(packed) => self.block(place.block, packed)?.get(range),
            None => kept.open.get(range),
        };
        Ok(serde_json::from_slice(text.unwrap_or_default())?)
    }

    fn block(&mut self, number: usize, packed: &[u8]) -> io::Result<&[u8]> {
        let at = self.0.iter().position(|(known, _)| *known == number);
        let block = if let Some(block) = at.and_then(|at| self.0.remove(at)) {
            block
        } else {
            self.0.truncate(RECENT - 1);
            let mut text = Vec::with_capacity(BLOCK);
            DeflateDecoder::new(packed).read_to_end(&mut text)?;
            (number, text)
        };
        self.0.push_front(block);
        Ok(self.0.front().map_or(&[], |(_, text)| text))
    }
}

/// One target.
pub(super) struct KeptView<'k> {
    kept: &'k KeptTargets,
    unpacked: &'k RefCell<RecentBlocks>,
    place: TextPlace,
}

impl Serialize for KeptView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let value = self.unpacked.borrow_mut().value(self.kept, self.place);
        value.map_err(S::Error::custom)?.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use time::macros::datetime;

    use super::*;
    use crate::audit::finding::Severity;
    use crate::audit::judge::Judgement;
    use crate::observation::{Observation, Untried};
    use crate::report::formats::json::{render, render_kept};
    use crate::report::{Report, ReportKind, ReportOptions};
    use crate::targets::options::Options;

    fn report(number: usize) -> TargetReport {
        let name = Some(format!("{number} \u{202e}\u{9b}\n\"{}\"", "x".repeat(number % 700)));
        let options = Options { name, ..Options::default() };
        let target = options.target(format!("host-{number}.test").parse().unwrap(), None, None);
        let observation = Observation::not_tried(Untried::TextOnly);
        let judgement = Judgement::default();
        TargetReport::new(Arc::new(target), observation, judgement, Severity::Error)
    }

    #[test]
    fn a_document_of_kept_texts_has_the_bytes_of_one_of_reports_whatever_the_order() {
        let moment = datetime!(2026-06-15 12:00 UTC);
        let mut whole = Report {
            started_at: moment,
            finished_at: moment,
            targets: (0..3000).map(report).collect(),
            interrupted: false,
            kind: ReportKind::Endpoints,
            options: ReportOptions::default(),
        };
        let mut kept = KeptTargets::default();
        for number in (0..3000).map(|number| number * 1001 % 3000) {
            kept.keep(number, &whole.targets[number]).unwrap();
        }
        assert!(kept.blocks.len() > RECENT, "{}", kept.blocks.len());
        let mut expected = Vec::new();
        render(&whole, &mut expected).unwrap();
        whole.options.left_out = whole.summary();
        whole.targets = Vec::new();
        let mut out = Vec::new();
        render_kept(&whole, &kept, &mut out).unwrap();
        assert!(out == expected);
    }
}
