//! A run for programs: its events as JSON lines while it goes on, its summary as one document.
//!
//! Every line and document carries `schema_version`. Invisible characters are written as `\u` escapes, so that the
//! output is harmless on a terminal too.

use std::collections::BTreeMap;
use std::io::Write;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use super::output::Quiet;
use super::reporter::{Now, Reporter};
use super::summary::{SCHEMA_VERSION, Summary};
use super::text::escape;
use crate::journal::Record;
use crate::runbook::StepId;
use crate::steps::{Notice, Progress};

/// Of each step's progress, one line is written in this time.
const PACE: Duration = Duration::from_secs(1);

/// Writes events as JSON lines: journal records as they stand in the journal, and progress as the event `progress`.
pub struct Json<W: Write> {
    to: Quiet<W>,
    said: BTreeMap<StepId, Duration>,
}

#[derive(Serialize)]
struct RecordLine<'a> {
    schema_version: u32,
    #[serde(flatten)]
    record: &'a Record,
}

#[derive(Serialize)]
struct ProgressLine<'a> {
    schema_version: u32,
    at: Timestamp,
    event: &'static str,
    step: &'a StepId,
    progress: &'a Progress,
}

impl<W: Write> Json<W> {
    pub fn new(to: W) -> Self {
        Self { to: Quiet::new(to), said: BTreeMap::new() }
    }

    fn write(&mut self, line: &impl Serialize) {
        match serde_json::to_string(line) {
            Ok(line) => self.to.line(&visible(&line)),
            Err(error) => tracing::error!(%error, "an event is no JSON"),
        }
    }
}

impl<W: Write + Send> Reporter for Json<W> {
    fn notice(&mut self, notice: &Notice, now: Now) {
        match notice {
            Notice::Record(record) => self.write(&RecordLine { schema_version: SCHEMA_VERSION, record }),
            Notice::Progress { step, progress } => {
                if self.said.get(step).is_some_and(|last| now.mono.saturating_sub(*last) < PACE) {
                    return;
                }
                self.said.insert(step.clone(), now.mono);
                let schema_version = SCHEMA_VERSION;
                self.write(&ProgressLine { schema_version, at: now.at, event: "progress", step, progress });
            }
        }
    }
}

/// A summary as a JSON document, ended by a line break.
///
/// # Errors
/// None in practice: a summary holds nothing that JSON could not.
pub fn json(summary: &Summary) -> Result<String, serde_json::Error> {
    Ok(visible(&serde_json::to_string_pretty(summary)?) + "\n")
}

/// Writes characters that cannot be seen as `\uXXXX` (RFC 8259, section 7). Outside strings JSON has none but line
/// breaks, and within strings serde has escaped those.
pub(super) fn visible(json: &str) -> String {
    let plain = |byte: &u8| byte.is_ascii() && *byte != 0x7f;
    let mut safe = String::with_capacity(json.len() + 1);
    let mut rest = json;
    while let Some(at) = rest.bytes().position(|byte| !plain(&byte)) {
        let (before, from) = rest.split_at(at);
        safe.push_str(before);
        let mut characters = from.chars();
        if let Some(character) = characters.next() {
            push_visible(&mut safe, character);
        }
        rest = characters.as_str();
    }
    safe + rest
}

fn push_visible(safe: &mut String, character: char) {
    if escape(character.encode_utf8(&mut [0; 4])).len() == character.len_utf8() {
        return safe.push(character);
    }
    for unit in character.encode_utf16(&mut [0; 2]) {
        safe.push_str(&format!("\\u{unit:04x}"));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;
    use crate::report::samples;
    use crate::report::summary::summarize;

    #[test]
    fn every_event_is_one_line_with_a_schema_version() {
        let mut json = Json::new(Vec::new());
        let script = samples::held();
        let now = |seconds| Now { at: samples::start(), mono: Duration::from_secs(seconds) };
        for notice in script.notices() {
            json.notice(&notice, now(0));
        }
        for seconds in [0, 0, 0, 2] {
            let progress = Progress::Status { text: "creating\u{9b}2J".into() };
            json.notice(&Notice::Progress { step: "restore.aurora.logs".into(), progress }, now(seconds));
        }
        let text = String::from_utf8(json.to.get_ref().cloned().expect("never closed")).expect("UTF-8");
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        assert_eq!(lines.len(), script.records.len() + 2);
        assert!(lines.iter().all(|line| line["schema_version"] == 1 && line["event"].is_string()));
        insta::assert_snapshot!(text.lines().last().expect("a line"), @r#"{"schema_version":1,"at":"2026-11-22T03:12:00Z","event":"progress","step":"restore.aurora.logs","progress":{"progress":"status","text":"creating\u009b2J"}}"#);
    }

    #[test]
    fn a_summary_is_a_document() {
        let script = samples::done();
        let summary = summarize(&script.load(), false, script.now()).expect("a run");
        insta::assert_snapshot!("json_done", json(&summary).expect("JSON"));
    }

    proptest! {
        #[test]
        fn what_is_made_visible_means_the_same(text in any::<String>()) {
            let safe = visible(&serde_json::to_string(&text).expect("JSON"));
            prop_assert!(!safe.chars().any(char::is_control));
            prop_assert_eq!(serde_json::from_str::<String>(&safe).expect("JSON"), text);
        }
    }
}
