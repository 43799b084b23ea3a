//! All that a scenario would do, on one screen for whoever approves it: what Terraform changes, what is restored and
//! adopted, which records move, how long it takes, what stands in the way, and what will not be checked.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::markdown::{add, code, plain};
use super::plan::{PlanView, section, span};
use super::review;
use super::review_markdown::{LONGEST, review_within};
use super::text::{Look, Tone, escape, wrap};
use crate::review::Review;
use crate::runbook::StepId;

/// So many records and adopted resources are shown.
const SHOWN: usize = 60;
/// Kept for what stands round the review in Markdown; no list there is longer than this.
const AROUND: usize = 20_000;
const ENTRY: usize = 400;

/// Everything that a bundle shows.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Foreseen<'a> {
    #[serde(flatten)]
    pub plan: &'a PlanView,
    /// What Terraform does, without what is adopted; `None` where it could not plan.
    pub terraform: Option<&'a Review>,
    pub adopted: &'a [Adopted],
    pub records: &'a [RecordMove],
    /// What a recovery comes to, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prospect: Option<&'a str>,
    /// What the checks of a recovery have settled, by step.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub found: &'a BTreeMap<StepId, Value>,
    /// Which commit the root is of, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<&'a str>,
    /// SHA-256 of the bundle.
    pub bundle: Option<&'a str>,
}

/// A resource that Terraform adopts once it is restored, and does not create.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Adopted {
    pub address: String,
    /// What is restored: `streaming-logs-aurora-prod-dr`.
    pub restored: String,
}

/// A record set that is cut over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RecordMove {
    pub record: String,
    /// In words.
    pub before: String,
    pub after: String,
}

impl Foreseen<'_> {
    /// As text for a terminal, none of its lines wider than the look.
    pub fn text(&self, look: Look) -> String {
        let mut lines = self.plan.head(look);
        if let Some(source) = self.source {
            lines.extend(wrap("root        ", &escape(source), look.columns()));
        }
        if let Some(bundle) = self.bundle {
            lines.extend(wrap("bundle      ", bundle, look.columns()));
        }
        if let Some(terraform) = self.terraform {
            lines.push(String::new());
            lines.extend(review::review(terraform, look).trim_end().lines().map(str::to_owned));
        }
        if let Some(prospect) = self.prospect {
            let words = prospect.lines().flat_map(|line| wrap("  ", line, look.columns()));
            section(&mut lines, look, "what it comes to", words.collect());
        }
        let adopted = self.adopted.iter().take(SHOWN).flat_map(|it| {
            let mut rows = wrap("<=  ", &escape(&it.address), look.columns());
            rows.extend(wrap("      ", &escape(&it.restored), look.columns()));
            rows
        });
        let adopted = folded(adopted.collect(), self.adopted.len(), look);
        section(&mut lines, look, "restored and adopted, not created", adopted);
        let records = self.records.iter().take(SHOWN).flat_map(|it| {
            let mut rows = wrap("~   ", &escape(&it.record), look.columns());
            rows.extend(wrap("      ", &format!("{} → {}", escape(&it.before), escape(&it.after)), look.columns()));
            rows
        });
        section(&mut lines, look, "cut over", folded(records.collect(), self.records.len(), look));
        lines.extend(self.plan.rest(look));
        lines.join("\n") + "\n"
    }

    /// As a comment on a pull request, of less than 65,000 characters.
    pub fn markdown(&self) -> String {
        let plan = self.plan;
        let mut head = format!("## {} of {} ({})\n\n", plan.scenario, plain(&plan.service), plain(&plan.environment));
        add(&mut head, format_args!("| | |\n|---|---|\n"));
        match plan.from_region == plan.to_region {
            true => add(&mut head, format_args!("| region | {} |\n", code(&plan.to_region))),
            false => {
                add(&mut head, format_args!("| regions | {} → {} |\n", code(&plan.from_region), code(&plan.to_region)))
            }
        }
        add(&mut head, format_args!("| account | {} |\n", code(&plan.account)));
        add(&mut head, format_args!("| expected | {}{} |\n", span(plan.expected_rto), plan.target_words()));
        if let Some(source) = self.source {
            add(&mut head, format_args!("| root | {} |\n", plain(source)));
        }
        if let Some(bundle) = self.bundle {
            add(&mut head, format_args!("| bundle | {} |\n", code(bundle)));
        }
        if plan.in_place {
            head.push_str("\nIt is failed over already: there is nothing to do.\n");
        }
        let blocked = plan.blocked.iter().map(|it| format!("{}: {}", code(it.step.as_str()), plain(&it.cause)));
        list(&mut head, "In the way", blocked);
        if let Some(prospect) = self.prospect {
            list(&mut head, "What it comes to", prospect.lines().map(|line| plain(line.trim_start())));
        }
        let adopted = self.adopted.iter().map(|it| format!("{} ← {}", code(&it.address), code(&it.restored)));
        let mut tail = String::new();
        list(&mut tail, "Restored and adopted, not created", adopted);
        let records =
            self.records.iter().map(|it| format!("{}: {} → {}", code(&it.record), code(&it.before), code(&it.after)));
        list(&mut tail, "Cut over", records);
        let points = plan.steps.iter().filter_map(|step| {
            let age = step.recovery_point_age.map_or_else(String::new, |age| format!(", {} old", span(age)));
            Some(format!("{}: {}{age}", code(step.id.as_str()), code(step.recovery_point.as_ref()?)))
        });
        list(&mut tail, "Recovery points", points);
        let candidates = plan.steps.iter().flat_map(|step| step.candidates.iter().map(move |it| (step, it)));
        let candidates = candidates.map(|(step, it)| {
            let taken = if it.taken { "**taken** " } else { "" };
            let (step, point) = (code(step.id.as_str()), code(&it.recovery_point));
            format!("{taken}{step}: {point} {}", plain(&it.words()))
        });
        list(&mut tail, "Candidates for clean recovery points", candidates);
        let warnings = plan.warnings.iter().map(|it| format!("{}: {}", code(it.step.as_str()), plain(&it.text)));
        list(&mut tail, "Warnings", warnings);
        let unchecked = plan.not_checked.iter().map(|it| format!("{}: {}", plain(&it.what), plain(&it.why)));
        list(&mut tail, "Will not be checked", unchecked);
        let room = LONGEST.saturating_sub(head.chars().count() + tail.chars().count());
        let terraform = self.terraform.map_or_else(String::new, |review| review_within(review, room));
        format!("{head}\n{terraform}{tail}")
    }

    /// As JSON, ended by a line break.
    ///
    /// # Errors
    /// None in practice: it holds nothing that JSON could not.
    pub fn json(&self) -> Result<String, serde_json::Error> {
        Ok(super::json::visible(&serde_json::to_string_pretty(self)?) + "\n")
    }
}

fn folded(mut lines: Vec<String>, number: usize, look: Look) -> Vec<String> {
    if number > SHOWN {
        lines.push(look.paint(Tone::Quiet, &format!("… {} more, in the JSON form", number - SHOWN)));
    }
    lines
}

/// A list under a heading, cut where there is too much of it.
fn list(page: &mut String, heading: &str, entries: impl Iterator<Item = String>) {
    let (mut text, mut left_out) = (String::new(), 0);
    for entry in entries {
        match entry.chars().count() {
            length if length > ENTRY || text.chars().count() + length > AROUND / 4 => left_out += 1,
            _ => add(&mut text, format_args!("- {entry}\n")),
        }
    }
    if left_out > 0 {
        add(&mut text, format_args!("- … {left_out} more, in the JSON form\n"));
    }
    if !text.is_empty() {
        add(page, format_args!("\n**{heading}**\n\n{text}"));
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use jiff::Timestamp;
    use serde_json::json;

    use super::*;
    use crate::manifest;
    use crate::report::Obstacle;
    use crate::scenario;
    use crate::terraform::plan::Plan;

    fn view() -> PlanView {
        let environments = Path::new(env!("CARGO_MANIFEST_DIR")).join("environments");
        let runbook = scenario::failover(&manifest::load(&environments, "prod").unwrap());
        let now: Timestamp = "2026-11-22T03:12:00Z".parse().unwrap();
        let point = json!({ "recovery_point": "arn:aws:rds:us-east-1:123456789012:cluster-snapshot:backup-0300",
                            "recovery_point_at": "2026-11-22T03:00:00Z", "warnings": ["a newer one is copying, 40 %"] });
        let facts = BTreeMap::from([(StepId::new("restore.aurora.logs"), point)]);
        let blocked = vec![Obstacle {
            step: StepId::new("restore.table.metadata"),
            cause: "no backup of <b>table</b> @all can be restored".into(),
            hint: Some("make one".into()),
        }];
        PlanView::of(&runbook, &facts, blocked, false, now).unwrap()
    }

    fn review(changes: usize) -> Review {
        let change = |nr: usize| {
            json!({ "address": format!("module.x.aws_sqs_queue.q[{nr}]"), "mode": "managed", "type": "aws_sqs_queue",
                    "module_address": "module.x",
                    "change": { "actions": ["delete", "create"], "before": {"name": "a"}, "after": {"name": "b"},
                                "after_unknown": {"arn": true}, "replace_paths": [["name"]] } })
        };
        let changes: Vec<Value> = (0..changes).map(change).collect();
        let plan = json!({ "format_version": "1.2", "resource_changes": changes });
        Review::of(&Plan::parse(plan.to_string().as_bytes()).unwrap())
    }

    fn adopted() -> Vec<Adopted> {
        vec![Adopted {
            address: "module.database.aws_rds_cluster.logs".into(),
            restored: "streaming-logs-aurora-prod-dr".into(),
        }]
    }

    fn records() -> Vec<RecordMove> {
        vec![RecordMove {
            record: "ingest.example.com CNAME (recovery)".into(),
            before: "nothing".into(),
            after: "terraform.output.ingest_endpoint (weight 100)".into(),
        }]
    }

    #[test]
    fn a_reviewer_sees_all_of_it_on_one_screen() {
        let (plan, terraform, adopted, records) = (view(), review(1), adopted(), records());
        let bundle = "ab".repeat(32);
        let foreseen = Foreseen {
            plan: &plan,
            terraform: Some(&terraform),
            adopted: &adopted,
            records: &records,
            prospect: None,
            found: &BTreeMap::new(),
            source: Some("commit 3f2a91, not signed; the root is as in it"),
            bundle: Some(&bundle),
        };
        let text = foreseen.text(Look::PLAIN);
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        insta::assert_snapshot!("foreseen", text);
        let json: Value = serde_json::from_str(&foreseen.json().unwrap()).unwrap();
        assert_eq!((&json["schema_version"], &json["terraform"]["totals"]["replace"]), (&json!(1), &json!(1)));
        assert_eq!(json["adopted"][0]["restored"], "streaming-logs-aurora-prod-dr");
    }

    #[test]
    fn the_candidates_of_a_clean_point_are_listed_in_every_form_with_the_reason_of_each() {
        let environments = Path::new(env!("CARGO_MANIFEST_DIR")).join("environments");
        let runbook = scenario::failover(&manifest::load(&environments, "prod").unwrap());
        let candidate = |point: &str, taken: bool, why: &str| {
            json!({ "recovery_point": point, "at": "2026-11-22T01:00:00Z", "kind": "manual", "key": null,
                    "made_by": "unknown: nobody tells", "made_at": null, "taken": taken, "why": why })
        };
        let listed =
            [candidate("hers", false, "made by mallory, who is shut out"), candidate("ours", true, "the newest")];
        let facts = json!({ "recovery_point": "ours", "candidates": listed });
        let facts = BTreeMap::from([(StepId::new("restore.aurora.logs"), facts)]);
        let plan = PlanView::of(&runbook, &facts, Vec::new(), false, Timestamp::UNIX_EPOCH).unwrap();
        let foreseen = Foreseen {
            plan: &plan,
            terraform: None,
            adopted: &[],
            records: &[],
            prospect: None,
            found: &BTreeMap::new(),
            source: None,
            bundle: None,
        };
        for form in [foreseen.text(Look::PLAIN), foreseen.markdown(), foreseen.json().unwrap()] {
            let words = form.split_whitespace().collect::<Vec<_>>().join(" ");
            for said in ["hers", "made by mallory, who is shut out", "nobody tells"] {
                assert!(words.contains(said), "{said}: {form}");
            }
        }
    }

    #[test]
    fn a_comment_on_a_pull_request_never_grows_too_long() {
        let (plan, adopted, records) = (view(), adopted(), records());
        let many: Vec<RecordMove> = (0..5_000).flat_map(|_| records.clone()).collect();
        for (changes, records) in [(1, &records), (5_000, &many)] {
            let terraform = review(changes);
            let foreseen = Foreseen {
                plan: &plan,
                terraform: Some(&terraform),
                adopted: &adopted,
                records,
                prospect: None,
                found: &BTreeMap::new(),
                source: None,
                bundle: None,
            };
            let page = foreseen.markdown();
            assert!(page.chars().count() < 65_000, "{}", page.chars().count());
            assert!(page.contains("`module.database.aws_rds_cluster.logs`") && !page.contains("<b>"), "{page}");
            if changes == 1 {
                insta::assert_snapshot!("foreseen_markdown", page);
            } else {
                assert!(page.contains("more are left out here") && page.contains("more, in the JSON form"), "{page}");
            }
        }
    }
}
