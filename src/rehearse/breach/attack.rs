//! What the intruder does: with stolen keys of the users, and in sessions of the roles, that the manifest's containment names.

use std::time::Duration;

use aws_credential_types::Credentials;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::ground::{Keys, back_up, keys_of, person, put, put_item, role, snapshot};
use crate::aws::{Session, explain};
use crate::manifest::Manifest;
use crate::rehearse::RehearseError;

/// The emulator tells times in whole seconds.
const A_MOMENT: Duration = Duration::from_millis(2100);

/// What the intruder holds.
#[derive(Clone, Debug)]
pub struct Intruder {
    /// Whose credentials these are, with the credentials.
    pub holds: Vec<(String, Credentials)>,
    /// The first that is known of the breach.
    pub known_since: Timestamp,
    /// What CloudTrail has of it.
    pub events: Vec<Value>,
    /// What was written into the data.
    pub poison: &'static str,
}

const POISON: &str = "poisoned";

/// Breaks in: a recovery point of the intruder's own before anybody notices, then poison in every store, then another recovery point.
pub(super) async fn attack(manifest: &Manifest, endpoint: &str) -> Result<Intruder, RehearseError> {
    let Some(rule) = manifest.containment.as_ref().filter(|rule| !rule.users.is_empty() || !rule.roles.is_empty())
    else {
        return Err(RehearseError::Unsupported(
            "the manifest's containment block names nobody who could have broken in".to_owned(),
        ));
    };
    let own = Session::emulated(&manifest.primary.name, endpoint);
    let (mut holds, mut stolen): (Vec<(String, Credentials)>, Vec<Keys>) = (Vec::new(), Vec::new());
    for user in &rule.users {
        let keys = person(&own, user).await?;
        holds.push((format!("user {user}"), Credentials::new(&keys.id, &keys.secret, None, None, "intruder")));
        stolen.push(keys);
    }
    for name in &rule.roles {
        role(&own, name, &manifest.account).await?;
        let arn = format!("arn:aws:iam::{}:role/{name}", manifest.account);
        let session = own.sts().assume_role().role_arn(arn).role_session_name("intruder").send().await;
        let session = session.map_err(explain("sts:AssumeRole"))?;
        let Some(given) = session.credentials() else { continue };
        let token = Some(given.session_token().to_owned());
        let held = Credentials::new(given.access_key_id(), given.secret_access_key(), token, None, "intruder");
        holds.push((format!("a session of role {name}"), held));
    }
    let by = stolen.first().map_or_else(|| rule.roles[0].clone(), |keys| keys.name.clone());
    let hers = own.with_credentials(holds[0].1.clone());
    let mut events = Vec::new();
    // From before the breach is known, and yet nobody's to restore from.
    for table in &manifest.tables {
        let arn = back_up(&hers, table, "hers").await?;
        events.push(event(
            manifest,
            &by,
            "CreateBackup",
            json!({ "backupDetails": { "backupArn": arn } }),
            Value::Null,
        ));
    }
    for cluster in &manifest.clusters {
        let id = format!("{}-hers", cluster.source);
        snapshot(&hers, &cluster.source, &id).await?;
        let asked = json!({ "dBClusterSnapshotIdentifier": id });
        events.push(event(manifest, &by, "CreateDBClusterSnapshot", Value::Null, asked));
    }
    tokio::time::sleep(A_MOMENT).await;
    let known_since = Timestamp::now();
    tokio::time::sleep(A_MOMENT).await;
    for bucket in &manifest.rebuild.buckets {
        put(&hers, bucket, "app/day=00/part-00000.json", POISON).await?;
        put(&hers, bucket, "app/never-there.json", POISON).await?;
        let delete = hers.s3().delete_object().bucket(bucket).key("app/day=01/part-00001.json").send().await;
        delete.map_err(explain("s3:DeleteObject"))?;
    }
    for table in &manifest.tables {
        let keys = keys_of(&hers, table).await?;
        for id in ["item-00000", "never-there"] {
            put_item(&hers, table, &keys, id, POISON).await?;
        }
        back_up(&hers, table, "newest").await?;
    }
    Ok(Intruder { holds, known_since, events, poison: POISON })
}

/// As CloudTrail records it (AWS CloudTrail User Guide: "CloudTrail record contents").
fn event(manifest: &Manifest, user: &str, name: &str, answered: Value, asked: Value) -> Value {
    json!({
        "eventVersion": "1.11", "eventName": name, "eventTime": Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        "awsRegion": manifest.primary.name, "readOnly": false,
        "userIdentity": {
            "type": "IAMUser", "userName": user, "arn": format!("arn:aws:iam::{}:user/{user}", manifest.account)
        },
        "requestParameters": asked, "responseElements": answered,
    })
}
