//! The schemas of custom resources, if `SHAKEDOWN_CRDS` names folders with their definitions (as in `PATH`). `scripts/crds` says
//! where they come from; none is part of this repository.

use std::env;
use std::fs;
use std::sync::LazyLock;

use serde::Deserialize;
use serde_json::{Value, json};

/// A version of a kind, and its schema.
struct Definition {
    kind: String,
    version: String,
    schema: Value,
}

static DEFINITIONS: LazyLock<Vec<Definition>> = LazyLock::new(|| {
    let folders = env::var_os("SHAKEDOWN_CRDS").unwrap_or_default();
    let mut definitions = Vec::new();
    for folder in env::split_paths(&folders).filter(|path| path.is_dir()) {
        for file in fs::read_dir(folder).unwrap() {
            let text = fs::read_to_string(file.unwrap().path()).unwrap();
            for document in serde_yaml_ng::Deserializer::from_str(&text) {
                let Ok(document) = Value::deserialize(document) else { continue };
                definitions.extend(versions(&document));
            }
        }
    }
    definitions
});

fn versions(document: &Value) -> Vec<Definition> {
    let spec = &document["spec"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let versions = spec["versions"].as_array().into_iter().flatten();
    let definition = |version: &Value| Definition {
        kind: text(&spec["names"]["kind"]),
        version: format!("{}/{}", text(&spec["group"]), text(&version["name"])),
        schema: version["schema"]["openAPIV3Schema"].clone(),
    };
    versions.map(definition).collect()
}

/// Checks an object against the schema of its kind, if there is one: no field may be unknown.
#[track_caller]
pub(crate) fn check(object: &Value) {
    check_as(object, false);
}

/// The same of a part, as `kubectl apply --server-side` takes it: what is required may be missing.
#[track_caller]
pub(crate) fn check_part(object: &Value) {
    check_as(object, true);
}

#[track_caller]
fn check_as(object: &Value, is_part: bool) {
    let kind = object["kind"].as_str().unwrap();
    let of_kind: Vec<&Definition> = DEFINITIONS.iter().filter(|one| one.kind == kind).collect();
    if of_kind.is_empty() {
        return;
    }
    let version = object["apiVersion"].as_str();
    let is_version = |one: &&&Definition| version.is_none_or(|version| version == one.version);
    let definition = of_kind.iter().find(is_version);
    let definition = definition.unwrap_or_else(|| panic!("no schema for {version:?} {kind}"));
    let mut schema = definition.schema.clone();
    strict(&mut schema, is_part);
    // The schema of a definition leaves it open.
    schema["properties"]["metadata"] = json!({ "type": "object" });
    let validator = jsonschema::validator_for(&schema).unwrap();
    let faults: Vec<String> = validator.iter_errors(object).map(|it| it.to_string()).collect();
    assert!(faults.is_empty(), "{faults:#?} in {object:#}");
}

/// Refuses fields that are not named, as the API server does.
fn strict(schema: &mut Value, is_part: bool) {
    match schema {
        Value::Object(fields) => {
            if is_part && fields.get("required").is_some_and(Value::is_array) {
                fields.remove("required");
            }
            fields.values_mut().for_each(|field| strict(field, is_part));
            let has_names = fields.get("properties").is_some_and(Value::is_object);
            let is_schema = fields.get("type").is_some_and(Value::is_string);
            if has_names && is_schema {
                fields.insert("additionalProperties".to_owned(), json!(false));
            }
        }
        Value::Array(all) => all.iter_mut().for_each(|one| strict(one, is_part)),
        _ => (),
    }
}
