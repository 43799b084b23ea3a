//! Rotation after a breach: what the intruder may have read is replaced.

use jiff::SignedDuration;

use super::step;
use crate::manifest::{Manifest, RotationRule};
use crate::rotation::Rotation;
use crate::runbook::{Action, NotChecked, Phase, Runbook, StepSpec};

/// Its name in runbooks.
pub const ROTATE: &str = "rotate";

const EXPECTED: SignedDuration = SignedDuration::from_secs(30);
const EXPECTED_OF_CLUSTER: SignedDuration = SignedDuration::from_mins(3);

/// The steps that rotate what the manifest names, for a scenario of their own or as part of another; none where it names nothing.
/// None waits for another, and no two write one secret: the manifest sees to that.
pub fn rotate_steps(manifest: &Manifest) -> Vec<StepSpec> {
    let Some(RotationRule { secrets, clusters, users }) = &manifest.rotation else { return Vec::new() };
    let secrets = secrets.iter().map(|secret| {
        let what = Rotation::Secret { secret: secret.clone() };
        (format!("rotate.secret.{}", name_of(secret)), format!("rotate secret {secret}"), EXPECTED, what)
    });
    let clusters = clusters.iter().map(|it| {
        let title = format!("rotate the master user's password of cluster {}", it.cluster);
        (format!("rotate.cluster.{}", it.cluster), title, EXPECTED_OF_CLUSTER, Rotation::Master(it.clone()))
    });
    let users = users.iter().map(|it| {
        let title = format!("rotate the access keys of user {}", it.user);
        (format!("rotate.user.{}", it.user), title, EXPECTED, Rotation::Keys(it.clone()))
    });
    let all = secrets.chain(clusters).chain(users);
    all.map(|(id, title, expected, what)| {
        step(&id, Phase::Rotation, &[], title, None, expected, Action::Rotate { what })
    })
    .collect()
}

/// A secret's name, without the rest of its ARN.
fn name_of(secret: &str) -> &str {
    secret.split_once(":secret:").map_or(secret, |(_, name)| name)
}

/// What a rotation of what the manifest names leaves open. What turns out to be beyond rotation is told by the steps.
pub fn rotate_not_checked(manifest: &Manifest) -> Vec<NotChecked> {
    let Some(rule) = &manifest.rotation else {
        let why = "the manifest has no rotation block".into();
        return vec![NotChecked { what: "secrets, passwords and access keys that may have been read".into(), why }];
    };
    let note = |what: String, why: &str| NotChecked { what, why: why.to_owned() };
    let mut open = vec![
        note(
            "secrets, passwords and access keys that the rotation block does not name".into(),
            "they are not rotated: other stores, parameters, certificates, SSH keys, tokens of third parties",
        ),
        note(
            "what was begun with the old secrets".into(),
            "open connections, sessions of roles and presigned URLs live on until they end",
        ),
        note(
            "whether the Terraform root declares what was rotated".into(),
            "its next apply would put the old value of a secret or a password back: change it there, or have it ignored",
        ),
        note("whether whoever uses a rotated secret has read the new one".into(), "nobody is asked"),
    ];
    open.extend(rule.clusters.iter().map(|it| {
        note(
            format!("whether cluster {} takes the new password, and passwords of its other users", it.cluster),
            "nobody logs in with it, and RDS knows the master user alone",
        )
    }));
    open.extend(rule.users.iter().map(|it| {
        note(
            format!("console password and MFA devices of user {}", it.user),
            "access keys alone are rotated; the old ones are inactive, and are deleted by hand",
        )
    }));
    open
}

/// The runbook that rotates what the manifest names, in `region`.
pub fn rotate(manifest: &Manifest, region: &str) -> Runbook {
    Runbook {
        scenario: ROTATE.into(),
        environment: manifest.environment.clone(),
        service: manifest.service.clone(),
        account: manifest.account.clone(),
        from_region: region.to_owned(),
        to_region: region.to_owned(),
        steps: rotate_steps(manifest),
        objectives: Vec::new(),
        not_checked: rotate_not_checked(manifest),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;
    use crate::manifest;
    use crate::rotation::{KeyRotation, MasterRotation};
    use crate::scenario::again;

    #[test]
    fn each_thing_named_is_a_step_and_a_resumed_run_has_the_same_ones() {
        let environments = Path::new(env!("CARGO_MANIFEST_DIR")).join("environments");
        let mut manifest = manifest::load(&environments, "prod").unwrap();
        manifest.rotation = Some(RotationRule {
            secrets: vec!["a".into(), "arn:aws:secretsmanager:r:1:secret:b/c-abcdef".into()],
            clusters: vec![MasterRotation { cluster: "a".into(), secret: None }],
            users: vec![KeyRotation { user: "a".into(), secret: "d".into() }],
        });
        let runbook = rotate(&manifest, "eu-west-2");
        let ids: BTreeSet<&str> = runbook.steps.iter().map(|step| step.id.as_str()).collect();
        let expected = ["rotate.cluster.a", "rotate.secret.a", "rotate.secret.b/c-abcdef", "rotate.user.a"];
        assert_eq!(ids, BTreeSet::from(expected));
        assert!(runbook.steps.iter().all(|step| step.phase == Phase::Rotation && step.after.is_empty()));
        manifest.rotation = None;
        assert_eq!(again(&runbook, &manifest), runbook);
        assert_eq!((rotate_steps(&manifest).len(), rotate_not_checked(&manifest).len()), (0, 1));
    }
}
