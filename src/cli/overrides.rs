//! `--override GUARD --because "…"`: the operator lets through what a guard of the manifest would refuse.

use std::collections::BTreeSet;

use clap::Args;
use clap::builder::NonEmptyStringValueParser;

use super::error::CliError;
use crate::document::nearest;
use crate::guard;
use crate::journal::Event;

#[derive(Args, Clone, Debug, Default)]
pub struct Overrides {
    /// Go on although a guard of the manifest refuses the plan, or without an approval (repeatable): its key in the guard
    /// block, or `approval`; the report says so
    #[arg(long = "override", value_name = "GUARD", requires = "because")]
    pub guards: Vec<String>,
    /// Why: a guard is overridden, a step left out, the run given up, or worked on without a lease
    #[arg(long, value_name = "TEXT", requires = "decision", value_parser = NonEmptyStringValueParser::new())]
    pub because: Option<String>,
}

impl Overrides {
    /// Refuses names that no guard has.
    ///
    /// # Errors
    /// Exit 2, with the name that was probably meant.
    pub fn check(&self) -> Result<(), CliError> {
        let known = || guard::ALL.into_iter().chain([guard::APPROVAL]);
        let Some(unknown) = self.guards.iter().find(|name| !known().any(|known| known == name.as_str())) else {
            return Ok(());
        };
        Err(CliError::usage(format!("there is no guard {unknown}")).hint(match nearest(unknown, known()) {
            Some(nearest) => format!("did you mean {nearest}?"),
            None => format!("known: {}", known().collect::<Vec<_>>().join(", ")),
        }))
    }

    pub fn names(&self) -> BTreeSet<String> {
        self.guards.iter().cloned().collect()
    }

    /// What the journal keeps of them; `by` is the caller's ARN.
    pub fn events(&self, by: &str) -> Vec<Event> {
        let because = self.because.clone().unwrap_or_default();
        let event = |guard: String| Event::GuardOverridden { guard, because: because.clone(), by: by.to_owned() };
        self.names().into_iter().map(event).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(names: &[&str]) -> Overrides {
        Overrides { guards: names.iter().map(|it| (*it).to_owned()).collect(), because: Some("known".into()) }
    }

    #[test]
    fn a_guard_that_is_none_is_refused_with_the_name_that_was_meant() {
        assert!(of(&["protect", "approval"]).check().is_ok());
        let error = of(&["protect", "protect_type"]).check().unwrap_err();
        assert_eq!((error.exit as u8, error.hint.as_deref()), (2, Some("did you mean protect_types?")));
        let error = of(&["zzz"]).check().unwrap_err();
        assert!(
            error.hint.is_some_and(|hint| hint.starts_with("known: max_destroys, ") && hint.ends_with(", approval"))
        );
    }

    #[test]
    fn each_guard_is_journalled_once_with_who_and_why() {
        let event = |guard: &str| Event::GuardOverridden {
            guard: guard.into(),
            because: "known".into(),
            by: "arn:aws:iam::1:user/ops".into(),
        };
        let events = of(&["static", "protect", "static"]).events("arn:aws:iam::1:user/ops");
        assert_eq!(events, [event("protect"), event("static")]);
    }
}
