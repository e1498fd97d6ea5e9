//! The format of a line. The observations of a target contain the same certificates many times, so each long text is
//! written once, at the start of the line, and referenced by its number.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::RecordingLine;

/// Texts of this many bytes or more are written once.
const LONG: usize = 64;

/// The key of an object that references a long text.
const REFERENCE: &str = "$text";

/// The largest line, in bytes, with all texts inserted.
const MAX_LINE: usize = 256 * 1024 * 1024;

/// Why a line cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum PackingError {
    /// It does not have the right form.
    #[error("{0}")]
    Form(#[from] serde_json::Error),
    /// It references a text that does not exist.
    #[error("text {0} is missing")]
    Missing(u64),
    /// With its texts inserted, the line would be too large.
    #[error("the line is larger than {} MiB", MAX_LINE / 1024 / 1024)]
    TooLarge,
}

#[derive(Serialize, Deserialize)]
struct Packed {
    line: Value,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    texts: Vec<String>,
}

/// The line as written, with its line feed.
pub(super) fn pack(line: &RecordingLine) -> Result<String, serde_json::Error> {
    let mut packed = Packed { line: serde_json::to_value(line)?, texts: Vec::new() };
    take_out(&mut packed.line, &mut packed.texts, &mut HashMap::new());
    Ok(serde_json::to_string(&packed)? + "\n")
}

/// Reads a line.
pub(super) fn unpack(text: &str) -> Result<RecordingLine, PackingError> {
    let Packed { mut line, texts } = serde_json::from_str(text)?;
    put_back(&mut line, &texts, &mut { MAX_LINE })?;
    Ok(serde_json::from_value(line)?)
}

/// The schema that a first line names, whatever else it contains.
pub(super) fn schema(text: &str) -> Option<String> {
    let packed: Packed = serde_json::from_str(text).ok()?;
    Some(packed.line.get("start")?.get("schema")?.as_str()?.to_owned())
}

fn take_out(value: &mut Value, texts: &mut Vec<String>, known: &mut HashMap<String, usize>) {
    match value {
        Value::String(text) if text.len() >= LONG => {
            let number = *known.entry(text.clone()).or_insert_with(|| {
                texts.push(text.clone());
                texts.len() - 1
            });
            *value = Value::Object(Map::from_iter([(REFERENCE.to_owned(), number.into())]));
        }
        Value::Array(values) => values.iter_mut().for_each(|one| take_out(one, texts, known)),
        Value::Object(fields) => fields.values_mut().for_each(|one| take_out(one, texts, known)),
        _ => {}
    }
}

fn put_back(value: &mut Value, texts: &[String], left: &mut usize) -> Result<(), PackingError> {
    match value {
        Value::Array(values) => values.iter_mut().try_for_each(|one| put_back(one, texts, left)),
        Value::Object(fields) => {
            let Some(number) = fields.get(REFERENCE).and_then(Value::as_u64) else {
                return fields.values_mut().try_for_each(|one| put_back(one, texts, left));
            };
            let text = usize::try_from(number).ok().and_then(|number| texts.get(number));
            let text = text.ok_or(PackingError::Missing(number))?;
            *left = left.checked_sub(text.len()).ok_or(PackingError::TooLarge)?;
            *value = Value::String(text.clone());
            Ok(())
        }
        _ => Ok(()),
    }
}
