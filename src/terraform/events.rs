//! Terraform's `-json` messages, line by line (Terraform: "Machine-Readable UI").
//!
//! Lines that are not such messages are kept as text: a crash, or a command that knows no JSON.

use serde::Deserialize;

use super::diagnostics::Diagnostic;

/// What commands that know no JSON say when the lock does not come at once.
const ACQUIRING: &str = "Acquiring state lock";

/// What a line says, as far as lifeboat wants to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A resource is being refreshed from the cloud.
    Refreshing {
        address: String,
    },
    Refreshed {
        address: String,
    },
    /// `action` is Terraform's word: `create`, `update`, `delete`, `replace`, `read`, `noop`.
    Started {
        address: String,
        action: String,
    },
    Progressed {
        address: String,
        action: String,
        elapsed_seconds: u64,
    },
    Completed {
        address: String,
        action: String,
        elapsed_seconds: u64,
    },
    Errored {
        address: String,
        action: String,
    },
    /// The state lock is held by another, and is waited for.
    WaitingForLock,
    Summary(Summary),
    Diagnostic(Diagnostic),
    /// Not a message of the machine-readable UI.
    Text(String),
    /// A message that nobody here needs.
    Other,
}

/// How much a plan will change, or an apply has changed.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Summary {
    pub add: u64,
    pub change: u64,
    #[serde(default)]
    pub import: u64,
    pub remove: u64,
    /// `plan`, `apply` or `destroy`.
    pub operation: String,
}

#[derive(Deserialize)]
struct Line {
    #[serde(rename = "type")]
    kind: String,
    hook: Option<Hook>,
    changes: Option<Summary>,
    diagnostic: Option<Diagnostic>,
}

#[derive(Deserialize)]
struct Hook {
    resource: Resource,
    #[serde(default)]
    action: String,
    #[serde(default)]
    elapsed_seconds: f64,
}

#[derive(Deserialize)]
struct Resource {
    addr: String,
}

/// Reads one line.
pub fn parse(line: &str) -> Event {
    let Ok(Line { kind, hook, changes, diagnostic }) = serde_json::from_str(line) else {
        return match line.starts_with(ACQUIRING) {
            true => Event::WaitingForLock,
            false => Event::Text(line.to_owned()),
        };
    };
    if let Some(diagnostic) = diagnostic {
        return Event::Diagnostic(diagnostic);
    }
    if let Some(changes) = changes {
        return Event::Summary(changes);
    }
    if kind == "state_lock_acquire" {
        return Event::WaitingForLock;
    }
    let Some(Hook { resource: Resource { addr: address }, action, elapsed_seconds }) = hook else {
        return Event::Other;
    };
    let elapsed_seconds = elapsed_seconds as u64;
    match kind.as_str() {
        "refresh_start" => Event::Refreshing { address },
        "refresh_complete" => Event::Refreshed { address },
        "apply_start" => Event::Started { address, action },
        "apply_progress" => Event::Progressed { address, action, elapsed_seconds },
        "apply_complete" => Event::Completed { address, action, elapsed_seconds },
        "apply_errored" => Event::Errored { address, action },
        _ => Event::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terraform::diagnostics::Severity;

    #[test]
    fn an_apply_is_followed_resource_by_resource() {
        let line = r#"{"@level":"info","@message":"aws_rds_cluster.x: Still creating... [1m10s elapsed]","@module":"terraform.ui","hook":{"resource":{"addr":"aws_rds_cluster.x","module":"","resource":"aws_rds_cluster.x"},"action":"create","elapsed_seconds":70.0},"type":"apply_progress"}"#;
        let expected =
            Event::Progressed { address: "aws_rds_cluster.x".into(), action: "create".into(), elapsed_seconds: 70 };
        assert_eq!(parse(line), expected);
    }

    #[test]
    fn an_error_keeps_its_address_and_place() {
        let line = r#"{"@level":"error","@message":"Error: creating VPC","type":"diagnostic","diagnostic":{"severity":"error","summary":"creating VPC","detail":"denied","address":"aws_vpc.main","range":{"filename":"main.tf","start":{"line":3,"column":1,"byte":9},"end":{"line":3,"column":9,"byte":17}},"snippet":{"values":[]}}}"#;
        let Event::Diagnostic(told) = parse(line) else { panic!("no diagnostic") };
        assert_eq!(told.severity, Severity::Error);
        assert_eq!(told.to_string(), "aws_vpc.main: creating VPC: denied (main.tf:3)");
    }

    #[test]
    fn the_summary_counts() {
        let line =
            r#"{"changes":{"add":5,"change":1,"import":2,"remove":0,"operation":"apply"},"type":"change_summary"}"#;
        let expected = Summary { add: 5, change: 1, import: 2, remove: 0, operation: "apply".into() };
        assert_eq!(parse(line), Event::Summary(expected));
    }

    #[test]
    fn waiting_for_the_lock_is_told_by_every_command() {
        let line = r#"{"@level":"info","@message":"Acquiring state lock. This may take a few moments...","@module":"terraform.ui","type":"state_lock_acquire"}"#;
        assert_eq!(parse(line), Event::WaitingForLock);
        assert_eq!(parse("Acquiring state lock. This may take a few moments..."), Event::WaitingForLock);
    }

    #[test]
    fn what_is_no_message_stays_text() {
        assert_eq!(parse("panic: runtime error"), Event::Text("panic: runtime error".into()));
        assert_eq!(parse(r#"{"type":"version","terraform":"1.11.4","ui":"1.2"}"#), Event::Other);
    }
}
