//! A saved plan as `show -json` tells it (Terraform: "JSON Output Format", plan representation).
//!
//! Read as it streams in: what nobody here needs (most of the prior state, planned values, expressions) is skipped
//! without being kept, and a value that is sensitive is dropped the moment its resource has been read.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::attributes::Attributes;
use super::marks::Marks;
use super::prior;

/// The part of a plan that lifeboat works with.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(from = "Document")]
pub struct Plan {
    pub format_version: String,
    pub errored: bool,
    pub resources: Vec<ResourceChange>,
    /// Outputs whose value changes, by name, with what happens to each.
    pub outputs: BTreeMap<String, Vec<Action>>,
    pub providers: Vec<ProviderRegion>,
    /// Regions by address of the root's `aws_region` data sources, as they were read for this plan.
    pub regions: BTreeMap<String, String>,
    /// ARNs by address of what the state holds.
    pub arns: BTreeMap<String, String>,
}

/// What a plan does to one resource instance.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(from = "WireChange")]
pub struct ResourceChange {
    /// With instance keys: `module.use["x"].aws_vpc.main[0]`.
    pub address: String,
    pub managed: bool,
    pub kind: String,
    pub actions: Vec<Action>,
    /// The id that it is imported by.
    pub importing: Option<String>,
    /// An object that an earlier create-before-destroy left over.
    pub deposed: bool,
    /// Attributes that force a replacement, as paths: `engine_version`, `tags.Name`.
    pub replace_paths: Vec<String>,
    /// Names of attributes whose values change.
    pub changed: Vec<String>,
    /// Planned values by attribute: never sensitive ones, and of those that are known in part, the known part.
    pub values: Attributes,
    /// Attributes of which at least a part is known only after the apply.
    pub unknown: Vec<String>,
}

/// Terraform's words for what it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    NoOp,
    Create,
    Read,
    Update,
    Delete,
    Forget,
    /// A word of a newer Terraform: never taken for harmless.
    #[serde(other)]
    Unknown,
}

/// A provider configuration and its region, where the configuration says it plainly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderRegion {
    /// `aws`, `aws.replica`, `module.x:aws`.
    pub key: String,
    /// The configuration that resources use unless they say otherwise, in the root module.
    pub default: bool,
    /// `None` where it is computed, or left to the environment.
    pub region: Option<String>,
    /// Whether the configuration names a region at all; one that is null is none.
    pub declared: bool,
    /// The alias of a configuration of the root module, by which the root can ask it for its region.
    pub alias: Option<String>,
}

/// Why a plan cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    #[error("the plan's JSON is not understood: {0}")]
    Json(#[from] serde_json::Error),
    #[error("the plan's JSON has format version {0}; this lifeboat reads 1.x")]
    Format(String),
    #[error("the plan is marked as failed")]
    Errored,
}

impl Plan {
    /// Reads a plan as it comes.
    ///
    /// # Errors
    /// Not such a document, of another major version, or of a plan that failed.
    pub fn read(source: impl Read) -> Result<Self, PlanError> {
        let plan: Self = serde_json::from_reader(std::io::BufReader::with_capacity(256 * 1024, source))?;
        plan.accepted()
    }

    /// Reads a plan that is in memory.
    ///
    /// # Errors
    /// As [`Plan::read`].
    pub fn parse(json: &[u8]) -> Result<Self, PlanError> {
        serde_json::from_slice::<Self>(json)?.accepted()
    }

    fn accepted(self) -> Result<Self, PlanError> {
        if self.format_version.split('.').next() != Some("1") {
            return Err(PlanError::Format(self.format_version));
        }
        if self.errored {
            return Err(PlanError::Errored);
        }
        Ok(self)
    }

    /// Managed resources that would change, be imported or be forgotten.
    pub fn changes(&self) -> impl Iterator<Item = &ResourceChange> {
        self.resources.iter().filter(|it| it.managed && (!it.is_no_op() || it.importing.is_some()))
    }

    /// Whether applying it would change nothing, not even an output.
    pub fn is_empty(&self) -> bool {
        self.changes().next().is_none() && self.outputs.is_empty()
    }

    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for change in self.changes() {
            counts.add += u64::from(change.does(Action::Create));
            counts.change += u64::from(change.does(Action::Update));
            counts.destroy += u64::from(change.does(Action::Delete));
            counts.import += u64::from(change.importing.is_some());
        }
        counts
    }
}

/// How much a plan does; a replacement counts as one addition and one destruction, as Terraform counts it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub add: u64,
    pub change: u64,
    pub destroy: u64,
    pub import: u64,
}

impl ResourceChange {
    pub fn does(&self, action: Action) -> bool {
        self.actions.contains(&action)
    }

    /// Whether the plan makes a new object for it.
    pub fn creates(&self) -> bool {
        self.does(Action::Create)
    }

    pub fn is_no_op(&self) -> bool {
        self.actions.iter().all(|action| matches!(action, Action::NoOp))
    }

    pub fn is_replaced(&self) -> bool {
        self.does(Action::Create) && self.does(Action::Delete)
    }

    /// What happens to it, in a word, for people.
    pub fn verb(&self) -> &'static str {
        match self.actions.as_slice() {
            [Action::NoOp] | [] if self.importing.is_some() => "imported",
            [Action::Update] if self.importing.is_some() => "imported and changed",
            _ if self.is_replaced() => "replaced",
            [Action::Create] => "created",
            [Action::Update] => "changed",
            [Action::Delete] => "destroyed",
            [Action::Forget] => "forgotten",
            [Action::NoOp] | [] => "left alone",
            [Action::Read] => "read",
            _ => "changed in a way that this lifeboat does not know",
        }
    }
}

#[derive(Deserialize)]
struct Document {
    #[serde(default)]
    format_version: String,
    #[serde(default)]
    errored: bool,
    #[serde(default)]
    resource_changes: Vec<ResourceChange>,
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
    module_calls: BTreeMap<String, WireCall>,
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
struct WireChange {
    address: String,
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
        let changed = document.output_changes.into_iter().map(|(name, output)| (name, output.actions));
        let variables = &document.variables;
        let providers = document.configuration.provider_config.into_iter();
        let (regions, arns) = document.prior_state.into_places();
        Self {
            format_version: document.format_version,
            errored: document.errored,
            resources: document.resource_changes,
            outputs: changed.filter(|(_, actions)| actions.iter().any(|it| *it != Action::NoOp)).collect(),
            providers: providers
                .filter(|(_, it)| it.name == "aws")
                .map(|(key, it)| it.region(key, variables, &document.configuration.root_module))
                .collect(),
            regions,
            arns,
        }
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

impl From<WireChange> for ResourceChange {
    fn from(wire: WireChange) -> Self {
        let body = wire.change;
        let before = body.before.unwrap_or_default();
        let mut values = body.after.unwrap_or_default();
        let touched = body.actions.len() > 1 || body.actions.contains(&Action::Update);
        let changed = if touched { changed(&before, &values, &body.after_unknown) } else { Vec::new() };
        values.retain(|name| !body.after_sensitive.has(name));
        Self {
            address: wire.address,
            managed: wire.mode == "managed",
            kind: wire.kind,
            actions: body.actions,
            importing: body.importing.map(|it| it.id.unwrap_or_default()),
            deposed: wire.deposed.is_some(),
            replace_paths: body.replace_paths.iter().map(|path| dotted(path)).collect(),
            changed,
            values,
            unknown: body.after_unknown.into_names(),
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

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
