//! What people and programs are shown of a run: while it goes on, when it ends, and from its journal afterwards.
//!
//! Reports know events and nothing else: journal records and progress notices. They never stop a run: a closed pipe or
//! a lost terminal makes them silent. All outside text goes through [`escape`].

mod closing;
mod comparison;
mod error;
mod evidence;
mod foreseen;
mod incident;
mod json;
mod let_through;
mod markdown;
mod objectives;
mod outlook;
mod output;
mod plain;
mod plan;
mod prometheus;
mod readiness;
mod reporter;
mod requests;
mod review;
mod review_markdown;
mod runs;
mod speed;
mod status;
mod summary;
mod table;
mod terminal;
mod text;
mod timeline;
mod trouble;
mod view;

#[cfg(test)]
mod review_tests;
#[cfg(test)]
mod samples;
#[cfg(test)]
mod tests;

pub use closing::{closing, requests_text};
pub use comparison::{comparison, comparison_json};
pub use error::error_block;
pub use evidence::EvidenceSummary;
pub use foreseen::{Adopted, Foreseen, RecordMove};
pub use incident::{Incident, Milestone};
pub use json::{Json, json};
pub use let_through::LetThrough;
pub use markdown::markdown;
pub use objectives::{Actual, Measured, ObjectiveResult, Verdict};
pub use outlook::{Outlook, outlook};
pub use output::Quiet;
pub use plain::Plain;
pub use plan::{Obstacle, PlanView, PlannedStep, Warning, span};
pub use prometheus::prometheus;
pub use readiness::{readiness, readiness_json};
pub use reporter::{Now, Reporter, run};
pub use requests::{RegionRequests, RegionRole, Requests, ServiceRequests};
pub use review::{review, review_json};
pub use review_markdown::review_markdown;
pub use runs::{RunFound, RunLine, RunsError, run_line, runs, runs_json, runs_table};
pub use status::status;
pub use summary::{Ending, SOURCE, StepSummary, Summary, Undo, read, summarize};
pub use terminal::{Terminal, terminal_width, to_stderr, to_stdout};
pub use text::{Look, escape};
pub use timeline::StepStatus;
