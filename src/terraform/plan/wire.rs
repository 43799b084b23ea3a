//! How Terraform writes a plan (Terraform: "JSON Output Format"), and what is kept of it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;

use super::pull::Pull;
use super::secrets::Secrets;
use super::{Action, OutputChange, Plan, PlanError, ProviderRegion, ResourceChange};
use crate::terraform::attributes::Attributes;
use crate::terraform::difference::{Compared, Side, differences};
use crate::terraform::marks::{Marks, Tree};
use crate::terraform::prior;

/// What is kept of a resource that is destroyed: its name, whether it is protected, and which snapshot it leaves (AWS
/// provider: "Resource: aws_rds_cluster", "Resource: aws_dynamodb_table").
const OF_DESTROYED: [&str; 7] = [
    "deletion_protection",
    "deletion_protection_enabled",
    "enable_deletion_protection",
    "final_snapshot_identifier",
    "name",
    "name_prefix",
    "skip_final_snapshot",
];

/// How much of a plan is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keep {
    All,
    /// What a review shows.
    ForReview,
}

/// Parts that are understood once everything is there.
#[derive(Default)]
struct Rest {
    outputs: BTreeMap<String, WireOutput>,
    variables: BTreeMap<String, WireVariable>,
    configuration: WireConfiguration,
    prior: prior::State,
}

#[derive(Deserialize)]
struct WireOutput {
    actions: Vec<Action>,
    #[serde(default)]
    before: Value,
    #[serde(default)]
    after: Value,
    #[serde(default)]
    after_unknown: Tree,
    #[serde(default)]
    before_sensitive: Tree,
    #[serde(default)]
    after_sensitive: Tree,
}

#[derive(Deserialize)]
struct WireVariable {
    #[serde(default)]
    value: Value,
}

#[derive(Default, Deserialize)]
struct WireConfiguration {
    #[serde(default)]
    provider_config: BTreeMap<String, WireProvider>,
    #[serde(default)]
    root_module: WireModule,
}

/// What the modules on the way to a provider's configuration are called with.
#[derive(Default, Deserialize)]
struct WireModule {
    #[serde(default)]
    variables: BTreeMap<String, WireDeclared>,
    #[serde(default)]
    module_calls: BTreeMap<String, WireCall>,
}

/// A variable as the root declares it.
#[derive(Default, Deserialize)]
struct WireDeclared {
    #[serde(default)]
    sensitive: bool,
}

#[derive(Default, Deserialize)]
struct WireCall {
    #[serde(default)]
    expressions: BTreeMap<String, WireArgument>,
    #[serde(default)]
    module: WireModule,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum WireArgument {
    Plain(WireExpression),
    Other(serde::de::IgnoredAny),
}

#[derive(Deserialize)]
struct WireProvider {
    #[serde(default)]
    name: String,
    alias: Option<String>,
    module_address: Option<String>,
    #[serde(default)]
    expressions: WireProviderExpressions,
}

#[derive(Default, Deserialize)]
struct WireProviderExpressions {
    region: Option<WireExpression>,
}

#[derive(Deserialize)]
struct WireExpression {
    /// `Some(Null)` for a plain null, which is not the same as none.
    #[serde(default, deserialize_with = "present")]
    constant_value: Option<Value>,
    #[serde(default)]
    references: Vec<String>,
}

fn present<'de, D: Deserializer<'de>>(source: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(source).map(Some)
}

/// Borrows from the text of the plan: what is only created, destroyed or left alone is not taken apart for a review.
#[derive(Deserialize)]
struct WireChange<'a> {
    address: String,
    previous_address: Option<String>,
    module_address: Option<String>,
    action_reason: Option<String>,
    mode: String,
    #[serde(rename = "type")]
    kind: String,
    deposed: Option<String>,
    #[serde(borrow)]
    change: WireChangeBody<'a>,
}

#[derive(Deserialize)]
struct WireChangeBody<'a> {
    actions: Vec<Action>,
    #[serde(borrow)]
    before: Option<&'a RawValue>,
    #[serde(borrow)]
    after: Option<&'a RawValue>,
    #[serde(default)]
    after_unknown: Marks,
    #[serde(default)]
    before_sensitive: Marks,
    #[serde(default)]
    after_sensitive: Marks,
    importing: Option<WireImporting>,
    #[serde(default)]
    replace_paths: Vec<Vec<Value>>,
}

#[derive(Deserialize)]
struct WireImporting {
    #[serde(default)]
    id: Option<String>,
}

/// Reads a plan as it comes. One of another major version is refused before anything else of it is looked at.
pub(super) fn read(source: impl Read, keep: Keep) -> Result<Plan, PlanError> {
    let (mut plan, mut rest, mut secrets) = (Plan::default(), Rest::default(), Secrets::default());
    let mut pull = Pull::new(source);
    pull.object(|pull, name| {
        match name {
            "format_version" => {
                plan.format_version = pull.value()?;
                plan.understood()?;
            }
            "errored" => plan.errored = pull.value()?,
            "resource_changes" => changes(pull, keep, &mut plan.resources, &mut secrets)?,
            "resource_drift" => changes(pull, keep, &mut plan.drift, &mut secrets)?,
            "output_changes" => rest.outputs = pull.value()?,
            "variables" => rest.variables = pull.value()?,
            "configuration" => rest.configuration = pull.value()?,
            "prior_state" if keep == Keep::All => rest.prior = pull.value()?,
            _ => pull.skip()?,
        }
        Ok::<(), PlanError>(())
    })?;
    pull.end()?;
    rest.complete(&mut plan, &mut secrets);
    secrets.redact(&mut plan);
    Ok(plan)
}

fn changes<R: Read>(
    pull: &mut Pull<R>,
    keep: Keep,
    to: &mut Vec<ResourceChange>,
    secrets: &mut Secrets,
) -> Result<(), PlanError> {
    pull.array(|pull| {
        let wire: WireChange<'_> = serde_json::from_slice(pull.text()?)?;
        to.extend(wire.understood(keep, secrets)?);
        Ok(())
    })
}

impl Rest {
    fn complete(self, plan: &mut Plan, secrets: &mut Secrets) {
        let Self { outputs, variables, configuration, prior } = self;
        let declared = &configuration.root_module.variables;
        let sensitive = variables.iter().filter(|(name, _)| declared.get(*name).is_some_and(|it| it.sensitive));
        sensitive.for_each(|(_, variable)| secrets.add(&variable.value, &Tree::All));
        let changed = outputs.into_iter().filter(|(_, it)| it.actions.iter().any(|it| *it != Action::NoOp));
        plan.outputs = changed.map(|(name, output)| (name, output.into())).collect();
        let providers = configuration.provider_config.into_iter().filter(|(_, it)| it.name == "aws");
        plan.providers = providers.map(|(key, it)| it.region(key, &variables, &configuration.root_module)).collect();
        (plan.regions, plan.arns) = prior.into_places();
    }
}

impl WireProvider {
    /// Resolves the region where it is a constant, or a variable of the root module and nothing else. One that is null
    /// is as good as none.
    fn region(self, key: String, variables: &BTreeMap<String, WireVariable>, root: &WireModule) -> ProviderRegion {
        let default = self.alias.is_none() && self.module_address.is_none();
        let module = self.module_address.as_deref().unwrap_or_default();
        let path: Vec<&str> = module.split('.').filter(|word| *word != "module" && !word.is_empty()).collect();
        let value = self.expressions.region.map(|expression| expression.value(&path, variables, root));
        let alias = self.alias.filter(|_| self.module_address.is_none());
        let declared = value.as_ref().is_some_and(|value| !matches!(value, Some(Value::Null)));
        let region = value.flatten().and_then(|value| value.as_str().map(str::to_owned));
        ProviderRegion { key, default, region, declared, alias }
    }
}

impl WireExpression {
    /// The value of an expression in the module at `path`, where it is a constant, or a variable that is handed down
    /// from the root as it is.
    fn value(&self, path: &[&str], variables: &BTreeMap<String, WireVariable>, root: &WireModule) -> Option<Value> {
        if let Some(value) = &self.constant_value {
            return Some(value.clone());
        }
        let [reference] = self.references.as_slice() else { return None };
        let name = reference.strip_prefix("var.")?;
        let Some((last, above)) = path.split_last() else { return Some(variables.get(name)?.value.clone()) };
        let caller = above.iter().try_fold(root, |module, name| Some(&module.module_calls.get(*name)?.module))?;
        match caller.module_calls.get(*last)?.expressions.get(name)? {
            WireArgument::Plain(argument) => argument.value(above, variables, root),
            WireArgument::Other(_) => None,
        }
    }
}

impl From<WireOutput> for OutputChange {
    fn from(wire: WireOutput) -> Self {
        // An output that is sensitive on one side would tell by the other what it was or will be.
        let secret = wire.before_sensitive.any() || wire.after_sensitive.any();
        let side = |value: &Value, there: bool| match there {
            false => Side::Absent,
            true if secret => Side::Sensitive,
            true => Side::known(value),
        };
        let after = match wire.after_unknown.any() && !secret {
            true => Side::Unknown,
            false => side(&wire.after, !wire.actions.contains(&Action::Delete)),
        };
        Self { before: side(&wire.before, !wire.actions.contains(&Action::Create)), after, actions: wire.actions }
    }
}

impl WireChange<'_> {
    /// `None` for one of the many that are left alone, where only a review is wanted.
    fn understood(self, keep: Keep, secrets: &mut Secrets) -> Result<Option<ResourceChange>, serde_json::Error> {
        let is_left_alone = self.is_left_alone();
        let body = self.change;
        let touched = body.actions.len() > 1 || body.actions.contains(&Action::Update);
        let is_shown = touched || keep == Keep::All;
        let before = attributes(body.before, is_shown || body.before_sensitive.tree().any())?;
        let mut values = attributes(body.after, is_shown || body.after_sensitive.tree().any())?;
        for (values, marks) in [(&before, &body.before_sensitive), (&values, &body.after_sensitive)] {
            values.iter().for_each(|(name, value)| secrets.add(value, marks.tree().at_key(name)));
        }
        if is_left_alone && keep == Keep::ForReview {
            return Ok(None);
        }
        let differences = match touched {
            true => differences(&Compared {
                before: &before,
                after: &values,
                unknown: body.after_unknown.tree(),
                sensitive: [body.before_sensitive.tree(), body.after_sensitive.tree()],
                forcing: &body.replace_paths,
            }),
            false => Vec::new(),
        };
        let change = ResourceChange {
            address: self.address,
            previous_address: self.previous_address,
            module: self.module_address.unwrap_or_default(),
            managed: self.mode == "managed",
            kind: self.kind,
            importing: body.importing.map(|it| it.id.unwrap_or_default()),
            deposed: self.deposed.is_some(),
            replace_paths: body.replace_paths.iter().map(|path| dotted(path)).collect(),
            reason: self.action_reason,
            actions: body.actions,
            differences,
            ..ResourceChange::default()
        };
        if keep == Keep::ForReview {
            return Ok(Some(change));
        }
        let changed = if touched { changed(&before, &values, &body.after_unknown) } else { Vec::new() };
        values.retain(|name| !body.after_sensitive.has(name));
        let mut gone = if change.actions.contains(&Action::Delete) { before } else { Attributes::default() };
        gone.retain(|name| OF_DESTROYED.contains(&name) && !body.before_sensitive.has(name));
        Ok(Some(ResourceChange { changed, values, gone, unknown: body.after_unknown.into_names(), ..change }))
    }

    fn is_left_alone(&self) -> bool {
        let nothing = self.change.actions.iter().all(|action| *action == Action::NoOp);
        nothing && self.previous_address.is_none() && self.change.importing.is_none()
    }
}

/// One side of a change; nothing where it is not wanted.
fn attributes(text: Option<&RawValue>, wanted: bool) -> Result<Attributes, serde_json::Error> {
    text.filter(|_| wanted).map_or_else(|| Ok(Attributes::default()), |text| serde_json::from_str(text.get()))
}

/// The names of the attributes whose values differ or will be known only later.
fn changed<'a>(before: &'a Attributes, after: &'a Attributes, unknown: &Marks) -> Vec<String> {
    let value = |of: &'a Attributes, name: &str| of.get(name).unwrap_or(&Value::Null);
    let differs = |name: &&str| unknown.has(name) || value(before, name) != value(after, name);
    let names: BTreeSet<&str> = before.names().chain(after.names()).chain(unknown.names()).collect();
    names.into_iter().filter(differs).map(str::to_owned).collect()
}

/// `["ingress", 0, "cidr"]` as `ingress.0.cidr`.
fn dotted(path: &[Value]) -> String {
    let words = path.iter().map(|step| step.as_str().map_or_else(|| step.to_string(), str::to_owned));
    words.collect::<Vec<_>>().join(".")
}
