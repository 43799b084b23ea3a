//! Whether an environment could fail over now, for people and programs.

use super::table::{Column, Table};
use super::text::{Look, Tone, duration, escape, time, wrap};
use crate::manifest::ObjectiveKind;
use crate::readiness::{Finding, Forecast, Readiness, Verdict};

/// As text for a terminal, none of its lines wider than the look.
pub fn readiness(found: &Readiness, look: Look) -> String {
    let mut lines = head(found, look);
    section(&mut lines, "stands in the way", findings(&found.obstacles, "  ✗ ", Tone::Bad, look), look);
    section(&mut lines, "what would be lost", stores(found, look), look);
    section(&mut lines, "objectives", objectives(found, look), look);
    section(&mut lines, "warnings", findings(&found.warnings, "  ! ", Tone::Doubtful, look), look);
    section(&mut lines, "in order", findings(&found.in_order, "  ✓ ", Tone::Good, look), look);
    let unchecked = found.not_checked.iter();
    let unchecked =
        unchecked.flat_map(|it| wrap("  - ", &format!("{}: {}", escape(&it.what), escape(&it.why)), look.columns()));
    section(&mut lines, "not checked", unchecked.collect(), look);
    lines.join("\n") + "\n"
}

/// As JSON, ended by a line break.
///
/// # Errors
/// None in practice: it holds nothing that JSON could not.
pub fn readiness_json(found: &Readiness) -> Result<String, serde_json::Error> {
    Ok(super::json::visible(&serde_json::to_string_pretty(found)?) + "\n")
}

fn head(found: &Readiness, look: Look) -> Vec<String> {
    let (obstacles, missed) = (found.obstacles.len(), found.missed().count());
    let (tone, words) = match found.verdict {
        Verdict::NotReady if obstacles == 1 => (Tone::Bad, "NOT READY: one thing stands in the way".to_owned()),
        Verdict::NotReady => (Tone::Bad, format!("NOT READY: {obstacles} things stand in the way")),
        Verdict::ObjectiveMissed if missed == 1 => {
            (Tone::Doubtful, "READY, but an objective would be missed".to_owned())
        }
        Verdict::ObjectiveMissed => (Tone::Doubtful, format!("READY, but {missed} objectives would be missed")),
        Verdict::Ready if found.in_place => (Tone::Good, "FAILED OVER already: there is nothing to do".to_owned()),
        Verdict::Ready => (Tone::Good, "READY to fail over".to_owned()),
    };
    let what = format!("{} {}", escape(&found.service), escape(&found.environment));
    let mut lines: Vec<String> =
        wrap("", &format!("{what}: {words}"), look.columns()).iter().map(|line| look.paint(tone, line)).collect();
    let where_ =
        format!("{} → {}, account {}", escape(&found.from_region), escape(&found.to_region), escape(&found.account));
    lines.extend(wrap("", &where_, look.columns()));
    lines.push(format!("checked at {} in {}", time(found.checked_at), duration(found.took_ms)));
    lines
}

fn section(lines: &mut Vec<String>, heading: &str, body: Vec<String>, look: Look) {
    if !body.is_empty() {
        lines.push(String::new());
        lines.push(look.paint(Tone::Heading, heading));
        lines.extend(body);
    }
}

fn findings(findings: &[Finding], mark: &str, tone: Tone, look: Look) -> Vec<String> {
    let one = |finding: &Finding| {
        let text = wrap(mark, &format!("{}: {}", escape(&finding.about), escape(&finding.text)), look.columns());
        let mut text: Vec<String> = text.iter().map(|line| look.paint(tone, line)).collect();
        text.extend(finding.hint.iter().flat_map(|hint| wrap("      ", &escape(hint), look.columns())));
        text
    };
    findings.iter().flat_map(one).collect()
}

fn stores(found: &Readiness, look: Look) -> Vec<String> {
    let right = Column::Right;
    let mut table = Table::new(&[("  store", Column::GivesWay), ("age", right), ("rpo", right), ("", Column::Left)]);
    for store in &found.stores {
        table.row([
            (format!("  {} {}", store.component.name(), escape(&store.name)), None),
            (store.age_seconds.map_or_else(|| "not known".to_owned(), span), None),
            (store.rpo_seconds.map_or_else(String::new, span), None),
            verdict(store.met),
        ]);
    }
    if found.stores.is_empty() { Vec::new() } else { table.lines(look) }
}

fn objectives(found: &Readiness, look: Look) -> Vec<String> {
    let right = Column::Right;
    let mut table =
        Table::new(&[("  objective", Column::GivesWay), ("now", right), ("target", right), ("", Column::Left)]);
    let row = |it: &Forecast| {
        let name = match it.kind {
            ObjectiveKind::Rto => "RTO",
            ObjectiveKind::Rpo => "RPO",
        };
        [
            (format!("  {} {name}", it.component.name()), None),
            (it.expected_seconds.map_or_else(|| "not known".to_owned(), span), None),
            (span(it.target_seconds), None),
            verdict(it.met),
        ]
    };
    found.objectives.iter().for_each(|it| table.row(row(it)));
    if found.objectives.is_empty() { Vec::new() } else { table.lines(look) }
}

fn verdict(met: Option<bool>) -> (String, Option<Tone>) {
    match met {
        Some(true) => ("met".to_owned(), Some(Tone::Good)),
        Some(false) => ("MISSED".to_owned(), Some(Tone::Bad)),
        None => (String::new(), None),
    }
}

fn span(seconds: i64) -> String {
    duration(u64::try_from(seconds).unwrap_or(0).saturating_mul(1000))
}

#[cfg(test)]
#[path = "readiness_tests.rs"]
mod tests;
