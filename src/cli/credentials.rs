//! Whether the credentials hold as long as the run will take, before it begins.

use jiff::{SignedDuration, Timestamp};

use super::environment::Environment;
use super::error::CliError;
use super::wiring::Connected;
use crate::aws::{Lifetime, Renewal};
use crate::report;
use crate::runbook::Runbook;

/// With less than this left of credentials that nobody renews, a run would stop before it is well begun.
const TOO_SHORT: SignedDuration = SignedDuration::from_mins(5);
/// Where tools that hand credentials on as variables say when they end (AWS CLI: "configure export-credentials").
const ENDS: &str = "AWS_CREDENTIAL_EXPIRATION";

/// What there is to say about the credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Enough,
    Doubtful(String),
    TooShort(String),
}

/// Compares what is left of the credentials with the runbook's expected length. Warns, or refuses.
///
/// # Errors
/// Exit 3: they end within minutes, and nothing renews them.
pub async fn last(connected: &Connected, runbook: &Runbook, environment: &Environment) -> Result<(), CliError> {
    match judged(connected, runbook, environment).await.1 {
        Verdict::Enough => Ok(()),
        Verdict::Doubtful(words) => {
            report::to_stderr(&format!("warning: {words}\n"));
            Ok(())
        }
        Verdict::TooShort(words) => {
            Err(CliError::blocked(words).cause("nothing renews them").hint("log in again; nothing was changed"))
        }
    }
}

/// What is known of the credentials' end, and what there is to say about it.
pub async fn judged(
    connected: &Connected,
    runbook: &Runbook,
    environment: &Environment,
) -> (Option<Lifetime>, Verdict) {
    // Whoever has just asked AWS who it is has credentials; without an answer here nothing is known of their end.
    let Ok(mut lifetime) = connected.aws.lifetime().await else { return (None, Verdict::Enough) };
    if lifetime.renewal == Renewal::Never && lifetime.temporary && lifetime.until.is_none() {
        lifetime.until = told(environment);
    }
    let needed = runbook.critical_path().map_or(SignedDuration::ZERO, |path| path.total);
    let verdict = judge(&lifetime, needed, Timestamp::now());
    (Some(lifetime), verdict)
}

fn told(environment: &Environment) -> Option<Timestamp> {
    let (_, value) = environment.variables.iter().find(|(name, _)| name == ENDS)?;
    value.to_str()?.parse().ok()
}

/// `needed` is the expected length of the run.
fn judge(lifetime: &Lifetime, needed: SignedDuration, now: Timestamp) -> Verdict {
    let wanted = format!("the run is expected to take {}", minutes(needed));
    let Some(until) = lifetime.until else {
        return match lifetime.temporary && lifetime.renewal == Renewal::Never {
            true => Verdict::Doubtful(format!("the credentials are temporary and nobody says when they end; {wanted}")),
            false => Verdict::Enough,
        };
    };
    let left = until.duration_since(now);
    if left >= needed {
        return Verdict::Enough;
    }
    let short = format!("the credentials end in {}", minutes(left.max(SignedDuration::ZERO)));
    match lifetime.renewal {
        Renewal::ByItself => Verdict::Enough,
        Renewal::WhileLoggedIn => Verdict::Doubtful(format!(
            "{short}, and are renewed as long as the login lasts; {wanted}. When it ends half-way the run is held: log in, \
             then resume"
        )),
        Renewal::Never if left < TOO_SHORT => Verdict::TooShort(short),
        Renewal::Never => {
            Verdict::Doubtful(format!("{short}; {wanted}. When they end half-way the run is held: log in, then resume"))
        }
    }
}

fn minutes(time: SignedDuration) -> String {
    match time.as_mins() {
        0 => format!("{} s", time.as_secs()),
        minutes => format!("{minutes} min"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(renewal: Renewal, left_minutes: Option<i64>) -> Verdict {
        let now: Timestamp = "2026-11-22T03:12:00Z".parse().expect("a time");
        let until = left_minutes.map(|minutes| now + SignedDuration::from_mins(minutes));
        judge(&Lifetime { until, renewal, temporary: true }, SignedDuration::from_mins(60), now)
    }

    #[test]
    fn credentials_that_end_too_early_are_told_apart_by_who_renews_them() {
        assert_eq!(judged(Renewal::Never, Some(61)), Verdict::Enough);
        assert_eq!(judged(Renewal::ByItself, Some(1)), Verdict::Enough);
        assert_eq!(judged(Renewal::Never, Some(4)), Verdict::TooShort("the credentials end in 4 min".into()));
        assert_eq!(judged(Renewal::Never, Some(-9)), Verdict::TooShort("the credentials end in 0 s".into()));
        for (renewal, left) in [(Renewal::Never, Some(30)), (Renewal::Never, None), (Renewal::WhileLoggedIn, Some(1))] {
            assert!(matches!(judged(renewal, left), Verdict::Doubtful(_)), "{renewal:?} {left:?}");
        }
    }
}
