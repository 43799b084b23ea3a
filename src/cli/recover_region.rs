//! In which of the manifest's two regions the thing is that shall be recovered.

use super::error::CliError;
use super::wiring::Connected;
use crate::aws::{AwsError, Session};
use crate::manifest::Manifest;

/// What is looked for.
pub struct Sought {
    /// `table metadata`
    pub what: String,
    /// What to do where it is in neither region.
    pub deleted: &'static str,
    /// What to know where it is in both.
    pub doubled: &'static str,
}

/// Clients for the region where it is. Where the operator names the region, no other one is asked.
///
/// # Errors
/// It is in none of the two, in both, or a region does not answer.
pub async fn region_of(
    sought: Sought,
    named: Option<&str>,
    manifest: &Manifest,
    connected: &Connected,
    has: impl AsyncFn(&Session) -> Result<bool, AwsError>,
) -> Result<Session, CliError> {
    let Sought { what, deleted, doubled } = sought;
    let (first, second) = (&manifest.primary.name, &manifest.recovery.name);
    match named {
        Some(region) if region == first || region == second => return Ok(connected.aws_in(region).await),
        Some(region) => {
            let known = format!("{} knows {first} and {second}", manifest.path.display());
            return Err(CliError::usage(format!("{region} is no region of {}", manifest.environment)).cause(known));
        }
        None => {}
    }
    let primary = connected.aws_in(first).await;
    let unusable = |error: AwsError| {
        CliError::blocked(format!("{what} cannot be looked for in both regions; nothing was changed"))
            .cause(error.to_string())
            .hint("name its region with --region: then no other is asked")
    };
    let (in_primary, in_recovery) = tokio::try_join!(has(&primary), has(&connected.aws)).map_err(unusable)?;
    match (in_primary, in_recovery) {
        (true, false) => Ok(primary),
        (false, true) => Ok(connected.aws.clone()),
        (false, false) => {
            let cause = format!("there is no {what} in {first} or {second}; nothing was changed");
            Err(CliError::blocked(cause).hint(deleted))
        }
        (true, true) => Err(CliError::blocked(format!("{what} is in {first} and in {second}"))
            .cause("its name does not say which is meant")
            .hint(format!("name its region with --region; {doubled}"))),
    }
}
