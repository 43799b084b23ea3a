//! What an apply was making when it was stopped or failed: Terraform marks it as tainted, and the next plan would destroy
//! it to make it anew. Where it is of a kind that holds data, the guard refuses that, and rightly; so it is kept, and the
//! next plan changes in place what is missing of it.

use super::TerraformError;
use super::args;
use super::state::State;
use super::stateful;
use super::workdir::{Observer, Workdir};

/// The addresses of those that are to be kept.
pub fn half_made(state: &State) -> Vec<&str> {
    let kept = state.tainted.iter().filter(|(_, kind)| stateful::holds_data(kind));
    kept.map(|(address, _)| address.as_str()).collect()
}

impl Workdir {
    /// Keeps what is half made. For steps that have begun an apply: what was tainted before that is not ours to judge.
    ///
    /// # Errors
    /// Terraform's own.
    pub async fn keep_half_made(&self, state: &State, observer: &dyn Observer) -> Result<(), TerraformError> {
        let ready = self.ready(observer).await?;
        self.nothing_unsaved(&ready, observer).await?;
        for address in half_made(state) {
            observer.status(&format!("{address}: kept, although it was only half made"));
            let args = args::untaint(address, self.manifest.terraform.lock_timeout);
            self.follow(&ready, "untaint", args, &[0], observer).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_may_hold_data_is_kept() {
        let tainted = [("module.a.aws_s3_bucket.logs", "aws_s3_bucket"), ("aws_subnet.a[0]", "aws_subnet")];
        let tainted = tainted.map(|(address, kind)| (address.to_owned(), kind.to_owned())).into();
        let state = State { tainted, ..State::default() };
        assert_eq!(half_made(&state), ["module.a.aws_s3_bucket.logs"]);
    }
}
