//! The nearest known name, for "did you mean …?".

/// How alike two names must be to be taken for a slip of the finger, of 1.
const ALIKE: f64 = 0.75;

/// The known name that is most like the unknown one, if any is.
pub fn nearest<'a>(unknown: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = unknown.to_lowercase();
    let scored = known.into_iter().map(|name| (strsim::jaro_winkler(&lower, &name.to_lowercase()), name));
    let best = scored.filter(|(score, _)| *score >= ALIKE).max_by(|(left, _), (right, _)| left.total_cmp(right));
    best.map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_are_alike_are_suggested() {
        let known = ["source", "target", "from", "instances", "adopt"];
        assert_eq!(nearest("sorce", known), Some("source"));
        assert_eq!(nearest("Targets", known), Some("target"));
        assert_eq!(nearest("region", known), None);
        assert_eq!(nearest("", known), None);
    }
}
