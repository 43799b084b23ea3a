//! The JSON of a plan, whatever is in it, is refused or reviewed: nothing panics, and the short reading of a plan gives
//! the same review as the full one. How to run it: CONTRIBUTING.md.

#![no_main]

use libfuzzer_sys::fuzz_target;
use lifeboat::report::{self, Look};
use lifeboat::review::Review;
use lifeboat::terraform::plan::Plan;

fuzz_target!(|json: &[u8]| {
    let Ok(plan) = Plan::parse(json) else { return };
    let review = Review::of(&plan);
    if let Ok(short) = Plan::read_for_review(json) {
        assert_eq!(review, Review::of(&short));
    }
    for width in [80, 40] {
        assert!(!report::review(&review, Look { width, color: width == 40 }).is_empty());
    }
    assert!(report::review_markdown(&review).chars().count() < 65_000);
    report::review_json(&review).expect("a review is JSON");
});
