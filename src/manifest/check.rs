//! Reads `check` blocks: what is asked of the recovered service before any traffic moves.

use hcl_edit::structure::Block;
use jiff::SignedDuration;

use super::reader::{Fields, Reader, Schema, header};
use super::values::{integer, list, string, text, timeout};
use super::{Check, Probe, Text};

const CHECK: Schema = Schema {
    keys: &[("command", "[\"./check.sh\"]"), ("timeout", "\"1m\"")],
    blocks: &[("http", "http { url = \"https://…\" }")],
};

const HTTP: Schema =
    Schema { keys: &[("url", "\"https://…\""), ("status", "200"), ("contains", "\"…\"")], blocks: &[] };

const TIMEOUT: SignedDuration = SignedDuration::from_mins(1);

/// Reads a `check` block: exactly one of a command and an HTTP request.
pub(super) fn check(reader: &mut Reader, block: &Block) -> Option<Check> {
    let name = reader.unique_label(block);
    let fields = Fields::new(reader, block, CHECK);
    let command = fields.optional(reader, "command", list(string));
    let http = fields.only(reader, "http", false).map(|block| self::http(reader, block));
    let timeout = fields.optional(reader, "timeout", timeout).unwrap_or(TIMEOUT);
    let one = match (fields.has("command"), http.is_some()) {
        (true, true) => Some("command and http at once"),
        (false, false) => Some("neither command nor http"),
        _ => None,
    };
    if let Some(found) = one {
        let hint = "write command = [\"./check.sh\"] or http { url = \"https://…\" }, not both";
        reader.hinted(header(block), format!("{} asks one question", fields.title), found, hint);
        return None;
    }
    if command.as_ref().is_some_and(Vec::is_empty) {
        reader.hinted(fields.value_span("command"), "the command is empty", "no program", "write [\"./check.sh\"]");
        return None;
    }
    let probe = match http {
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
