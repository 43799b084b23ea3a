//! What an answer of Athena says to a question of the manifest. Pure.

use std::fmt;

use crate::aws::athena::Answer;
use crate::manifest::AthenaCheck;

/// As the manifest writes it: `athena("SELECT COUNT(*) FROM events") >= 1`.
impl fmt::Display for AthenaCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "athena({:?}) {} {}", self.sql, self.comparison, self.value)
    }
}

/// The one number that came.
///
/// # Errors
/// Anything else came; in words, without the value, which may be anybody's name.
pub fn number(answer: &Answer) -> Result<u64, String> {
    let [row] = answer.rows.as_slice() else {
        let came = if answer.rows.is_empty() { "no row" } else { "more than one row" };
        return Err(format!("{came} came, and one was expected"));
    };
    match row.as_slice() {
        [None] => Err("NULL came, and a whole number from 0 was expected".to_owned()),
        [Some(value)] => value.parse().map_err(|_| "something else than a whole number from 0 came".to_owned()),
        row => Err(format!("a row of {} columns came, and one was expected", row.len())),
    }
}

/// What is wrong with it, in words.
pub fn fault(check: &AthenaCheck, found: &Result<u64, String>) -> Option<String> {
    match found {
        Ok(number) if check.comparison.holds(*number, check.value) => None,
        Ok(number) => Some(format!("{check} was expected, found {number}")),
        Err(words) => Some(format!("{check}: {words}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::Comparison;

    #[test]
    fn only_one_whole_number_is_an_answer() {
        let of = |rows: &[&[Option<&str>]]| {
            let rows = rows.iter().map(|row| row.iter().map(|it| it.map(str::to_owned)).collect()).collect();
            number(&Answer { columns: Vec::new(), rows })
        };
        assert_eq!(of(&[&[Some("7")]]), Ok(7));
        for (rows, words) in [
            (&[][..], "no row came"),
            (&[&[Some("7")][..], &[Some("8")]], "more than one row"),
            (&[&[Some("7"), Some("8")][..]], "a row of 2 columns"),
            (&[&[None][..]], "NULL"),
            (&[&[Some("-1")][..]], "something else"),
            (&[&[Some("7.0")][..]], "something else"),
            (&[&[Some("hunter2")][..]], "something else"),
        ] {
            let said = of(rows).expect_err("no number");
            assert!(said.contains(words) && !said.contains("hunter2"), "{said}");
        }
    }

    #[test]
    fn a_fault_names_the_question_and_what_was_found() {
        let check = AthenaCheck { sql: "SELECT 1".into(), comparison: Comparison::AtLeast, value: 2 };
        assert_eq!(fault(&check, &Ok(2)), None);
        assert_eq!(fault(&check, &Ok(1)).as_deref(), Some("athena(\"SELECT 1\") >= 2 was expected, found 1"));
        assert_eq!(
            fault(&check, &Err("no row came".into())).as_deref(),
            Some("athena(\"SELECT 1\") >= 2: no row came")
        );
    }
}
