//! Whether a count is what the manifest expects. Pure.

use std::fmt;
use std::str::FromStr;

use crate::manifest::{Comparison, Expectation, Quantity, RowCheck};

impl Expectation {
    /// Whether `actual` is as expected.
    pub fn holds(&self, actual: u64) -> bool {
        self.comparison.holds(actual, self.value)
    }
}

impl Comparison {
    pub fn holds(self, actual: u64, expected: u64) -> bool {
        match self {
            Self::Equal => actual == expected,
            Self::AtLeast => actual >= expected,
            Self::MoreThan => actual > expected,
            Self::AtMost => actual <= expected,
            Self::LessThan => actual < expected,
        }
    }
}

/// As the manifest writes it: `sql("SELECT COUNT(*) FROM logs") >= 1`, `check_table("logs")`.
impl fmt::Display for RowCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CheckTable(table) => write!(f, "check_table({table:?})"),
            Self::Query { sql, comparison, value } => write!(f, "sql({sql:?}) {comparison} {value}"),
        }
    }
}

/// As the manifest writes it: `items >= 1000`.
impl fmt::Display for Expectation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.quantity, self.comparison, self.value)
    }
}

impl FromStr for Expectation {
    type Err = String;

    /// Reads `items >= 1000`, with blanks between the three words.
    fn from_str(text: &str) -> Result<Self, String> {
        const QUANTITIES: [Quantity; 5] =
            [Quantity::Items, Quantity::Objects, Quantity::Bytes, Quantity::Tables, Quantity::Partitions];
        const COMPARISONS: [Comparison; 5] =
            [Comparison::Equal, Comparison::AtLeast, Comparison::MoreThan, Comparison::AtMost, Comparison::LessThan];
        let words: Vec<&str> = text.split_whitespace().collect();
        let [quantity, comparison, value] = words.as_slice() else {
            return Err("write three words, such as: items >= 1000".to_owned());
        };
        let known = |it: &Quantity| it.to_string() == *quantity;
        let quantity =
            QUANTITIES.into_iter().find(known).ok_or_else(|| format!("{quantity} is nothing that is counted"))?;
        let known = |it: &Comparison| it.to_string() == *comparison;
        let comparison = COMPARISONS.into_iter().find(known).ok_or("known comparisons: ==, >=, >, <=, <")?;
        let value = value.parse().map_err(|_| format!("{value} is no whole number from 0"))?;
        Ok(Self { quantity, comparison, value })
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
