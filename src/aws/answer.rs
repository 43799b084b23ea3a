//! What AWS answered, byte for byte, and as JSON with nothing left out for who keeps it as evidence: the names are those of the service's API
//! reference. The SDK's own types leave out what they do not know.

use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_s3::config::interceptors::AfterDeserializationInterceptorContextRef;
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::BoxError;
use serde_json::{Map, Value};
use xmlparser::{ElementEnd, Token, Tokenizer};

use super::AwsError;

/// Keeps the body of an answer, for `.customize().interceptor(…)`.
#[derive(Clone, Debug, Default)]
pub struct Answer(Arc<Mutex<Vec<u8>>>);

impl Answer {
    /// The answer's bytes, once.
    pub fn body(&self) -> Vec<u8> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The answer's content; an XML answer is turned into JSON, see [`of_xml`].
    ///
    /// # Errors
    /// It is neither JSON nor XML.
    pub fn json(&self, operation: &'static str) -> Result<Value, AwsError> {
        let body = self.body();
        let read = match body.iter().find(|byte| !byte.is_ascii_whitespace()) {
            Some(b'<') => of_xml(&body),
            _ => serde_json::from_slice(&body).map_err(|error| error.to_string()),
        };
        let broken = |why| AwsError {
            operation,
            code: None,
            message: format!("its answer is not understood: {why}"),
            transient: false,
        };
        read.map_err(broken)
    }
}

impl Intercept for Answer {
    fn name(&self) -> &'static str {
        "LifeboatAnswer"
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let body = context.response().body().bytes().unwrap_or_default();
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = body.to_vec();
        Ok(())
    }
}

/// An element that is not closed yet.
struct Open {
    name: String,
    text: String,
    children: Vec<(String, Value)>,
}

/// The content of an XML document's root. An element without elements is its text, also where it is a number or empty; one
/// whose elements are all called `item` or `member` is a list; of any other, what stands there more than once is a list.
/// Attributes are left out: AWS has none but name spaces.
fn of_xml(body: &[u8]) -> Result<Value, String> {
    let text = std::str::from_utf8(body).map_err(|error| error.to_string())?;
    let mut open: Vec<Open> = Vec::new();
    for token in Tokenizer::from(text.trim_start()) {
        match token.map_err(|error| error.to_string())? {
            Token::ElementStart { local, .. } => {
                open.push(Open { name: local.as_str().to_owned(), text: String::new(), children: Vec::new() });
            }
            Token::Text { text } => {
                if let Some(last) = open.last_mut() {
                    last.text.push_str(&unescaped(text.as_str())?);
                }
            }
            Token::Cdata { text, .. } => {
                if let Some(last) = open.last_mut() {
                    last.text.push_str(text.as_str());
                }
            }
            Token::ElementEnd { end: ElementEnd::Empty | ElementEnd::Close(..), .. } => {
                let closed = open.pop().ok_or("it closes what is not open")?;
                let (name, value) = (closed.name.clone(), closed.value());
                match open.last_mut() {
                    Some(parent) => parent.children.push((name, value)),
                    None => return Ok(value),
                }
            }
            _ => {}
        }
    }
    Err("it ends too early".to_owned())
}

impl Open {
    fn value(self) -> Value {
        if self.children.is_empty() {
            return Value::String(self.text);
        }
        if self.children.iter().all(|(name, _)| name == "item" || name == "member") {
            return Value::Array(self.children.into_iter().map(|(_, value)| value).collect());
        }
        let mut object = Map::new();
        let mut lists = std::collections::BTreeSet::new();
        for (name, value) in self.children {
            match object.get_mut(&name) {
                None => drop(object.insert(name, value)),
                Some(Value::Array(items)) if lists.contains(&name) => items.push(value),
                Some(first) => {
                    *first = Value::Array(vec![first.take(), value]);
                    lists.insert(name);
                }
            }
        }
        Value::Object(object)
    }
}

/// Text with its references to characters replaced (XML 1.0: "Predefined Entities", "Character References").
fn unescaped(text: &str) -> Result<String, String> {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        plain.push_str(before);
        let (name, left) = after.split_once(';').ok_or("a reference has no end")?;
        let code = name.strip_prefix("#x").map(|it| u32::from_str_radix(it, 16));
        let code = code.or_else(|| name.strip_prefix('#').map(str::parse));
        plain.push(match (name, code) {
            ("lt", _) => '<',
            ("gt", _) => '>',
            ("amp", _) => '&',
            ("quot", _) => '"',
            ("apos", _) => '\'',
            (_, Some(Ok(code))) => char::from_u32(code).ok_or("a reference to no character")?,
            _ => return Err(format!("the reference &{name}; is not known")),
        });
        rest = left;
    }
    plain.push_str(rest);
    Ok(plain)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_xml_answer_becomes_json_with_everything_in_it() {
        let xml = br#"<?xml version="1.0"?>
            <R xmlns="x"><groups><item><id>sg-1</id><text>a &lt;b&gt; &amp; &#x41;&#66;</text><tags/></item></groups>
            <DBCluster><a>1</a></DBCluster><DBCluster><a>2</a></DBCluster><DBCluster><a>3</a></DBCluster><c><![CDATA[<x>]]></c></R>"#;
        let expected = json!({
            "groups": [{ "id": "sg-1", "text": "a <b> & AB", "tags": "" }],
            "DBCluster": [{ "a": "1" }, { "a": "2" }, { "a": "3" }],
            "c": "<x>",
        });
        assert_eq!(of_xml(xml), Ok(expected));
    }

    #[test]
    fn half_an_answer_is_an_error() {
        for xml in ["<R><a>1</a>", "<R>&nope;</R>", "</R>", ""] {
            assert!(of_xml(xml.as_bytes()).is_err(), "{xml}");
        }
    }
}
