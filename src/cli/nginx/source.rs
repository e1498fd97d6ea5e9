//! The source of a configuration: files on disk, a dump, or Kubernetes objects.

use std::io;
use std::mem::take;
use std::path::{self, Path};
use std::sync::Arc;

use anyhow::{anyhow, bail};

use super::running;
use crate::audit::ignore::{self, IgnoreComment};
use crate::cli::errors::warn;
use crate::cli::installed::Master;
use crate::cli::{input, settings};
use crate::nginx::defaults::NginxRelease;
use crate::nginx::dump::Dump;
use crate::nginx::facts::{Fact, FactKind, facts};
use crate::nginx::kubernetes::material::SecretFiles;
use crate::nginx::kubernetes::{self, NextController, SYSTEM_ROOTS};
use crate::nginx::listener::{Listener, listeners};
use crate::nginx::problem::Span;
use crate::nginx::source::{Single, Source};
use crate::nginx::tree::Tree;
use crate::nginx::upstream::{Upstream, plain_upstreams, upstreams};
use crate::nginx::variable::Variables;
use crate::targets::disk::{Disk, below};
use crate::targets::from_nginx::{Premises, startup};
use crate::targets::{secret_files, trust};

/// The largest dump, in bytes.
const MAX_DUMP: u64 = 256 * 1024 * 1024;

/// A configuration and what it means.
#[derive(Debug)]
pub(in crate::cli) struct Configuration {
    /// Its main file, or the place that it was read from.
    pub(in crate::cli) name: String,
    /// Its text; Kubernetes objects have none.
    pub(in crate::cli) tree: Option<Tree>,
    pub(in crate::cli) listeners: Vec<Listener>,
    pub(in crate::cli) upstreams: Vec<Upstream>,
    /// The upstreams that nginx connects to without TLS.
    pub(super) plain_upstreams: Vec<Upstream>,
    pub(super) facts: Vec<Fact>,
    /// Whether it was read from the files of this machine.
    pub(super) on_disk: bool,
    /// What stands for files: Secrets and ConfigMaps.
    files: SecretFiles,
    /// nginx's release, where the input tells.
    pub(super) release: Option<NginxRelease>,
}

impl Configuration {
    /// Reads the named configuration.
    pub(in crate::cli) fn read(
        path: &Path,
        root: Option<&Path>,
        (variables, next): (&Variables, Option<NextController>),
    ) -> anyhow::Result<Self> {
        if path == Path::new("-") {
            let text = input::stdin(MAX_DUMP)?;
            return Self::of_text("<stdin>", &text, (variables, next));
        }
        let disk = Disk { root: root.map(Path::to_owned) };
        // The path may be below the root or on this machine: `--root rootfs rootfs/etc/nginx/nginx.conf` means the
        // same.
        let path = root.and_then(|root| path.strip_prefix(root).ok()).unwrap_or(path);
        // With a root, the names in the configuration are absolute already.
        let path = if root.is_none() { path::absolute(path)? } else { Path::new("/").join(path) };
        let named = path
            .to_str()
            .ok_or_else(|| anyhow!("the name {} is not valid UTF-8", path.display()))?;
        let is_folder = root.map_or_else(
            || path.is_dir(),
            |root| root.join(named.trim_start_matches('/')).is_dir(),
        );
        let main = if is_folder {
            format!("{}/nginx.conf", named.trim_end_matches('/'))
        } else {
            named.to_owned()
        };
        let text = disk.read(&main).map_err(|error| {
            let kind = io::Error::from_raw_os_error(error.number).kind();
            input::unreadable(&main, &error.text, kind)
        })?;
        if Dump::read(&text).is_some() || text.trim_ascii_start().starts_with(b"{") {
            return Self::of_text(&main, &text, (variables, next));
        }
        let read = Self::of_tree(Tree::read(&disk, &main), variables);
        Ok(Self { on_disk: true, ..read })
    }

    /// Lets the rest of the run read what stands for files, together with Secrets that were given apart.
    pub(in crate::cli) fn provide_files(&mut self, given: SecretFiles) {
        let mut files = take(&mut self.files);
        files.extend(given);
        let trusted = self.upstreams.iter().filter_map(|one| one.ssl.trusted_certificate.as_ref());
        if self.tree.is_none() && trusted.into_iter().any(|set| set.value == SYSTEM_ROOTS) {
            // The controller's container has roots of its own; those of this machine stand in for them.
            files.extend(trust::system_bundle().map(|bundle| (SYSTEM_ROOTS.to_owned(), bundle)));
        }
        if !files.is_empty() || self.tree.is_none() {
            secret_files::provide(files);
        }
    }

    /// Refuses a configuration that has no targets because nginx would not accept it.
    pub(in crate::cli) fn check_readable(&self) -> anyhow::Result<()> {
        let problems = self.tree.iter().flat_map(|tree| &tree.problems);
        let problems: Vec<String> = problems.map(ToString::to_string).collect();
        let is_empty = self.listeners.is_empty() && self.upstreams.is_empty();
        if is_empty && !problems.is_empty() {
            bail!("nginx would refuse {}:\n  {}", self.name, problems.join("\n  "));
        }
        Ok(())
    }

    /// Adds what nginx and its OpenSSL would refuse when they start.
    pub(super) fn check_startup(
        &mut self,
        premises: &Premises<'_>,
        is_static: bool,
        master: Option<&Master>,
    ) {
        let Some(tree) = &self.tree else { return };
        let modes = (self.on_disk, is_static);
        let found = startup::check(tree, &self.upstreams, premises, modes, settings::now());
        self.facts.extend(found.facts);
        if let Some(master) = master {
            let path = |name: &str| below(premises.root.as_deref(), name);
            self.facts.extend(running::facts(master, tree, &found.files, path));
        }
    }

    /// The comments that allow findings in their place; invalid ones are reported on stderr.
    pub(super) fn ignored(&self) -> Vec<IgnoreComment> {
        let files = self.tree.iter().flat_map(|tree| &tree.files);
        let mut all = Vec::new();
        for (name, bytes) in files {
            let (ignored, wrong) = ignore::in_text(name, &String::from_utf8_lossy(bytes));
            all.extend(ignored);
            for (origin, error) in wrong {
                warn(&format!("{}:{}:{}: {error}", origin.file, origin.line, origin.column));
            }
        }
        all
    }

    /// A dump, Kubernetes objects, or a single file.
    fn of_text(
        name: &str,
        text: &[u8],
        (variables, next): (&Variables, Option<NextController>),
    ) -> anyhow::Result<Self> {
        if text.trim_ascii_start().starts_with(b"{") {
            let found = kubernetes::read(text, variables, next);
            let found = found.map_err(|error| anyhow!("{name}: {error}"))?;
            return Ok(Self {
                name: name.to_owned(),
                tree: None,
                listeners: found.listeners,
                upstreams: found.upstreams,
                plain_upstreams: found.plain_upstreams,
                facts: found.facts,
                on_disk: false,
                files: found.files,
                release: found.release,
            });
        }
        if let Some(dump) = Dump::read(text) {
            let main = dump.main.clone();
            return Ok(Self::of_tree(Tree::read(&dump, &main), variables));
        }
        Ok(Self::of_tree(Tree::read(&Single { path: name, text }, name), variables))
    }

    fn of_tree(tree: Tree, variables: &Variables) -> Self {
        let (listeners, upstreams) = (listeners(&tree), upstreams(&tree, variables));
        let plain_upstreams = plain_upstreams(&tree, variables);
        Self {
            name: tree.main.clone(),
            tree: Some(tree),
            listeners,
            upstreams,
            plain_upstreams,
            facts: Vec::new(),
            on_disk: false,
            files: SecretFiles::new(),
            release: None,
        }
    }

    /// Adds what its text alone shows for this release of nginx.
    pub(super) fn check_text(&mut self, version: Option<NginxRelease>) {
        let Some(tree) = &self.tree else { return };
        let mut found = facts(tree, &self.listeners, &self.upstreams, version);
        found.extend(tree.problems.iter().map(|problem| Fact {
            span: problem.span.clone().unwrap_or_else(|| Span {
                file: tree.main.as_str().into(),
                line: 1,
                column: 1,
            }),
            kind: FactKind::Refused(problem.fault.clone()),
        }));
        self.facts.extend(found);
    }

    /// Its main file, if it is this machine's own: read from its files, or a dump that is the same as they are.
    pub(in crate::cli) fn place_here(&self) -> Option<&Path> {
        let tree = self.tree.as_ref()?;
        let main = Path::new(&tree.main);
        let is_same = |(name, text): (&Arc<str>, &Arc<[u8]>)| {
            name.starts_with('/') && Disk::default().read(name).is_ok_and(|here| here == **text)
        };
        let is_here = self.on_disk || !tree.files.is_empty() && tree.files.iter().all(is_same);
        is_here.then_some(main)
    }
}
