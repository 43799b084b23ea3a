//! Containment after a breach: who and what is shut out, and what lets them in again.

use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;
use serde_json::{Value, from_value};

use super::step;
use crate::containment::{
    AclPlace, AddressBlock, Cidr, Containment, IpSetBlock, Release, SpareBucket, SpareInstance, SpareRole, SpareUser,
    UserBefore,
};
use crate::journal::RunState;
use crate::manifest::{ContainmentRule, Manifest};
use crate::runbook::{Action, NotChecked, Phase, Runbook, StepId, StepSpec};
use crate::steps::BEFORE;

/// Their names in runbooks.
pub const CONTAIN: &str = "contain";
pub const RELEASE: &str = "release";

const EXPECTED: SignedDuration = SignedDuration::from_secs(10);

/// The steps that shut out whom and what a rule names, for a scenario of their own or as part of another. None waits for
/// another: what cannot be done to one must not spare the next.
pub fn contain_steps(rule: &ContainmentRule) -> Vec<StepSpec> {
    let all: BTreeMap<String, (String, Containment)> =
        identities(rule).chain(network(rule)).map(|(id, title, what)| (id, (title, what))).collect();
    all.into_iter()
        .map(|(id, (title, what))| step(&id, Phase::Containment, &[], title, None, EXPECTED, Action::Contain { what }))
        .collect()
}

type Named = (String, String, Containment);

fn identities(rule: &ContainmentRule) -> impl Iterator<Item = Named> {
    let glass = || rule.break_glass.clone();
    let users = rule.users.iter().map(move |name| {
        let user = SpareUser { name: name.clone(), break_glass: glass() };
        (format!("contain.user.{name}"), format!("shut user {name} out"), Containment::User(user))
    });
    let roles = rule.roles.iter().map(move |name| {
        let role = SpareRole { name: name.clone(), narrow_trust: rule.narrow_trust, break_glass: glass() };
        (format!("contain.role.{name}"), format!("shut the sessions of role {name} out"), Containment::Role(role))
    });
    users.chain(roles)
}

/// Addresses, instances and buckets.
fn network(rule: &ContainmentRule) -> impl Iterator<Item = Named> {
    let glass = || rule.break_glass.clone();
    // Each once, however it was written; where there is none, nothing is denied anywhere.
    let cidrs: Vec<Cidr> = rule.addresses.iter().copied().collect::<BTreeSet<_>>().into_iter().collect();
    let denied = !cidrs.is_empty();
    let acls = rule.network_acls.iter().cloned().map(|id| (AclPlace::NetworkAcl(id), Vec::new()));
    let vpcs = rule.vpcs.iter().cloned().map(|id| (AclPlace::Vpc(id), rule.network_acls.clone()));
    let in_acls = cidrs.clone();
    let places = acls.chain(vpcs).filter(move |_| denied).map(move |(place, elsewhere)| {
        let id = format!("contain.{}", suffix(&place));
        let title = format!("deny {} in {place}", these(&in_acls));
        let block = AddressBlock { cidrs: in_acls.clone(), place, elsewhere, break_glass: glass() };
        (id, title, Containment::Addresses(block))
    });
    let sets = rule.ip_sets.iter().filter(move |_| denied).map(move |set| {
        let title = format!("add {} to IP set {}", these(&cidrs), set.name);
        let block = IpSetBlock { set: set.clone(), cidrs: cidrs.clone(), break_glass: glass() };
        (format!("contain.ip_set.{set}"), title, Containment::IpSet(block))
    });
    let instances = rule.instances.iter().map(move |id| {
        let instance = SpareInstance { id: id.clone(), break_glass: glass() };
        (format!("contain.instance.{id}"), format!("cut instance {id} off"), Containment::Instance(instance))
    });
    let buckets = rule.buckets.iter().map(move |name| {
        let investigators = rule.investigators.clone();
        let bucket = SpareBucket { name: name.clone(), investigators, break_glass: glass() };
        (format!("contain.bucket.{name}"), format!("close bucket {name}"), Containment::Bucket(bucket))
    });
    places.chain(sets).chain(instances).chain(buckets)
}

fn suffix(place: &AclPlace) -> String {
    match place {
        AclPlace::NetworkAcl(id) => format!("network_acl.{id}"),
        AclPlace::Vpc(id) => format!("vpc.{id}"),
    }
}

fn these(addresses: &[Cidr]) -> String {
    match addresses {
        [only] => only.to_string(),
        several => format!("{} blocks of addresses", several.len()),
    }
}

/// The runbook that shuts out whom a rule names.
pub fn contain(manifest: &Manifest, region: &str, rule: &ContainmentRule) -> Runbook {
    runbook(CONTAIN, manifest, region, contain_steps(rule), contain_not_checked(rule))
}

/// What a containment of those whom a rule names leaves open.
pub fn contain_not_checked(rule: &ContainmentRule) -> Vec<NotChecked> {
    let note = |what: String, why: &str| NotChecked { what, why: why.to_owned() };
    let users = rule.users.iter().map(|name| {
        note(format!("sessions of roles that user {name} has begun"), "they are the roles': contain those as well")
    });
    let open = rule.roles.iter().filter(|_| !rule.narrow_trust).map(|name| {
        let why = "whoever its trust policy lets in may begin one: narrow_trust stops that";
        note(format!("new sessions of role {name}"), why)
    });
    let blocking = rule.ip_sets.iter().filter(|_| !rule.addresses.is_empty()).map(|set| {
        let why = "a set does nothing by itself: a rule of a web ACL has to block what is in it";
        note(format!("whether anything blocks what IP set {} lists", set.name), why)
    });
    let covered = (!rule.addresses.is_empty()).then(|| {
        let why = "from where AWS and the service are reached nobody can tell from here";
        note("whether anybody who works on this comes from an address that is denied".into(), why)
    });
    let tracked = rule.instances.iter().map(|id| {
        let why = "a security group lets connections live on that it tracks: an entry of a network ACL cuts them";
        note(format!("connections that instance {id} has already"), why)
    });
    let policies = note(
        "whether every service refuses already".into(),
        "IAM is eventually consistent: a change is in force within seconds, seldom minutes",
    );
    let nobody = rule.is_empty().then(|| {
        note(
            "whether whoever broke in still has access".into(),
            "the containment block names nobody and nothing to be shut out",
        )
    });
    users.chain(open).chain(blocking).chain(covered).chain(tracked).chain([policies]).chain(nobody).collect()
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
        let Some((title, what)) = released(what, before) else {
            not_checked.push(NotChecked {
                what: format!("{}: it stays as it is", spec.id),
                why: "what was there before cannot be read from that run's journal: let it in again by hand".into(),
            });
            return None;
        };
        if let Release::User { user: SpareUser { name, .. }, before: UserBefore { login_profile: true, .. } } = &what {
            not_checked.push(NotChecked {
                what: format!("the console password of user {name}"),
                why: format!("it could not be read, so it is gone: aws iam create-login-profile --user-name {name}"),
            });
        }
        let id = StepId::new(spec.id.as_str().replacen(CONTAIN, RELEASE, 1));
        Some(StepSpec { id, title, action: Action::Release { what }, after: Vec::new(), ..spec.clone() })
    });
    let steps: Vec<StepSpec> = steps.collect();
    Some(runbook(RELEASE, manifest, region, steps, not_checked))
}

/// What lets in again, with a title; `None` where nobody can read what was there before.
fn released(what: &Containment, before: Value) -> Option<(String, Release)> {
    Some(match what.clone() {
        Containment::User(user) => {
            (format!("let user {} in again", user.name), Release::User { user, before: from_value(before).ok()? })
        }
        Containment::Role(role) => {
            let title = format!("let the sessions of role {} in again", role.name);
            (title, Release::Role { role, before: from_value(before).ok()? })
        }
        Containment::Addresses(AddressBlock { cidrs, place, .. }) => {
            let title = format!("deny {} in {place} no more", these(&cidrs));
            (title, Release::Addresses { place, entries: from_value(before).ok()? })
        }
        Containment::IpSet(IpSetBlock { set, cidrs, .. }) => {
            let title = format!("take {} out of IP set {}", these(&cidrs), set.name);
            (title, Release::IpSet { set, before: from_value(before).ok()? })
        }
        Containment::Instance(instance) => {
            let title = format!("give instance {} its security groups back", instance.id);
            (title, Release::Instance { instance, before: from_value(before).ok()? })
        }
        Containment::Bucket(bucket) => {
            let title = format!("open bucket {} as it was", bucket.name);
            (title, Release::Bucket { bucket, before: from_value(before).ok()? })
        }
    })
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::containment::IpSetRef;
    use crate::journal::Event;

    fn steps(rule: ContainmentRule) -> Vec<(String, Containment)> {
        let steps = contain_steps(&rule).into_iter().map(|step| match step.action {
            Action::Contain { what } => (step.id.as_str().to_owned(), what),
            other => panic!("{other:?}"),
        });
        steps.collect()
    }

    #[test]
    fn each_place_is_a_step_of_its_own_and_no_network_acl_is_seen_to_by_two() {
        let address = |text: &str| Cidr::parse(text).expect("an address");
        let set = IpSetRef::parse("arn:aws:wafv2:eu-west-2:123456789012:regional/ipset/blocked/a").expect("an ARN");
        let rule = ContainmentRule {
            addresses: vec![address("2001:db8::/48"), address("198.51.100.7"), address("198.51.100.7/32")],
            network_acls: vec!["acl-1".into()],
            vpcs: vec!["vpc-1".into()],
            ip_sets: vec![set],
            ..ContainmentRule::default()
        };
        let found = steps(rule.clone());
        let ids: Vec<&str> = found.iter().map(|(id, _)| id.as_str()).collect();
        assert_eq!(ids, ["contain.ip_set.eu-west-2.blocked", "contain.network_acl.acl-1", "contain.vpc.vpc-1"]);
        let Containment::Addresses(vpc) = &found[2].1 else { panic!("{found:?}") };
        assert_eq!(vpc.elsewhere, ["acl-1"]);
        assert_eq!(vpc.cidrs, [address("198.51.100.7"), address("2001:db8::/48")], "each once");
        assert_eq!(steps(ContainmentRule { addresses: Vec::new(), ..rule }), [], "places alone are nothing to do");
    }

    /// Nobody may believe that somebody was let in again who was not.
    #[test]
    fn what_cannot_be_read_of_before_is_named_and_not_passed_over() {
        let environments = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("environments");
        let manifest = crate::manifest::load(&environments, "prod").expect("the example");
        let rule = ContainmentRule { users: vec!["mallory".into()], ..ContainmentRule::default() };
        let step = StepId::from("contain.user.mallory");
        let started = crate::journal::RunStarted {
            run: "20261122T0312-prod-7f3a".into(),
            lifeboat: "0.1.0".into(),
            manifest: manifest.path.clone(),
            manifest_sha256: String::new(),
            caller: String::new(),
            pid: 1,
            host: String::new(),
            impact_at: None,
            declared_at: None,
            inputs: None,
            tenure: None,
            bundle: None,
            runbook: contain(&manifest, "eu-west-2", &rule),
        };
        let of = |value: Value| {
            let mut state = RunState::default();
            for event in [
                Event::RunStarted(Box::new(started.clone())),
                Event::StepTaken { step: step.clone() },
                Event::StepStarted { step: step.clone(), attempt: 1 },
                Event::StepNoted { step: step.clone(), name: BEFORE.into(), value },
            ] {
                state.apply(&event).expect("a legal journal");
            }
            release(&manifest, &state).expect("it has started")
        };
        let unread = of(serde_json::json!("another shape"));
        let named: Vec<&str> = unread.not_checked.iter().map(|it| it.what.as_str()).collect();
        assert_eq!((unread.steps.len(), named), (0, vec!["contain.user.mallory: it stays as it is"]));
        let read = of(serde_json::to_value(UserBefore::default()).expect("JSON"));
        assert_eq!((read.steps.len(), read.not_checked.len()), (1, 0));
    }
}
