//! Reads `check` blocks: what is asked of the recovered service before any traffic moves.

use hcl_edit::structure::Block;
use jiff::SignedDuration;

use super::reader::{Fields, Reader, Schema, header};
use super::values::{integer, list, string, text, timeout};
use super::{Check, Probe, Text};

const CHECK: Schema = Schema {
    keys: &[("command", "[\"./check.sh\"]"), ("timeout", "\"1m\"")],
    blocks: &[("http", "http { url = \"https://…\" }"), ("firehose", "firehose { stream = \"NAME\" }")],
};

const FIREHOSE: Schema =
    Schema { keys: &[("stream", "\"NAME\""), ("record", "\"{\\\"a\\\": \\\"{mark}\\\"}\"")], blocks: &[] };

/// What must be in a record that is marked.
pub const MARK: &str = "{mark}";

const HTTP: Schema =
    Schema { keys: &[("url", "\"https://…\""), ("status", "200"), ("contains", "\"…\"")], blocks: &[] };

const TIMEOUT: SignedDuration = SignedDuration::from_mins(1);
/// A stream collects for up to fifteen minutes before it delivers (Firehose API: "BufferingHints").
const DELIVERY_TIMEOUT: SignedDuration = SignedDuration::from_mins(20);

/// Reads a `check` block: exactly one of a command, an HTTP request and a delivery.
pub(super) fn check(reader: &mut Reader, block: &Block) -> Option<Check> {
    let name = reader.unique_label(block);
    let fields = Fields::new(reader, block, CHECK);
    let command = fields.optional(reader, "command", list(string));
    let http = fields.only(reader, "http", false).map(|block| self::http(reader, block));
    let firehose = fields.only(reader, "firehose", false).map(|block| self::firehose(reader, block));
    let usual = if firehose.is_some() { DELIVERY_TIMEOUT } else { TIMEOUT };
    let timeout = fields.optional(reader, "timeout", timeout).unwrap_or(usual);
    let asked = [fields.has("command"), http.is_some(), firehose.is_some()].into_iter().filter(|it| *it).count();
    if asked != 1 {
        let found = if asked == 0 { "none of command, http and firehose" } else { "several at once" };
        let hint = "write command = [\"./check.sh\"], http { url = \"https://…\" } or firehose { stream = \"NAME\" }";
        reader.hinted(header(block), format!("{} asks one question", fields.title), found, hint);
        return None;
    }
    if command.as_ref().is_some_and(Vec::is_empty) {
        reader.hinted(fields.value_span("command"), "the command is empty", "no program", "write [\"./check.sh\"]");
        return None;
    }
    let probe = match http.or(firehose) {
        Some(probe) => probe?,
        None => Probe::Command { argv: command? },
    };
    Some(Check { name: name?, probe, timeout })
}

fn http(reader: &mut Reader, block: &Block) -> Option<Probe> {
    reader.unlabelled(block);
    let fields = Fields::new(reader, block, HTTP);
    let url = fields.required(reader, "url", text);
    if let Some(Text::Literal(url)) = &url
        && url.strip_prefix("https://").or_else(|| url.strip_prefix("http://")).is_none_or(str::is_empty)
    {
        reader.hinted(fields.value_span("url"), "this is not a URL", "no http:// or https://", "write \"https://…\"");
    }
    let status = fields.optional(reader, "status", integer(100, 599)).unwrap_or(200);
    let contains = fields.optional(reader, "contains", string);
    Some(Probe::Http { url: url?, status: u16::try_from(status).ok()?, contains })
}

fn firehose(reader: &mut Reader, block: &Block) -> Option<Probe> {
    reader.unlabelled(block);
    let fields = Fields::new(reader, block, FIREHOSE);
    let stream = fields.required(reader, "stream", text);
    let record = fields.optional(reader, "record", string);
    if record.as_ref().is_some_and(|record| !record.contains(MARK)) {
        let hint = "write {mark} where the mark shall be: \"{\\\"message\\\": \\\"{mark}\\\"}\"";
        reader.hinted(fields.value_span("record"), "the record cannot be told from others", "no {mark}", hint);
    }
    Some(Probe::Firehose { stream: stream?, record })
}
