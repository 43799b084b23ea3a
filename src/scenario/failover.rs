//! Failover: the primary region is lost; the stack is rebuilt in the recovery region, its data restored and proven,
//! and the traffic moved there.

use super::{answers_not_checked, expected, rows_not_checked, step};
use crate::manifest::{Cluster, Component, Manifest, TableSource};
use crate::runbook::{Action, ApplyScope, NotChecked, Phase, Runbook, StepId, StepSpec};

/// Its name in runbooks.
pub const FAILOVER: &str = "failover";

/// The runbook of a failover to the manifest's recovery region.
pub fn failover(manifest: &Manifest) -> Runbook {
    let mut steps = infrastructure(manifest);
    let restores = restores(manifest);
    let adopting = adopting(manifest);
    let restored: Vec<StepId> = restores.iter().map(|step| step.id.clone()).collect();
    steps.extend(restores);
    let built = if adopting.is_empty() { "infrastructure.apply" } else { "adoption.apply" };
    if !adopting.is_empty() {
        steps.extend(adoption(&adopting));
    }
    let mut verifications = verifications(manifest, built, &restored);
    let globals = globals(manifest, built, &restored, &verifications);
    let verified = verified_globals(manifest);
    // Checks ask the service as a whole: they wait for the writer too.
    for check in verifications.iter_mut().filter(|step| matches!(step.action, Action::Probe { .. })) {
        check.after.extend(globals.iter().map(|step| step.id.clone()));
    }
    steps.extend(globals);
    verifications.extend(verified);
    let proven: Vec<StepId> = verifications.iter().map(|step| step.id.clone()).collect();
    steps.extend(verifications);
    steps.extend(cutovers(manifest, &proven));
    Runbook {
        scenario: FAILOVER.into(),
        environment: manifest.environment.clone(),
        service: manifest.service.clone(),
        account: manifest.account.clone(),
        from_region: manifest.primary.name.clone(),
        to_region: manifest.recovery.name.clone(),
        steps,
        objectives: manifest.objectives.iter().map(|(component, objective)| (*component, *objective)).collect(),
        not_checked: not_checked(manifest),
    }
}

fn infrastructure(manifest: &Manifest) -> Vec<StepSpec> {
    let spec = |id: &str, after: &[&str], title: String, expected, action| {
        step(id, Phase::Infrastructure, after, title, Some(Component::Infrastructure), expected, action)
    };
    let (region, workspace) = (&manifest.recovery.name, &manifest.recovery.workspace);
    let scope = ApplyScope::Base;
    let mut steps = vec![
        spec(
            "infrastructure.prepare",
            &[],
            format!("stage the Terraform root and select workspace {workspace}"),
            expected::TERRAFORM_PREPARE,
            Action::TerraformPrepare,
        ),
        spec(
            "infrastructure.plan",
            &["infrastructure.prepare"],
            format!("plan the infrastructure in {region}"),
            expected::TERRAFORM_PLAN,
            Action::TerraformPlan { scope },
        ),
        spec(
            "infrastructure.apply",
            &["infrastructure.plan"],
            format!("build the infrastructure in {region}"),
            expected::TERRAFORM_APPLY,
            Action::TerraformApply { scope },
        ),
    ];
    if manifest.clusters.iter().any(|cluster| cluster.global().is_none()) {
        steps.push(spec(
            "infrastructure.declare",
            &["infrastructure.apply"],
            "read what the root declares for the restored resources".into(),
            expected::TERRAFORM_PLAN,
            Action::TerraformDeclare,
        ));
    }
    steps
}

fn restores(manifest: &Manifest) -> Vec<StepSpec> {
    let spec = |id: String, after: &str, title: String, component, expected, action| {
        step(&id, Phase::Restore, &[after], title, Some(component), expected, action)
    };
    let clusters = manifest.clusters.iter().filter(|cluster| cluster.global().is_none()).map(|cluster| {
        spec(
            format!("restore.aurora.{}", cluster.name),
            "infrastructure.declare",
            format!("restore cluster {}", cluster.target),
            Component::Aurora,
            expected::RESTORE_CLUSTER,
            Action::RestoreCluster { cluster: cluster.clone() },
        )
    });
    // A table needs no network: once the plan has passed its guard, it is restored beside the apply.
    let tables = manifest.tables.iter().map(|table| {
        spec(
            format!("restore.table.{}", table.name),
            "infrastructure.plan",
            match table.from {
                TableSource::Replica => format!("use the replica of table {}", table.target),
                _ => format!("restore table {}", table.target),
            },
            Component::Table,
            if table.from == TableSource::Replica { expected::VERIFY } else { expected::RESTORE_TABLE },
            Action::RestoreTable { table: table.clone() },
        )
    });
    let buckets = manifest.buckets.iter().map(|bucket| {
        spec(
            format!("restore.bucket.{}", bucket.name),
            "infrastructure.apply",
            format!("copy {} to {}", bucket.source, bucket.target),
            Component::Bucket,
            expected::RESTORE_BUCKET,
            Action::RestoreBucket { bucket: bucket.clone() },
        )
    });
    let catalogs = manifest.catalogs.iter().map(|catalog| {
        spec(
            format!("restore.catalog.{}", catalog.name),
            "infrastructure.apply",
            format!("recreate catalog {}", catalog.target),
            Component::Catalog,
            expected::RESTORE_CATALOG,
            Action::RestoreCatalog { catalog: catalog.clone() },
        )
    });
    clusters.chain(tables).chain(buckets).chain(catalogs).collect()
}

/// The restores whose resources Terraform adopts.
fn adopting(manifest: &Manifest) -> Vec<StepId> {
    let clusters = manifest.clusters.iter().filter(|cluster| cluster.adopt.is_some());
    let tables = manifest.tables.iter().filter(|table| table.adopt.is_some());
    let clusters = clusters.map(|cluster| StepId::new(format!("restore.aurora.{}", cluster.name)));
    let tables = tables.map(|table| StepId::new(format!("restore.table.{}", table.name)));
    clusters.chain(tables).collect()
}

fn adoption(adopting: &[StepId]) -> Vec<StepSpec> {
    let scope = ApplyScope::Adoption;
    let mut after: Vec<&str> = vec!["infrastructure.apply"];
    after.extend(adopting.iter().map(StepId::as_str));
    let component = Some(Component::Infrastructure);
    vec![
        step(
            "adoption.plan",
            Phase::Adoption,
            &after,
            "plan the adoption of what was restored".into(),
            component,
            expected::TERRAFORM_PLAN,
            Action::TerraformPlan { scope },
        ),
        step(
            "adoption.apply",
            Phase::Adoption,
            &["adoption.plan"],
            "adopt what was restored and build what depends on it".into(),
            component,
            expected::TERRAFORM_ADOPTION,
            Action::TerraformApply { scope },
        ),
    ]
}

fn verifications(manifest: &Manifest, built: &str, restored: &[StepId]) -> Vec<StepSpec> {
    let spec = |id: String, after: &[&str], title: String, component, action| {
        step(&id, Phase::Verification, after, title, component, expected::VERIFY, action)
    };
    let mut steps = vec![spec(
        "verify.infrastructure".into(),
        &[built],
        "prove that Terraform has nothing left to change".into(),
        Some(Component::Infrastructure),
        Action::TerraformSettled,
    )];
    for cluster in manifest.clusters.iter().filter(|cluster| cluster.global().is_none()) {
        let restore = format!("restore.aurora.{}", cluster.name);
        let after = after_adoption(&restore, built, cluster.adopt.is_some());
        let action = Action::VerifyCluster { cluster: cluster.clone() };
        let title = format!("verify cluster {}", cluster.target);
        steps.push(spec(format!("verify.aurora.{}", cluster.name), &after, title, Some(Component::Aurora), action));
    }
    for table in &manifest.tables {
        let restore = format!("restore.table.{}", table.name);
        let after = after_adoption(&restore, built, table.adopt.is_some());
        let action = Action::VerifyTable { table: table.clone() };
        let title = format!("count and verify table {}", table.target);
        steps.push(spec(format!("verify.table.{}", table.name), &after, title, Some(Component::Table), action));
    }
    for bucket in &manifest.buckets {
        let restore = format!("restore.bucket.{}", bucket.name);
        let action = Action::VerifyBucket { bucket: bucket.clone() };
        let title = format!("compare {} with its source", bucket.target);
        steps.push(spec(format!("verify.bucket.{}", bucket.name), &[&restore], title, Some(Component::Bucket), action));
    }
    for catalog in &manifest.catalogs {
        let restore = format!("restore.catalog.{}", catalog.name);
        let action = Action::VerifyCatalog { catalog: catalog.clone() };
        let title = format!("verify catalog {}", catalog.target);
        let id = format!("verify.catalog.{}", catalog.name);
        steps.push(spec(id, &[&restore], title, Some(Component::Catalog), action));
    }
    // Checks ask the service as a whole, so everything has to stand.
    let mut whole: Vec<&str> = vec![built];
    whole.extend(restored.iter().map(StepId::as_str));
    for check in &manifest.checks {
        let action = Action::Probe { check: check.clone() };
        steps.push(spec(format!("verify.check.{}", check.name), &whole, format!("check {}", check.name), None, action));
    }
    steps
}

/// Failovers of global databases. They cannot be taken back and end what the old writer still sends over: nothing that could
/// fail, and is not the service itself, is left before them.
fn globals(manifest: &Manifest, built: &str, restored: &[StepId], verifications: &[StepSpec]) -> Vec<StepSpec> {
    let proven = verifications.iter().filter(|step| !matches!(step.action, Action::Probe { .. })).map(|step| &step.id);
    let mut after: Vec<&str> = vec![built];
    after.extend(restored.iter().chain(proven).map(StepId::as_str));
    let global = |cluster: &Cluster| {
        let title = format!("fail global database {} over to {}", cluster.global()?, cluster.target);
        let action = Action::RestoreCluster { cluster: cluster.clone() };
        let id = format!("restore.aurora.{}", cluster.name);
        let expected = expected::FAIL_OVER_CLUSTER;
        Some(step(&id, Phase::Restore, &after, title, Some(Component::Aurora), expected, action))
    };
    manifest.clusters.iter().filter_map(global).collect()
}

fn verified_globals(manifest: &Manifest) -> Vec<StepSpec> {
    let verified = |cluster: &Cluster| {
        let restore = format!("restore.aurora.{}", cluster.name);
        let title = format!("verify that cluster {} writes", cluster.target);
        let (id, action) =
            (format!("verify.aurora.{}", cluster.name), Action::VerifyCluster { cluster: cluster.clone() });
        let component = Some(Component::Aurora);
        step(&id, Phase::Verification, &[&restore], title, component, expected::VERIFY, action)
    };
    manifest.clusters.iter().filter(|cluster| cluster.global().is_some()).map(verified).collect()
}

fn after_adoption<'a>(restore: &'a str, built: &'a str, adopted: bool) -> Vec<&'a str> {
    if adopted { vec![restore, built] } else { vec![restore] }
}

fn cutovers(manifest: &Manifest, proven: &[StepId]) -> Vec<StepSpec> {
    let after: Vec<&str> = proven.iter().map(StepId::as_str).collect();
    let cutover = |cutover: &crate::manifest::Cutover| {
        let records = cutover.records.len();
        step(
            &format!("cutover.{}", cutover.name),
            Phase::Cutover,
            &after,
            format!("switch {records} Route 53 record{}", if records == 1 { "" } else { "s" }),
            None,
            expected::CUTOVER,
            Action::Cutover { cutover: cutover.clone() },
        )
    };
    manifest.cutovers.iter().map(cutover).collect()
}

/// What a failover of this manifest does not prove, said before it runs.
fn not_checked(manifest: &Manifest) -> Vec<NotChecked> {
    let mut list: Vec<NotChecked> = manifest.clusters.iter().filter_map(rows_not_checked).collect();
    let unasked = manifest.catalogs.iter().filter_map(|it| answers_not_checked(it, "no query is sent to Athena"));
    list.extend(unasked);
    let mut add = |what: String, why: &str| list.push(NotChecked { what, why: why.into() });
    for cluster in manifest.clusters.iter().filter(|cluster| cluster.global().is_some()) {
        let (source, primary) = (&cluster.source, &manifest.primary.name);
        add(
            format!("whether cluster {source} takes no more writes"),
            "Aurora stops them as far as it can, and nothing is asked in the primary region",
        );
        add(format!("what {source} in {primary} had not replicated"), "a failover does not wait for it");
    }
    for table in &manifest.tables {
        if table.verify.is_empty() {
            add(format!("number of items of table {}", table.target), "the manifest expects none");
        }
        add(format!("contents of the items of table {}", table.target), "items are counted, not compared");
        if let Some(access) = &table.aws_backup {
            let what = format!("whether AWS Backup may restore table {} as {}", table.target, access.role);
            add(what, "IAM is not asked: it shows once the restore begins");
            let what =
                format!("whether a copied recovery point of table {} is told by the time of its data", table.source);
            add(what, "AWS does not say so; the earlier of the times that it tells is taken");
        }
        if table.from == TableSource::Replica {
            let what =
                format!("whether the replica of table {} had everything at the time of the impact", table.target);
            add(what, "its replication from the primary region cannot be asked");
        }
    }
    for bucket in &manifest.buckets {
        add(format!("older versions of objects in {}", bucket.target), "only current versions are copied");
        if !bucket.include.is_empty() || !bucket.exclude.is_empty() {
            let what =
                format!("keys of {} that include and exclude of bucket \"{}\" leave out", bucket.source, bucket.name);
            add(what, "they are neither copied nor looked at");
        }
        add(
            format!("whether {} held everything at the time of the impact", bucket.source),
            "its replication from the primary region cannot be asked",
        );
    }
    if manifest.checks.is_empty() {
        add("the service as a whole".into(), "the manifest has no check block");
    }
    if manifest.cutovers.is_empty() {
        add("traffic".into(), "the manifest has no cutover block");
    } else {
        add("caches of resolvers".into(), "a resolver may answer with the old records until their TTL has passed");
    }
    list
}
