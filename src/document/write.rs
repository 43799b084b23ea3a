//! Writes values as HCL that Terraform and hcl-edit read back as the same values (HCL: "HCL Native Syntax
//! Specification", string literals and heredocs).

use std::fmt::Write as _;

use super::Value;

/// `name = value`, with a heredoc where the value is a text of several lines.
pub fn attribute(name: &str, value: &Value) -> String {
    match value {
        Value::String(text) if suits_heredoc(text) => format!("{name} = {}\n", heredoc(text)),
        _ => format!("{name} = {}\n", expression(value, 0)),
    }
}

/// A value as an expression; collections go over several lines, indented by `depth` levels.
pub fn expression(value: &Value, depth: usize) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Number(text) => text.clone(),
        Value::String(text) => quote(text),
        Value::List(items) if items.iter().all(is_short) => {
            format!("[{}]", items.iter().map(|item| expression(item, 0)).collect::<Vec<_>>().join(", "))
        }
        Value::List(items) => {
            let items = items.iter().map(|item| format!("{},\n", expression(item, depth + 1)));
            block('[', items, ']', depth)
        }
        Value::Object(items) if items.is_empty() => "{}".to_owned(),
        Value::Object(items) if items.len() <= 3 && items.values().all(is_short) => {
            let items = items.iter().map(|(name, value)| format!("{} = {}", key(name), expression(value, 0)));
            format!("{{ {} }}", items.collect::<Vec<_>>().join(", "))
        }
        Value::Object(items) => {
            let names: Vec<String> = items.keys().map(|name| key(name)).collect();
            let width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
            let items = names.iter().zip(items.values());
            let items = items.map(|(name, value)| format!("{name:width$} = {}\n", expression(value, depth + 1)));
            block('{', items, '}', depth)
        }
    }
}

fn is_short(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => true,
        Value::String(text) => text.len() <= 20,
        Value::List(items) => items.is_empty(),
        Value::Object(items) => items.is_empty(),
    }
}

fn block(open: char, items: impl Iterator<Item = String>, close: char, depth: usize) -> String {
    let mut text = format!("{open}\n");
    for item in items {
        _ = write!(text, "{}{item}", "  ".repeat(depth + 1));
    }
    text + &"  ".repeat(depth) + &close.to_string()
}

/// A bare word where it cannot be taken for anything else, otherwise a quoted string.
fn key(name: &str) -> String {
    let keyword = matches!(name, "for" | "null" | "true" | "false");
    let plain = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name.chars().all(|character| character.is_ascii_alphanumeric() || matches!(character, '_' | '-'));
    if plain && !keyword { name.to_owned() } else { quote(name) }
}

/// A quoted string. Of several `$` or `%` before a brace the last is written by its code: readers of HCL differ about
/// runs of them.
pub fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    let mut characters = text.chars().peekable();
    let mut previous = None;
    while let Some(character) = characters.next() {
        let introduces = matches!(character, '$' | '%') && characters.peek() == Some(&'{');
        match character {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '$' | '%' if introduces && previous == Some(character) => {
                _ = write!(quoted, "\\u{:04x}", u32::from(character));
            }
            '$' | '%' if introduces => quoted.extend([character, character]),
            _ if character.is_control() => _ = write!(quoted, "\\u{:04x}", u32::from(character)),
            _ => quoted.push(character),
        }
        previous = Some(character);
    }
    quoted.push('"');
    quoted
}

/// Text of at least two whole lines in which nothing would have to be escaped that a heredoc cannot.
fn suits_heredoc(text: &str) -> bool {
    let lines = text.matches('\n').count();
    text.ends_with('\n')
        && lines >= 2
        && !text.contains(|character: char| character.is_control() && !matches!(character, '\n' | '\t'))
        && !["${", "%{"].iter().any(|introducer| text.contains(introducer))
}

fn heredoc(text: &str) -> String {
    let mut delimiter = "EOT".to_owned();
    while text.lines().any(|line| line.trim_start().starts_with(&delimiter)) {
        delimiter.push('_');
    }
    format!("<<{delimiter}\n{text}{delimiter}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Document;
    use proptest::prelude::*;

    fn read(text: &str) -> Value {
        let body = Document::new("x.tfvars", text).body().unwrap_or_else(|problem| panic!("{problem}:\n{text}"));
        Value::literal(text, &body.get_attribute("x").unwrap().value).unwrap()
    }

    /// Strings of what is special in HCL, and strings of anything.
    fn any_text() -> impl Strategy<Value = String> {
        let special = proptest::sample::select(vec![
            "$", "%", "{", "}", "\\", "\"", "\n", "\r", "\t", "EOT", "${", "%{", "$${", "~}", "\0", "\u{1b}", "a", " ",
            "é", "𝄞", "\u{2028}", "<<EOT\n", "\\u0041", "#", "//", "/*", ",", "=",
        ]);
        prop_oneof![
            proptest::collection::vec(special, 0..12).prop_map(|parts| parts.concat()),
            ".{0,20}",
            "([ a-z$%{}]{0,8}\n){2,4}",
        ]
    }

    fn any_number() -> impl Strategy<Value = String> {
        prop_oneof!["-?(0|[1-9][0-9]{0,40})", "-?(0|[1-9][0-9]{0,10})\\.[0-9]{1,30}", "[1-9]\\.[0-9]{1,3}e-?[1-9]"]
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Bool),
            any_number().prop_map(Value::Number),
            any_text().prop_map(Value::String),
        ];
        leaf.prop_recursive(4, 30, 5, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::List),
                proptest::collection::btree_map(any_text(), inner, 0..5).prop_map(Value::Object),
            ]
        })
    }

    proptest! {
        #[test]
        fn every_value_is_read_back_as_it_was(value in any_value()) {
            let text = attribute("x", &value);
            prop_assert_eq!(read(&text), value, "{}", text);
        }
    }

    #[test]
    fn values_are_written_as_people_write_them() {
        let value = read(
            "x = { note = \"a\\nb\\n\", list = [1, \"two\"], for = true, \"a b\" = { n = null }, empty = {}, \
             columns = [{ name = \"id\", type = \"string\" }], shell = \"$${HOME} $$$${X} 100%\" }",
        );
        insta::assert_snapshot!(attribute("x", &value), @r#"
            x = {
              "a b"   = { n = null }
              columns = [
                { name = "id", type = "string" },
              ]
              empty   = {}
              "for"   = true
              list    = [1, "two"]
              note    = "a\nb\n"
              shell   = "$${HOME} $$\u0024{X} 100%"
            }
        "#);
        insta::assert_snapshot!(attribute("note", &Value::String("one\n  two \\ \"2\"\nEOT\n".to_owned())), @r#"
            note = <<EOT_
            one
              two \ "2"
            EOT
            EOT_
        "#);
    }
}
