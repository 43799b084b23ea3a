//! The expectations of a manifest that counts do not meet, in words. Pure.

use crate::manifest::{Expectation, Quantity};

/// The expectations that do not hold, in words; `count` knows the quantities that can be counted here.
pub fn unmet(expectations: &[Expectation], count: impl Fn(Quantity) -> Option<u64>) -> Option<String> {
    let mut said = Vec::new();
    for expectation in expectations {
        match count(expectation.quantity) {
            None => said.push(format!("{expectation} was expected, which cannot be counted here")),
            Some(actual) if !expectation.holds(actual) => {
                said.push(format!("{expectation} was expected, found {actual}"))
            }
            Some(_) => {}
        }
    }
    (!said.is_empty()).then(|| said.join("; "))
}
