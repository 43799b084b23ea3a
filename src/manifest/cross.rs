//! What can be judged only once the whole manifest is read: whether what it refers to exists, in itself and in the
//! Terraform root, and whether recovery points lie where the recovery takes place.

use std::collections::BTreeSet;
use std::ops::Range;

use super::names::arn;
use super::reader::{Later, Reader};
use super::{ClusterSource, Manifest, Record, TableSource};
use crate::document::{nearest, quoted};
use crate::terraform::{Address, Root, Unknown};

/// Notes references to clusters, outputs, variables and addresses that do not exist. Without a root only what the
/// manifest itself says is judged.
pub(super) fn judge(reader: &mut Reader, clusters: &BTreeSet<String>, root: Option<&Root>) {
    for (later, span) in std::mem::take(&mut reader.later) {
        match (later, root) {
            (Later::Cluster(name), _) => cluster(reader, &name, clusters, span),
            (Later::Output(name), Some(root)) => output(reader, &name, root, span),
            (Later::Variable(name), Some(root)) => variable(reader, &name, root, span),
            (Later::Adopt { address, kind }, Some(root)) => adopt(reader, &address, kind, root, span),
            (_, None) => {}
        }
    }
}

fn cluster(reader: &mut Reader, name: &str, clusters: &BTreeSet<String>, span: Range<usize>) {
    if !clusters.contains(name) {
        let hint = among(name, clusters.iter().map(String::as_str), "aurora blocks");
        reader.hinted(span, format!("there is no block aurora \"{name}\""), "unknown", hint);
    }
}

fn output(reader: &mut Reader, name: &str, root: &Root, span: Range<usize>) {
    match root.outputs.get(name) {
        Some(false) => {}
        Some(true) => {
            let message = format!("the output {} is sensitive", quoted(name));
            reader.hinted(span, message, "lifeboat does not read it", "use an output that is not sensitive");
        }
        None => {
            let hint = among(name, root.outputs.keys().map(String::as_str), "outputs");
            let message = format!("the Terraform root declares no output {}", quoted(name));
            reader.hinted(span, message, "not declared", hint);
        }
    }
}

fn variable(reader: &mut Reader, name: &str, root: &Root, span: Range<usize>) {
    if !root.variables.contains_key(name) {
        let hint = among(name, root.variables.keys().map(String::as_str), "variables");
        let message = format!("the Terraform root declares no variable {}", quoted(name));
        reader.hinted(span, message, "not declared", hint);
    }
}

fn adopt(reader: &mut Reader, address: &str, kind: &'static str, root: &Root, span: Range<usize>) {
    let shown = quoted(address);
    match root.resource(address) {
        Ok(Some(resource)) if resource.kind == kind => {}
        Ok(None) if Address::parse(address).is_some_and(|address| address.kind == kind) => {}
        Ok(_) => {
            let message = format!("{shown} is of another type");
            reader.hinted(span, message, "wrong type", format!("this block adopts an {kind}"));
        }
        Err(Unknown::Malformed) => {
            let message = format!("{shown} is not a resource address");
            let hint = format!("write \"{kind}.NAME\" or \"module.NAME.{kind}.NAME\"");
            reader.hinted(span, message, "not understood", hint);
        }
        Err(Unknown::Missing) => {
            let of_kind = root.resources.iter().filter(|(_, resource)| resource.kind == kind);
            let of_kind: Vec<&str> = of_kind.map(|(address, _)| address.as_str()).collect();
            let hint = match of_kind.as_slice() {
                [] => format!("the root declares no {kind}"),
                [only] => format!("did you mean {}?", quoted(only)),
                several => format!("of this type there are {}", several.join(", ")),
            };
            reader.hinted(span, format!("the Terraform root declares no {shown}"), "not declared", hint);
        }
        Err(Unknown::Index { part, needed: true }) => {
            let hint = format!("it has count or for_each: write {part}[0] or {part}[\\\"key\\\"]");
            reader.hinted(span, format!("{shown} names several resources"), "an index is missing", hint);
        }
        Err(Unknown::Index { part, needed: false }) => {
            let message = format!("{shown} has an index too many");
            reader.hinted(span, message, format!("at {part}"), "it has neither count nor for_each");
        }
    }
}

fn among<'a>(name: &str, known: impl Iterator<Item = &'a str> + Clone, what: &str) -> String {
    const SHOWN: usize = 12;
    if let Some(nearest) = nearest(name, known.clone()) {
        return format!("did you mean {}?", quoted(nearest));
    }
    let mut names: Vec<&str> = known.collect();
    let more = names.len().saturating_sub(SHOWN);
    names.truncate(SHOWN);
    match (names.is_empty(), more) {
        (true, _) => format!("there are no {what}"),
        (false, 0) => format!("{what}: {}", names.join(", ")),
        (false, more) => format!("{what}: {} and {more} more", names.join(", ")),
    }
}

/// Record sets that two cutovers of one hosted zone would set: there is no order between them. Answers (title of the
/// second block, message, hint).
pub(super) fn set_twice(manifest: &Manifest) -> Vec<(String, String, String)> {
    let same = |a: &Record, b: &Record| {
        a.name.eq_ignore_ascii_case(&b.name) && a.kind == b.kind && a.set_identifier == b.set_identifier
    };
    let mut found = Vec::new();
    for (index, cutover) in manifest.cutovers.iter().enumerate() {
        for earlier in manifest.cutovers[..index].iter().filter(|earlier| earlier.zone == cutover.zone) {
            for record in &cutover.records {
                if earlier.records.iter().any(|other| same(record, other)) {
                    let message = format!("{} is set by cutover \"{}\" as well", quoted(&record.name), earlier.name);
                    let hint = "keep it in one of the two: nobody could say which of them comes last".to_owned();
                    found.push((format!("cutover \"{}\"", cutover.name), message, hint));
                }
            }
        }
    }
    found
}

/// Roles of another account, which no service can be given (IAM: "Grant a user permissions to pass a role to an AWS
/// service"). Answers (block's title, message, hint).
pub(super) fn foreign_roles(manifest: &Manifest) -> Vec<(String, String, String)> {
    let account = manifest.account.as_str();
    let roles = manifest.tables.iter().filter_map(|table| Some((table, table.aws_backup.as_ref()?.role.as_str())));
    let foreign = roles.filter_map(|(table, role)| {
        let of = role.split(':').nth(4).filter(|of| *of != account)?;
        let message = format!("backup_role of table \"{}\" is of account {of}, not of {account}", table.name);
        let hint = format!("AWS Backup is given roles of its own account only: name one of {account}");
        Some((format!("table \"{}\"", table.name), message, hint))
    });
    foreign.collect()
}

/// What the containment block names and cannot be shut out. Answers (block's title, message, hint).
pub(super) fn uncontainable(manifest: &Manifest) -> Vec<(String, String, String)> {
    let found = manifest.containment.as_ref().and_then(|rule| manifest.uncontainable(rule));
    found.map(|(message, hint)| ("containment \"\"".to_owned(), message, hint)).into_iter().collect()
}

/// Evidence that would be kept in what is taken down, or where CloudWatch Logs exports nothing to (Amazon CloudWatch Logs User
/// Guide: "Exporting log data to Amazon S3"). Answers (block's title, message, hint).
pub(super) fn perishable_evidence(manifest: &Manifest) -> Vec<(String, String, String)> {
    let Some(rule) = &manifest.evidence else { return Vec::new() };
    let bucket = &rule.bucket;
    let own = manifest.buckets.iter().flat_map(|of| [&of.source, &of.target]).chain(&rule.buckets);
    let mut found = Vec::new();
    if own.clone().any(|own| own == bucket) {
        let hint = "whoever broke into the service may write there: name a bucket of its own, best in another account";
        found.push((format!("{} is a bucket of the service", quoted(bucket)), hint.to_owned()));
    }
    let region = &manifest.primary.name;
    if let Some(other) = rule.region.as_ref().filter(|other| *other != region && !rule.log_groups.is_empty()) {
        let message = format!("log groups of {region} cannot be exported to a bucket in {other}");
        found.push((message, format!("name a bucket in {region}, or leave log_groups out")));
    }
    found.into_iter().map(|(message, hint)| ("evidence \"\"".to_owned(), message, hint)).collect()
}

/// Recovery points that lie in another region cannot be restored from when that region is gone. Answers (block's title,
/// message, hint).
pub(super) fn misplaced(manifest: &Manifest) -> Vec<(String, String, String)> {
    let clusters = manifest.clusters.iter().filter_map(|cluster| match &cluster.from {
        ClusterSource::Snapshot(snapshot) => Some((format!("aurora \"{}\"", cluster.name), snapshot.as_str())),
        _ => None,
    });
    let tables = manifest.tables.iter().filter_map(|table| match &table.from {
        TableSource::Backup(backup) => Some((format!("table \"{}\"", table.name), backup.as_str())),
        _ => None,
    });
    let region = manifest.recovery.name.as_str();
    let elsewhere = clusters.chain(tables).filter_map(|(title, point)| {
        let found = arn(point)?.region;
        (found != region).then(|| {
            let message = format!("the recovery point of {title} is in {found}, not in {region}");
            (title, message, format!("copy it to {region}, and name the copy"))
        })
    });
    elsewhere.collect()
}
