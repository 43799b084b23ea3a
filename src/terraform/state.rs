//! A state as `state pull` gives it: where it stands, what it holds, and its outputs (state file format, version 4).
//!
//! Attributes other than `id` are skipped as they stream by: a state is full of secrets. Sensitive outputs are dropped.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::Value;

use crate::aws::AwsError;

/// A state file's format that this version reads.
const FORMAT: u64 = 4;

/// Where a backend keeps a state, read without starting a Terraform: each start costs most of a second.
#[async_trait]
pub trait StateStore: Send + Sync {
    /// The state's document; `None` where there is none yet.
    ///
    /// # Errors
    /// AWS refused.
    async fn document(&self) -> Result<Option<Vec<u8>>, AwsError>;
}

/// The part of a state that lifeboat works with.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State {
    /// Empty where there is no state yet.
    pub lineage: String,
    pub serial: u64,
    /// Managed resource instances: address to id. The id is empty where the provider gives none.
    pub resources: BTreeMap<String, String>,
    /// Instances whose creation was not completed, so that Terraform would replace them: address to type.
    pub tainted: BTreeMap<String, String>,
    /// What an instance was made with, as Terraform has recorded it: address to addresses without instance keys, data
    /// sources left out.
    pub dependencies: BTreeMap<String, BTreeSet<String>>,
    /// Values of outputs that are not sensitive.
    pub outputs: BTreeMap<String, Value>,
}

/// Why a state cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    #[error("the state is not understood: {0}")]
    Json(#[from] serde_json::Error),
    #[error("the state has format version {0}; this lifeboat reads {FORMAT}")]
    Format(u64),
    #[error("the state cannot be read: {0}")]
    Io(#[from] std::io::Error),
}

impl State {
    /// Reads a state. Nothing at all is the state of a workspace that holds none yet.
    ///
    /// # Errors
    /// Not a state of this format, or the source fails.
    pub fn read(mut source: impl Read) -> Result<Self, StateError> {
        // `state pull` prints nothing for an empty state, which serde_json would call an error.
        let mut first = [0; 1];
        if source.read(&mut first)? == 0 {
            return Ok(Self::default());
        }
        let source = std::io::BufReader::new(std::io::Cursor::new(first).chain(source));
        let document: Document = match serde_json::from_reader(source) {
            Ok(document) => document,
            Err(error) if error.is_eof() && first[0].is_ascii_whitespace() => return Ok(Self::default()),
            Err(error) => return Err(error.into()),
        };
        if document.version != FORMAT {
            return Err(StateError::Format(document.version));
        }
        Ok(document.into())
    }
}

#[derive(Deserialize)]
struct Document {
    version: u64,
    #[serde(default)]
    serial: u64,
    #[serde(default)]
    lineage: String,
    #[serde(default)]
    outputs: BTreeMap<String, WireOutput>,
    #[serde(default)]
    resources: Vec<WireResource>,
}

#[derive(Deserialize)]
struct WireOutput {
    #[serde(default)]
    value: Value,
    #[serde(default)]
    sensitive: bool,
}

#[derive(Deserialize)]
struct WireResource {
    module: Option<String>,
    mode: String,
    #[serde(rename = "type")]
    kind: String,
    name: String,
    #[serde(default)]
    instances: Vec<WireInstance>,
}

#[derive(Deserialize)]
struct WireInstance {
    index_key: Option<Value>,
    deposed: Option<String>,
    status: Option<String>,
    #[serde(default)]
    attributes: WireAttributes,
    #[serde(default)]
    dependencies: Vec<String>,
}

#[derive(Default, Deserialize)]
struct WireAttributes {
    id: Option<Value>,
}

impl From<Document> for State {
    fn from(document: Document) -> Self {
        let (mut resources, mut tainted, mut dependencies) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        for resource in document.resources.iter().filter(|it| it.mode == "managed") {
            for instance in resource.instances.iter().filter(|it| it.deposed.is_none()) {
                let id = instance.attributes.id.as_ref().and_then(Value::as_str).unwrap_or_default();
                let address = resource.address(instance.index_key.as_ref());
                if instance.status.as_deref() == Some("tainted") {
                    tainted.insert(address.clone(), resource.kind.clone());
                }
                let needed = instance.dependencies.iter().filter(|it| super::Address::parse(it).is_some());
                dependencies.insert(address.clone(), needed.cloned().collect());
                resources.insert(address, id.to_owned());
            }
        }
        let outputs = document.outputs.into_iter().filter(|(_, output)| !output.sensitive);
        Self {
            lineage: document.lineage,
            serial: document.serial,
            resources,
            tainted,
            dependencies,
            outputs: outputs.map(|(name, output)| (name, output.value)).collect(),
        }
    }
}

impl WireResource {
    fn address(&self, key: Option<&Value>) -> String {
        let module = self.module.as_ref().map(|module| format!("{module}.")).unwrap_or_default();
        // Terraform writes a key in an address as JSON writes it: `[0]`, `["a"]`.
        let key = key.map(|key| format!("[{key}]")).unwrap_or_default();
        format!("{module}{}.{}{key}", self.kind, self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_ids_and_open_outputs_are_read_and_nothing_else() {
        let json = br#"{"version": 4, "terraform_version": "1.11.4", "serial": 15, "lineage": "6b56a75b", "outputs": {
            "endpoint": {"value": "db.example", "type": "string"},
            "password": {"value": "hunter2", "type": "string", "sensitive": true}},
          "resources": [
            {"mode": "data", "type": "aws_region", "name": "now", "instances": [{"attributes": {"id": "x"}}]},
            {"mode": "managed", "type": "aws_rds_cluster", "name": "logs", "module": "module.db[\"a\"]",
             "instances": [{"attributes": {"id": "logs-dr", "master_password": "hunter2"}}]},
            {"mode": "managed", "type": "aws_rds_cluster_instance", "name": "logs", "instances": [
             {"index_key": 0, "attributes": {"id": "logs-dr-1"}}, {"index_key": "b", "status": "tainted", "attributes": {"id": "logs-dr-2"}},
             {"index_key": 0, "deposed": "1234", "attributes": {"id": "old"}}]}]}"#;
        let state = State::read(json.as_slice()).unwrap();
        let held: Vec<(&str, &str)> = state.resources.iter().map(|(at, id)| (at.as_str(), id.as_str())).collect();
        let expected = [
            (r#"aws_rds_cluster_instance.logs["b"]"#, "logs-dr-2"),
            ("aws_rds_cluster_instance.logs[0]", "logs-dr-1"),
            (r#"module.db["a"].aws_rds_cluster.logs"#, "logs-dr"),
        ];
        assert_eq!(held, expected);
        let tainted = (r#"aws_rds_cluster_instance.logs["b"]"#.to_owned(), "aws_rds_cluster_instance".to_owned());
        assert_eq!(state.tainted, BTreeMap::from([tainted]));
        assert_eq!((state.serial, state.lineage.as_str()), (15, "6b56a75b"));
        assert_eq!(state.outputs.keys().collect::<Vec<_>>(), ["endpoint"]);
        assert!(!format!("{state:?}").contains("hunter2"));
    }

    #[test]
    fn no_state_is_empty_and_half_a_state_is_an_error() {
        assert_eq!(State::read(&b""[..]).unwrap(), State::default());
        assert_eq!(State::read(&b"\n"[..]).unwrap(), State::default());
        assert!(matches!(State::read(&b"{\"version\": 4, "[..]), Err(StateError::Json(_))));
        assert!(matches!(State::read(&b"{\"version\": 3}"[..]), Err(StateError::Format(3))));
    }
}
