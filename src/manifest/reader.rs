//! What reads a manifest: it notes every problem and goes on, so that all of them are shown at once.
//!
//! A reading function answers `None` where it noted a problem. A manifest is made only when there were none.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use hcl_edit::Span;
use hcl_edit::expr::Expression;
use hcl_edit::structure::{Attribute, Block, Body};

use super::names::{LABEL, Rule};
use crate::document::{Document, Problem, nearest, quoted};

/// The document, the problems so far, and what can be judged only when all is read.
pub(super) struct Reader {
    pub document: Arc<Document>,
    pub problems: Vec<Problem>,
    pub later: Vec<(Later, Range<usize>)>,
    seen: BTreeMap<(&'static str, String), Range<usize>>,
}

/// Something that must exist elsewhere: in the manifest, or in the Terraform root.
pub(super) enum Later {
    /// `aurora "NAME"`
    Cluster(String),
    Output(String),
    Variable(String),
    /// An address in the root, of the resource type that it must have.
    Adopt {
        address: String,
        kind: &'static str,
    },
}

/// What a block may hold: keys with an example of each, and blocks.
#[derive(Clone, Copy)]
pub(super) struct Schema {
    pub keys: &'static [(&'static str, &'static str)],
    pub blocks: &'static [(&'static str, &'static str)],
}

/// A block's content by name.
pub(super) struct Fields<'a> {
    /// `aurora "logs"`
    pub title: String,
    /// Where the block begins; empty for the file itself.
    pub header: Range<usize>,
    schema: Schema,
    body: &'a Body,
}

impl Reader {
    pub fn new(document: &Arc<Document>) -> Self {
        Self { document: Arc::clone(document), problems: Vec::new(), later: Vec::new(), seen: BTreeMap::new() }
    }

    /// Notes a problem; a hint can be added to what is returned.
    pub fn problem(
        &mut self,
        span: Range<usize>,
        message: impl Into<String>,
        label: impl Into<String>,
    ) -> &mut Option<String> {
        let at = self.problems.len();
        self.problems.push(Problem::at(&self.document, span, message, label));
        &mut self.problems[at].hint
    }

    /// Notes a problem with what to do about it.
    pub fn hinted(
        &mut self,
        span: Range<usize>,
        message: impl Into<String>,
        label: impl Into<String>,
        hint: impl Into<String>,
    ) {
        *self.problem(span, message, label) = Some(hint.into());
    }

    /// Notes that something is missing: at a block's header, or in the file as a whole.
    pub fn absent(&mut self, header: &Range<usize>, message: String, hint: String) {
        if header.is_empty() {
            self.problems.push(Problem::about(&self.document, message).hint(hint));
        } else {
            self.hinted(header.clone(), message, "", hint);
        }
    }

    pub fn later(&mut self, what: Later, span: Range<usize>) {
        self.later.push((what, span));
    }

    /// Whether nothing else of this kind has the name; notes a problem otherwise.
    pub fn unique(&mut self, kind: &'static str, name: &str, span: &Range<usize>) -> bool {
        match self.seen.get(&(kind, name.to_owned())) {
            Some(first) => {
                let line = self.document.position(first.start).0;
                let message = format!("{} is already the {kind} of another block", quoted(name));
                self.hinted(span.clone(), message, "the second", format!("the first is on line {line}"));
                false
            }
            None => {
                self.seen.insert((kind, name.to_owned()), span.clone());
                true
            }
        }
    }

    /// The label of a block that has exactly one.
    pub fn label<'b>(&mut self, block: &'b Block, rule: Rule) -> Option<&'b str> {
        let kind = block.ident.as_str();
        match block.labels.as_slice() {
            [label] => {
                let text = label.as_str();
                if let Some(reason) = (rule.refuse)(text) {
                    let span = label.span().unwrap_or_default();
                    self.problem(span, format!("{} is not {}", quoted(text), rule.noun), reason);
                    return None;
                }
                Some(text)
            }
            labels => {
                let found = if labels.is_empty() { "a name is missing" } else { "there are too many names" };
                let hint = format!("write {kind} \"NAME\" {{ … }}");
                self.hinted(header(block), format!("{} has one name", quoted(kind)), found, hint);
                None
            }
        }
    }

    /// Notes a label on a block that has none.
    pub fn unlabelled(&mut self, block: &Block) {
        if let Some(label) = block.labels.first() {
            let kind = block.ident.as_str();
            let message = format!("the {kind} block has no name, found {}", quoted(label.as_str()));
            self.hinted(header(block), message, "", format!("write {kind} {{ … }}"));
        }
    }

    /// The label of a block, unique among the blocks of its kind.
    pub fn unique_label(&mut self, block: &Block) -> Option<String> {
        let label = self.label(block, LABEL)?;
        let kind = block.ident.as_str();
        let span = header(block);
        match self.seen.get(&("label", format!("{kind} {label}"))) {
            Some(first) => {
                let line = self.document.position(first.start).0;
                let message = format!("there are two blocks {kind} \"{label}\"");
                self.hinted(span, message, "the second", format!("the first is on line {line}; rename one"));
                None
            }
            None => {
                self.seen.insert(("label", format!("{kind} {label}")), span);
                Some(label.to_owned())
            }
        }
    }
}

impl<'a> Fields<'a> {
    /// The content of a block; notes everything in it that the schema does not know.
    pub fn new(reader: &mut Reader, block: &'a Block, schema: Schema) -> Self {
        let labels: String = block.labels.iter().map(|label| format!(" \"{}\"", label.as_str())).collect();
        let fields = Self {
            title: format!("{}{labels}", block.ident.as_str()),
            header: header(block),
            schema,
            body: &block.body,
        };
        fields.note_unknown(reader);
        fields
    }

    /// The content of the file itself.
    pub fn of_file(reader: &mut Reader, body: &'a Body, schema: Schema) -> Self {
        let fields = Self { title: "the manifest".to_owned(), header: 0..0, schema, body };
        fields.note_unknown(reader);
        fields
    }

    fn note_unknown(&self, reader: &mut Reader) {
        let Schema { keys, blocks } = self.schema;
        for attribute in self.body.attributes() {
            let name = attribute.key.as_str();
            if keys.iter().any(|(known, _)| *known == name) {
                continue;
            }
            let span = attribute.key.span().unwrap_or_default();
            let message = format!("{} is not known in {}", quoted(name), shown(&self.title));
            let block = blocks.iter().find(|(known, _)| *known == name);
            let hint = block.map(|(_, example)| format!("it is a block: write {example}"));
            *reader.problem(span, message, "unknown key") = hint.or_else(|| self.suggest(name));
        }
        for block in self.body.blocks() {
            let name = block.ident.as_str();
            if blocks.iter().any(|(known, _)| *known == name) {
                continue;
            }
            let span = block.ident.span().unwrap_or_default();
            let message = format!("{} is not known in {}", quoted(name), shown(&self.title));
            let key = keys.iter().find(|(known, _)| *known == name);
            let hint = key.map(|(name, example)| format!("it is a value: write {name} = {example}"));
            *reader.problem(span, message, "unknown block") = hint.or_else(|| self.suggest(name));
        }
    }

    fn suggest(&self, name: &str) -> Option<String> {
        let known = self.schema.keys.iter().chain(self.schema.blocks).map(|(known, _)| *known);
        match nearest(name, known.clone()) {
            Some(nearest) => Some(format!("did you mean {}?", quoted(nearest))),
            None => Some(format!("known here: {}", known.collect::<Vec<_>>().join(", "))),
        }
    }

    pub fn get(&self, key: &str) -> Option<&'a Attribute> {
        self.body.get_attribute(key)
    }

    pub fn has(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// Where a key stands; the block's header where it does not.
    pub fn span(&self, key: &str) -> Range<usize> {
        self.get(key).and_then(|attribute| attribute.key.span()).unwrap_or_else(|| self.header.clone())
    }

    /// Where a key's value stands.
    pub fn value_span(&self, key: &str) -> Range<usize> {
        self.get(key).map_or_else(|| self.header.clone(), |attribute| at(&attribute.value))
    }

    /// A key that must be there.
    pub fn required<T>(
        &self,
        reader: &mut Reader,
        key: &'static str,
        read: impl FnOnce(&mut Reader, &Expression) -> Option<T>,
    ) -> Option<T> {
        if let Some(attribute) = self.get(key) {
            return read(reader, &attribute.value);
        }
        self.missing(reader, key);
        None
    }

    /// Notes that a key is not there.
    pub fn missing(&self, reader: &mut Reader, key: &'static str) {
        let example = self.schema.keys.iter().find(|(known, _)| *known == key).map_or("…", |(_, example)| example);
        let message = format!("{} is missing in {}", quoted(key), shown(&self.title));
        reader.absent(&self.header, message, format!("write {key} = {example}"));
    }

    /// A key that need not be there.
    pub fn optional<T>(
        &self,
        reader: &mut Reader,
        key: &str,
        read: impl FnOnce(&mut Reader, &Expression) -> Option<T>,
    ) -> Option<T> {
        self.get(key).and_then(|attribute| read(reader, &attribute.value))
    }

    pub fn blocks(&self, kind: &'a str) -> impl Iterator<Item = &'a Block> {
        self.body.blocks().filter(move |block| block.ident.as_str() == kind)
    }

    /// The only block of its kind; notes where there are more, and, where `required`, if there is none.
    pub fn only(&self, reader: &mut Reader, kind: &'static str, required: bool) -> Option<&'a Block> {
        let mut blocks = self.body.blocks().filter(|block| block.ident.as_str() == kind);
        let first = blocks.next();
        for second in blocks {
            let line = first.map_or(0, |first| reader.document.position(header(first).start).0);
            let message = format!("there are two {kind} blocks in {}", shown(&self.title));
            reader.hinted(header(second), message, "the second", format!("the first is on line {line}"));
        }
        if first.is_none() && required {
            let example =
                self.schema.blocks.iter().find(|(known, _)| *known == kind).map_or("", |(_, example)| example);
            let message = format!("the {kind} block is missing in {}", shown(&self.title));
            reader.absent(&self.header, message, format!("write {example}"));
        }
        first
    }
}

/// Where an expression stands.
pub(super) fn at(expression: &Expression) -> Range<usize> {
    expression.span().unwrap_or_default()
}

/// A block's kind and labels, without its body.
pub(super) fn header(block: &Block) -> Range<usize> {
    let ident = block.ident.span().unwrap_or_default();
    let end = block.labels.last().and_then(Span::span).map_or(ident.end, |label| label.end);
    ident.start..end.max(ident.end)
}

/// A title as it may be shown: labels come from the file.
fn shown(title: &str) -> String {
    let quoted = quoted(title);
    quoted.trim_matches('`').to_owned()
}
