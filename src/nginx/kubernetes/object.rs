//! The objects in the output of `kubectl get … -o json`, by kind, namespace and name.

use std::collections::{BTreeSet, HashMap};

use serde_json::Value;

/// The most objects that are read.
const MAX_OBJECTS: usize = 200_000;

/// Why the text contains no objects.
#[derive(Debug, thiserror::Error)]
pub enum KubernetesError {
    /// It is not JSON, or JSON of another shape.
    #[error("this is not the output of kubectl get -o json: {0}")]
    Json(#[from] serde_json::Error),
    /// It is JSON of something else.
    #[error(
        "this is JSON of the kind {0:?}, not of objects that an ingress controller of nginx reads"
    )]
    Kind(String),
    /// It is a list without any object that is read for itself.
    #[error(
        "no object that an ingress controller of nginx reads is among the {0}: name the kinds, as in kubectl get ingresses -A -o json"
    )]
    None(usize),
    /// There are more objects than the limit.
    #[error("there are more than {MAX_OBJECTS} objects")]
    TooMany,
}

/// The kinds that a single object may have.
const KINDS: [&str; 10] = [
    "Ingress",
    "Gateway",
    "HTTPRoute",
    "GRPCRoute",
    "TLSRoute",
    "BackendTLSPolicy",
    "VirtualServer",
    "VirtualServerRoute",
    "TransportServer",
    "Policy",
];

/// Where an EndpointSlice names its Service.
const SERVICE: &str = "/metadata/labels/kubernetes.io~1service-name";

/// Objects, in the order of the input.
#[derive(Debug, Default)]
pub(super) struct KubernetesObjects {
    all: Vec<Value>,
    kinds: HashMap<String, Vec<usize>>,
    named: HashMap<(String, String, String), usize>,
    /// The objects by their kind and namespace.
    spaces: HashMap<(String, String), Vec<usize>>,
    /// The EndpointSlices by the namespace and the name of their Service.
    slices: HashMap<(String, String), Vec<usize>>,
    /// The routes by their kind and the name of each parent.
    routes: HashMap<(String, String), BTreeSet<usize>>,
    /// The policies by their kind, their namespace and the name of each target.
    policies: HashMap<(String, String, String), BTreeSet<usize>>,
}

impl KubernetesObjects {
    /// Reads a list of objects, or a single one.
    pub(super) fn read(json: &[u8]) -> Result<Self, KubernetesError> {
        let value: Value = serde_json::from_slice(json)?;
        let kind = text(&value, "/kind").unwrap_or_default().to_owned();
        let (items, of_items) = match (kind.strip_suffix("List"), value) {
            (Some(of_items), Value::Object(mut list)) => match list.remove("items") {
                Some(Value::Array(items)) => (items, of_items),
                _ => (Vec::new(), of_items),
            },
            (None, value) if KINDS.contains(&&*kind) => (vec![value], ""),
            _ => return Err(KubernetesError::Kind(kind)),
        };
        if items.len() > MAX_OBJECTS {
            return Err(KubernetesError::TooMany);
        }
        let count = items.len();
        let objects = Self::of_items(items, of_items);
        let is_any = KINDS.iter().any(|kind| objects.has(kind));
        is_any.then_some(objects).ok_or(KubernetesError::None(count))
    }

    /// Objects, and the kind of those that have none of their own.
    pub(super) fn of_items(items: Vec<Value>, usual: &str) -> Self {
        let mut objects = Self::default();
        for item in items {
            // Items of an IngressList do not repeat their kind.
            let kind = text(&item, "/kind").unwrap_or(usual).to_owned();
            let key = (kind.clone(), namespace(&item).to_owned(), name(&item).to_owned());
            objects.named.entry(key).or_insert(objects.all.len());
            if let Some(service) = text(&item, SERVICE).filter(|_| kind == "EndpointSlice") {
                let of = (namespace(&item).to_owned(), service.to_owned());
                objects.slices.entry(of).or_default().push(objects.all.len());
            }
            for parent in list(&item, "/spec/parentRefs") {
                if let Some(name) = text(parent, "/name") {
                    let of = (kind.clone(), name.to_owned());
                    objects.routes.entry(of).or_default().insert(objects.all.len());
                }
            }
            for target in list(&item, "/spec/targetRefs") {
                if let Some(name) = text(target, "/name") {
                    let of = (kind.clone(), namespace(&item).to_owned(), name.to_owned());
                    objects.policies.entry(of).or_default().insert(objects.all.len());
                }
            }
            let space = (kind.clone(), namespace(&item).to_owned());
            objects.spaces.entry(space).or_default().push(objects.all.len());
            objects.kinds.entry(kind).or_default().push(objects.all.len());
            objects.all.push(item);
        }
        objects
    }

    /// The objects of a kind.
    pub(super) fn of(&self, kind: &str) -> impl Iterator<Item = &Value> {
        self.kinds.get(kind).into_iter().flatten().map(|at| &self.all[*at])
    }

    /// The objects of a kind in a namespace.
    pub(super) fn within(&self, kind: &str, namespace: &str) -> impl Iterator<Item = &Value> {
        let space = (kind.to_owned(), namespace.to_owned());
        self.spaces.get(&space).into_iter().flatten().map(|at| &self.all[*at])
    }

    /// The EndpointSlices of a Service.
    pub(super) fn slices(&self, namespace: &str, service: &str) -> impl Iterator<Item = &Value> {
        let of = (namespace.to_owned(), service.to_owned());
        self.slices.get(&of).into_iter().flatten().map(|at| &self.all[*at])
    }

    /// The routes of a kind that have a parent with one of these names.
    pub(super) fn routes<'n>(
        &self,
        kind: &str,
        parents: impl IntoIterator<Item = &'n str>,
    ) -> impl Iterator<Item = &Value> {
        let of = |name: &str| self.routes.get(&(kind.to_owned(), name.to_owned()));
        let places: BTreeSet<usize> =
            parents.into_iter().filter_map(of).flatten().copied().collect();
        places.into_iter().map(|at| &self.all[at])
    }

    /// The policies of a kind in a namespace that have a target with this name.
    pub(super) fn policies(
        &self,
        kind: &str,
        namespace: &str,
        target: &str,
    ) -> impl Iterator<Item = &Value> {
        let of = (kind.to_owned(), namespace.to_owned(), target.to_owned());
        self.policies.get(&of).into_iter().flatten().map(|at| &self.all[*at])
    }

    /// Whether there is any object of a kind; if not, it was probably not asked for.
    pub(super) fn has(&self, kind: &str) -> bool {
        self.kinds.contains_key(kind)
    }

    /// One object; objects without a namespace are found in `default`.
    pub(super) fn find(&self, kind: &str, namespace: &str, name: &str) -> Option<&Value> {
        let key = (kind.to_owned(), namespace.to_owned(), name.to_owned());
        self.named.get(&key).map(|at| &self.all[*at])
    }
}

/// The text at a path, if it is not empty.
pub(super) fn text<'a>(value: &'a Value, path: &str) -> Option<&'a str> {
    value.pointer(path)?.as_str().map(str::trim).filter(|text| !text.is_empty())
}

/// The number at a path.
pub(super) fn number(value: &Value, path: &str) -> Option<u64> {
    value.pointer(path)?.as_u64()
}

/// Whether the value at a path is `true`.
pub(super) fn is_set(value: &Value, path: &str) -> bool {
    value.pointer(path).and_then(Value::as_bool).unwrap_or_default()
}

/// The list at a path; empty if there is none.
pub(super) fn list<'a>(value: &'a Value, path: &str) -> &'a [Value] {
    value.pointer(path).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// The texts of the list at a path.
pub(super) fn texts<'a>(value: &'a Value, path: &str) -> impl Iterator<Item = &'a str> {
    list(value, path).iter().filter_map(Value::as_str)
}

/// An annotation.
pub(super) fn annotation<'a>(object: &'a Value, name: &str) -> Option<&'a str> {
    let value = object.get("metadata")?.get("annotations")?.get(name)?.as_str()?.trim();
    Some(value).filter(|value| !value.is_empty())
}

/// The namespace, `default` if there is none.
pub(super) fn namespace(object: &Value) -> &str {
    text(object, "/metadata/namespace").unwrap_or("default")
}

/// The name.
pub(super) fn name(object: &Value) -> &str {
    text(object, "/metadata/name").unwrap_or_default()
}

/// The namespace of a reference, that of the object by default.
pub(super) fn namespace_of<'a>(reference: &'a Value, own: &'a str) -> &'a str {
    text(reference, "/namespace").unwrap_or(own)
}

/// How an object is named in reports: `KIND/NAMESPACE/NAME`.
pub(super) fn place(kind: &str, object: &Value) -> String {
    format!("{kind}/{}/{}", namespace(object), name(object))
}
