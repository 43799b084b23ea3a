//! Reads single values: text, numbers, durations, choices, references, expectations.

use std::collections::BTreeMap;

use hcl_edit::expr::{BinaryOp, BinaryOperator, Expression, Traversal, TraversalOperator};
use jiff::SignedDuration;

use super::duration;
use super::names::Rule;
use super::reader::{Later, Reader, at};
use super::{Comparison, Expectation, Quantity, Text};
use crate::document::{Value, kind, quoted};

/// A function such as `snapshot("…")` with its argument, or a bare word, such as `latest_snapshot`.
pub(super) enum Choice {
    Word(&'static str),
    Call(&'static str, String),
}

/// Notes that something else was expected.
fn wrong<T>(reader: &mut Reader, expression: &Expression, expected: &str) -> Option<T> {
    let found = format!("this is {}", kind(expression));
    let hint = reader.problem(at(expression), format!("expected {expected}"), found);
    *hint = match expression {
        Expression::Variable(word) => Some(format!("write \"{}\"", word.as_str())),
        Expression::StringTemplate(_) | Expression::HeredocTemplate(_) => {
            Some("the manifest knows no interpolation: write the text out, or $${ for a literal ${".to_owned())
        }
        _ => None,
    };
    None
}

/// A text that is not empty.
pub(super) fn string(reader: &mut Reader, expression: &Expression) -> Option<String> {
    match expression.as_str() {
        Some("") => {
            reader.problem(at(expression), "the text is empty", "nothing here");
            None
        }
        Some(text) => Some(text.to_owned()),
        None => wrong(reader, expression, "a string"),
    }
}

/// A name that fits a rule.
pub(super) fn named(rule: Rule) -> impl Fn(&mut Reader, &Expression) -> Option<String> {
    move |reader, expression| {
        let Some(text) = expression.as_str() else {
            return wrong(reader, expression, &format!("{} as a string", rule.noun));
        };
        if let Some(reason) = (rule.refuse)(text) {
            reader.problem(at(expression), format!("{} is not {}", quoted(text), rule.noun), reason);
            return None;
        }
        Some(text.to_owned())
    }
}

pub(super) fn boolean(reader: &mut Reader, expression: &Expression) -> Option<bool> {
    expression.as_bool().or_else(|| wrong(reader, expression, "true or false"))
}

/// A whole number within bounds.
pub(super) fn integer(least: u64, most: u64) -> impl Fn(&mut Reader, &Expression) -> Option<u64> {
    move |reader, expression| {
        let Some(number) = expression.as_number() else { return wrong(reader, expression, "a number") };
        let whole = number.as_u64().filter(|number| (least..=most).contains(number));
        if whole.is_none() {
            let message = format!("expected a whole number from {least} to {most}");
            reader.problem(at(expression), message, "out of bounds");
        }
        whole
    }
}

/// `"4h"`, `"15m"`, `"1h30m"`.
pub(super) fn duration(reader: &mut Reader, expression: &Expression) -> Option<SignedDuration> {
    let Some(text) = expression.as_str() else {
        return wrong(reader, expression, "a duration such as \"15m\"");
    };
    let duration = duration::parse(text);
    if duration.is_none() {
        let hint = "write hours, minutes and seconds: \"4h\", \"15m\", \"30s\", \"1h30m\"";
        reader.hinted(at(expression), format!("{} is not a duration", quoted(text)), "not understood", hint);
    }
    duration
}

/// A duration that is not zero.
pub(super) fn timeout(reader: &mut Reader, expression: &Expression) -> Option<SignedDuration> {
    let timeout = duration(reader, expression)?;
    if timeout.is_zero() {
        reader.hinted(at(expression), "a timeout of nothing", "always over", "give it at least \"1s\"");
        return None;
    }
    Some(timeout)
}

/// A list, each item read alike.
pub(super) fn list<T>(
    read: impl Fn(&mut Reader, &Expression) -> Option<T>,
) -> impl Fn(&mut Reader, &Expression) -> Option<Vec<T>> {
    move |reader, expression| {
        let Some(items) = expression.as_array() else { return wrong(reader, expression, "a list") };
        let items: Vec<Option<T>> = items.iter().map(|item| read(reader, item)).collect();
        items.into_iter().collect()
    }
}

/// A literal of any kind, as JSON: nothing in it is computed.
pub(super) fn json(reader: &mut Reader, expression: &Expression) -> Option<serde_json::Value> {
    let value = match Value::literal(&reader.document.text, expression) {
        Ok(value) => value,
        Err(found) => {
            let span = found.span.unwrap_or_else(|| at(expression));
            let hint = "the manifest knows no variables and no functions here: write the value out";
            reader.hinted(span, "expected a literal value", format!("this is {}", found.found), hint);
            return None;
        }
    };
    let json = value.to_json();
    if json.is_none() {
        let hint = "write it as a string: Terraform makes a number of it";
        reader.hinted(at(expression), "a number has too many digits", "would be rounded", hint);
    }
    json
}

/// An object of literals by name.
pub(super) fn object(reader: &mut Reader, expression: &Expression) -> Option<BTreeMap<String, serde_json::Value>> {
    if !expression.is_object() {
        return wrong(reader, expression, "an object: { name = value }");
    }
    match json(reader, expression)? {
        serde_json::Value::Object(items) => Some(items.into_iter().collect()),
        _ => None,
    }
}

/// A bare word, where there is one, or one of some functions of one text.
pub(super) fn choice(
    what: &'static str,
    words: &'static [&'static str],
    calls: &'static [&'static str],
) -> impl Fn(&mut Reader, &Expression) -> Option<Choice> {
    move |reader, expression| {
        let known =
            words.iter().map(|word| (*word).to_owned()).chain(calls.iter().map(|call| format!("{call}(\"…\")")));
        let hint = format!("write {}", known.collect::<Vec<_>>().join(" or "));
        let label = match expression {
            Expression::Variable(word) => {
                if let Some(known) = words.iter().find(|known| **known == word.as_str()) {
                    return Some(Choice::Word(known));
                }
                format!("{} is not known", quoted(word.as_str()))
            }
            Expression::FuncCall(call) => {
                let name = call.name.name.as_str();
                let known = calls.iter().find(|known| **known == name && !call.name.is_namespaced());
                let arguments: Vec<&Expression> = call.args.iter().collect();
                match (known, arguments.as_slice()) {
                    (Some(name), [argument]) => return string(reader, argument).map(|text| Choice::Call(name, text)),
                    (Some(_), _) => "it takes one text".to_owned(),
                    (None, _) => format!("there is no function {}", quoted(name)),
                }
            }
            other => format!("this is {}", kind(other)),
        };
        reader.hinted(at(expression), format!("{what} is not understood"), label, hint);
        None
    }
}

/// A text, or a reference to what a run makes: `aurora.NAME.endpoint`, `terraform.output.NAME`.
pub(super) fn text(reader: &mut Reader, expression: &Expression) -> Option<Text> {
    let Expression::Traversal(traversal) = expression else {
        return string(reader, expression).map(Text::Literal);
    };
    let path = path(traversal);
    let span = at(expression);
    let parts: Vec<&str> = path.iter().flatten().copied().collect();
    match parts.as_slice() {
        ["aurora", name, attribute @ ("endpoint" | "reader_endpoint")] => {
            reader.later(Later::Cluster((*name).to_owned()), span);
            Some(Text::Cluster { name: (*name).to_owned(), attribute: (*attribute).to_owned() })
        }
        ["terraform", "output", name] => {
            reader.later(Later::Output((*name).to_owned()), span);
            Some(Text::TerraformOutput((*name).to_owned()))
        }
        _ => {
            let hint = "write aurora.NAME.endpoint, aurora.NAME.reader_endpoint or terraform.output.NAME";
            reader.hinted(span, "the reference is not understood", "unknown", hint);
            None
        }
    }
}

/// The names of a traversal; `None` where it has an index.
fn path(traversal: &Traversal) -> Option<Vec<&str>> {
    let first = traversal.expr.as_variable()?.as_str();
    let rest = traversal.operators.iter().map(|operator| match operator.value() {
        TraversalOperator::GetAttr(name) => Some(name.as_str()),
        _ => None,
    });
    std::iter::once(Some(first)).chain(rest).collect()
}

/// The comparison that an operation is.
pub(super) fn comparison(reader: &mut Reader, expression: &Expression, operation: &BinaryOp) -> Option<Comparison> {
    let comparison = match operation.operator.value() {
        BinaryOperator::Eq => Some(Comparison::Equal),
        BinaryOperator::GreaterEq => Some(Comparison::AtLeast),
        BinaryOperator::Greater => Some(Comparison::MoreThan),
        BinaryOperator::LessEq => Some(Comparison::AtMost),
        BinaryOperator::Less => Some(Comparison::LessThan),
        _ => None,
    };
    if comparison.is_none() {
        reader.hinted(at(expression), "expected a comparison", "another operator", "known: ==, >=, >, <=, <");
    }
    comparison
}

/// `[items >= 1000]`, of the quantities that the block has.
pub(super) fn expectations(
    known: &'static [(&'static str, Quantity)],
) -> impl Fn(&mut Reader, &Expression) -> Option<Vec<Expectation>> {
    list(expectation(known))
}

/// One of them.
pub(super) fn expectation(
    known: &'static [(&'static str, Quantity)],
) -> impl Fn(&mut Reader, &Expression) -> Option<Expectation> {
    move |reader, expression| {
        let names = known.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(" or ");
        let example = known.first().map_or("items", |(name, _)| name);
        let Expression::BinaryOp(operation) = expression else {
            let found = format!("this is {}", kind(expression));
            reader.hinted(at(expression), "expected a comparison", found, format!("write {example} >= 1"));
            return None;
        };
        let comparison = comparison(reader, expression, operation);
        let word = operation.lhs_expr.as_variable().map(|word| word.as_str());
        let quantity = known.iter().find(|(name, _)| Some(*name) == word).map(|(_, quantity)| *quantity);
        if quantity.is_none() {
            let hint = format!("this block counts {names}");
            reader.hinted(at(&operation.lhs_expr), "not counted here", "unknown quantity", hint);
        }
        let value = integer(0, u64::MAX)(reader, &operation.rhs_expr);
        Some(Expectation { quantity: quantity?, comparison: comparison?, value: value? })
    }
}
