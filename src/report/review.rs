//! A review of a plan, for a terminal: what would be lost first, then the rest in the order of what is at stake, folded
//! where it is long. Nothing that Terraform marks as sensitive is in a review, and all that is shown is escaped.

use super::table::{Column, Table};
use super::text::{Look, Tone, escape, fit, wrap};
use crate::review::{Change, Effect, Group, Output, Review, Totals};
use crate::terraform::difference::{Difference, SENSITIVE, Side, UNKNOWN};

/// So many places of a changed resource are shown; of one that is lost, twice as many.
const PLACES: usize = 6;
/// So many resources are shown of an effect before the rest is only counted. What would be lost is always shown.
const RESOURCES: usize = 30;
/// So many types and modules.
const GROUPS: usize = 12;

/// The review as text for a terminal, none of its lines wider than the look.
pub fn review(review: &Review, look: Look) -> String {
    let mut lines = wrap("Terraform   ", &totals(&review.totals), look.columns());
    if review.is_empty() {
        lines.push("            nothing is changed".into());
    }
    losses(&mut lines, review, look);
    for (effect, heading) in SECTIONS {
        let changes: Vec<&Change> = review.changes.iter().filter(|it| it.effect == effect && !it.is_loss()).collect();
        section(&mut lines, heading, &changes, look);
    }
    groups(&mut lines, "by type", &review.by_type, look);
    if review.by_module.len() > 1 {
        groups(&mut lines, "by module", &review.by_module, look);
    }
    if !review.outputs.is_empty() {
        heading(&mut lines, "outputs", look);
        lines.extend(review.outputs.iter().flat_map(|output| output_lines(output, look)));
    }
    let drift: Vec<&Change> = review.drift.iter().collect();
    section(&mut lines, "changed outside Terraform since its last apply", &drift, look);
    lines.join("\n") + "\n"
}

/// What is shown resource by resource; what is created is only counted, by type.
pub(super) const SECTIONS: [(Effect, &str); 6] = [
    (Effect::Replace, "replaced"),
    (Effect::Destroy, "destroyed"),
    (Effect::Forget, "forgotten: Terraform lets go of it, and it stays"),
    (Effect::Update, "changed"),
    (Effect::Import, "imported"),
    (Effect::Move, "moved"),
];

/// `3 to add, 1 to change, 2 to destroy, of these 1 replaced; 1 to import`
pub(super) fn totals(totals: &Totals) -> String {
    let mut words =
        format!("{} to add, {} to change, {} to destroy", totals.added(), totals.update, totals.destroyed());
    if totals.replace > 0 {
        words.push_str(&format!(", of these {} replaced", totals.replace));
    }
    let more = [
        (totals.import, "to import"),
        (totals.moved, "moved"),
        (totals.forget, "to forget"),
        (totals.unknown, "in a way that this lifeboat does not know"),
    ];
    for (number, what) in more.into_iter().filter(|(number, _)| *number > 0) {
        words.push_str(&format!("; {number} {what}"));
    }
    words
}

fn heading(lines: &mut Vec<String>, text: &str, look: Look) {
    lines.push(String::new());
    lines.push(look.paint(Tone::Heading, &fit(text, look.columns())));
}

fn losses(lines: &mut Vec<String>, review: &Review, look: Look) {
    let losses: Vec<&Change> = review.losses().collect();
    if losses.is_empty() {
        return;
    }
    lines.push(String::new());
    let text = format!("LOSES WHAT NO APPLY BRINGS BACK: {} of these resources hold data, keys or names", losses.len());
    lines.extend(wrap("", &text, look.columns()).iter().map(|line| look.paint(Tone::Bad, line)));
    for change in losses {
        resource(lines, change, 2 * PLACES, look);
    }
}

fn section(lines: &mut Vec<String>, text: &str, changes: &[&Change], look: Look) {
    if changes.is_empty() {
        return;
    }
    heading(lines, text, look);
    for change in changes.iter().take(RESOURCES) {
        resource(lines, change, PLACES, look);
    }
    folded(lines, changes.len().saturating_sub(RESOURCES), "", look);
}

fn resource(lines: &mut Vec<String>, change: &Change, places: usize, look: Look) {
    let tone = if change.is_loss() { Tone::Bad } else { tone(change.effect) };
    let rows = wrap(&format!("{:<4}", sign(change.effect)), &escape(&change.address), look.columns());
    lines.extend(rows.iter().map(|row| look.paint(tone, row)));
    for note in notes(change) {
        lines.extend(wrap("      ", &escape(&note), look.columns()));
    }
    for difference in change.differences.iter().take(places) {
        let mark = if difference.forces_replacement { "    ! " } else { "      " };
        lines.extend(wrap(mark, &place(difference), look.columns()));
    }
    folded(lines, change.differences.len().saturating_sub(places), "      ", look);
}

fn folded(lines: &mut Vec<String>, number: usize, margin: &str, look: Look) {
    if number > 0 {
        lines.push(look.paint(Tone::Quiet, &format!("{margin}… {number} more, in the JSON form")));
    }
}

/// Terraform's own signs ("Command: plan").
pub(super) fn sign(effect: Effect) -> &'static str {
    match effect {
        Effect::Unknown => "?",
        Effect::Replace => "-/+",
        Effect::Destroy => "-",
        Effect::Forget => ".",
        Effect::Update => "~",
        Effect::Import => "<=",
        Effect::Move => "→",
        Effect::Create => "+",
        Effect::Read => "",
    }
}

fn tone(effect: Effect) -> Tone {
    match effect {
        Effect::Unknown | Effect::Replace | Effect::Destroy => Tone::Bad,
        Effect::Forget | Effect::Update => Tone::Doubtful,
        Effect::Import | Effect::Move | Effect::Create | Effect::Read => Tone::Good,
    }
}

/// What there is to say of a resource beside its differences; not escaped.
pub(super) fn notes(change: &Change) -> Vec<String> {
    let mut notes = Vec::new();
    if change.effect == Effect::Unknown {
        notes.push("in a way that this lifeboat does not know: read Terraform's own plan".to_owned());
    }
    if change.deposed {
        notes.push("the object that a replacement which broke off has left over".to_owned());
    }
    notes.extend(change.moved_from.as_ref().map(|from| format!("moved from {from}")));
    notes.extend(change.import_id.as_ref().map(|id| format!("imported as {id}")));
    notes.extend(change.reason.as_deref().map(because));
    notes
}

/// Terraform's word for a reason, in words ("JSON Output Format": `action_reason`).
fn because(reason: &str) -> String {
    let words = match reason {
        "replace_because_cannot_update" => "it cannot be changed in place",
        "replace_because_tainted" => "it is tainted: an earlier creation of it broke off",
        "replace_by_request" => "it was asked for with -replace",
        "replace_by_triggers" => "its replace_triggered_by says so",
        "delete_because_no_resource_config" => "the configuration does not have it any more",
        "delete_because_no_module" => "the configuration does not have its module any more",
        "delete_because_wrong_repetition" => "its count or for_each is another kind now",
        "delete_because_count_index" => "it is beyond the count",
        "delete_because_each_key" => "for_each does not have its key any more",
        "delete_because_no_move_target" => "it was moved to where the configuration has nothing",
        other => other,
    };
    format!("because {words}")
}

/// `tags.Name: "a" → "b"`, escaped.
pub(super) fn place(difference: &Difference) -> String {
    format!("{}: {} → {}", escape(&difference.path), side(&difference.before), side(&difference.after))
}

fn side(side: &Side) -> String {
    match side {
        Side::Absent => "nothing".to_owned(),
        Side::Known(text) => escape(text),
        Side::Sensitive => SENSITIVE.to_owned(),
        Side::Unknown => UNKNOWN.to_owned(),
    }
}

fn output_lines(output: &Output, look: Look) -> Vec<String> {
    let words = format!("{}: {} → {}", escape(&output.name), side(&output.before), side(&output.after));
    wrap(&format!("{:<4}", sign(output.effect)), &words, look.columns())
}

fn groups(lines: &mut Vec<String>, name: &str, groups: &[Group], look: Look) {
    if groups.is_empty() {
        return;
    }
    lines.push(String::new());
    let right = Column::Right;
    let columns = [
        (name, Column::GivesWay),
        ("add", right),
        ("change", right),
        ("replace", right),
        ("destroy", right),
        ("other", right),
    ];
    let mut table = Table::new(&columns);
    for group in groups.iter().take(GROUPS) {
        let Totals { create, update, replace, destroy, forget, import, moved, unknown, .. } = group.totals;
        let name = if group.name.is_empty() { "(root)".to_owned() } else { escape(&group.name) };
        let number = |number: u64, tone| {
            let text = if number == 0 { String::new() } else { number.to_string() };
            (text, (number > 0).then_some(tone))
        };
        table.row([
            (name, None),
            number(create, Tone::Good),
            number(update, Tone::Doubtful),
            number(replace, Tone::Bad),
            number(destroy, Tone::Bad),
            number(forget + import + moved + unknown, Tone::Doubtful),
        ]);
    }
    lines.extend(table.lines(look));
    folded(lines, groups.len().saturating_sub(GROUPS), "", look);
}

/// The review as JSON, with everything, ended by a line break.
///
/// # Errors
/// None in practice: a review holds nothing that JSON could not.
pub fn review_json(review: &Review) -> Result<String, serde_json::Error> {
    Ok(super::json::visible(&serde_json::to_string_pretty(review)?) + "\n")
}
