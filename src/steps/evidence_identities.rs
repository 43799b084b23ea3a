//! Keeps what IAM knows of the account: the credential report, and every user, group, role and policy.

use std::time::Duration;

use super::evidence_keep::{About, Keeper, output};
use super::wait::{Ready, wait_until};
use super::{Cx, Output, Progress, StepError};
use crate::aws::iam::{self, CredentialReport};
use crate::evidence::{Collected, EvidencePlace};

/// IAM makes a report within seconds, of a large account within minutes.
const REPORT: Duration = Duration::from_secs(30 * 60);

pub(super) async fn collect(cx: &Cx, place: &EvidencePlace) -> Result<Output, StepError> {
    let keeper = Keeper::of(cx, place).await?;
    let session = &cx.world.aws;
    let report = wait_until(cx, "the credential report", REPORT, || report(cx)).await?;
    let made = report.generated_at.map(|at| format!(" of {at}")).unwrap_or_default();
    let about = About { what: &format!("IAM credential report{made}"), request: "iam:GetCredentialReport" };
    let mut items = vec![keeper.put("iam/credential-report.csv", report.content, about).await?];
    let about = About { what: "users, groups, roles and policies", request: "iam:GetAccountAuthorizationDetails" };
    let (mut lines, mut marker) = (keeper.lines("iam/authorization-details", about), None);
    loop {
        let (found, next) = iam::authorization_details(session, marker).await?;
        for item in &found {
            lines.push(&item.to_string()).await?;
        }
        cx.progress(Progress::Count { done: lines.count(), total: None, unit: "identities".into() });
        marker = next;
        if marker.is_none() {
            break;
        }
    }
    items.extend(lines.finish().await?);
    Ok(output(&Collected { items, ..Collected::default() }))
}

async fn report(cx: &Cx) -> Result<Ready<CredentialReport>, StepError> {
    let session = &cx.world.aws;
    if !iam::generate_credential_report(session).await? {
        return Ok(Ready::NotYet("being made".into()));
    }
    let report = iam::credential_report(session).await?;
    Ok(report.map_or_else(|| Ready::NotYet("not ready".into()), Ready::Yes))
}
