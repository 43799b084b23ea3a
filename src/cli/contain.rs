//! `lifeboat contain ENV`: whoever and whatever broke in is shut out, reversibly; `--undo RUN` lets them in again by that run's journal.

use std::path::Path;

use clap::Args;
use jiff::Timestamp;

use super::environment::Environment;
use super::error::{CliError, Exit};
use super::home;
use super::lease::Desk;
use super::recover::{Named, Recovery, RunArgs};
use super::wiring::{self, Connected};
use crate::containment::{Cidr, IpSetRef};
use crate::journal::{self, Loaded};
use crate::manifest::{
    ContainmentRule, Manifest, bucket_name_fault, identity_fault, instance_fault, ip_set_fault, network_acl_fault,
    vpc_fault,
};
use crate::runbook::Runbook;
use crate::scenario;

#[derive(Args)]
pub struct Contain {
    /// The environment: a folder of that name with a lifeboat.hcl
    env: String,
    /// Shut this IAM user out (repeatable); whoever and whatever is named by --user, --role, --address, --instance or --bucket
    /// stands in for all that the manifest names
    #[arg(long, value_name = "NAME", value_parser = fitting(identity_fault))]
    user: Vec<String>,
    /// Shut the sessions of this IAM role out (repeatable)
    #[arg(long, value_name = "NAME", value_parser = fitting(identity_fault))]
    role: Vec<String>,
    /// Let nobody but the break-glass principals begin new sessions of the roles either
    #[arg(long)]
    narrow_trust: bool,
    /// Deny this address or block of addresses (repeatable), where the manifest says or the next three do
    #[arg(long, value_name = "CIDR", value_parser = Cidr::parse)]
    address: Vec<Cidr>,
    /// Deny addresses in this network ACL (repeatable)
    #[arg(long, value_name = "ID", value_parser = fitting(network_acl_fault))]
    network_acl: Vec<String>,
    /// Deny addresses in all network ACLs of this VPC (repeatable)
    #[arg(long, value_name = "ID", value_parser = fitting(vpc_fault))]
    vpc: Vec<String>,
    /// Add addresses to this IP set of AWS WAF (repeatable)
    #[arg(long, value_name = "ARN", value_parser = ip_set)]
    ip_set: Vec<IpSetRef>,
    /// Cut this EC2 instance off: a security group without rules instead of its own (repeatable). Connections that it has
    /// live on; an address is denied to cut them
    #[arg(long, value_name = "ID", value_parser = fitting(instance_fault))]
    instance: Vec<String>,
    /// Close this bucket to all but the break-glass principals and the manifest's investigators (repeatable)
    #[arg(long, value_name = "NAME", value_parser = fitting(bucket_name_fault))]
    bucket: Vec<String>,
    /// Take back what this run has contained
    #[arg(long, value_name = "RUN", conflicts_with_all = [
        "user", "role", "narrow_trust", "address", "network_acl", "vpc", "ip_set", "instance", "bucket",
    ])]
    undo: Option<String>,
    /// Print every document that would be written, and change nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    run: RunArgs,
}

/// # Errors
/// Exit 2 for a manifest that is not valid or names nobody and nothing; 3 where somebody is needed who would be shut out, or anything
/// else stands in the way; nothing was changed then.
pub async fn run(command: &Contain, environment: &Environment) -> Result<Exit, CliError> {
    let declared_at = Timestamp::now();
    command.run.plausible(&command.env, declared_at)?;
    let plans = wiring::read(&command.env, environment)?;
    let manifest = plans.manifest.clone();
    let rule = match &command.undo {
        None => Some(command.rule(&manifest)?),
        Some(_) => None,
    };
    let connected = wiring::connect(&manifest).await?;
    let runbook = match (&command.undo, &rule) {
        (Some(run), _) => release(run, &manifest, &connected, environment).await?,
        (None, Some(rule)) => scenario::contain(&manifest, &manifest.primary.name, rule),
        (None, None) => return Err(CliError::usage("who shall be contained?")),
    };
    let aws = connected.aws_in(&runbook.to_region).await;
    // Used where an approval is asked for, which no containment can have.
    let planned_by = format!("lifeboat contain {} --dry-run", command.env);
    let named = Named { plans, connected, aws, runbook, planned_by };
    Recovery { run: &command.run, declared_at, named, bundle: None, dry_run: command.dry_run }
        .carry_out(environment)
        .await
}

impl Contain {
    /// Whom and what to shut out: what the command line names, or what the manifest does. Who is spared, the manifest alone
    /// says.
    fn rule(&self, manifest: &Manifest) -> Result<ContainmentRule, CliError> {
        let Some(mut rule) = manifest.containment.clone() else {
            return Err(CliError::usage(format!("{} has no containment block", manifest.path.display()))
                .cause("it says who is never shut out")
                .hint("write containment { break_glass = [\"arn:aws:iam::ACCOUNT:role/NAME\"] }"));
        };
        let named = ContainmentRule {
            users: self.user.clone(),
            roles: self.role.clone(),
            addresses: self.address.clone(),
            network_acls: self.network_acl.clone(),
            vpcs: self.vpc.clone(),
            ip_sets: self.ip_set.clone(),
            instances: self.instance.clone(),
            buckets: self.bucket.clone(),
            ..ContainmentRule::default()
        };
        if named.has_places() {
            (rule.network_acls, rule.vpcs, rule.ip_sets) =
                (named.network_acls.clone(), named.vpcs.clone(), named.ip_sets.clone());
        }
        if !named.is_empty() {
            rule.users = named.users.clone();
            rule.roles = named.roles.clone();
            rule.addresses = named.addresses.clone();
            rule.instances = named.instances.clone();
            rule.buckets = named.buckets.clone();
        }
        rule.narrow_trust |= self.narrow_trust;
        if let Some((message, hint)) = fault(&rule, named.has_places()) {
            return Err(CliError::usage(message).hint(hint));
        }
        if let Some((message, hint)) = manifest.uncontainable(&rule) {
            return Err(CliError::blocked(message).hint(hint));
        }
        Ok(rule)
    }
}

/// Why nothing would come of a rule, and what to do about it.
fn fault(rule: &ContainmentRule, places_named: bool) -> Option<(&'static str, &'static str)> {
    if rule.is_empty() {
        return Some((
            "nobody and nothing is named to be contained",
            "name users, roles, addresses, instances or buckets in the containment block, or by --user and so on",
        ));
    }
    if !rule.addresses.is_empty() && !rule.has_places() {
        return Some((
            "nothing says where the addresses are denied",
            "name network_acls, vpcs or ip_sets in the containment block, or by --network-acl, --vpc or --ip-set",
        ));
    }
    (rule.addresses.is_empty() && places_named)
        .then_some(("no address is named to be denied there", "--address 198.51.100.7"))
}

/// Reads what the manifest would read by the same rule.
fn fitting(
    fault: impl Fn(&str) -> Option<&'static str> + Clone + Send + Sync + 'static,
) -> impl Fn(&str) -> Result<String, String> + Clone + Send + Sync + 'static {
    move |text| fault(text).map_or_else(|| Ok(text.to_owned()), |fault| Err(fault.to_owned()))
}

fn ip_set(text: &str) -> Result<IpSetRef, String> {
    IpSetRef::parse(text).ok_or_else(|| ip_set_fault(text).unwrap_or("it is no ARN of an IP set").to_owned())
}

/// The runbook that takes a run back, by its journal here, or by the copy in the state bucket.
async fn release(
    run: &str,
    manifest: &Manifest,
    connected: &Connected,
    environment: &Environment,
) -> Result<Runbook, CliError> {
    let loaded = contained(run, manifest, connected, environment).await?;
    let of = loaded.state.started.as_ref().map(|it| (&it.runbook.account, &it.runbook.environment));
    if of != Some((&manifest.account, &manifest.environment)) {
        return Err(CliError::blocked(format!(
            "run {run} is not one of {}; nothing was changed",
            manifest.environment
        )));
    }
    let runbook = scenario::release(manifest, &loaded.state);
    if let Some(unread) = runbook.as_ref().filter(|it| it.steps.is_empty()).and_then(|it| it.not_checked.first()) {
        return Err(CliError::blocked(format!("run {run} cannot be taken back; nothing was changed"))
            .cause(format!("{}; {}", unread.what, unread.why))
            .next(format!("lifeboat report {run}")));
    }
    runbook.filter(|runbook| !runbook.steps.is_empty()).ok_or_else(|| {
        CliError::blocked(format!("run {run} has contained nothing")).next(format!("lifeboat report {run}"))
    })
}

async fn contained(
    run: &str,
    manifest: &Manifest,
    connected: &Connected,
    environment: &Environment,
) -> Result<Loaded, CliError> {
    let unreadable = |error: String| CliError::blocked(format!("the journal of run {run} cannot be read")).cause(error);
    match home::find_run(&environment.home, run) {
        Ok(dir) => journal::load(&dir).map_err(|error| unreadable(error.to_string())),
        Err(missing) if !home::is_plain(run) => Err(missing),
        Err(missing) => {
            let place = Desk::of(environment, connected, manifest, None).place(run);
            let copy = place.fetch().await.map_err(|error| unreadable(error.to_string()))?;
            if copy.is_empty() {
                return Err(missing);
            }
            let path = Path::new(run).join("journal.jsonl");
            journal::check(&copy, &path).map_err(|error| unreadable(error.to_string()))
        }
    }
}
