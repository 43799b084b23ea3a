//! Plans the base or the adoption, past the guard, and saves what may be applied.

use async_trait::async_trait;
use serde_json::{Value, json};

use super::teardown_names::to_import;
use super::terraform_watch::{Watch, adopted, recorded_lineage, restored};
use super::{Blocked, Checked, Compensation, Cx, Output, Seen, Step, StepError};
use crate::runbook::ApplyScope;
use crate::terraform::Saved;

pub struct TerraformPlan {
    pub scope: ApplyScope,
}

#[async_trait]
impl Step for TerraformPlan {
    async fn check(&self, _cx: &Cx) -> Result<Checked, Blocked> {
        Ok(Checked::default())
    }

    /// A plan is only as good as the state that it was made of: Terraform compares that when it applies it, and the
    /// apply plans again where they differ. So what this run has saved is still its plan.
    async fn observe(&self, cx: &Cx) -> Result<Seen, StepError> {
        if !cx.begun() {
            return Ok(Seen::Absent);
        }
        let saved = cx.world.terraform.saved(name(self.scope));
        Ok(saved.map_or(Seen::Absent, |saved| Seen::Done(output(self.scope, &saved))))
    }

    async fn apply(&self, cx: &Cx) -> Result<Output, StepError> {
        plan(cx, self.scope).await.map(|saved| output(self.scope, &saved))
    }

    async fn verify(&self, _cx: &Cx, _output: &Output) -> Result<(), StepError> {
        // The guard has judged it before it was saved.
        Ok(())
    }

    fn compensation(&self) -> Compensation {
        Compensation::Auto
    }
}

/// The name that a scope's plan is saved under.
pub(super) fn name(scope: ApplyScope) -> &'static str {
    match scope {
        ApplyScope::Base => "base",
        ApplyScope::Adoption => "adoption",
    }
}

/// Plans a scope; what comes back has passed its guard and is saved.
pub(super) async fn plan(cx: &Cx, scope: ApplyScope) -> Result<Saved, StepError> {
    let (terraform, watch) = (&cx.world.terraform, Watch::new(cx));
    let adopted = adopted(&cx.world.manifest);
    let state = cx.journal.as_ref().map(|journal| journal.state()).unwrap_or_default();
    // What a teardown has left under its name; the operator's own choice counts more.
    let mut chosen = to_import(cx);
    chosen.extend(state.imports.clone());
    let overridden = state.overridden_guards();
    let saved = match scope {
        ApplyScope::Base => terraform.plan_base(&adopted, &chosen, &overridden, &watch).await?,
        ApplyScope::Adoption => {
            let lineage = recorded_lineage(cx);
            let imports = chosen.into_iter().chain(restored(cx)?).collect();
            terraform.plan_adoption(&adopted, &imports, lineage.as_deref(), &overridden, &watch).await?
        }
    };
    Ok(saved)
}

fn output(scope: ApplyScope, saved: &Saved) -> Value {
    let Saved { add, change, destroy, import, deferred, declared, warnings, let_through, .. } = saved;
    match scope {
        ApplyScope::Base => json!({
            "declared": declared, "deferred": deferred, "add": add, "change": change, "destroy": destroy,
            "warnings": warnings, "let_through": let_through,
        }),
        ApplyScope::Adoption => json!({
            "add": add, "change": change, "destroy": destroy, "import": import, "warnings": warnings,
            "let_through": let_through,
        }),
    }
}
