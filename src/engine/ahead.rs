//! What the plan of all of the root does, known before a run begins: planned without an effect, and judged by lifeboat's
//! own guards and the manifest's.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::{StreamExt, stream};
use tokio::sync::watch;

use super::Engine;
use crate::aws::quotas::limit;
use crate::aws::{Session, count, standing};
use crate::containment::Containment;
use crate::guard::{self, Violation, names, quotas};
use crate::manifest::Guards;
use crate::runbook::{Action, NotChecked};
use crate::steps::adopted;
use crate::terraform::events::Event;
use crate::terraform::plan::Plan;
use crate::terraform::{self, Detail, Look, Observer, TeardownLook, TerraformError};

/// How long one answer is waited for: none of them is worth holding up a recovery.
const LONGEST: Duration = Duration::from_secs(15);
const LATE: &str = "no answer in time";
const AT_ONCE: usize = 8;

/// What was found.
#[derive(Debug)]
pub struct Foreknown {
    pub look: Look,
    /// What a teardown would destroy first; `None` of a scenario without one, or where it would destroy nothing.
    pub teardown: Option<Arc<TeardownLook>>,
    /// What the manifest's guards found.
    pub violations: Vec<Violation>,
    /// What Terraform warned of, and what the guards could not judge and does not stand in the way.
    pub warnings: Vec<String>,
    pub not_checked: Vec<NotChecked>,
}

/// Plans and judges. Reads only; asked to stop, it waits for Terraform to end in order.
///
/// # Errors
/// Nobody knows what the plan does: Terraform's own errors.
pub async fn ahead(engine: &Engine, detail: Detail) -> Result<Foreknown, TerraformError> {
    let (adopted, observer) = (adopted(&engine.world.manifest), Stop(engine.stop.clone()));
    let terraform = &engine.world.terraform;
    let teardown = if engine.runbook.tears_down() { terraform.look_at_teardown(&observer).await? } else { None };
    let mut look = match teardown.as_deref() {
        Some(TeardownLook { teardown, .. }) => {
            let gone = teardown.destroys.keys().cloned().collect();
            terraform.look_after_teardown(&gone, &adopted, detail, &observer).await?
        }
        None => terraform.look(&adopted, detail, &observer).await?,
    };
    if engine.runbook.tears_down() {
        let refused = look.source.refused(engine.world.manifest.rebuild.commit);
        look.refused.extend(refused.map(|why| terraform::guard::Violation { address: "the root".into(), why }));
    }
    let gone = teardown.iter().flat_map(|it| it.teardown.destroys.keys().cloned()).collect();
    let asked = asked(engine, &look.plan, &gone).await;
    let mut violations = std::mem::take(&mut look.violations);
    violations.extend(asked.violations);
    violations.extend(teardown.iter().flat_map(|it| it.guarded.iter().cloned()));
    if let Some(teardown) = teardown.as_deref() {
        look.refused.extend(guard::set_back(&look.plan, &teardown.teardown.destroys, &contained(engine)));
    }
    let mut warnings = std::mem::take(&mut look.warnings);
    warnings.extend(asked.warnings);
    Ok(Foreknown { look, teardown, violations, warnings, not_checked: asked.not_checked })
}

/// What the run contains.
fn contained(engine: &Engine) -> Vec<&Containment> {
    let what = engine.runbook.steps.iter().filter_map(|step| match &step.action {
        Action::Contain { what } => Some(what),
        _ => None,
    });
    what.collect()
}

/// What AWS said of a plan.
struct Asked {
    violations: Vec<Violation>,
    warnings: Vec<String>,
    not_checked: Vec<NotChecked>,
}

/// What AWS says of a plan: whether its names are free and its quotas suffice, where the manifest wants that known; and what
/// no guard can tell of it. Reads only.
///
/// What is `gone` by then holds no name any more.
async fn asked(engine: &Engine, plan: &Plan, gone: &BTreeSet<String>) -> Asked {
    let manifest = &engine.world.manifest;
    let (mut violations, mut not_checked) = (Vec::new(), guard::not_told(plan, &manifest.guards));
    let Guards { names, quotas, .. } = &manifest.guards;
    let (aws, mut adopted) = (&engine.world.aws, adopted(manifest));
    adopted.extend(gone.iter().cloned());
    let (named, asked) =
        tokio::join!(async { if *names { Some(look_up(aws, plan, &adopted).await) } else { None } }, async {
            if *quotas { ask(aws, plan).await } else { Vec::new() }
        },);
    if let Some((seen, open)) = named {
        violations.extend(names::judge(&seen));
        not_checked.extend(open);
    }
    let (too_much, warnings) = quotas::judge(&asked);
    violations.extend(too_much);
    not_checked
        .extend(warnings.iter().map(|it| NotChecked { what: format!("guard {}", guard::QUOTAS), why: it.clone() }));
    Asked { violations, warnings, not_checked }
}

type Seen = Vec<(names::Claim, names::Standing)>;

/// Looks up the names that a plan claims.
async fn look_up(aws: &Session, plan: &Plan, adopted: &BTreeSet<String>) -> (Seen, Vec<NotChecked>) {
    let (claims, open) = names::claims(plan, adopted);
    let looks = claims.into_iter().map(async |claim| {
        let standing = tokio::time::timeout(LONGEST, standing(aws, &claim)).await;
        (claim, standing.unwrap_or_else(|_| names::Standing::Unknown(LATE.into())))
    });
    (stream::iter(looks).buffered(AT_ONCE).collect().await, open)
}

/// Asks for the quotas that a plan needs, and how many stand of what can be counted.
async fn ask(aws: &Session, plan: &Plan) -> Vec<quotas::Asked> {
    let asks = quotas::needs(plan).into_iter().map(async |need| {
        let quota = need.quota;
        let limit = async { limit(aws, quota.service, quota.code).await.map_err(|error| error.to_string()) };
        let standing = async {
            match count(aws, quota.code).await {
                Ok(Some(count)) => Ok(count),
                Ok(None) => Err("they are not counted".to_owned()),
                Err(error) => Err(error.to_string()),
            }
        };
        let (limit, standing) =
            tokio::join!(tokio::time::timeout(LONGEST, limit), tokio::time::timeout(LONGEST, standing));
        quotas::Asked { need, limit: limit.unwrap_or_else(|_| late()), standing: standing.unwrap_or_else(|_| late()) }
    });
    stream::iter(asks).buffered(AT_ONCE).collect().await
}

fn late<T>() -> Result<T, String> {
    Err(LATE.to_owned())
}

/// Nobody follows Terraform before the run; it can be asked to stop.
struct Stop(watch::Receiver<bool>);

#[async_trait]
impl Observer for Stop {
    fn event(&self, _event: &Event) {}

    fn status(&self, _text: &str) {}

    async fn stopped(&self) {
        let mut stop = self.0.clone();
        if stop.wait_for(|stop| *stop).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
