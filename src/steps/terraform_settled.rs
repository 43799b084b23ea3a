//! Proves that Terraform has nothing left to change, or says what.

use async_trait::async_trait;
use serde_json::json;

use super::terraform_watch::Watch;
use super::{Blocked, Checked, Compensation, Cx, Output, Seen, Step, StepError};
use crate::terraform::Leftover;

pub struct TerraformSettled;

/// The most changes that the error lists.
const LISTED: usize = 20;

#[async_trait]
impl Step for TerraformSettled {
    async fn check(&self, _cx: &Cx) -> Result<Checked, Blocked> {
        Ok(Checked::default())
    }

    async fn observe(&self, _cx: &Cx) -> Result<Seen, StepError> {
        Ok(Seen::Absent)
    }

    async fn apply(&self, cx: &Cx) -> Result<Output, StepError> {
        let leftovers = cx.world.terraform.leftovers(&Watch::new(cx)).await?;
        if leftovers.is_empty() {
            return Ok(json!({ "changes": 0 }));
        }
        Err(StepError::check_failed(told(&leftovers)).hint(
            "an ordinary terraform apply in the recovery workspace would make these changes: make the root and the \
             resources agree, then retry the step",
        ))
    }

    async fn verify(&self, _cx: &Cx, _output: &Output) -> Result<(), StepError> {
        Ok(())
    }

    fn compensation(&self) -> Compensation {
        Compensation::Auto
    }
}

fn told(leftovers: &[Leftover]) -> String {
    let line = |it: &Leftover| match it.attributes.as_slice() {
        [] => format!("- {} would be {}", it.address, it.verb),
        attributes => format!("- {} would be {}: {}", it.address, it.verb, attributes.join(", ")),
    };
    let mut lines: Vec<String> = leftovers.iter().take(LISTED).map(line).collect();
    if leftovers.len() > LISTED {
        lines.push(format!("and {} more", leftovers.len() - LISTED));
    }
    let noun = if leftovers.len() == 1 { "change" } else { "changes" };
    format!("terraform still has {} {noun} to make:\n{}", leftovers.len(), lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_change_is_named_with_its_attributes() {
        let leftover = |address: &str, verb, attributes: &[&str]| Leftover {
            address: address.into(),
            verb,
            attributes: attributes.iter().map(|it| (*it).to_owned()).collect(),
        };
        let told = told(&[
            leftover("aws_rds_cluster.logs", "changed", &["engine_version", "tags"]),
            leftover("output.endpoint", "changed (an output only)", &[]),
        ]);
        insta::assert_snapshot!(told, @r"
        terraform still has 2 changes to make:
        - aws_rds_cluster.logs would be changed: engine_version, tags
        - output.endpoint would be changed (an output only)
        ");
    }
}
