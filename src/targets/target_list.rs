//! The targets of a run, in order. Those of a long list are kept as little more than their addresses, and made when their
//! turn comes.

use std::sync::Arc;

use super::address::Address;
use super::options::Options;
use super::{ClientIdentity, Host, Origin, StartTls, Target};

/// What all addresses of a list have in common.
#[derive(Debug)]
pub struct Template {
    /// Their options.
    pub options: Options,
    /// Their client certificate.
    pub identity: Option<Arc<ClientIdentity>>,
    /// The list's name.
    pub file: String,
}

impl Template {
    /// The target of an address in the list.
    pub fn target(&self, address: Address, line: u32, column: u32) -> Target {
        let origin = Origin { file: self.file.clone(), line, column };
        self.options.target(address, self.identity.clone(), Some(origin))
    }
}

/// Targets in order.
#[derive(Clone, Debug, Default)]
pub struct TargetList {
    entries: Vec<ListEntry>,
    template: Option<Arc<Template>>,
}

#[derive(Clone, Debug)]
enum ListEntry {
    Made(Arc<Target>),
    Address(ListedAddress),
}

/// An address of the template's list, and its place.
#[derive(Clone, Debug)]
struct ListedAddress {
    host: Host,
    connect_to: Option<Box<(Host, u16)>>,
    port: Option<u16>,
    starttls: Option<StartTls>,
    line: u32,
    column: u32,
}

impl TargetList {
    /// Adds a target.
    pub fn push(&mut self, target: Arc<Target>) {
        self.entries.push(ListEntry::Made(target));
    }

    /// Adds the target of an address. Those of a second list are made at once.
    pub fn push_address(
        &mut self,
        address: Address,
        line: u32,
        column: u32,
        template: &Arc<Template>,
    ) {
        let own = self.template.get_or_insert_with(|| Arc::clone(template));
        if !Arc::ptr_eq(own, template) {
            return self.push(Arc::new(template.target(address, line, column)));
        }
        let Address { host, port, connect_to, starttls } = address;
        let connect_to = connect_to.map(Box::new);
        let listed = ListedAddress { host, connect_to, port, starttls, line, column };
        self.entries.push(ListEntry::Address(listed));
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The target at this index.
    pub fn get(&self, index: usize) -> Option<Arc<Target>> {
        self.made(self.entries.get(index)?)
    }

    /// All targets, one after the other.
    pub fn iter(&self) -> impl Iterator<Item = Arc<Target>> {
        self.entries.iter().filter_map(|entry| self.made(entry))
    }

    /// Targets that show what all are like: of a list, the first is like all.
    pub fn samples(&self) -> Vec<Arc<Target>> {
        let is_address = |entry: &&ListEntry| matches!(entry, ListEntry::Address(_));
        let first = self.entries.iter().find(is_address);
        let made = self.entries.iter().filter(|entry| !is_address(entry));
        made.chain(first).filter_map(|entry| self.made(entry)).collect()
    }

    /// Keeps those whose indices are wanted.
    pub fn retain(&mut self, mut is_wanted: impl FnMut(usize) -> bool) {
        let mut index = 0..;
        self.entries.retain(|_| index.next().is_some_and(&mut is_wanted));
    }

    fn made(&self, entry: &ListEntry) -> Option<Arc<Target>> {
        match entry {
            ListEntry::Made(target) => Some(Arc::clone(target)),
            ListEntry::Address(listed) => {
                let ListedAddress { host, connect_to, port, starttls, line, column } = listed;
                let address = Address {
                    host: host.clone(),
                    port: *port,
                    connect_to: connect_to.as_deref().cloned(),
                    starttls: *starttls,
                };
                // An address is only ever added with its template.
                let template = self.template.as_ref()?;
                Some(Arc::new(template.target(address, *line, *column)))
            }
        }
    }
}

impl From<Vec<Arc<Target>>> for TargetList {
    fn from(targets: Vec<Arc<Target>>) -> Self {
        let entries = targets.into_iter().map(ListEntry::Made).collect();
        Self { entries, template: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listed_target_is_what_it_would_be_at_once() {
        let template = |file: &str| {
            let options = Options { server_name: Some("b.test".to_owned()), ..Options::default() };
            Arc::new(Template { options, identity: None, file: file.to_owned() })
        };
        let (first, second) = (template("list"), template("another"));
        let mut list = TargetList::default();
        for (line, text) in
            (1..).zip(["a.test", "a.test:25", "[::1]:8443", "a.test:443:192.0.2.1:8443"])
        {
            for template in [&first, &second] {
                let address: Address = text.parse().unwrap();
                list.push_address(address.clone(), line, 3, template);
                let at_once = template.target(address, line, 3);
                let listed = list.get(list.len() - 1).unwrap();
                assert_eq!(format!("{listed:?}"), format!("{at_once:?}"));
                assert_eq!(listed.id(), at_once.id());
            }
        }
        assert_eq!((list.len(), list.samples().len()), (8, 5));
        list.retain(|index| index == 2 || index == 7);
        let names: Vec<String> = list.iter().map(|target| target.name.clone()).collect();
        assert_eq!(names, ["a.test:25", "a.test:443"]);
    }

    #[test]
    fn an_address_is_small() {
        assert!(size_of::<ListEntry>() <= 56, "{}", size_of::<ListEntry>());
    }
}
