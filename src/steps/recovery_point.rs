//! Choosing the recovery point: the newest one that can be restored now. Pure.

use jiff::Timestamp;

use super::Blocked;
use crate::aws::RecoveryWindow;

/// Something that stands in the recovery region and holds the data at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// How it is named to people and in requests: an ARN.
    pub arn: String,
    /// The time of its data, as far as it is known.
    pub at: Option<Timestamp>,
    pub state: CandidateState,
}

/// Whether it can be restored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CandidateState {
    Usable,
    /// Not yet, with AWS's own word and how far it is: `copying, 40 %`.
    Pending(String),
    /// It will not become so by itself; the reason.
    Unusable(String),
}

/// The chosen one, and what the operator should know about those that were not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chosen {
    /// Place in the list that was given.
    pub index: usize,
    pub warnings: Vec<String>,
}

/// Why there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoneUsable {
    Nothing,
    /// All are still being made; the newest first.
    Pending(Vec<String>),
    Unusable(Vec<String>),
}

/// The newest usable candidate. Newer ones that are not usable are warned of, because they would have lost less.
///
/// # Errors
/// None is usable.
pub fn newest(candidates: &[Candidate]) -> Result<Chosen, NoneUsable> {
    let mut order: Vec<usize> = (0..candidates.len()).collect();
    // Newest first; without a time last. The ARN makes the choice the same every time.
    order.sort_by(|a, b| {
        let key = |index: &usize| (candidates[*index].at, candidates[*index].arn.as_str());
        key(b).cmp(&key(a))
    });
    let usable = order.iter().position(|index| candidates[*index].state == CandidateState::Usable);
    let Some(place) = usable else { return Err(none_usable(&order, candidates)) };
    let warnings = order[..place].iter().filter_map(|index| passed_over(&candidates[*index])).collect();
    Ok(Chosen { index: order[place], warnings })
}

fn none_usable(order: &[usize], candidates: &[Candidate]) -> NoneUsable {
    let named = |pending: bool| -> Vec<String> {
        let words = order.iter().filter_map(|index| match &candidates[*index] {
            Candidate { arn, state: CandidateState::Pending(status), .. } if pending => Some((arn, status)),
            Candidate { arn, state: CandidateState::Unusable(reason), .. } if !pending => Some((arn, reason)),
            _ => None,
        });
        words.map(|(arn, word)| format!("{arn} ({word})")).collect()
    };
    match (named(true), named(false)) {
        (pending, _) if !pending.is_empty() => NoneUsable::Pending(pending),
        (_, unusable) if !unusable.is_empty() => NoneUsable::Unusable(unusable),
        _ => NoneUsable::Nothing,
    }
}

fn passed_over(candidate: &Candidate) -> Option<String> {
    let Candidate { arn, at, state } = candidate;
    let at = at.map_or_else(|| "an unknown time".to_owned(), |at| at.to_string());
    match state {
        CandidateState::Usable => None,
        CandidateState::Pending(status) => {
            Some(format!("{arn}, of {at}, is newer but not ready ({status}): check again once it is, to lose less"))
        }
        CandidateState::Unusable(reason) => Some(format!("{arn}, of {at}, is newer but cannot be used: {reason}")),
    }
}

/// Whether something can be restored to that time: `table metadata`.
///
/// # Errors
/// The time is outside the window.
pub fn within(what: &str, window: RecoveryWindow, at: Timestamp) -> Result<(), Blocked> {
    let RecoveryWindow { earliest, latest } = window;
    if (earliest..=latest).contains(&at) {
        return Ok(());
    }
    let hint = match at > latest {
        true => "the newest five minutes cannot be restored yet: name a time up to the end of the window, or wait",
        false => "name a time within the window, or restore an older backup",
    };
    Err(Blocked {
        cause: format!("{what} can be restored to a time from {earliest} to {latest}; {at} is outside"),
        hint: Some(hint.to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(arn: &str, at: &str, state: CandidateState) -> Candidate {
        Candidate { arn: arn.to_owned(), at: at.parse().ok(), state }
    }

    #[test]
    fn the_newest_usable_one_is_chosen_whatever_the_order() {
        let old = candidate("old", "2026-11-20T00:00:00Z", CandidateState::Usable);
        let new = candidate("new", "2026-11-21T00:00:00Z", CandidateState::Usable);
        let undated = candidate("undated", "", CandidateState::Usable);
        assert_eq!(newest(&[old.clone(), new.clone(), undated.clone()]).map(|chosen| chosen.index), Ok(1));
        assert_eq!(newest(&[undated, new, old]).map(|chosen| chosen.index), Ok(1));
    }

    #[test]
    fn one_that_is_still_copying_is_warned_of_when_an_older_one_serves() {
        let old = candidate("old", "2026-11-20T00:00:00Z", CandidateState::Usable);
        let copying = candidate("new", "2026-11-21T00:00:00Z", CandidateState::Pending("copying, 40 %".into()));
        let chosen = newest(&[copying, old]).expect("the old one serves");
        assert_eq!(chosen.index, 1);
        let said = "new, of 2026-11-21T00:00:00Z, is newer but not ready (copying, 40 %): \
                    check again once it is, to lose less";
        assert_eq!(chosen.warnings, [said]);
    }

    #[test]
    fn nothing_usable_says_what_there_is() {
        let copying = candidate("new", "2026-11-21T00:00:00Z", CandidateState::Pending("copying, 40 %".into()));
        let failed = candidate("bad", "2026-11-22T00:00:00Z", CandidateState::Unusable("failed".into()));
        assert_eq!(newest(&[]), Err(NoneUsable::Nothing));
        let pending = NoneUsable::Pending(vec!["new (copying, 40 %)".into()]);
        assert_eq!(newest(&[failed.clone(), copying]), Err(pending));
        assert_eq!(newest(&[failed]), Err(NoneUsable::Unusable(vec!["bad (failed)".into()])));
    }

    #[test]
    fn a_time_outside_the_window_is_refused_with_the_window() {
        let time = |text: &str| text.parse::<Timestamp>().expect("a time");
        let window = RecoveryWindow { earliest: time("2026-11-01T00:00:00Z"), latest: time("2026-11-22T03:05:00Z") };
        let refused = |at| within("table t", window, time(at)).expect_err("it is refused");
        for at in ["2026-11-01T00:00:00Z", "2026-11-22T03:05:00Z"] {
            assert_eq!(within("table t", window, time(at)), Ok(()));
        }
        assert!(refused("2026-11-22T03:05:01Z").hint.is_some_and(|hint| hint.contains("five minutes")));
        assert!(refused("2026-10-31T23:59:59Z").cause.contains("table t can be restored to a time from 2026-11-01T"));
    }
}
