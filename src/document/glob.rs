//! Patterns with `*` (any text, also none) and `?` (one character). Everything else stands for itself: the brackets of an
//! instance key are no class of characters here.

/// Whether a pattern is the whole text.
pub fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut at, mut on) = (0, 0);
    // The last star, and how much of the text it has taken: it may take one more whenever what follows does not fit.
    let mut star: Option<(usize, usize)> = None;
    while on < text.len() {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at, on));
                at += 1;
            }
            Some(wanted) if *wanted == '?' || *wanted == text[on] => (at, on) = (at + 1, on + 1),
            _ => match star {
                Some((place, taken)) => {
                    star = Some((place, taken + 1));
                    (at, on) = (place + 1, taken + 1);
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|rest| *rest == '*')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn stars_and_question_marks_and_nothing_else_are_special() {
        for (pattern, text) in [
            ("aws_rds_*", "aws_rds_cluster"),
            ("*", ""),
            ("*.aws_db_instance.*", "module.a[\"x.y\"].aws_db_instance.b[0]"),
            ("a[0]", "a[0]"),
            ("a?c", "a*c"),
            ("*a*b", "xaab"),
        ] {
            assert!(matches(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [("aws_rds", "aws_rds_cluster"), ("a[01]", "a0"), ("?", ""), ("", "a"), ("*b", "ba")] {
            assert!(!matches(pattern, text), "{pattern} {text}");
        }
    }

    proptest! {
        /// Whatever is left out of a text by stars, the rest is found in it.
        #[test]
        fn a_text_is_matched_by_itself_with_parts_left_out(parts in prop::collection::vec("[a-c.\\[\\]]{0,4}", 1..6)) {
            prop_assert!(matches(&parts.join("*"), &parts.join("xyz")));
            prop_assert!(matches(&parts.concat(), &parts.concat()));
        }
    }
}
