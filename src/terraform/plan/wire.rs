//! How Terraform writes a plan (Terraform: "JSON Output Format"), and what is kept of it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::secrets::Secrets;
use super::{Action, OutputChange, Plan, ProviderRegion, ResourceChange};
use crate::terraform::attributes::Attributes;
use crate::terraform::difference::{Compared, Side, differences};
use crate::terraform::marks::{Marks, Tree};
use crate::terraform::prior;

/// What tells which snapshot a database leaves when it is destroyed (AWS provider: "Resource: aws_rds_cluster").
const FINAL_SNAPSHOT: [&str; 2] = ["final_snapshot_identifier", "skip_final_snapshot"];

#[derive(Deserialize)]
pub(super) struct Document {
    #[serde(default)]
    format_version: String,
    #[serde(default)]
    errored: bool,
    #[serde(default)]
    resource_changes: Vec<ResourceChange>,
    #[serde(default)]
    resource_drift: Vec<ResourceChange>,
    #[serde(default)]
    output_changes: BTreeMap<String, WireOutput>,
    #[serde(default)]
    variables: BTreeMap<String, WireVariable>,
    #[serde(default)]
    configuration: WireConfiguration,
    #[serde(default)]
    prior_state: prior::State,
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

#[derive(Deserialize)]
pub(super) struct WireChange {
    address: String,
    previous_address: Option<String>,
    module_address: Option<String>,
    action_reason: Option<String>,
    mode: String,
    #[serde(rename = "type")]
    kind: String,
    deposed: Option<String>,
    change: WireChangeBody,
}

#[derive(Deserialize)]
struct WireChangeBody {
    actions: Vec<Action>,
    before: Option<Attributes>,
    after: Option<Attributes>,
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

impl From<Document> for Plan {
    fn from(document: Document) -> Self {
        let changed =
            document.output_changes.into_iter().filter(|(_, it)| it.actions.iter().any(|it| *it != Action::NoOp));
        let variables = &document.variables;
        let providers = document.configuration.provider_config.into_iter();
        let (regions, arns) = document.prior_state.into_places();
        let declared = &document.configuration.root_module.variables;
        let sensitive = variables.iter().filter(|(name, _)| declared.get(*name).is_some_and(|it| it.sensitive));
        let mut secrets = Secrets::default();
        sensitive.for_each(|(_, variable)| secrets.add(&variable.value, &Tree::All));
        let mut plan = Self {
            format_version: document.format_version,
            errored: document.errored,
            resources: document.resource_changes,
            drift: document.resource_drift,
            outputs: changed.map(|(name, output)| (name, output.into())).collect(),
            providers: providers
                .filter(|(_, it)| it.name == "aws")
                .map(|(key, it)| it.region(key, variables, &document.configuration.root_module))
                .collect(),
            regions,
            arns,
        };
        for change in plan.resources.iter_mut().chain(&mut plan.drift) {
            secrets.append(&mut std::mem::take(&mut change.secrets));
        }
        secrets.redact(&mut plan);
        plan
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

impl From<WireChange> for ResourceChange {
    fn from(wire: WireChange) -> Self {
        let body = wire.change;
        let before = body.before.unwrap_or_default();
        let mut values = body.after.unwrap_or_default();
        let touched = body.actions.len() > 1 || body.actions.contains(&Action::Update);
        let changed = if touched { changed(&before, &values, &body.after_unknown) } else { Vec::new() };
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
        let mut secrets = Secrets::default();
        for (values, marks) in [(&before, &body.before_sensitive), (&values, &body.after_sensitive)] {
            values.iter().for_each(|(name, value)| secrets.add(value, marks.tree().at_key(name)));
        }
        values.retain(|name| !body.after_sensitive.has(name));
        let mut gone = if body.actions.contains(&Action::Delete) { before } else { Attributes::default() };
        gone.retain(|name| FINAL_SNAPSHOT.contains(&name) && !body.before_sensitive.has(name));
        Self {
            address: wire.address,
            previous_address: wire.previous_address,
            module: wire.module_address.unwrap_or_default(),
            managed: wire.mode == "managed",
            kind: wire.kind,
            actions: body.actions,
            importing: body.importing.map(|it| it.id.unwrap_or_default()),
            deposed: wire.deposed.is_some(),
            replace_paths: body.replace_paths.iter().map(|path| dotted(path)).collect(),
            reason: wire.action_reason,
            changed,
            differences,
            values,
            gone,
            unknown: body.after_unknown.into_names(),
            secrets,
        }
    }
}

/// The names of the attributes whose values differ or will be known only later.
fn changed(before: &Attributes, after: &Attributes, unknown: &Marks) -> Vec<String> {
    let value = |of: &Attributes, name: &str| of.get(name).cloned().unwrap_or_default();
    let names: BTreeSet<&str> = before.names().chain(after.names()).chain(unknown.names()).collect();
    let differs = |name: &&str| unknown.has(name) || value(before, name) != value(after, name);
    names.into_iter().filter(differs).map(str::to_owned).collect()
}

/// `["ingress", 0, "cidr"]` as `ingress.0.cidr`.
fn dotted(path: &[Value]) -> String {
    let words = path.iter().map(|step| step.as_str().map_or_else(|| step.to_string(), str::to_owned));
    words.collect::<Vec<_>>().join(".")
}
