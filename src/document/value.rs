//! Literal values of HCL: read from an expression without computing anything, and to and from JSON.

use std::collections::BTreeMap;
use std::ops::Range;

use hcl_edit::Span;
use hcl_edit::expr::{Expression, ObjectKey, UnaryOperator};
use hcl_edit::template::{Element, HeredocTemplate, Template};

use super::number;

/// A literal value. Objects are ordered by key, so that what is written from them is always the same.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Null,
    Bool(bool),
    /// As it was written: Terraform's numbers are more precise than any of ours.
    Number(String),
    String(String),
    List(Vec<Self>),
    Object(BTreeMap<String, Self>),
}

/// An expression whose value is known only to Terraform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotLiteral {
    /// "a reference", "a function call", …
    pub found: &'static str,
    pub span: Option<Range<usize>>,
}

impl Value {
    /// The value of a literal expression that was parsed from `source`.
    ///
    /// # Errors
    /// It holds a reference, a function call, an operation or a template.
    pub fn literal(source: &str, expression: &Expression) -> Result<Self, NotLiteral> {
        let value = match expression {
            Expression::Null(_) => Self::Null,
            Expression::Bool(value) => Self::Bool(*value.value()),
            Expression::Number(number) => {
                let written = number.as_repr().map(|repr| repr.to_string());
                let text = written.unwrap_or_else(|| number.value().to_string());
                Self::Number(text.split_whitespace().collect())
            }
            Expression::String(text) => Self::String(text.value().clone()),
            Expression::StringTemplate(template) => Self::String(text(template, expression)?),
            Expression::HeredocTemplate(heredoc) => Self::String(self::heredoc(source, heredoc, expression)?),
            Expression::Parenthesis(inside) => Self::literal(source, inside.inner())?,
            Expression::Array(items) => {
                Self::List(items.iter().map(|item| Self::literal(source, item)).collect::<Result<_, _>>()?)
            }
            Expression::Object(object) => {
                let items = object.iter();
                let items =
                    items.map(|(key, value)| Ok((Self::key(source, key)?, Self::literal(source, value.expr())?)));
                Self::Object(items.collect::<Result<_, NotLiteral>>()?)
            }
            Expression::UnaryOp(operation) if *operation.operator.value() == UnaryOperator::Neg => {
                Self::negative(source, &operation.expr, expression)?
            }
            _ => return Err(NotLiteral::new(expression)),
        };
        Ok(value)
    }

    /// HCL takes a bare word as the key of that name, and any literal in its text form.
    fn key(source: &str, key: &ObjectKey) -> Result<String, NotLiteral> {
        match key {
            ObjectKey::Ident(ident) => Ok(ident.value().to_string()),
            ObjectKey::Expression(expression) => match Self::literal(source, expression)? {
                Self::String(text) | Self::Number(text) => Ok(text),
                Self::Bool(value) => Ok(value.to_string()),
                _ => Err(NotLiteral::new(expression)),
            },
        }
    }

    fn negative(source: &str, operand: &Expression, whole: &Expression) -> Result<Self, NotLiteral> {
        match Self::literal(source, operand)? {
            Self::Number(text) => Ok(Self::Number(match text.strip_prefix('-') {
                Some(positive) => positive.to_owned(),
                None => format!("-{text}"),
            })),
            _ => Err(NotLiteral::new(whole)),
        }
    }

    /// The value of a JSON document.
    pub fn from_json(json: &serde_json::Value) -> Self {
        match json {
            serde_json::Value::Null => Self::Null,
            serde_json::Value::Bool(value) => Self::Bool(*value),
            serde_json::Value::Number(number) => Self::Number(number.to_string()),
            serde_json::Value::String(text) => Self::String(text.clone()),
            serde_json::Value::Array(items) => Self::List(items.iter().map(Self::from_json).collect()),
            serde_json::Value::Object(items) => {
                Self::Object(items.iter().map(|(key, value)| (key.clone(), Self::from_json(value))).collect())
            }
        }
    }

    /// The value as JSON; `None` where a number in it has more digits than our JSON keeps.
    pub fn to_json(&self) -> Option<serde_json::Value> {
        Some(match self {
            Self::Null => serde_json::Value::Null,
            Self::Bool(value) => (*value).into(),
            Self::Number(text) => number::to_json(text)?.into(),
            Self::String(text) => text.clone().into(),
            Self::List(items) => items.iter().map(Self::to_json).collect::<Option<Vec<_>>>()?.into(),
            Self::Object(items) => {
                let items = items.iter().map(|(key, value)| Some((key.clone(), value.to_json()?)));
                serde_json::Value::Object(items.collect::<Option<_>>()?)
            }
        })
    }

    /// Whether two values are the same to Terraform, which compares numbers by what they mean.
    pub fn means(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Number(left), Self::Number(right)) => number::canonical(left) == number::canonical(right),
            (Self::List(left), Self::List(right)) => {
                left.len() == right.len() && left.iter().zip(right).all(|(left, right)| left.means(right))
            }
            (Self::Object(left), Self::Object(right)) => {
                left.len() == right.len()
                    && left.iter().zip(right).all(|((name, left), (other, right))| name == other && left.means(right))
            }
            _ => self == other,
        }
    }
}

fn text(template: &Template, whole: &Expression) -> Result<String, NotLiteral> {
    let parts = template.iter().map(|element| match element {
        Element::Literal(part) => Ok(part.value().as_str()),
        _ => Err(NotLiteral::new(whole)),
    });
    parts.collect()
}

/// The text of a heredoc. The parser removes the indentation of `<<-` as counted over all lines; Terraform neither
/// counts nor changes lines of nothing but space, so that is done again from the source.
fn heredoc(source: &str, heredoc: &HeredocTemplate, whole: &Expression) -> Result<String, NotLiteral> {
    let parsed = text(&heredoc.template, whole)?;
    let spans = heredoc.template.iter().filter_map(Element::as_literal).map(|part| part.span());
    let raw: Option<String> = spans.map(|span| source.get(span?)).collect();
    match (heredoc.indent(), raw) {
        (Some(_), Some(raw)) => Ok(dedent(&raw.replace("$${", "${").replace("%%{", "%{"))),
        _ => Ok(parsed),
    }
}

fn dedent(text: &str) -> String {
    let blank = |line: &str| line.trim_start().is_empty() && line.ends_with('\n');
    let lines = text.split_inclusive('\n');
    let indents = lines.clone().filter(|line| !blank(line));
    let least = indents.map(|line| line.chars().take_while(|character| character.is_whitespace()).count()).min();
    let lines = lines.map(|line| match line.char_indices().nth(least.unwrap_or(0)) {
        Some((at, _)) if !blank(line) => &line[at..],
        _ => line,
    });
    lines.collect()
}

impl NotLiteral {
    fn new(expression: &Expression) -> Self {
        Self { found: kind(expression), span: expression.span() }
    }
}

/// What an expression is, for "expected …, found …".
pub(crate) fn kind(expression: &Expression) -> &'static str {
    match expression {
        Expression::Null(_) => "null",
        Expression::Bool(_) => "a bool",
        Expression::Number(_) => "a number",
        Expression::String(_) => "a string",
        Expression::Array(_) => "a list",
        Expression::Object(_) => "an object",
        Expression::StringTemplate(_) | Expression::HeredocTemplate(_) => "a template",
        Expression::Parenthesis(inside) => kind(inside.inner()),
        Expression::Variable(_) => "a bare word",
        Expression::Traversal(_) => "a reference",
        Expression::FuncCall(_) => "a function call",
        Expression::Conditional(_) => "a condition",
        Expression::UnaryOp(_) | Expression::BinaryOp(_) => "an operation",
        Expression::ForExpr(_) => "a for expression",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn literal(text: &str) -> Result<Value, &'static str> {
        let expression: Expression = text.parse().unwrap();
        Value::literal(text, &expression).map_err(|error| error.found)
    }

    #[test]
    fn literals_are_read_as_they_are_written() {
        let text =
            "{ a = [1.50, -2, 123456789012345678901234567890], \"b c\" = null, (true) = \"$${x}\", 5 = <<E\nx\\n\nE\n}";
        let Ok(Value::Object(object)) = literal(text) else { panic!() };
        let number = |text: &str| Value::Number(text.to_owned());
        assert_eq!(
            object["a"],
            Value::List(vec![number("1.50"), number("-2"), number("123456789012345678901234567890")])
        );
        assert_eq!(object["b c"], Value::Null);
        assert_eq!(object["true"], Value::String("${x}".to_owned()));
        assert_eq!(object["5"], Value::String("x\\n\n".to_owned()));
    }

    #[test]
    fn what_terraform_would_compute_is_not_literal() {
        assert_eq!(literal("var.x"), Err("a reference"));
        assert_eq!(literal("[upper(\"x\")]"), Err("a function call"));
        assert_eq!(literal("1 + 1"), Err("an operation"));
        assert_eq!(literal("\"${x}\""), Err("a template"));
        assert_eq!(literal("{ (x) = 1 }"), Err("a bare word"));
    }

    #[test]
    fn numbers_are_compared_by_meaning() {
        assert!(literal("[1.0]").unwrap().means(&literal("[1]").unwrap()));
        assert!(!literal("[1]").unwrap().means(&literal("[\"1\"]").unwrap()));
    }
}
