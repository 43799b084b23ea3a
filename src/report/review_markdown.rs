//! A review of a plan as a comment on a pull request (GitHub Flavored Markdown). It never grows beyond what such a comment
//! may hold: what is least important is left out first, and counted.

use super::markdown::{add, code, plain};
use super::review::{SECTIONS, notes, place, sign, totals};
use crate::review::{Change, Effect, Review};

/// GitHub refuses a comment of more than 65,536 characters; some are left for whoever puts words round it.
pub(super) const LONGEST: usize = 65_000;
/// Kept for what closes the page.
const RESERVED: usize = 1_500;
/// So many places of a resource are shown.
const PLACES: usize = 12;

/// The review as a page of less than 65,000 characters.
pub fn review_markdown(review: &Review) -> String {
    review_within(review, LONGEST)
}

/// The review as a page of at most so many characters.
pub(super) fn review_within(review: &Review, longest: usize) -> String {
    let mut page = Page { longest, ..Page::default() };
    page.always(&format!("### Terraform: {}\n", totals(&review.totals)));
    if review.is_empty() {
        page.always("\nNothing is changed.\n");
    }
    let losses: Vec<&Change> = review.losses().collect();
    if !losses.is_empty() {
        let number = losses.len();
        page.always(&format!("\n**Loses what no apply brings back**: {number} of these hold data, keys or names.\n\n"));
        page.resources(&losses);
    }
    for (effect, heading) in SECTIONS.into_iter().chain([(Effect::Create, "created")]) {
        let changes: Vec<&Change> = review.changes.iter().filter(|it| it.effect == effect && !it.is_loss()).collect();
        page.section(heading, &changes);
    }
    page.outputs(review);
    let drift: Vec<&Change> = review.drift.iter().collect();
    page.section("changed outside Terraform since its last apply", &drift);
    if page.left_out > 0 {
        page.always(&format!("\n{} more are left out here; the JSON form has them all.\n", page.left_out));
    }
    page.text
}

/// What there is so far.
#[derive(Default)]
struct Page {
    text: String,
    /// In characters.
    length: usize,
    longest: usize,
    left_out: usize,
}

impl Page {
    fn always(&mut self, text: &str) {
        self.text.push_str(text);
        self.length += text.chars().count();
    }

    /// Adds a piece if there is room for it, and counts it otherwise.
    fn piece(&mut self, text: &str) {
        if self.length + text.chars().count() > self.longest.saturating_sub(RESERVED) {
            self.left_out += 1
        } else {
            self.always(text)
        }
    }

    fn section(&mut self, heading: &str, changes: &[&Change]) {
        if changes.is_empty() {
            return;
        }
        let number = changes.len();
        if self.length + RESERVED > self.longest.saturating_sub(RESERVED) {
            self.left_out += number;
            return;
        }
        self.always(&format!("\n<details><summary>{number} {heading}</summary>\n\n"));
        self.resources(changes);
        self.always("\n</details>\n");
    }

    fn resources(&mut self, changes: &[&Change]) {
        for change in changes {
            self.piece(&resource(change));
        }
    }

    fn outputs(&mut self, review: &Review) {
        for (nr, output) in review.outputs.iter().enumerate() {
            let heading = if nr == 0 { "\nOutputs:\n\n" } else { "" };
            self.piece(&format!("{heading}- {} {}\n", code(sign(output.effect)), code(&output.name)));
        }
    }
}

fn resource(change: &Change) -> String {
    let mut text = format!("- {} {}", code(sign(change.effect)), code(&change.address));
    let notes: Vec<String> = notes(change).iter().map(|note| plain(note)).collect();
    if !notes.is_empty() {
        add(&mut text, format_args!(": {}", notes.join("; ")));
    }
    text.push('\n');
    for difference in change.differences.iter().take(PLACES) {
        let forces = if difference.forces_replacement { " **forces the replacement**" } else { "" };
        add(&mut text, format_args!("  - {}{forces}\n", code(&place(difference))));
    }
    let more = change.differences.len().saturating_sub(PLACES);
    if more > 0 {
        add(&mut text, format_args!("  - … {more} more places\n"));
    }
    text
}
