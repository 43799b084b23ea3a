//! Reviews in all three forms: of a plan that Terraform 1.11 made, of what comes from bad hands, and of plans damaged by
//! chance, which must be refused or reviewed, and never make anything panic.

use serde_json::{Value, json};

use super::{Look, review, review_json, review_markdown};
use crate::review::Review;
use crate::terraform::plan::{Plan, PlanError};

/// Every effect that `terraform_data` can show, with a sensitive variable in a nested list, in a trigger, in an output and
/// in a provisioner's environment, and plain text in a provisioner's command.
const REAL: &[u8] = include_bytes!("../terraform/testdata/plan_every_effect.json");
const MORE: [&[u8]; 3] = [
    REAL,
    include_bytes!("../terraform/testdata/plan_create.json"),
    include_bytes!("../terraform/testdata/plan_adopt_and_replace.json"),
];

fn forms(json: &[u8]) -> Result<[String; 3], PlanError> {
    let of = |plan: &Plan| {
        let reviewed = Review::of(plan);
        [review(&reviewed, Look::PLAIN), review_markdown(&reviewed), review_json(&reviewed).expect("JSON")]
    };
    let short = of(&Plan::read_for_review(json)?);
    assert_eq!(short, of(&Plan::parse(json)?), "what a review does without is not missed");
    Ok(short)
}

fn of(plan: &Value) -> [String; 3] {
    forms(plan.to_string().as_bytes()).unwrap()
}

#[test]
fn every_effect_of_a_real_plan_is_told() {
    let [table, markdown, json] = forms(REAL).unwrap();
    for page in [&table, &markdown, &json] {
        for secret in ["hunter2", "correct-horse", "provisioner-plain-text"] {
            assert!(!page.contains(secret), "{secret}: {page}");
        }
    }
    assert!(table.lines().all(|line| console::measure_text_width(line) <= 80), "{table}");
    insta::assert_snapshot!("every_effect_table", table);
    insta::assert_snapshot!("every_effect_markdown", markdown);
    insta::assert_snapshot!("every_effect_json", json);
}

#[test]
fn names_can_bring_in_nothing() {
    let evil = "aws_s3_bucket.b[\"\u{1b}[2J\u{202e}\r\n<script>alert(1)</script>|`code`|[x](http://x) @all <!channel> <@U1>\"]";
    let plan = json!({
        "format_version": "1.2",
        "resource_changes": [{
            "address": evil, "mode": "managed", "type": "aws_s3_bucket", "previous_address": format!("old{evil}"),
            "action_reason": format!("because {evil}"),
            "change": { "actions": ["delete", "create"], "importing": { "id": evil }, "before": { evil: evil },
                        "after": { evil: "x" }, "replace_paths": [[evil]] },
        }],
        "output_changes": { evil: { "actions": ["create"], "before": null, "after": evil } },
    });
    let [table, markdown, json] = of(&plan);
    for page in [&table, &markdown, &json] {
        assert!(!page.chars().any(|it| (it.is_control() && it != '\n') || it == '\u{202e}'), "{page:?}");
    }
    assert!(table.lines().all(|line| console::measure_text_width(line) <= 80), "{table}");
    insta::assert_snapshot!("evil_names_markdown", markdown);
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["changes"][0]["address"], evil, "programs get the name as it is");
}

#[test]
fn a_secret_is_shown_by_no_form_wherever_it_stands() {
    let secret = "a-secret-\"with\"\nbreaks";
    let plan = json!({
        "format_version": "1.2",
        "variables": { "v": { "value": "a-secret-variable" } },
        "resource_changes": [{
            "address": "x.y", "mode": "managed", "type": "x",
            "change": { "actions": ["update"],
                "before": { "list": [[{ "deep": [secret] }]], "command": "true", "plain": 1 },
                "after": { "list": [[{ "deep": [format!("{secret}-2")] }]], "command": format!("curl -u {secret}"), "plain": 2 },
                "before_sensitive": { "list": [[{ "deep": [true] }]] }, "after_sensitive": { "list": [[{ "deep": [true] }]] } },
        }],
        "output_changes": {
            "marked_in_part": { "actions": ["create"], "before": null, "after": ["shown-not", secret],
                                "before_sensitive": false, "after_sensitive": [false, true] },
            "unmarked": { "actions": ["update"], "before": "a-secret-variable", "after": format!("-{secret}-") },
        },
        "configuration": { "root_module": { "variables": { "v": { "sensitive": true } }, "resources": [{
            "address": "x.y", "provisioners": [{ "type": "local-exec", "expressions": { "command": {
                "constant_value": "a-secret-of-a-provisioner" } } }] }] } },
        "prior_state": { "values": { "outputs": { "o": { "sensitive": true, "value": "a-secret-of-the-state" } } } },
    });
    for page in of(&plan) {
        assert!(!page.contains("a-secret") && !page.contains("shown-not"), "{page}");
    }
}

#[test]
fn a_plan_without_changes_says_so_in_each_form() {
    let [table, markdown, json] = of(&json!({ "format_version": "1.2", "resource_changes": [], "output_changes": {} }));
    assert_eq!(table, "Terraform   0 to add, 0 to change, 0 to destroy\n            nothing is changed\n");
    assert_eq!(markdown, "### Terraform: 0 to add, 0 to change, 0 to destroy\n\nNothing is changed.\n");
    assert_eq!(serde_json::from_str::<Value>(&json).unwrap()["changes"], json!([]));
}

#[test]
fn what_a_broken_replacement_left_over_and_unknown_words_are_told() {
    let change = |address: &str, more: Value, actions: Value| {
        let mut change = json!({ "address": address, "mode": "managed", "type": "aws_db_instance",
            "change": { "actions": actions, "before": {}, "after": null } });
        change.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        change
    };
    let plan = json!({
        "format_version": "1.9", "of_a_newer_terraform": [{}],
        "resource_changes": [
            change("aws_db_instance.a", json!({ "deposed": "00000001" }), json!(["delete"])),
            change("aws_db_instance.b", json!({ "new": { "field": 1 } }), json!(["melt"])),
        ],
    });
    let [table, markdown, _] = of(&plan);
    insta::assert_snapshot!(table, @r"
    Terraform   0 to add, 0 to change, 1 to destroy; 1 in a way that this lifeboat
                does not know

    LOSES WHAT NO APPLY BRINGS BACK: 2 of these resources hold data, keys or names
    ?   aws_db_instance.b
          in a way that this lifeboat does not know: read Terraform's own plan
    -   aws_db_instance.a
          the object that a replacement which broke off has left over

    by type          add  change  replace  destroy  other
    aws_db_instance                              1      1
    ");
    assert!(markdown.contains("left over") && markdown.contains("does not know"), "{markdown}");
}

#[test]
fn an_unknown_major_version_is_refused_before_its_shape_matters() {
    let refused = |json: &str| forms(json.as_bytes()).unwrap_err();
    assert!(matches!(refused(r#"{"format_version":"2.0","resource_changes":{"a":1}}"#), PlanError::Format(_)));
    assert!(matches!(refused(r#"{"resource_changes":[]}"#), PlanError::Format(_)));
    assert!(matches!(refused(r#"{"format_version":"1.2","resource_changes":[],"errored":true}"#), PlanError::Errored));
}

/// Numbers that look like chance and are the same each time (SplitMix64).
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % (end.max(1) as u64)).expect("it is below a usize")
    }

    /// Damages some bytes: changed, doubled, taken out, cut off.
    fn bytes(&mut self, text: &[u8]) -> Vec<u8> {
        let mut text = text.to_vec();
        for _ in 0..=self.below(3) {
            let (at, length) = (self.below(text.len()), self.below(40));
            let end = (at + length).min(text.len());
            match self.below(5) {
                0 => text.truncate(at),
                1 => drop(text.drain(at..end)),
                2 => drop(text.splice(at..at, text[at..end].to_vec()).collect::<Vec<u8>>()),
                3 => text.insert(at, b"{}[]\",:\\0e-"[self.below(11)]),
                _ => text[at..end]
                    .iter_mut()
                    .take(1)
                    .for_each(|byte| *byte = u8::try_from(self.below(256)).expect("a byte")),
            }
        }
        text
    }

    /// Puts something else into one place, or moves a part of the document there.
    fn structure(&mut self, value: &mut Value, whole: &Value) {
        let number = match value {
            Value::Object(entries) => entries.len(),
            Value::Array(items) => items.len(),
            _ => 0,
        };
        if number == 0 || self.below(7) == 0 {
            *value = match self.below(9) {
                0 => Value::Null,
                1 => json!(true),
                2 => json!([]),
                3 => json!({}),
                4 => json!(-1.5e300),
                5 => json!("\u{1b}[2J\u{202e}é|`<b>"),
                6 => json!([[[[null, { "": [true] }]]]]),
                7 => whole["resource_changes"][self.below(8)]["change"].clone(),
                _ => whole["resource_changes"].clone(),
            };
            return;
        }
        let at = self.below(number);
        let inside = match value {
            Value::Object(entries) => entries.values_mut().nth(at),
            Value::Array(items) => items.get_mut(at),
            _ => None,
        };
        if let Some(inside) = inside {
            self.structure(inside, whole);
        }
    }
}

#[test]
fn a_damaged_plan_is_refused_or_reviewed() {
    let (mut chance, mut reviewed) = (Chance(20_261_125), 0);
    for round in 0..1_500 {
        let real = MORE[round % MORE.len()];
        let damaged = if round % 2 == 0 {
            chance.bytes(real)
        } else {
            let whole: Value = serde_json::from_slice(real).unwrap();
            let mut damaged = whole.clone();
            for _ in 0..=chance.below(4) {
                chance.structure(&mut damaged, &whole);
            }
            damaged.to_string().into_bytes()
        };
        let Ok(pages) = forms(&damaged) else { continue };
        reviewed += 1;
        assert!(pages[0].lines().all(|line| console::measure_text_width(line) <= 80), "{}", pages[0]);
        assert!(pages[1].chars().count() < 65_000 && serde_json::from_str::<Value>(&pages[2]).is_ok());
    }
    assert!(reviewed > 150, "most were refused, so that little was tried: {reviewed}");
}
