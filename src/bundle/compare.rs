//! What differs between two bundles, in words. Pure. Neither ages nor times of making are differences.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde::Serialize;
use serde_json::Value;

use super::index::{Index, Standing, Subject};
use super::parts::{CutoverMoves, Found, Move, Point};
use super::seal::{Bundle, TornDown};
use crate::terraform::Doomed;
use crate::terraform::plan::{Plan, ResourceChange};

const SCHEMA_VERSION: u32 = 1;
/// Stands where one side has nothing.
const NOTHING: &str = "nothing";

/// All differences, by what they are of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Comparison {
    pub schema_version: u32,
    /// SHA-256 of the two bundles.
    pub then: String,
    pub now: String,
    /// Of Terraform's plans: what came, went, or is done otherwise.
    pub changes: Vec<Difference>,
    pub recovery_points: Vec<Difference>,
    pub records: Vec<Difference>,
    /// What the steps' checks found, where no plan of Terraform's says what will be done.
    pub found: Vec<Difference>,
    /// What the plan was made of: manifest, root, variables, state.
    pub inputs: Vec<Difference>,
    pub versions: Vec<Difference>,
}

/// One thing that is another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    pub what: String,
    pub then: String,
    pub now: String,
}

impl Comparison {
    pub fn is_empty(&self) -> bool {
        self.sections().iter().all(|(_, differences)| differences.is_empty())
    }

    /// Headings and differences, in the order of what is at stake.
    pub fn sections(&self) -> [(&'static str, &[Difference]); 6] {
        [
            ("changes by Terraform", &self.changes),
            ("recovery points", &self.recovery_points),
            ("records", &self.records),
            ("found", &self.found),
            ("made of", &self.inputs),
            ("made with", &self.versions),
        ]
    }
}

/// Compares two bundles. Marks of values can only be compared where both were made with one salt.
pub fn compare(then: &Bundle, now: &Bundle) -> Comparison {
    Comparison {
        schema_version: SCHEMA_VERSION,
        then: then.sha256.clone(),
        now: now.sha256.clone(),
        changes: [teardown(then, now), changes(then.plan.as_ref(), now.plan.as_ref())].concat(),
        recovery_points: points(&then.points, &now.points),
        records: records(&then.records, &now.records),
        found: found(&then.found, &now.found),
        inputs: inputs(then, now),
        versions: versions(&then.index, &now.index),
    }
}

fn difference(what: impl Into<String>, then: impl Into<String>, now: impl Into<String>) -> Difference {
    Difference { what: what.into(), then: then.into(), now: now.into() }
}

/// What of two maps is not the same; `say` puts a value into words.
fn of_maps<V>(
    then: &BTreeMap<String, V>,
    now: &BTreeMap<String, V>,
    same: impl Fn(&V, &V) -> bool,
    say: impl Fn(&V) -> String,
) -> Vec<Difference> {
    let names: BTreeSet<&String> = then.keys().chain(now.keys()).collect();
    let one = |name: &String| match (then.get(name), now.get(name)) {
        (Some(then), Some(now)) if same(then, now) => None,
        (then, now) => {
            let say = |value: Option<&V>| value.map_or_else(|| NOTHING.to_owned(), &say);
            Some(difference(name, say(then), say(now)))
        }
    };
    names.into_iter().filter_map(one).collect()
}

/// What a teardown destroys and leaves, by address.
fn teardown(then: &Bundle, now: &Bundle) -> Vec<Difference> {
    let of = |bundle: &Bundle| -> BTreeMap<String, String> {
        let Some(TornDown { what, .. }) = &bundle.teardown else { return BTreeMap::new() };
        let destroyed = what.destroys.iter().map(|(address, it)| (address, said(it)));
        let stays = what.stays.iter().map(|(address, why)| (address, format!("stays: {why}")));
        destroyed.chain(stays).map(|(address, what)| (format!("teardown: {address}"), what)).collect()
    };
    of_maps(&of(then), &of(now), |a, b| a == b, Clone::clone)
}

fn said(Doomed { id, final_snapshot, protected, released, .. }: &Doomed) -> String {
    let snapshot = final_snapshot.iter().map(|name| format!(", leaving snapshot {name}"));
    let protected = protected.then(|| ", its protection from deletion switched off".to_owned());
    let released = released.iter().map(|why| format!(", although {why}"));
    let more: String = snapshot.chain(protected).chain(released).collect();
    format!("destroyed ({id}){more}")
}

fn changes(then: Option<&Plan>, now: Option<&Plan>) -> Vec<Difference> {
    let of = |plan: Option<&Plan>| -> BTreeMap<String, ResourceChange> {
        let name = |it: &ResourceChange| {
            if it.deposed { format!("{} (left over)", it.address) } else { it.address.clone() }
        };
        plan.into_iter().flat_map(Plan::changes).map(|it| (name(it), it.clone())).collect()
    };
    let (then, now) = (of(then), of(now));
    let same_verb = of_maps(&then, &now, |a, b| a.verb() == b.verb(), |it| it.verb().to_owned());
    let otherwise = then.iter().filter_map(|(name, then)| {
        let now = now.get(name).filter(|now| now.verb() == then.verb())?;
        let attributes = attributes(then, now);
        let verb = then.verb();
        (!attributes.is_empty()).then(|| difference(name, verb, format!("{verb} with other {}", attributes.join(", "))))
    });
    let mut all: Vec<Difference> = same_verb.into_iter().chain(otherwise).collect();
    all.sort_by(|a, b| a.what.cmp(&b.what));
    all
}

/// Names of the attributes that come out otherwise, or were something else before.
fn attributes(then: &ResourceChange, now: &ResourceChange) -> Vec<String> {
    let names: BTreeSet<&str> = [then, now].into_iter().flat_map(|it| it.values.names()).collect();
    let differs = |name: &&str| {
        let unknown = |it: &ResourceChange| it.unknown.iter().any(|unknown| unknown == name);
        then.values.get(name) != now.values.get(name) || unknown(then) != unknown(now)
    };
    let values = names.into_iter().filter(differs).map(str::to_owned);
    let places = |it: &ResourceChange| -> BTreeSet<String> {
        it.differences.iter().map(|it| format!("{}\0{:?}", it.path, it.before)).collect()
    };
    let before: BTreeSet<String> = places(then)
        .symmetric_difference(&places(now))
        .filter_map(|place| place.split(['.', '\0']).next().map(str::to_owned))
        .collect();
    let import = (then.importing != now.importing).then(|| "the id that it is imported by".to_owned());
    values.chain(before).chain(import).collect::<BTreeSet<String>>().into_iter().collect()
}

fn points(then: &[Point], now: &[Point]) -> Vec<Difference> {
    let of = |points: &[Point]| -> BTreeMap<String, (Option<String>, Option<String>)> {
        let point = |it: &Point| (it.recovery_point.clone(), it.at.map(|at| at.to_string()));
        points.iter().map(|it| (it.step.to_string(), point(it))).collect()
    };
    let say = |(point, at): &(Option<String>, Option<String>)| {
        let at = at.as_ref().map_or_else(String::new, |at| format!(" of {at}"));
        format!("{}{at}", point.as_deref().unwrap_or("the newest"))
    };
    of_maps(&of(then), &of(now), PartialEq::eq, say)
}

/// What Route 53 did not tell on either side is not known to differ: a control plane that is silent holds the cutover alone.
fn records(then: &[CutoverMoves], now: &[CutoverMoves]) -> Vec<Difference> {
    let silent: BTreeSet<&str> =
        then.iter().chain(now).filter(|it| it.not_read.is_some()).map(|it| it.cutover.as_str()).collect();
    let of = |cutovers: &[CutoverMoves]| -> BTreeMap<String, (Option<String>, Move)> {
        let told = cutovers.iter().filter(|it| !silent.contains(it.cutover.as_str()));
        let records = told.flat_map(|it| it.records.iter().map(|record| (it.zone_id.clone(), record)));
        records.map(|(zone, record)| (record.label(), (zone, record.clone()))).collect()
    };
    let say = |(zone, record): &(Option<String>, Move)| {
        let set = |set: Option<&crate::aws::route53::RecordSet>| {
            set.map_or_else(|| NOTHING.to_owned(), |set| serde_json::to_string(set).unwrap_or_default())
        };
        let zone = zone.as_deref().unwrap_or("a zone that is not known");
        format!("{} → {} in {zone}", set(record.before.as_ref()), set(Some(&record.after)))
    };
    of_maps(&of(then), &of(now), PartialEq::eq, say)
}

/// What is another of what a check found: each name of its facts by itself.
fn found(then: &Found, now: &Found) -> Vec<Difference> {
    let of = |found: &Found| -> BTreeMap<String, String> {
        let facts = found.iter().flat_map(|(step, facts)| match facts {
            Value::Object(facts) => {
                facts.iter().map(|(name, value)| (format!("{step}: {name}"), value.to_string())).collect()
            }
            Value::Null => Vec::new(),
            other => vec![(step.to_string(), other.to_string())],
        });
        facts.collect()
    };
    of_maps(&of(then), &of(now), PartialEq::eq, Clone::clone)
}

fn inputs(then: &Bundle, now: &Bundle) -> Vec<Difference> {
    let state = |state: &Option<Standing>| match state {
        Some(Standing { lineage, serial }) => format!("lineage {lineage}, serial {serial}"),
        None => "no state yet".to_owned(),
    };
    let pairs = |Index { subject, root_sha256, manifest_sha256, .. }: &Index| {
        let Subject { scenario, environment, service, account, region, workspace, state: standing, .. } = subject;
        [
            ("scenario", scenario.clone()),
            ("environment", environment.clone()),
            ("service", service.clone()),
            ("account", account.clone()),
            ("region", region.clone()),
            ("workspace", workspace.clone()),
            ("Terraform state", state(standing)),
            ("Terraform root", root_sha256.as_ref().map_or_else(|| NOTHING.to_owned(), |it| format!("SHA-256 {it}"))),
            ("manifest", format!("SHA-256 {manifest_sha256}")),
        ]
    };
    let all = pairs(&then.index).into_iter().zip(pairs(&now.index));
    let mut found: Vec<Difference> = all
        .filter(|((_, then), (_, now))| then != now)
        .map(|((what, then), (_, now))| difference(what, then, now))
        .collect();
    let steps = |bundle: &Bundle| -> BTreeMap<String, crate::runbook::StepSpec> {
        bundle.steps.runbook.steps.iter().map(|step| (step.id.to_string(), step.clone())).collect()
    };
    let steps = of_maps(&steps(then), &steps(now), PartialEq::eq, |step| step.title.clone());
    found.extend(steps.into_iter().map(|it| Difference { what: format!("step {}", it.what), ..it }));
    if let (Some(a), Some(b)) = (&then.index.inputs, &now.index.inputs)
        && a.salt == b.salt
    {
        let files = |files: &BTreeMap<PathBuf, String>| -> BTreeMap<String, String> {
            files.iter().map(|(path, mark)| (path.display().to_string(), mark.clone())).collect()
        };
        let variables = |variables: &BTreeMap<String, String>| -> BTreeMap<String, String> {
            variables.iter().map(|(name, mark)| (format!("TF_VAR_{name}"), mark.clone())).collect()
        };
        let mark = |mark: &String| format!("mark {mark}");
        found.extend(of_maps(&files(&a.var_files), &files(&b.var_files), PartialEq::eq, mark));
        found.extend(of_maps(&variables(&a.variables), &variables(&b.variables), PartialEq::eq, mark));
        if a.backend != b.backend {
            found.push(difference("backend of the state", "one", "another"));
        }
    }
    found
}

fn versions(then: &Index, now: &Index) -> Vec<Difference> {
    let of = |index: &Index| -> BTreeMap<String, String> {
        let versions = &index.versions;
        let tool = versions.terraform.as_ref();
        let tool = tool.map(|tool| ("Terraform".to_owned(), format!("{} {}", tool.product, tool.version)));
        let own = std::iter::once(("lifeboat".to_owned(), versions.lifeboat.clone()));
        own.chain(tool).chain(versions.providers.clone()).collect()
    };
    of_maps(&of(then), &of(now), PartialEq::eq, Clone::clone)
}
