//! Containment after a breach: who is shut out, and what lets them in again.

use std::collections::BTreeMap;

use jiff::SignedDuration;

use super::step;
use crate::containment::{Containment, Release, SpareRole, SpareUser};
use crate::journal::RunState;
use crate::manifest::{ContainmentRule, Manifest};
use crate::runbook::{Action, NotChecked, Phase, Runbook, StepId, StepSpec};
use crate::steps::BEFORE;

/// Their names in runbooks.
pub const CONTAIN: &str = "contain";
pub const RELEASE: &str = "release";

const EXPECTED: SignedDuration = SignedDuration::from_secs(10);

/// The steps that shut out whom a rule names, for a scenario of their own or as part of another. None waits for another:
/// what cannot be done to one must not spare the next.
pub fn contain_steps(rule: &ContainmentRule) -> Vec<StepSpec> {
    let break_glass = &rule.break_glass;
    let users = rule.users.iter().map(|name| {
        let user = SpareUser { name: name.clone(), break_glass: break_glass.clone() };
        (format!("contain.user.{name}"), format!("shut user {name} out"), Containment::User(user))
    });
    let roles = rule.roles.iter().map(|name| {
        let narrow_trust = rule.narrow_trust;
        let role = SpareRole { name: name.clone(), narrow_trust, break_glass: break_glass.clone() };
        (format!("contain.role.{name}"), format!("shut the sessions of role {name} out"), Containment::Role(role))
    });
    let all: BTreeMap<String, (String, Containment)> =
        users.chain(roles).map(|(id, title, what)| (id, (title, what))).collect();
    all.into_iter()
        .map(|(id, (title, what))| step(&id, Phase::Containment, &[], title, None, EXPECTED, Action::Contain { what }))
        .collect()
}

/// The runbook that shuts out whom a rule names.
pub fn contain(manifest: &Manifest, region: &str, rule: &ContainmentRule) -> Runbook {
    runbook(CONTAIN, manifest, region, contain_steps(rule), contain_not_checked(rule))
}

/// What a containment of those whom a rule names leaves open.
pub fn contain_not_checked(rule: &ContainmentRule) -> Vec<NotChecked> {
    let users = rule.users.iter().map(|name| NotChecked {
        what: format!("sessions of roles that user {name} has begun"),
        why: "they are the roles': contain those as well".into(),
    });
    let open = rule.roles.iter().filter(|_| !rule.narrow_trust).map(|name| NotChecked {
        what: format!("new sessions of role {name}"),
        why: "whoever its trust policy lets in may begin one: narrow_trust stops that".into(),
    });
    let policies = NotChecked {
        what: "whether every service refuses already".into(),
        why: "IAM is eventually consistent: a change is in force within seconds, seldom minutes".into(),
    };
    let nobody = (rule.users.is_empty() && rule.roles.is_empty()).then(|| NotChecked {
        what: "whether whoever broke in still has access".into(),
        why: "the containment block names nobody to be shut out".into(),
    });
    users.chain(open).chain([policies]).chain(nobody).collect()
}

/// The runbook that takes back what a run has contained, by what its journal says was there before. A step that has noted
/// nothing has changed nothing.
pub fn release(manifest: &Manifest, contained: &RunState) -> Option<Runbook> {
    let started = contained.started.as_ref()?;
    let region = &started.runbook.to_region;
    let mut not_checked = Vec::new();
    let steps = started.runbook.steps.iter().filter_map(|spec| {
        let Action::Contain { what } = &spec.action else { return None };
        let before = contained.steps.get(&spec.id)?.notes.get(BEFORE)?.clone();
        let (id, title, what) = match what {
            Containment::User(user) => {
                let before: crate::containment::UserBefore = serde_json::from_value(before).ok()?;
                let name = user.name.clone();
                if before.login_profile {
                    not_checked.push(NotChecked {
                        what: format!("the console password of user {name}"),
                        why: format!(
                            "it could not be read, so it is gone: aws iam create-login-profile --user-name {name}"
                        ),
                    });
                }
                let what = Release::User { user: user.clone(), before };
                (format!("release.user.{name}"), format!("let user {name} in again"), what)
            }
            Containment::Role(role) => {
                let before = serde_json::from_value(before).ok()?;
                let what = Release::Role { role: role.clone(), before };
                (
                    format!("release.role.{}", role.name),
                    format!("let the sessions of role {} in again", role.name),
                    what,
                )
            }
        };
        Some(StepSpec {
            id: StepId::new(id),
            title,
            action: Action::Release { what },
            after: Vec::new(),
            ..spec.clone()
        })
    });
    let steps: Vec<StepSpec> = steps.collect();
    Some(runbook(RELEASE, manifest, region, steps, not_checked))
}

fn runbook(
    scenario: &str,
    manifest: &Manifest,
    region: &str,
    steps: Vec<StepSpec>,
    not_checked: Vec<NotChecked>,
) -> Runbook {
    Runbook {
        scenario: scenario.into(),
        environment: manifest.environment.clone(),
        service: manifest.service.clone(),
        account: manifest.account.clone(),
        from_region: region.to_owned(),
        to_region: region.to_owned(),
        steps,
        objectives: Vec::new(),
        not_checked,
    }
}
