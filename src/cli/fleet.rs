//! The share of the targets that this run tests, and its manifest.

use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use clap::ValueEnum;

use super::args::{FailOn, FleetArgs};
use super::errors::UsageError;
use super::journal::Journal;
use crate::report::saved::MANIFEST;
use crate::report::saved::manifest::{Manifest, RunId};
use crate::report::{Report, Summary};
use crate::targets::address::Address;
use crate::targets::shard::Shard;
use crate::targets::target_list::{TargetList, Template};
use crate::targets::{Origin, Target};

/// The targets of a run as they are read: those of its share are kept, all are counted.
#[derive(Clone, Debug)]
pub(super) struct Listed {
    /// Those of the share, in input order.
    pub(super) targets: TargetList,
    /// The position of each among all targets.
    positions: Vec<usize>,
    all: usize,
    /// The ids of all targets, if the run is a part.
    ids: Option<RunId>,
    shard: Shard,
}

/// Every target.
const WHOLE: Shard = Shard { index: 1, count: 1 };

impl Listed {
    /// Nothing yet, of the share that was requested.
    pub(super) fn new(fleet: &FleetArgs) -> Self {
        let ids = fleet.is_part().then(RunId::default);
        let shard = fleet.shard.unwrap_or(WHOLE);
        Self { targets: TargetList::default(), positions: Vec::new(), all: 0, ids, shard }
    }

    /// Adds the next target.
    pub(super) fn add(&mut self, target: Target) {
        if let Some(ids) = &mut self.ids {
            ids.add(&target.id());
        }
        if self.shard == WHOLE || self.shard.holds(&target) {
            self.targets.push(Arc::new(target));
            self.positions.push(self.all);
        }
        self.all += 1;
    }

    /// Adds the target of an address in a list. It is made now only if something must be known of it.
    pub(super) fn add_address(
        &mut self,
        address: Address,
        origin: &Origin,
        template: &Arc<Template>,
    ) {
        let (line, column) = (origin.line, origin.column);
        let mut is_of_share = true;
        if self.ids.is_some() || self.shard != WHOLE {
            let target = template.target(address.clone(), line, column);
            if let Some(ids) = &mut self.ids {
                ids.add(&target.id());
            }
            is_of_share = self.shard == WHOLE || self.shard.holds(&target);
        }
        if is_of_share {
            self.targets.push_address(address, line, column, template);
            self.positions.push(self.all);
        }
        self.all += 1;
    }

    /// Whether there was no target at all, in any share.
    pub(super) fn is_empty(&self) -> bool {
        self.all == 0
    }
}

impl Default for Listed {
    fn default() -> Self {
        Self::new(&FleetArgs::default())
    }
}

impl From<Vec<Arc<Target>>> for Listed {
    fn from(targets: Vec<Arc<Target>>) -> Self {
        let (all, positions) = (targets.len(), (0..targets.len()).collect());
        Self { targets: targets.into(), positions, all, ids: None, shard: WHOLE }
    }
}

/// A share of the targets, and the position of each among all.
pub(super) struct Share {
    /// Those to test, in input order.
    pub(super) targets: TargetList,
    /// The position of each among all targets.
    positions: Vec<usize>,
    all: usize,
    run: String,
    shard: Shard,
}

impl Share {
    /// The share of these targets; `options` are the options that all shares must have in common, besides the targets.
    pub(super) fn of(listed: Listed, options: &str) -> Self {
        let Listed { targets, positions, all, ids, shard } = listed;
        let mut run = RunId::default();
        let ids = ids.map(RunId::finish).unwrap_or_default();
        for part in [env!("CARGO_PKG_VERSION"), options, &ids] {
            run.add(part);
        }
        Self { targets, positions, all, run: run.finish(), shard }
    }

    /// Continues a file: the targets in it are not tested again.
    pub(super) fn resume(&mut self, path: &Path, fail_on: FailOn) -> anyhow::Result<Resumed> {
        let Journal { file, ids, summary, manifest } = Journal::open(path)?;
        let mixed = |what: &str| {
            UsageError::new(
                format!("{} holds {what}", path.display()),
                "resume with the same targets and options, or give another file",
            )
        };
        if let Some(manifest) = manifest {
            let own = self.manifest(fail_on).manifest;
            let same = (manifest.run, manifest.shard) == (own.run, own.shard);
            return if same { Ok(Resumed::Finished(summary)) } else { Err(mixed("another run")) };
        }
        let Some(places) = self.without(&ids) else {
            return Err(mixed("it contains a target that is not in this run"));
        };
        let mut draft = self.manifest(fail_on);
        draft.manifest.positions = places;
        Ok(Resumed::Open { file, draft: Box::new(draft), summary })
    }

    /// Removes the targets with these ids, each as often as it occurs, and returns their positions. `None` if one of
    /// them is missing.
    fn without(&mut self, ids: &[String]) -> Option<Vec<usize>> {
        let mut by_id: HashMap<String, Vec<usize>> = HashMap::new();
        for index in (0..self.targets.len()).rev() {
            let id = self.targets.get(index).map(|target| target.id());
            by_id.entry(id.unwrap_or_default()).or_default().push(index);
        }
        let done: Option<Vec<usize>> = ids.iter().map(|id| by_id.get_mut(id)?.pop()).collect();
        let done = done?;
        let places = done.iter().filter_map(|index| self.positions.get(*index).copied()).collect();
        let done: BTreeSet<usize> = done.into_iter().collect();
        self.targets.retain(|index| !done.contains(&index));
        let mut index = 0..;
        self.positions.retain(|_| index.next().is_some_and(|index| !done.contains(&index)));
        Some(places)
    }

    /// The manifest for the end of the lines.
    pub(super) fn manifest(&self, fail_on: FailOn) -> Draft {
        let fail_on = fail_on.to_possible_value();
        let manifest = Manifest {
            schema: MANIFEST.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            run: self.run.clone(),
            fail_on: fail_on.map(|value| value.get_name().to_owned()).unwrap_or_default(),
            shard: self.shard.index,
            shards: self.shard.count,
            targets: self.all,
            positions: Vec::new(),
            started_at: None,
            finished_at: None,
        };
        Draft { manifest, places: self.positions.clone() }
    }
}

/// A file of an earlier run.
pub(super) enum Resumed {
    /// It is complete; there is nothing to do.
    Finished(Summary),
    /// It is incomplete.
    Open {
        file: File,
        draft: Box<Draft>,
        /// The counts of its targets.
        summary: Summary,
    },
}

/// A manifest that is filled as lines are written.
pub(super) struct Draft {
    manifest: Manifest,
    /// The position of each target of this run among all.
    places: Vec<usize>,
}

impl Draft {
    /// Notes that the target with this number in the run was written.
    pub(super) fn add(&mut self, index: usize) {
        self.manifest.positions.extend(self.places.get(index));
    }

    /// The manifest of the finished run.
    pub(super) fn finished(self, report: &Report) -> Manifest {
        let (started_at, finished_at) = report.times();
        Manifest { started_at, finished_at, ..self.manifest }
    }
}
