//! Percent-encoding and the little XML that S3 speaks.

use std::borrow::Cow;
use std::fmt::Write;

/// Percent-encoded but for `/` and the unreserved characters.
pub fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => out.push(byte.into()),
            byte => write!(out, "%{byte:02X}").expect("memory"),
        }
    }
    out
}

/// The same backwards; in a query a plus is a space.
pub fn decoded(text: &str, query: bool) -> Cow<'_, str> {
    if !text.bytes().any(|byte| byte == b'%' || (query && byte == b'+')) {
        return Cow::Borrowed(text);
    }
    let (mut bytes, mut out) = (text.bytes(), Vec::with_capacity(text.len()));
    while let Some(byte) = bytes.next() {
        let hex = |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16));
        out.push(match byte {
            b'%' => {
                let (high, low) = (hex(bytes.next()).unwrap_or_default(), hex(bytes.next()).unwrap_or_default());
                u8::try_from(high * 16 + low).unwrap_or_default()
            }
            b'+' if query => b' ',
            byte => byte,
        });
    }
    Cow::Owned(String::from_utf8_lossy(&out).into_owned())
}

/// Text in an XML element.
pub fn escaped(text: &str) -> Cow<'_, str> {
    if !text.contains(['&', '<', '>', '"', '\r', '\n']) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for char in text.chars() {
        match char {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\r' => out.push_str("&#13;"),
            '\n' => out.push_str("&#10;"),
            char => out.push(char),
        }
    }
    Cow::Owned(out)
}

/// The text of the first such element.
pub fn element(xml: &str, name: &str) -> Option<String> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    let (text, _) = rest.split_once(&format!("</{name}>"))?;
    let plain = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#34;", "\""), ("&#39;", "'"), ("&apos;", "'")];
    let text = plain.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to));
    let text = text.replace("&#13;", "\r").replace("&#xD;", "\r").replace("&#10;", "\n").replace("&#xA;", "\n");
    Some(text.replace("&amp;", "&"))
}
