//! How much the world holds: enough for the manifest's expectations, and never more than an emulator can bear. Pure.

use super::super::RehearseError;
use crate::manifest::{Comparison, Expectation, Quantity};

/// An amount that fits all expectations of a quantity, as near to `usual` as they let it be.
///
/// # Errors
/// The expectations contradict one another, or ask for more than `most`.
pub fn amount(
    what: &str,
    quantity: Quantity,
    expectations: &[Expectation],
    usual: u64,
    most: u64,
) -> Result<u64, RehearseError> {
    let (mut low, mut high) = (0, most);
    for expectation in expectations.iter().filter(|expectation| expectation.quantity == quantity) {
        let value = expectation.value;
        match expectation.comparison {
            Comparison::Equal => (low, high) = (low.max(value), high.min(value)),
            Comparison::AtLeast => low = low.max(value),
            Comparison::MoreThan => low = low.max(value.saturating_add(1)),
            Comparison::AtMost => high = high.min(value),
            Comparison::LessThan => high = high.min(value.saturating_sub(1)),
        }
    }
    if low > high {
        return Err(RehearseError::Unsupported(format!(
            "{what} expects at least {low} {quantity:?}, and it can have {high} at most"
        )));
    }
    Ok(usual.clamp(low, high))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items(expectations: &[(Comparison, u64)]) -> Result<u64, RehearseError> {
        let expectations: Vec<_> = expectations
            .iter()
            .map(|(comparison, value)| Expectation {
                quantity: Quantity::Items,
                comparison: *comparison,
                value: *value,
            })
            .collect();
        amount("table metadata", Quantity::Items, &expectations, 1000, 20_000)
    }

    #[test]
    fn the_usual_amount_gives_way_to_what_is_expected() {
        assert_eq!(items(&[]).expect("an amount"), 1000);
        assert_eq!(items(&[(Comparison::AtLeast, 10)]).expect("an amount"), 1000);
        assert_eq!(items(&[(Comparison::MoreThan, 1500)]).expect("an amount"), 1501);
        assert_eq!(items(&[(Comparison::LessThan, 100)]).expect("an amount"), 99);
        assert_eq!(items(&[(Comparison::Equal, 7)]).expect("an amount"), 7);
    }

    #[test]
    fn too_much_is_refused() {
        assert!(items(&[(Comparison::AtLeast, 1_000_000)]).is_err());
        assert!(items(&[(Comparison::AtLeast, 9), (Comparison::LessThan, 9)]).is_err());
    }
}
