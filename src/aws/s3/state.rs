//! The Terraform state that an S3 backend keeps.

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::Value;

use super::broken;
use super::object::{Content, read};
use crate::aws::{AwsError, Session};
use crate::manifest::Region;
use crate::terraform::state::{State, StateStore};

/// The largest state object that is read; Terraform's own states of tens of thousands of resources are smaller.
const STATE_LIMIT_BYTES: u64 = 256 * 1024 * 1024;

/// The part of a Terraform state (format version 4) that lifeboat reads.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct TerraformState {
    pub version: u64,
    pub serial: u64,
    pub lineage: String,
    #[serde(default)]
    pub outputs: BTreeMap<String, StateOutput>,
}

/// A root output as a Terraform state keeps it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct StateOutput {
    pub value: Value,
    #[serde(default)]
    pub sensitive: bool,
}

/// The object that Terraform's S3 backend keeps a workspace's state in (Terraform: "Backend Type: s3").
pub fn state_key(region: &Region) -> String {
    if region.workspace == "default" {
        return region.backend.key.clone();
    }
    let prefix = region.backend.extra.get("workspace_key_prefix").and_then(Value::as_str).unwrap_or("env:");
    format!("{prefix}/{}/{}", region.workspace, region.backend.key)
}

/// The state object of a region, for Terraform's own room.
pub struct StateObject {
    session: Session,
    region: Region,
}

impl StateObject {
    pub fn of(session: &Session, region: &Region) -> Self {
        Self { session: session.clone(), region: region.clone() }
    }
}

#[async_trait]
impl StateStore for StateObject {
    async fn document(&self) -> Result<Option<Vec<u8>>, AwsError> {
        Ok(state_object(&self.session, &self.region).await?.map(|content| content.bytes))
    }
}

async fn state_object(session: &Session, region: &Region) -> Result<Option<Content>, AwsError> {
    match read(session, &region.backend.bucket, &state_key(region), STATE_LIMIT_BYTES).await {
        Err(error) if error.is("NoSuchBucket") => Ok(None),
        answer => answer,
    }
}

/// The managed resources of a workspace's state, address to id; none where nothing was applied yet.
///
/// # Errors
/// As [`recovery_state`].
pub async fn recovery_resources(session: &Session, region: &Region) -> Result<BTreeMap<String, String>, AwsError> {
    let Some(content) = state_object(session, region).await? else { return Ok(BTreeMap::new()) };
    let state = State::read(content.bytes.as_slice()).map_err(|error| {
        broken("s3:GetObject", format!("s3://{}/{}: {error}", region.backend.bucket, state_key(region)))
    })?;
    Ok(state.resources)
}

/// Reads a workspace's state from its S3 backend; `None` where nothing was applied yet. Resources are not kept.
///
/// # Errors
/// AWS refused, or the object is not a Terraform state of format version 4.
pub async fn recovery_state(session: &Session, region: &Region) -> Result<Option<TerraformState>, AwsError> {
    let (bucket, key) = (&region.backend.bucket, state_key(region));
    let Some(content) = state_object(session, region).await? else { return Ok(None) };
    let state: TerraformState = serde_json::from_slice(&content.bytes)
        .map_err(|error| broken("s3:GetObject", format!("s3://{bucket}/{key} is not a Terraform state: {error}")))?;
    if state.version != 4 {
        let message = format!("s3://{bucket}/{key} is a Terraform state of format version {}, not 4", state.version);
        return Err(broken("s3:GetObject", message));
    }
    Ok(Some(state))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::Backend;

    #[test]
    fn the_state_of_a_workspace_is_where_terraform_puts_it() {
        let backend =
            Backend { bucket: "b".into(), key: "x/l.tfstate".into(), use_lockfile: true, extra: BTreeMap::new() };
        let mut region = Region { name: "r".into(), workspace: "default".into(), backend, variables: BTreeMap::new() };
        assert_eq!(state_key(&region), "x/l.tfstate");
        region.workspace = "prod-dr".into();
        assert_eq!(state_key(&region), "env:/prod-dr/x/l.tfstate");
        region.backend.extra.insert("workspace_key_prefix".into(), "ws".into());
        assert_eq!(state_key(&region), "ws/prod-dr/x/l.tfstate");
    }
}
