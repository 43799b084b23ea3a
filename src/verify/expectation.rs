//! Whether a count is what the manifest expects. Pure.

use std::fmt;

use crate::manifest::{Comparison, Expectation, Quantity};

impl Expectation {
    /// Whether `actual` is as expected.
    pub fn holds(&self, actual: u64) -> bool {
        match self.comparison {
            Comparison::Equal => actual == self.value,
            Comparison::AtLeast => actual >= self.value,
            Comparison::MoreThan => actual > self.value,
            Comparison::AtMost => actual <= self.value,
            Comparison::LessThan => actual < self.value,
        }
    }
}

/// As the manifest writes it: `items >= 1000`.
impl fmt::Display for Expectation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.quantity, self.comparison, self.value)
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Items => "items",
            Self::Objects => "objects",
            Self::Bytes => "bytes",
            Self::Tables => "tables",
            Self::Partitions => "partitions",
        })
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Equal => "==",
            Self::AtLeast => ">=",
            Self::MoreThan => ">",
            Self::AtMost => "<=",
            Self::LessThan => "<",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_comparison_holds_on_its_own_side_of_the_value() {
        let holds = |comparison, actual| Expectation { quantity: Quantity::Items, comparison, value: 10 }.holds(actual);
        let sides = |comparison| [9, 10, 11].map(|actual| holds(comparison, actual));
        assert_eq!(sides(Comparison::Equal), [false, true, false]);
        assert_eq!(sides(Comparison::AtLeast), [false, true, true]);
        assert_eq!(sides(Comparison::MoreThan), [false, false, true]);
        assert_eq!(sides(Comparison::AtMost), [true, true, false]);
        assert_eq!(sides(Comparison::LessThan), [true, false, false]);
    }

    #[test]
    fn reads_as_in_the_manifest() {
        let expectation = Expectation { quantity: Quantity::Items, comparison: Comparison::AtLeast, value: 1000 };
        assert_eq!(expectation.to_string(), "items >= 1000");
    }
}
