//! The kinds of faults, for `--list-faults` and for suggestions.

use serde::Serialize;

/// A kind of fault as people are shown it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct KindOfFault {
    pub kind: &'static str,
    /// What follows the colon; empty where nothing does.
    pub arguments: &'static str,
    pub example: &'static str,
    pub what: &'static str,
}

const fn kind(kind: &'static str, arguments: &'static str, example: &'static str, what: &'static str) -> KindOfFault {
    KindOfFault { kind, arguments, example, what }
}

/// All kinds. `REQUESTS` is `SERVICE[:OPERATION][@REGION]` or `@REGION`; a `*` at the end of an operation matches any
/// ending. `STEP` is a step of the runbook.
pub const KINDS: [KindOfFault; 14] = [
    kind("refuse", "REQUESTS", "refuse:rds", "connections are closed without an answer"),
    kind("hang", "REQUESTS", "hang:s3:CopyObject", "requests are taken and never answered"),
    kind("slow", "REQUESTS,TIME", "slow:dynamodb@us-east-1,5s", "requests wait this long before they are done"),
    kind("throttle", "[REQUESTS,]SHARE", "throttle:20%", "this share of requests is told to slow down"),
    kind("reset", "[REQUESTS,]SHARE", "reset:20%", "connections of this share of requests break off"),
    kind("lose-reply", "STEP|REQUESTS[,NTH]", "lose-reply:rds:CreateDBInstance", "carried out, and the answer is lost"),
    kind("kill-before", "STEP|REQUESTS[,NTH]", "kill-before:restore.aurora.logs", "kill -9 before the effect is done"),
    kind("kill-after", "STEP|REQUESTS[,NTH]", "kill-after:cutover.public", "kill -9 after it, before the answer"),
    kind("two-operators", "", "two-operators", "two start the same failover at once, from two homes"),
    kind("expire", "[STEP|REQUESTS]", "expire:restore.bucket.logs", "credentials expire there"),
    kind("disk-full", "[STEP|REQUESTS]", "disk-full:restore.aurora.logs", "nothing more can be written from there on"),
    kind("matrix", "[STEP[,WAY]]", "matrix:cutover.public,before", "every step before, after, reply-lost and twice"),
    kind("kills", "NUMBER", "kills:100", "so many runs, each killed at a random moment"),
    kind("race", "NUMBER", "race:50", "so many times two operators at once"),
];

/// A table of all kinds with notes on how they are written and when they end; 80 columns.
pub fn faults_table() -> String {
    let mut text = String::new();
    for KindOfFault { kind, arguments, example, what } in KINDS {
        let written = if arguments.is_empty() { kind.to_owned() } else { format!("{kind}:{arguments}") };
        text.push_str(&format!("{written}\n    {what}\n    --fault {example}\n"));
    }
    text.push_str(
        "\nREQUESTS  SERVICE[:OPERATION][@REGION] or @REGION, as requests.jsonl names them;\n\
         \x20         OPERATION may end with a *\n\
         STEP      a step of the runbook: its first effect, or its start if it has none\n\
         NTH       which of them, from 1; without it the first\n\n\
         What is refused, hangs, is slow, throttled or expired is so until the rehearsal\n\
         resumes for the first time, as an operator would once the trouble is over.\n\
         --fault may be given several times; matrix, kills and race stand alone.\n\
         A fault that never fired is no passed rehearsal: the exit code is 5 then.\n",
    );
    text
}

/// The same as JSON.
pub fn faults_json() -> String {
    let list = serde_json::json!({ "schema_version": 1, "faults": KINDS });
    format!("{list:#}\n")
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;

    #[test]
    fn every_example_is_a_fault() {
        for kind in KINDS {
            parse(&[kind.example.to_owned()]).unwrap_or_else(|error| panic!("{}: {error}", kind.example));
            assert!(kind.example.starts_with(kind.kind));
        }
    }

    #[test]
    fn the_table_fits_80_columns() {
        for line in faults_table().lines() {
            assert!(line.chars().count() <= 80, "{line}");
        }
        insta::assert_snapshot!(faults_table());
    }
}
