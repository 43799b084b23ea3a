//! A JSON document taken apart as it streams in: whoever reads it says of each value whether it is wanted. What is not
//! is passed over without being kept or understood; what is goes to serde, a value at a time.
//!
//! Terraform writes a plan on one line of tens of megabytes, and little of it is needed. Memory is bounded by the longest
//! value that is asked for; a reader of serde's own takes each byte by itself, which is several times as slow.

use std::io::Read;
use std::ops::Range;

use serde::de::{DeserializeOwned, Error as _};
use serde_json::Error;

/// Read at once.
const CHUNK: usize = 256 * 1024;

/// The document, and how far it is read.
pub(super) struct Pull<R> {
    source: R,
    buffer: Vec<u8>,
    at: usize,
}

impl<R: Read> Pull<R> {
    pub fn new(source: R) -> Self {
        Self { source, buffer: Vec::with_capacity(2 * CHUNK), at: 0 }
    }

    /// Goes through an object. `entry` gets each name and takes its value: exactly one call of any method here.
    pub fn object<E: From<Error>>(&mut self, mut entry: impl FnMut(&mut Self, &str) -> Result<(), E>) -> Result<(), E> {
        self.items(b'{', b'}', |pull| {
            let name: String = pull.value()?;
            if pull.peek()? != b':' {
                return Err(Error::custom("expected `:`").into());
            }
            pull.at += 1;
            entry(pull, &name)
        })
    }

    /// Goes through an array. `item` takes one item a call.
    pub fn array<E: From<Error>>(&mut self, item: impl FnMut(&mut Self) -> Result<(), E>) -> Result<(), E> {
        self.items(b'[', b']', item)
    }

    fn items<E: From<Error>>(
        &mut self,
        open: u8,
        close: u8,
        mut item: impl FnMut(&mut Self) -> Result<(), E>,
    ) -> Result<(), E> {
        let unexpected = |expected: u8| Error::custom(format!("expected `{}`", char::from(expected)));
        if self.peek()? != open {
            return Err(unexpected(open).into());
        }
        self.at += 1;
        if self.peek()? == close {
            self.at += 1;
            return Ok(());
        }
        loop {
            item(self)?;
            let next = self.peek()?;
            self.at += 1;
            if next == close {
                return Ok(());
            }
            if next != b',' {
                return Err(unexpected(close).into());
            }
        }
    }

    /// The next value.
    pub fn value<T: DeserializeOwned>(&mut self) -> Result<T, Error> {
        self.text().and_then(serde_json::from_slice)
    }

    /// The text of the next value.
    pub fn text(&mut self) -> Result<&[u8], Error> {
        let range = self.span(true)?;
        Ok(&self.buffer[range])
    }

    /// Passes over the next value.
    pub fn skip(&mut self) -> Result<(), Error> {
        self.span(false).map(drop)
    }

    /// Makes sure that nothing follows.
    pub fn end(&mut self) -> Result<(), Error> {
        match self.next_visible()? {
            None => Ok(()),
            Some(_) => Err(Error::custom("something follows the document")),
        }
    }

    /// Finds the end of the next value and goes there. Its bytes are in the buffer only where they are to be kept.
    fn span(&mut self, keep: bool) -> Result<Range<usize>, Error> {
        if matches!(self.peek()?, b'}' | b']' | b',' | b':') {
            return Err(Error::custom("expected a value"));
        }
        let mut extent = Extent::default();
        let mut seen = self.at;
        loop {
            if let Some(length) = extent.end_in(&self.buffer[seen..]) {
                let range = self.at..seen + length;
                self.at = range.end;
                return Ok(range);
            }
            let done = if keep { self.at } else { self.buffer.len() };
            self.buffer.drain(..done);
            self.at = 0;
            seen = self.buffer.len();
            self.more()?.ok_or_else(early)?;
        }
    }

    /// The next byte that is no white space; it is not taken.
    fn peek(&mut self) -> Result<u8, Error> {
        self.next_visible()?.ok_or_else(early)
    }

    fn next_visible(&mut self) -> Result<Option<u8>, Error> {
        loop {
            let rest = &self.buffer[self.at..];
            if let Some(blanks) = rest.iter().position(|byte| !is_blank(*byte)) {
                self.at += blanks;
                return Ok(Some(self.buffer[self.at]));
            }
            self.buffer.clear();
            self.at = 0;
            if self.more()?.is_none() {
                return Ok(None);
            }
        }
    }

    /// Reads on; `None` at the end.
    fn more(&mut self) -> Result<Option<()>, Error> {
        let read = self.source.by_ref().take(CHUNK as u64).read_to_end(&mut self.buffer).map_err(Error::io)?;
        Ok((read > 0).then_some(()))
    }
}

fn early() -> Error {
    Error::custom("it ends too early")
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\n' | b'\r' | b'\t')
}

/// How far a value goes; what is in it matters only as far as that.
#[derive(Default)]
struct Extent {
    depth: usize,
    in_string: bool,
    escaped: bool,
    /// A number or a word, which ends where something else begins.
    plain: bool,
}

impl Extent {
    /// So many of the bytes belong to the value; `None` if it goes on beyond them.
    fn end_in(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut nr = 0;
        while let Some(byte) = bytes.get(nr) {
            if self.in_string {
                if std::mem::take(&mut self.escaped) {
                    nr += 1;
                    continue;
                }
                nr += memchr::memchr2(b'"', b'\\', &bytes[nr..])? + 1;
                self.escaped = bytes[nr - 1] == b'\\';
                self.in_string = self.escaped;
                if !self.in_string && self.depth == 0 {
                    return Some(nr);
                }
                continue;
            }
            match byte {
                b'"' | b'{' | b'[' if self.plain => return Some(nr),
                b'"' => self.in_string = true,
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' if self.depth > 1 => self.depth -= 1,
                b'}' | b']' => return Some(nr + self.depth),
                _ if self.depth > 0 => {}
                b',' | b':' => return Some(nr),
                byte if is_blank(*byte) => return Some(nr),
                _ => self.plain = true,
            }
            nr += 1;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    /// Comes in pieces of so many bytes.
    struct Pieces<'a>(&'a [u8], usize);

    impl Read for Pieces<'_> {
        fn read(&mut self, to: &mut [u8]) -> std::io::Result<usize> {
            let number = self.1.min(to.len()).min(self.0.len());
            to[..number].copy_from_slice(&self.0[..number]);
            self.0 = &self.0[number..];
            Ok(number)
        }
    }

    /// The document put together again from its parts; what is called `skip` is left out.
    fn again(text: &[u8], bytes: usize) -> Result<Value, Error> {
        let mut pull = Pull::new(Pieces(text, bytes));
        let mut whole = serde_json::Map::new();
        pull.object(|pull, name| {
            match name {
                "skip" => pull.skip()?,
                "list" => {
                    let mut items = Vec::new();
                    pull.array(|pull| pull.value().map(|item| items.push(item)))?;
                    whole.insert(name.to_owned(), Value::Array(items));
                }
                _ => drop(whole.insert(name.to_owned(), pull.value()?)),
            }
            Ok::<(), Error>(())
        })?;
        pull.end()?;
        Ok(Value::Object(whole))
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
            "[\\\\\"{}\\[\\],: ]{0,9}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 24, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::Array),
                prop::collection::btree_map(any::<String>(), inner, 0..5).prop_map(|it| it.into_iter().collect()),
            ]
        })
    }

    proptest! {
        #[test]
        fn the_parts_are_those_of_the_document_in_whatever_pieces_it_comes(
            (kept, skipped) in (any_value(), any_value()),
            list in prop::collection::vec(any_value(), 0..4),
            (pretty, bytes) in (any::<bool>(), 1_usize..40),
        ) {
            let document = json!({ "kept": kept, "list": list, "skip": skipped, "x\"y": [] });
            let text = if pretty { serde_json::to_vec_pretty(&document) } else { serde_json::to_vec(&document) }.unwrap();
            let mut expected = document;
            expected.as_object_mut().unwrap().remove("skip");
            prop_assert_eq!(again(&text, bytes).unwrap(), expected);
            for end in 0..text.len() {
                prop_assert!(again(&text[..end], 1000).is_err(), "half of it is none");
            }
        }
    }

    #[test]
    fn what_is_no_document_is_refused() {
        for text in [
            "",
            " ",
            "[]",
            "1",
            "{\"a\":}",
            "{\"a\"}",
            "{\"a\" 1}",
            "{\"skip\":,}",
            "{\"a\":1 2}",
            "{} {}",
            "{\"list\":{}}",
            "{\"list\":[1,]}",
            "{\"a\":1,}",
            "{1:2}",
            "{\"a\":1\"b\"}",
        ] {
            assert!(again(text.as_bytes(), 100).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_passed_over_is_not_kept() {
        let text = format!("{{\"skip\":\"{}\",\"a\":1}}", "x".repeat(40 * CHUNK));
        let mut pull = Pull::new(text.as_bytes());
        pull.object(|pull, name| if name == "skip" { pull.skip() } else { pull.value::<u8>().map(drop) }).unwrap();
        assert!(pull.buffer.capacity() <= 4 * CHUNK, "{}", pull.buffer.capacity());
    }
}
