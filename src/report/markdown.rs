//! A run's report in Markdown (GitHub Flavored Markdown), to be kept with the incident.
//!
//! Every outside text stands in a code span or is escaped, so that a name in the cloud can bring in neither HTML nor a
//! link, a mention or another column of a table.

use std::fmt::Write;

use super::closing::{ending_words, note, objective_name, role_name};
use super::let_through::LetThrough;
use super::objectives::{Actual, Measured, Verdict};
use super::requests::Requests;
use super::summary::{Ending, Summary};
use super::text::{duration, escape, time};
use super::trouble::UnsavedState;
use crate::journal::{KeptState, Overridden};

/// The report.
pub fn markdown(summary: &Summary) -> String {
    let mut page = String::new();
    head(&mut page, summary);
    incident(&mut page, summary);
    objectives(&mut page, summary);
    steps(&mut page, summary);
    failures(&mut page, summary);
    state(&mut page, summary);
    recovery_points(&mut page, summary);
    overridden(&mut page, summary);
    not_checked(&mut page, summary);
    if let Some(recorded) = &summary.requests {
        requests(&mut page, recorded);
    }
    if !summary.undo.is_empty() {
        page.push_str("\n## Undo\n\nThe records as they were before the cutover:\n\n");
        for undo in &summary.undo {
            add(&mut page, format_args!("- {}: {}\n", code(undo.step.as_str()), code(&undo.path)));
        }
    }
    if let Some(next) = &summary.next {
        add(&mut page, format_args!("\n## Next\n\n{}\n", code(next)));
    }
    page
}

/// Writing to a string cannot fail.
pub(super) fn add(page: &mut String, text: std::fmt::Arguments<'_>) {
    page.write_fmt(text).ok();
}

/// Outside text as a code span (GFM: "Code spans"): its fence is longer than any run of backticks in it. In a table a
/// pipe would end the cell even there (GFM: "Tables"), so it is shown as `\u{7c}`.
pub(super) fn code(text: &str) -> String {
    let text = escape(text).replace('|', "\\u{7c}");
    if text.trim().is_empty() {
        return "–".into();
    }
    let longest = text.split(|character| character != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    let pad = if text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    format!("{fence}{pad}{text}{pad}{fence}")
}

/// Outside text as plain text: all ASCII punctuation that could mean something is escaped (GFM: "Backslash escapes").
pub(super) fn plain(text: &str) -> String {
    let mut safe = String::new();
    for character in escape(text).chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '|' => safe.push_str("&#124;"),
            '@' => safe.push_str("&#64;&#8203;"),
            ',' | ' ' | '-' | '\'' | '"' | ';' | '?' | '%' | '/' => safe.push(character),
            _ if character.is_ascii_punctuation() => safe.extend(['\\', character]),
            _ => safe.push(character),
        }
    }
    safe
}

fn head(page: &mut String, summary: &Summary) {
    let (words, _) = ending_words(summary);
    let title =
        format!("{} of {} ({})", plain(&summary.scenario), plain(&summary.service), plain(&summary.environment));
    add(page, format_args!("# {title}: {words}\n\n| | |\n|---|---|\n"));
    let mut row = |name: &str, value: String| add(page, format_args!("| {name} | {value} |\n"));
    row("run", code(&summary.run));
    let (from, to) = (code(&summary.from_region), code(&summary.to_region));
    row("regions", if from == to { to } else { format!("{from} → {to}") });
    row("account", code(&summary.account));
    row("caller", code(&summary.caller));
    if let Some(bundle) = &summary.bundle {
        row("approved by", code(&bundle.approver));
        row("planned by", code(&bundle.planner));
        row("bundle", code(&bundle.sha256));
    }
    if let Some(source) = &summary.source {
        row("root", plain(&source.words()));
    }
    row("lifeboat", code(&summary.lifeboat));
    if let Some(reason) = &summary.reason {
        row("because", code(reason));
    }
    if let Some(impact) = summary.impact_at {
        row("impact", time(impact));
    }
    row("declared", time(summary.declared_at));
    if let Some(ended) = summary.ended_at {
        row(if summary.ending == Ending::Interrupted { "last event" } else { "ended" }, time(ended));
    }
    row("time", duration(summary.wall_ms));
    row("resumed", format!("{} times", summary.resumes));
    if let Some(words) = summary.retries.words() {
        row("retries", plain(&words));
    }
    if summary.torn {
        row("journal", "its last line is torn and was left out".into());
    }
}

fn incident(page: &mut String, summary: &Summary) {
    let Some(incident) = &summary.incident else { return };
    page.push_str(
        "\n## Timeline of the incident\n\n| when | after the first known compromise | what | |\n|---|--:|---|---|\n",
    );
    for milestone in &incident.milestones {
        let detail = milestone.detail.as_deref().map(plain).unwrap_or_default();
        let (when, since) = (milestone.when(), milestone.since());
        add(page, format_args!("| {when} | {since} | {} | {detail} |\n", milestone.what));
    }
}

fn objectives(page: &mut String, summary: &Summary) {
    if summary.objectives.is_empty() {
        return;
    }
    page.push_str("\n## Objectives\n\n| objective | target | from declaration | from impact |\n|---|--:|---|---|\n");
    for result in &summary.objectives {
        let target = result.target_ms.map_or_else(|| "–".into(), duration);
        let (declared, impact) = match &result.measured {
            Measured::Measured { from_declaration, from_impact } => {
                (verdict(*from_declaration), from_impact.map_or_else(|| "–".into(), verdict))
            }
            Measured::NotMeasured { why } => (format!("not measured: {}", plain(why)), "–".into()),
        };
        add(page, format_args!("| {} | {target} | {declared} | {impact} |\n", objective_name(result)));
    }
}

fn verdict(actual: Actual) -> String {
    let time = duration(actual.ms);
    match actual.verdict {
        Some(Verdict::Met) => format!("{time}, met"),
        Some(Verdict::Missed) => format!("{time}, **missed**"),
        None => time,
    }
}

fn steps(page: &mut String, summary: &Summary) {
    page.push_str("\n## Steps\n\n| step | what | began | took | waited for | state |\n|---|---|--:|--:|---|---|\n");
    for step in &summary.steps {
        let began = step.offset_ms.map_or_else(|| "–".into(), |ms| format!("+{}", duration(ms)));
        let took = step.duration_ms.map_or_else(|| "–".into(), duration);
        let waited: Vec<String> = step.waited_for.iter().map(|id| code(id.as_str())).collect();
        let note = Some(note(step, summary.ending)).filter(|note| !note.is_empty());
        add(
            page,
            format_args!(
                "| {} | {} | {began} | {took} | {} | {} |\n",
                code(step.id.as_str()),
                plain(&step.title),
                waited.join(", "),
                note.unwrap_or_else(|| "verified".into())
            ),
        );
    }
    if summary.critical_path.total_ms > 0 {
        let path: Vec<String> = summary.critical_path.steps.iter().map(|id| code(id.as_str())).collect();
        let total = duration(summary.critical_path.total_ms);
        add(page, format_args!("\nCritical path, {total}: {}\n", path.join(" → ")));
    }
}

fn failures(page: &mut String, summary: &Summary) {
    if summary.failed().next().is_none() {
        return;
    }
    page.push_str("\n## Failures\n");
    for (step, failure) in summary.failed() {
        add(page, format_args!("\n- {}\n  - cause: {}\n", code(step.id.as_str()), code(&failure.cause)));
        if let Some(hint) = &failure.hint {
            add(page, format_args!("  - hint: {}\n", code(hint)));
        }
    }
}

fn state(page: &mut String, summary: &Summary) {
    if !summary.unsaved.is_empty() {
        page.push_str("\n## State that is not saved\n\nNo plan or apply of it until it is pushed or given up.\n\n");
    }
    for UnsavedState { kept, push } in &summary.unsaved {
        let (path, push) = (code(&kept.path.to_string_lossy()), code(push));
        let KeptState { sha256, serial, .. } = kept;
        let lineage = code(&kept.lineage);
        add(page, format_args!("- {path}\n  - SHA-256: {}\n", code(sha256)));
        add(page, format_args!("  - lineage {lineage}, serial {serial}\n  - push it: {push}\n"));
    }
    if let Some(evidence) = &summary.evidence {
        page.push_str("\n## Evidence\n\n");
        for item in evidence.items(plain) {
            add(page, format_args!("- {item}\n"));
        }
    }
    if !summary.applied.is_empty() {
        page.push_str("\n## Terraform state\n\n");
    }
    for applied in &summary.applied {
        add(page, format_args!("- {}: {}\n", code(applied.step.as_str()), plain(&applied.words())));
    }
}

fn recovery_points(page: &mut String, summary: &Summary) {
    let restored: Vec<_> = summary.steps.iter().filter(|step| step.recovery_point.is_some()).collect();
    if !restored.is_empty() {
        page.push_str(
            "\n## Recovery points\n\n| step | recovery point | time | age at declaration |\n|---|---|---|--:|\n",
        );
    }
    for step in restored {
        let at = step.recovery_point_at.map_or_else(|| "not known".into(), time);
        let age = step.recovery_point_age_ms.map_or_else(|| "–".into(), duration);
        let point = code(step.recovery_point.as_deref().unwrap_or_default());
        add(page, format_args!("| {} | {point} | {at} | {age} |\n", code(step.id.as_str())));
    }
    if summary.steps.iter().any(|step| !step.warnings.is_empty()) {
        page.push_str("\n## Warnings\n\n");
    }
    for step in &summary.steps {
        for warning in &step.warnings {
            add(page, format_args!("- {}: {}\n", code(step.id.as_str()), plain(warning)));
        }
    }
}

fn overridden(page: &mut String, summary: &Summary) {
    if summary.overridden.is_empty() {
        return;
    }
    page.push_str("\n## Overridden guards\n\n");
    for LetThrough { overridden: Overridden { guard, because, by }, found } in &summary.overridden {
        add(page, format_args!("- {} by {}: {}\n", code(guard), code(by), plain(because)));
        for it in found {
            add(page, format_args!("  - {}\n", plain(it)));
        }
    }
}

fn not_checked(page: &mut String, summary: &Summary) {
    page.push_str("\n## Not checked\n\n");
    if summary.not_checked.is_empty() {
        page.push_str("Nothing is listed.\n");
    }
    for entry in &summary.not_checked {
        add(page, format_args!("- {}: {}\n", plain(&entry.what), plain(&entry.why)));
    }
}

fn requests(page: &mut String, requests: &Requests) {
    page.push_str(
        "\n## Requests\n\n| region | | service | requests | 4xx | 5xx or no answer |\n|---|---|---|--:|--:|--:|\n",
    );
    for region in &requests.regions {
        let (name, role) = (code(&region.region), role_name(region.role));
        let mut row = |service: &str, requests, client_errors, failures| {
            add(page, format_args!("| {name} | {role} | {service} | {requests} | {client_errors} | {failures} |\n"));
        };
        row("all", region.requests, region.client_errors, region.failures);
        for it in &region.services {
            row(&code(&it.service), it.requests, it.client_errors, it.failures);
        }
    }
    if requests.unreadable > 0 {
        add(page, format_args!("\n{} lines of the recording could not be read.\n", requests.unreadable));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_bring_in_no_html_no_link_and_no_column() {
        assert_eq!(code("a|<b>`c`"), r"`` a\u{7c}<b>`c` ``");
        assert_eq!(
            plain("<img> [x](http://y) @team *a*|"),
            r"&lt;img&gt; \[x\]\(http\://y\) &#64;&#8203;team \*a\*&#124;"
        );
    }

    proptest! {
        #[test]
        fn a_code_span_ends_only_at_its_own_fence(text in "[`a |<>\\\\\n]{0,12}") {
            let span = code(&text);
            prop_assume!(span != "–");
            let fence = span.chars().take_while(|character| *character == '`').count();
            let inner = &span[fence..span.len() - fence];
            prop_assert!(inner.split(|character| character != '`').all(|run| run.len() != fence), "{}", span);
            prop_assert!(!inner.contains(['|', '\n']), "{}", span);
        }
    }
}
