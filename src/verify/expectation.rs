//! Whether a count is what the manifest expects. Pure.

use std::fmt;

use crate::document::nearest;
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

impl Expectation {
    /// Reads `items >= 1000`, with blanks between the three words, of one of these quantities.
    ///
    /// # Errors
    /// It is written otherwise, or of another quantity; in words, with the nearest known one.
    pub fn read(text: &str, quantities: &[Quantity]) -> Result<Self, String> {
        const COMPARISONS: [Comparison; 5] =
            [Comparison::Equal, Comparison::AtLeast, Comparison::MoreThan, Comparison::AtMost, Comparison::LessThan];
        let names: Vec<String> = quantities.iter().map(ToString::to_string).collect();
        let words: Vec<&str> = text.split_whitespace().collect();
        let [quantity, comparison, value] = words.as_slice() else {
            let example = names.first().map_or("items", String::as_str);
            return Err(format!("write three words, such as: {example} >= 1000"));
        };
        let known = |it: &&Quantity| it.to_string() == *quantity;
        let quantity = quantities.iter().find(known).ok_or_else(|| {
            let hint = match nearest(quantity, names.iter().map(String::as_str)) {
                Some(name) => format!("did you mean {name}?"),
                None => format!("known: {}", names.join(", ")),
            };
            format!("{quantity} is nothing that is counted here; {hint}")
        })?;
        let known = |it: &Comparison| it.to_string() == *comparison;
        let comparison = COMPARISONS.into_iter().find(known).ok_or("known comparisons: ==, >=, >, <=, <")?;
        let value = value.parse().map_err(|_| format!("{value} is no whole number from 0"))?;
        Ok(Self { quantity: *quantity, comparison, value })
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

    #[test]
    fn only_what_is_counted_there_can_be_expected_and_a_slip_is_answered_with_the_name() {
        let read = |text| Expectation::read(text, &[Quantity::Objects, Quantity::Bytes]).map(|it| it.to_string());
        assert_eq!(read(" objects  >= 1000 "), Ok("objects >= 1000".to_owned()));
        assert_eq!(read("bytes == 18446744073709551615"), Ok("bytes == 18446744073709551615".to_owned()));
        let refused = [
            ("object >= 1", "did you mean objects?"),
            ("items >= 1", "known: objects, bytes"),
            ("objects>=1", "such as: objects >= 1000"),
            ("objects => 1", "known comparisons"),
            ("objects >= -1", "no whole number"),
            ("objects >= 18446744073709551616", "no whole number"),
            ("", "three words"),
        ];
        for (text, words) in refused {
            assert!(read(text).is_err_and(|said| said.contains(words)), "{text}: {words}");
        }
    }
}
