//! Plans that no Terraform at hand would write are made up here; those that it does write are in `tests/it/review.rs`.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn review(changes: &Value) -> Review {
    let plan = json!({ "format_version": "1.2", "resource_changes": changes });
    Review::of(&Plan::parse(plan.to_string().as_bytes()).unwrap())
}

fn change(address: &str, actions: &[&str]) -> Value {
    let kind = address.rsplit_once('.').map_or("", |(before, _)| before.rsplit('.').next().unwrap_or(before));
    json!({ "address": address, "mode": "managed", "type": kind, "name": "x",
            "change": { "actions": actions, "before": {}, "after": {}, "after_unknown": {} } })
}

#[test]
fn losses_come_first_and_then_what_is_at_stake() {
    let review = review(&json!([
        change("aws_vpc.a", &["create"]),
        change("aws_vpc.b", &["update"]),
        change("aws_vpc.c", &["delete"]),
        change("aws_vpc.d", &["delete", "create"]),
        change("aws_vpc.e", &["no-op"]),
        change("aws_s3_bucket.f", &["delete"]),
        change("aws_s3_bucket.g", &["create", "delete"]),
        change("aws_s3_bucket.h", &["update"]),
        change("aws_vpc.i", &["transmogrify"]),
        change("aws_vpc.j", &["forget"]),
    ]));
    let order: Vec<&str> = review.changes.iter().map(|it| &it.address[it.address.len() - 1..]).collect();
    assert_eq!(order.concat(), "igfdcjhba");
    assert_eq!(review.losses().count(), 3, "what is not understood is never taken for harmless");
    let Totals { create, update, replace, destroy, forget, unknown, .. } = review.totals;
    assert_eq!((create, update, replace, destroy, forget, unknown), (1, 2, 2, 2, 1, 1));
    assert_eq!(review.by_type.iter().map(|it| it.name.as_str()).collect::<Vec<_>>(), ["aws_vpc", "aws_s3_bucket"]);
}

#[test]
fn what_is_only_imported_or_moved_is_told_and_what_is_left_alone_is_not() {
    let mut imported = change("aws_vpc.a", &["no-op"]);
    imported["change"]["importing"] = json!({ "id": "vpc-1" });
    let mut moved = change("module.new.aws_vpc.b", &["no-op"]);
    moved["previous_address"] = "aws_vpc.b".into();
    let review = review(&json!([imported, moved, change("aws_vpc.c", &["no-op"])]));
    let told: Vec<_> = review.changes.iter().map(|it| (it.address.as_str(), it.effect)).collect();
    assert_eq!(told, [("aws_vpc.a", Effect::Import), ("module.new.aws_vpc.b", Effect::Move)]);
    assert_eq!((review.totals.import, review.totals.moved), (1, 1));
    assert!(!review.is_empty());
}

#[test]
fn the_module_is_what_stands_before_the_resource() {
    for (address, expected) in [
        ("aws_vpc.main", ""),
        ("module.a.aws_vpc.main[0]", "module.a"),
        ("module.a[\"x.y\"].module.b[0].aws_vpc.main[\"module.c.d\"]", "module.a[\"x.y\"].module.b[0]"),
        ("module.a[\"q\\\".\"].data.aws_region.here", "module.a[\"q\\\".\"]"),
        ("module.", ""),
    ] {
        assert_eq!(module(address), expected, "{address}");
    }
}

proptest! {
    /// The totals are those of the plan's own count, which is Terraform's.
    #[test]
    fn totals_agree_with_the_plans_own_count(actions in prop::collection::vec(0_usize..8, 0..60)) {
        const ALL: [&[&str]; 8] = [&["no-op"], &["create"], &["update"], &["delete"], &["delete", "create"],
            &["create", "delete"], &["read"], &["forget"]];
        let changes: Vec<Value> =
            actions.iter().enumerate().map(|(nr, which)| change(&format!("aws_vpc.v{nr}"), ALL[*which])).collect();
        let plan = json!({ "format_version": "1.2", "resource_changes": changes });
        let plan = Plan::parse(plan.to_string().as_bytes()).unwrap();
        let (counts, totals) = (plan.counts(), Review::of(&plan).totals);
        prop_assert_eq!((counts.add, counts.change, counts.destroy), (totals.added(), totals.update, totals.destroyed()));
        prop_assert_eq!(totals.create + totals.update + totals.replace + totals.destroy + totals.forget + totals.read,
            actions.iter().filter(|which| **which != 0).count() as u64);
    }

    #[test]
    fn no_address_makes_it_panic(address in ".*") {
        let found = module(&address);
        prop_assert!(address.starts_with(&found));
    }
}
