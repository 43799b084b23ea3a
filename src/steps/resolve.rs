//! What a reference in the manifest stands for: in a run from the outputs of earlier steps; otherwise from the
//! recovery region itself, so that a later run knows before anything what an earlier one has made.

use serde_json::Value;
use tokio::sync::OnceCell;

use super::{Cx, StepError};
use crate::aws::s3::{TerraformState, recovery_state};
use crate::aws::{Session, rds};
use crate::manifest::{Cluster, Region, Text};

/// The steps that return Terraform's outputs, the last one first.
const APPLIES: [&str; 2] = ["adoption.apply", "infrastructure.apply"];

/// Tells what another step returned.
type OutputOf<'a> = dyn Fn(&str) -> Option<Value> + Send + Sync + 'a;

/// Resolves texts for one step. The state is read at most once.
pub struct Resolver<'a> {
    session: &'a Session,
    clusters: &'a [Cluster],
    recovery: &'a Region,
    output: Box<OutputOf<'a>>,
    state: OnceCell<Option<TerraformState>>,
}

impl<'a> Resolver<'a> {
    /// `output` tells what another step returned.
    pub fn new(
        session: &'a Session,
        clusters: &'a [Cluster],
        recovery: &'a Region,
        output: impl Fn(&str) -> Option<Value> + Send + Sync + 'a,
    ) -> Self {
        Self { session, clusters, recovery, output: Box::new(output), state: OnceCell::new() }
    }

    pub fn of(cx: &'a Cx) -> Self {
        let manifest = &cx.world.manifest;
        Self::new(&cx.world.aws, &manifest.clusters, &manifest.recovery, |step| cx.output(step))
    }

    /// The text's value; `None` while what it refers to has not been made.
    ///
    /// # Errors
    /// It can never be known: no such cluster or attribute, a secret or composite output; or AWS refused.
    pub async fn resolve(&self, text: &Text) -> Result<Option<String>, StepError> {
        match text {
            Text::Literal(text) => Ok(Some(text.clone())),
            Text::Cluster { name, attribute } => self.cluster(name, attribute).await,
            Text::TerraformOutput(name) => self.terraform_output(name).await,
        }
    }

    /// The text's value, which has to be known by now.
    ///
    /// # Errors
    /// As [`Resolver::resolve`], or it is not known.
    pub async fn require(&self, text: &Text) -> Result<String, StepError> {
        let missing = || StepError::failed(format!("{} is not known", reference(text))).hint(MISSING);
        self.resolve(text).await?.ok_or_else(missing)
    }

    async fn cluster(&self, name: &str, attribute: &str) -> Result<Option<String>, StepError> {
        if let Some(output) = (self.output)(&format!("restore.aurora.{name}")) {
            return Ok(output.get(attribute).and_then(Value::as_str).map(str::to_owned));
        }
        let Some(cluster) = self.clusters.iter().find(|cluster| cluster.name == name) else {
            return Err(StepError::failed(format!("the manifest has no aurora block {name:?}")));
        };
        let found = rds::cluster(self.session, &cluster.target).await?;
        Ok(found.and_then(|found| match attribute {
            "endpoint" => found.endpoint,
            "reader_endpoint" => found.reader_endpoint,
            _ => None,
        }))
    }

    async fn terraform_output(&self, name: &str) -> Result<Option<String>, StepError> {
        for step in APPLIES {
            let output = (self.output)(step).and_then(|output| output.get("outputs")?.get(name).cloned());
            if let Some(value) = output {
                return plain(name, &value);
            }
        }
        let state = self.state.get_or_try_init(|| recovery_state(self.session, self.recovery)).await?;
        match state.as_ref().and_then(|state| state.outputs.get(name)) {
            Some(output) if output.sensitive => {
                let text = format!("Terraform output {name} is sensitive, so it cannot be put where anybody reads it");
                Err(StepError::failed(text).hint("use an output that is not sensitive"))
            }
            Some(output) => plain(name, &output.value),
            None => Ok(None),
        }
    }
}

const MISSING: &str = "it is known once its resource is made: check the restore and the outputs of the Terraform root";

/// A reference as the manifest writes it.
pub fn reference(text: &Text) -> String {
    match text {
        Text::Literal(text) => text.clone(),
        Text::Cluster { name, attribute } => format!("aurora.{name}.{attribute}"),
        Text::TerraformOutput(name) => format!("terraform.output.{name}"),
    }
}

fn plain(name: &str, value: &Value) -> Result<Option<String>, StepError> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text.clone())),
        Value::Number(number) => Ok(Some(number.to_string())),
        Value::Bool(_) | Value::Array(_) | Value::Object(_) => {
            let text = format!("Terraform output {name} is neither a string nor a number");
            Err(StepError::failed(text).hint("give the root an output that is one string"))
        }
    }
}
