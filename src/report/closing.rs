//! What is shown when a run ends, and for `lifeboat report` as text: steps, objectives, what was not checked, requests,
//! the way back, and the next command. No line is wider than the look's columns, but for paths and commands, which
//! are there to be copied.

use super::let_through;
use super::objectives::{Actual, Measured, ObjectiveResult, Verdict};
use super::requests::{RegionRole, Requests};
use super::summary::{Ending, StepSummary, Summary};
use super::table::{Column, Table};
use super::terminal::reasons;
use super::text::{Look, Tone, duration, escape, regions, time, wrap};
use super::timeline::StepStatus;
use super::trouble::{AppliedState, UnsavedState};
use crate::manifest::ObjectiveKind;

/// The closing table of a run, as text that ends with a line break.
pub fn closing(summary: &Summary, look: Look) -> String {
    let mut lines = head(summary, look);
    section(&mut lines, look, "steps", steps(summary, look));
    section(&mut lines, look, "failures", failures(summary, look));
    let incident = summary.incident.as_ref();
    section(&mut lines, look, "timeline of the incident", incident.map_or(Vec::new(), |it| it.lines(look)));
    section(&mut lines, look, "state that is not saved", unsaved(summary, look));
    section(&mut lines, look, "objectives", objectives(summary, look));
    section(&mut lines, look, "warnings", warnings(summary, look));
    section(&mut lines, look, "overridden guards", let_through::lines(&summary.overridden, look));
    section(&mut lines, look, "not checked", not_checked(summary, look));
    section(&mut lines, look, "evidence", summary.evidence.as_ref().map_or(Vec::new(), |it| it.lines(look)));
    section(&mut lines, look, "terraform state", applied(summary, look));
    section(&mut lines, look, "requests", summary.requests.as_ref().map_or(Vec::new(), |it| requests(it, look)));
    let undo = summary.undo.iter().map(|undo| format!("  {}: {}", escape(undo.step.as_str()), escape(&undo.path)));
    section(&mut lines, look, "records before the cutover", undo.collect());
    section(&mut lines, look, "next", summary.next.iter().map(|next| format!("  {}", escape(next))).collect());
    lines.join("\n") + "\n"
}

/// The table of requests per region and service, as text that ends with a line break.
pub fn requests_text(requests: &Requests, look: Look) -> String {
    let mut lines = Vec::new();
    section(&mut lines, look, "requests", self::requests(requests, look));
    lines.join("\n") + "\n"
}

fn section(lines: &mut Vec<String>, look: Look, heading: &str, body: Vec<String>) {
    if !body.is_empty() {
        lines.push(String::new());
        lines.push(look.paint(Tone::Heading, heading));
        lines.extend(body);
    }
}

/// How a run stands, in words.
pub(super) fn ending_words(summary: &Summary) -> (String, Tone) {
    let took = duration(summary.wall_ms);
    match summary.ending {
        Ending::Done if summary.skipped() => (format!("done in {took}; steps were left out"), Tone::Doubtful),
        Ending::Done if summary.missed() => (format!("done in {took}; an objective was missed"), Tone::Doubtful),
        Ending::Done => (format!("done in {took}"), Tone::Good),
        Ending::AlreadyInPlace => ("already in place, nothing was changed".into(), Tone::Good),
        Ending::CheckFailed => (format!("check failed after {took}"), Tone::Bad),
        Ending::Held => (format!("held after {took}"), Tone::Bad),
        Ending::Running => (format!("running for {took}"), Tone::Active),
        Ending::Interrupted => (format!("interrupted after {took}: its process died"), Tone::Bad),
        Ending::Abandoned => (format!("abandoned after {took}"), Tone::Doubtful),
    }
}

/// What a run is, how it stands, and when it was.
pub(super) fn head(summary: &Summary, look: Look) -> Vec<String> {
    let (words, tone) = ending_words(summary);
    let title = format!(
        "{} of {} ({}): {words}",
        escape(&summary.scenario),
        escape(&summary.service),
        escape(&summary.environment)
    );
    let mut lines: Vec<String> = wrap("", &title, look.columns()).iter().map(|line| look.paint(tone, line)).collect();
    let mut add = |label: &str, text: &str| lines.extend(wrap(&format!("{label:<12}"), text, look.columns()));
    if let Some(reason) = &summary.reason {
        add("because", &escape(reason));
    }
    add("run", &escape(&summary.run));
    add("regions", &regions(&summary.from_region, &summary.to_region, "→"));
    add("account", &escape(&summary.account));
    add("caller", &escape(&summary.caller));
    if let Some(bundle) = &summary.bundle {
        add("approved", &format!("by {}, bundle {}", escape(&bundle.approver), escape(&bundle.sha256)));
    }
    if let Some(source) = &summary.source {
        add("root", &escape(&source.words()));
    }
    if let Some(impact) = summary.impact_at {
        add("impact", &time(impact));
    }
    add("declared", &time(summary.declared_at));
    if let Some(ended) = summary.ended_at {
        add(if summary.ending == Ending::Interrupted { "last event" } else { "ended" }, &time(ended));
    }
    if summary.resumes > 0 {
        add("resumed", &format!("{} ×", summary.resumes));
    }
    if let Some(words) = summary.retries.words() {
        add("retries", &escape(&words));
    }
    if summary.torn {
        add("journal", "its last line is torn and was left out");
    }
    lines
}

fn steps(summary: &Summary, look: Look) -> Vec<String> {
    let mut table = Table::new(&[
        ("", Column::Left),
        ("step", Column::Left),
        ("began", Column::Right),
        ("took", Column::Right),
        ("waited for", Column::GivesWay),
        ("note", Column::Left),
    ]);
    for step in &summary.steps {
        let (mark, tone) = mark(step, summary.ending);
        let begun = step.offset_ms.map_or_else(String::new, |ms| format!("+{}", duration(ms)));
        let waited: Vec<String> = step.waited_for.iter().map(|id| escape(id.as_str())).collect();
        table.row([
            (mark.into(), Some(tone)),
            (escape(step.id.as_str()), None),
            (begun, None),
            (step.duration_ms.map_or_else(String::new, duration), None),
            (waited.join(", "), Some(Tone::Quiet)),
            (note(step, summary.ending), Some(tone)),
        ]);
    }
    let mut lines = table.lines(look);
    if summary.critical_path.total_ms > 0 {
        let path: Vec<String> = summary.critical_path.steps.iter().map(|id| escape(id.as_str())).collect();
        let label = format!("critical path, {}: ", duration(summary.critical_path.total_ms));
        lines.extend(wrap("  ", &format!("{label}{}", path.join(" → ")), look.columns()));
    }
    lines
}

/// The sign of a step's status.
pub(super) fn mark(step: &StepSummary, ending: Ending) -> (&'static str, Tone) {
    match step.status {
        StepStatus::Verified => ("✓", Tone::Good),
        StepStatus::Failed => ("✗", Tone::Bad),
        StepStatus::Skipped => ("↷", Tone::Doubtful),
        StepStatus::Running | StepStatus::Verifying if ending == Ending::Running => ("▸", Tone::Active),
        _ if step.is_open() => ("?", Tone::Doubtful),
        _ => ("·", Tone::Quiet),
    }
}

/// What there is to say about a step's status beyond its sign.
pub(super) fn note(step: &StepSummary, ending: Ending) -> String {
    match step.status {
        StepStatus::Verified if step.in_place => "in place".into(),
        StepStatus::Verified if step.attempts > 1 => format!("{} attempts", step.attempts),
        StepStatus::Verified => String::new(),
        StepStatus::Failed => "failed".into(),
        StepStatus::Skipped => "left out".into(),
        StepStatus::Running if ending == Ending::Running => "running".into(),
        StepStatus::Verifying if ending == Ending::Running => "verifying".into(),
        StepStatus::Verifying => "done, not proven".into(),
        _ if step.is_open() => "no end known".into(),
        _ => "not begun".into(),
    }
}

fn failures(summary: &Summary, look: Look) -> Vec<String> {
    let mut lines = Vec::new();
    for (step, failure) in summary.failed() {
        lines.extend(wrap("✗ ", &escape(step.id.as_str()), look.columns()));
        lines.extend(reasons(failure, "  ", look));
    }
    lines
}

fn unsaved(summary: &Summary, look: Look) -> Vec<String> {
    let mut lines = Vec::new();
    for UnsavedState { kept, push } in &summary.unsaved {
        lines.push(format!("  {}", escape(&kept.path.to_string_lossy())));
        let words = format!("SHA-256 {}, lineage {}, serial {}", kept.sha256, escape(&kept.lineage), kept.serial);
        lines.extend(wrap("    ", &words, look.columns()));
        lines.extend(wrap("    ", &format!("no plan or apply of it until: {}", escape(push)), look.columns()));
    }
    lines
}

fn applied(summary: &Summary, look: Look) -> Vec<String> {
    let words = |it: &AppliedState| format!("{}: {}", escape(it.step.as_str()), escape(&it.words()));
    summary.applied.iter().flat_map(|it| wrap("  ", &words(it), look.columns())).collect()
}

fn objectives(summary: &Summary, look: Look) -> Vec<String> {
    let mut table = Table::new(&[
        ("  objective", Column::Left),
        ("target", Column::Right),
        ("from declaration", Column::Left),
        ("from impact", Column::Left),
    ]);
    let mut reasons: Vec<(&str, Vec<String>)> = Vec::new();
    for result in &summary.objectives {
        let name = objective_name(result);
        let target = result.target_ms.map_or_else(|| "–".into(), duration);
        let (declared, impact) = match &result.measured {
            Measured::Measured { from_declaration, from_impact } => {
                (verdict(*from_declaration), from_impact.map_or_else(|| (String::new(), None), verdict))
            }
            Measured::NotMeasured { why } => {
                match reasons.iter_mut().find(|(known, _)| known == why) {
                    Some((_, names)) => names.push(name.clone()),
                    None => reasons.push((why, vec![name.clone()])),
                }
                (("not measured".to_owned(), Some(Tone::Doubtful)), (String::new(), None))
            }
        };
        table.row([(format!("  {name}"), None), (target, None), declared, impact]);
    }
    let mut lines = if summary.objectives.is_empty() { Vec::new() } else { table.lines(look) };
    for (why, names) in reasons {
        let words = format!("{} not measured: {}", names.join(", "), escape(why));
        lines.extend(wrap("  - ", &words, look.columns()));
    }
    let from_impact =
        |result: &ObjectiveResult| matches!(result.measured, Measured::Measured { from_impact: Some(_), .. });
    if summary.objectives.iter().any(from_impact) {
        lines.extend(wrap("  ", "what counts is the time from the impact", look.columns()));
    }
    lines
}

/// `aurora RTO`
pub(super) fn objective_name(result: &ObjectiveResult) -> String {
    let kind = match result.kind {
        ObjectiveKind::Rto => "RTO",
        ObjectiveKind::Rpo => "RPO",
    };
    format!("{} {kind}", result.component.name())
}

fn verdict(actual: Actual) -> (String, Option<Tone>) {
    let time = duration(actual.ms);
    match actual.verdict {
        Some(Verdict::Met) => (format!("{time} met"), Some(Tone::Good)),
        Some(Verdict::Missed) => (format!("{time} MISSED"), Some(Tone::Bad)),
        None => (time, None),
    }
}

fn warnings(summary: &Summary, look: Look) -> Vec<String> {
    let mut lines = Vec::new();
    for step in &summary.steps {
        for warning in &step.warnings {
            let text = format!("{}: {}", escape(step.id.as_str()), escape(warning));
            lines.extend(wrap("  ", &text, look.columns()));
        }
    }
    lines
}

fn not_checked(summary: &Summary, look: Look) -> Vec<String> {
    let words = summary.not_checked.iter().map(|entry| format!("{}: {}", escape(&entry.what), escape(&entry.why)));
    words.flat_map(|words| wrap("  - ", &words, look.columns())).collect()
}

fn requests(requests: &Requests, look: Look) -> Vec<String> {
    let mut table = Table::new(&[
        ("  region", Column::Left),
        ("", Column::Left),
        ("requests", Column::Right),
        ("4xx", Column::Right),
        ("5xx, none", Column::Right),
        ("services", Column::GivesWay),
    ]);
    for region in &requests.regions {
        let services: Vec<String> =
            region.services.iter().map(|it| format!("{} {}", escape(&it.service), it.requests)).collect();
        table.row([
            (format!("  {}", escape(&region.region)), None),
            (role_name(region.role).into(), Some(Tone::Quiet)),
            (region.requests.to_string(), None),
            (region.client_errors.to_string(), None),
            (region.failures.to_string(), None),
            (services.join(", "), None),
        ]);
    }
    let mut lines = table.lines(look);
    if requests.unreadable > 0 {
        lines.push(format!("  {} lines of the recording could not be read", requests.unreadable));
    }
    lines
}

/// What a region is to the run, in a word.
pub(super) fn role_name(role: RegionRole) -> &'static str {
    match role {
        RegionRole::From => "left",
        RegionRole::To => "recovery",
        RegionRole::Other => "",
    }
}
