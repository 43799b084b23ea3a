//! Reads a var file as Terraform does: literal values by name, from `.tfvars` or `.tfvars.json` (Terraform: "Variable
//! Definitions (.tfvars) Files").

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hcl::eval::{Context, Evaluate};
use hcl_edit::Span;
use hcl_edit::expr::Expression;

use super::root::Root;
use crate::document::{Document, Invalid, Problem, Value, nearest, quoted};

/// A JSON number beyond this has lost digits by the time it is read.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// A variable's value and the file that says it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Given {
    pub value: Value,
    pub file: PathBuf,
}

/// Reads var files in order; what a later one says wins.
///
/// # Errors
/// Everything in all of them that cannot be read, is not a value, or is not declared by the root. Terraform only warns
/// about the last; here it is a value that somebody expects to have an effect.
pub(super) fn read(files: &[PathBuf], root: &Root) -> Result<BTreeMap<String, Given>, Invalid> {
    let mut given = BTreeMap::new();
    let mut problems = Vec::new();
    for file in files {
        match entries(file) {
            Ok(Read { document, entries, problems: wrong }) => {
                problems.extend(wrong);
                for Entry { name, value, span } in entries {
                    if root.variables.contains_key(&name) {
                        given.insert(name, Given { value, file: file.clone() });
                    } else {
                        problems.push(undeclared(&document, &name, span, root));
                    }
                }
            }
            Err(problem) => problems.push(problem),
        }
    }
    Invalid::of(problems).map_or(Ok(given), Err)
}

struct Entry {
    name: String,
    value: Value,
    /// Where the name stands.
    span: Option<Range<usize>>,
}

struct Read {
    document: Arc<Document>,
    entries: Vec<Entry>,
    problems: Vec<Problem>,
}

fn entries(file: &Path) -> Result<Read, Problem> {
    let document = Document::read_private(file)?;
    if file.extension().is_some_and(|extension| extension == "json") {
        let entries = json_entries(&document)?;
        return Ok(Read { document, entries, problems: Vec::new() });
    }
    let body = document.body()?;
    let mut entries = Vec::new();
    let mut problems = Vec::new();
    for block in body.blocks() {
        let span = block.ident.span().unwrap_or_default();
        let problem = Problem::at(&document, span, "a var file holds only values", "this is a block");
        problems.push(problem.hint("write it as `name = value`"));
    }
    for attribute in body.attributes() {
        match value(&document.text, &attribute.value) {
            Ok(value) => {
                let name = attribute.key.as_str().to_owned();
                entries.push(Entry { name, value, span: attribute.key.span() });
            }
            Err(reason) => {
                let span = attribute.value.span().unwrap_or_default();
                let problem = Problem::at(&document, span, "a var file holds only values", reason);
                problems.push(problem.hint("var files know no variables and no functions"));
            }
        }
    }
    Ok(Read { document, entries, problems })
}

/// A literal, or what Terraform can compute without variables and functions: `60 * 24`.
fn value(source: &str, expression: &Expression) -> Result<Value, String> {
    Value::literal(source, expression).or_else(|found| {
        let computed = hcl::Expression::from(expression.clone()).evaluate(&Context::new());
        computed.map(|value| from_hcl(&value)).map_err(|_| format!("this is {}", found.found))
    })
}

fn from_hcl(value: &hcl::Value) -> Value {
    match value {
        hcl::Value::Null => Value::Null,
        hcl::Value::Bool(value) => Value::Bool(*value),
        hcl::Value::Number(number) => Value::Number(number.to_string()),
        hcl::Value::String(text) => Value::String(text.clone()),
        hcl::Value::Array(items) => Value::List(items.iter().map(from_hcl).collect()),
        hcl::Value::Object(items) => {
            Value::Object(items.iter().map(|(name, value)| (name.clone(), from_hcl(value))).collect())
        }
    }
}

fn json_entries(document: &Arc<Document>) -> Result<Vec<Entry>, Problem> {
    let parsed: serde_json::Value = serde_json::from_str(&document.text).map_err(|error| {
        let before: usize =
            document.text.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum();
        let at = before + error.column().saturating_sub(1);
        Problem::at(document, at..at + 1, "this is not JSON", error.to_string())
    })?;
    let serde_json::Value::Object(items) = parsed else {
        return Err(Problem::about(document, "a JSON var file is an object of names and values"));
    };
    let mut entries = Vec::new();
    for (name, value) in items {
        let written = serde_json::Value::from(name.as_str()).to_string();
        let span = document.text.find(&written).map(|at| at..at + written.len());
        if loses_digits(&value) {
            let problem = Problem::at(document, span.unwrap_or_default(), "a number here has too many digits", "");
            return Err(problem.hint("write it as a string: Terraform makes a number of it"));
        }
        entries.push(Entry { name, value: Value::from_json(&value), span });
    }
    Ok(entries)
}

fn loses_digits(value: &serde_json::Value) -> bool {
    match value {
        serde_json::Value::Number(number) => {
            number.is_f64() && number.as_f64().is_some_and(|number| number.abs() >= EXACT)
        }
        serde_json::Value::Array(items) => items.iter().any(loses_digits),
        serde_json::Value::Object(items) => items.values().any(loses_digits),
        _ => false,
    }
}

fn undeclared(document: &Arc<Document>, name: &str, span: Option<Range<usize>>, root: &Root) -> Problem {
    let message = format!("the Terraform root declares no variable {}", quoted(name));
    let problem = match span {
        Some(span) => Problem::at(document, span, message, "not declared"),
        None => Problem::about(document, message),
    };
    match nearest(name, root.variables.keys().map(String::as_str)) {
        Some(nearest) => problem.hint(format!("did you mean {}?", quoted(nearest))),
        None => problem.hint("declare it, or remove it here"),
    }
}
