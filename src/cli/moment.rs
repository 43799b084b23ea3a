//! To which time something is recovered: to one that the operator names, or to how it was before a breach, with a margin.

use clap::Args;
use jiff::{SignedDuration, Timestamp};

use super::args;
use super::error::CliError;
use crate::manifest::{CleanBefore, Manifest};

/// How much earlier than it is known a breach may have begun, unless the operator says otherwise.
const MARGIN: SignedDuration = SignedDuration::from_hours(1);

/// Of which environment something is recovered, and to which time.
#[derive(Args)]
pub struct Moment {
    /// The environment that it belongs to
    #[arg(long, value_name = "ENV")]
    pub env: String,
    /// The time that it shall be as at, with its zone: 2026-11-22T03:00:00Z
    #[arg(long, value_name = "TIME", value_parser = args::time, required_unless_present = "clean_before", conflicts_with_all = ["clean_before", "margin"])]
    to: Option<Timestamp>,
    #[command(flatten)]
    clean: Clean,
}

/// When a breach began, and how sure that is.
#[derive(Args)]
pub struct Clean {
    /// When a breach began, as far as is known. A cluster or a table comes back from its newest clean recovery point: of this
    /// time less the margin or before, and made by nobody whom the containment block shuts out. A bucket or a catalog is
    /// taken back to this time less the margin
    #[arg(long, value_name = "TIME", value_parser = args::time)]
    clean_before: Option<Timestamp>,
    /// How much earlier the breach may have begun: 15m, 1h30m [default: 1h]
    #[arg(long, value_name = "DURATION", value_parser = args::duration, requires = "clean_before")]
    margin: Option<SignedDuration>,
}

impl Clean {
    /// What no manifest is needed for to refuse it.
    ///
    /// # Errors
    /// Exit 2: the time is yet to come.
    pub fn plausible(&self, now: Timestamp) -> Result<(), CliError> {
        past("--clean-before", self.clean_before, now)
    }

    /// Which recovery points count as clean, where that was asked for. Whoever the manifest shuts out has made none.
    pub fn rule(&self, manifest: &Manifest) -> Option<CleanBefore> {
        let refused = manifest.containment.iter().flat_map(|rule| rule.users.iter().chain(&rule.roles));
        self.refusing(refused.cloned().collect())
    }

    fn refusing(&self, refused_makers: Vec<String>) -> Option<CleanBefore> {
        Some(CleanBefore { before: self.clean_before?, margin: self.margin.unwrap_or(MARGIN), refused_makers })
    }

    /// The options that were given.
    pub fn given(&self) -> Vec<(&'static str, String)> {
        let before = self.clean_before.map(|at| ("--clean-before", at.to_string()));
        let margin = self.margin.map(|margin| ("--margin", format!("{}s", margin.as_secs())));
        before.into_iter().chain(margin).collect()
    }
}

fn past(option: &str, at: Option<Timestamp>, now: Timestamp) -> Result<(), CliError> {
    match at {
        Some(at) if at > now => Err(CliError::usage(format!("{option} {at} is in the future"))),
        _ => Ok(()),
    }
}

impl Moment {
    /// What no manifest is needed for to refuse it.
    ///
    /// # Errors
    /// Exit 2: the time is yet to come.
    pub fn plausible(&self, now: Timestamp) -> Result<(), CliError> {
        past("--to", self.to, now)?;
        self.clean.plausible(now)
    }

    /// The newest time that what is brought back may be of.
    pub fn at(&self) -> Timestamp {
        // One of the two is given.
        let clean = || self.clean.refusing(Vec::new()).map(|rule| rule.cutoff());
        self.to.or_else(clean).unwrap_or(Timestamp::MIN)
    }

    /// Where a clean recovery point is sought: which count as clean.
    pub fn clean(&self, manifest: &Manifest) -> Option<CleanBefore> {
        self.clean.rule(manifest)
    }

    /// The command that plans the recovery of `what`, a kind and its name, with what else the operator has said.
    pub fn planned_by(&self, what: [&str; 2], more: &[(&str, &str)]) -> String {
        let to = self.to.map(|at| ("--to", at.to_string()));
        let times: Vec<(&str, String)> = to.into_iter().chain(self.clean.given()).collect();
        let own = times.iter().map(|(name, at)| (*name, at.as_str()));
        let more = [("--env", self.env.as_str())].into_iter().chain(own).chain(more.iter().copied());
        let words = ["lifeboat", "plan", "recover"].into_iter().chain(what);
        // Fails for a NUL alone, which no argument holds.
        shlex::try_join(words.chain(more.flat_map(|(name, value)| [name, value]))).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_breach_takes_the_margin_off_and_the_plans_command_says_both() {
        let before = "2026-11-22T03:00:00Z".parse().unwrap();
        let of = |margin| Moment { env: "prod".into(), to: None, clean: Clean { clean_before: Some(before), margin } };
        assert_eq!(of(None).at().to_string(), "2026-11-22T02:00:00Z");
        let quarter = of(Some(SignedDuration::from_mins(15)));
        assert_eq!(quarter.at().to_string(), "2026-11-22T02:45:00Z");
        assert_eq!(
            quarter.planned_by(["table", "metadata"], &[("--as", "then")]),
            "lifeboat plan recover table metadata --env prod --clean-before 2026-11-22T03:00:00Z --margin 900s --as then"
        );
    }
}
