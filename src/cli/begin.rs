//! How a run begins: the lease is taken, the approval used up, and the first lines of the journal are written. Until then
//! nothing was changed.

use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::{mpsc, watch};

use super::args::Output;
use super::drive::{self, Run};
use super::environment::Environment;
use super::error::{CliError, Exit};
use super::gate::Gate;
use super::home::NewRun;
use super::lease::{Desk, LeaseArgs, let_go, tenure};
use super::overrides::Overrides;
use super::wiring::{Connected, Plans};
use super::{inputs, wiring};
use crate::engine::{Engine, Preflight};
use crate::journal::{Event, Held, Journal, JournalError, RunStarted};
use crate::steps::Notice;

/// A run that nothing stands in the way of.
pub struct Beginning<'a> {
    pub new: &'a NewRun,
    pub plans: &'a Plans,
    pub connected: &'a Connected,
    pub gate: Option<&'a Gate>,
    pub declared_at: Timestamp,
    pub impact_at: Option<Timestamp>,
    pub overrides: &'a Overrides,
    pub lease: &'a LeaseArgs,
}

impl Beginning<'_> {
    /// Begins the run, and carries it through.
    ///
    /// # Errors
    /// The lease cannot be had, another run has used the approval, or the journal cannot be written.
    pub async fn carry_out(
        &self,
        (engine, notices): (Engine, mpsc::UnboundedReceiver<Notice>),
        found: &Preflight,
        stop: watch::Sender<bool>,
        output: Output,
        environment: &Environment,
    ) -> Result<Exit, CliError> {
        let Self { new, plans, connected, lease, .. } = *self;
        let desk = Desk::of(environment, connected, &plans.manifest, Some(lease));
        let held = match lease.without_lease {
            true => None,
            false => Some(desk.hold_new(&new.name, &connected.caller, stop).await?),
        };
        let journal = match self.begin(&engine, held.as_ref(), environment).await {
            Ok(journal) => journal,
            Err(error) => {
                // Nothing has been done under it.
                if let Some(held) = &held {
                    let_go(held, 0, true).await;
                }
                return Err(error);
            }
        };
        if let Err(error) = self.foreknow(&engine, found, &journal) {
            if let Some(held) = &held {
                let_go(held, journal.next(), false).await;
            }
            return Err(error);
        }
        drive::drive(Run { engine, notices, journal, history: &[], held }, output, environment).await
    }

    /// Uses the approval up, where the run goes by one, and opens the journal.
    async fn begin(
        &self,
        engine: &Engine,
        held: Option<&Arc<Held>>,
        environment: &Environment,
    ) -> Result<Arc<Journal>, CliError> {
        let Self { new, plans, connected, .. } = *self;
        let manifest = &plans.manifest;
        // Only Terraform takes more of this machine than the manifest.
        let inputs = match engine.world.terraform.binary() {
            Ok(binary) => Some(inputs::read(&engine.world.manifest, &plans.declared, binary, environment)?),
            Err(_) => None,
        };
        let mut started = RunStarted {
            run: new.name.clone(),
            lifeboat: env!("CARGO_PKG_VERSION").into(),
            manifest: manifest.path.clone(),
            manifest_sha256: wiring::sha256(&manifest.path)?,
            caller: connected.caller.arn.clone(),
            pid: std::process::id(),
            host: wiring::host(),
            impact_at: self.impact_at,
            declared_at: Some(self.declared_at),
            inputs,
            tenure: Some(tenure(held, self.overrides.because.as_deref())),
            bundle: None,
            runbook: engine.runbook.as_ref().clone(),
        };
        let Some(gate) = self.gate else { return self.opened(started, engine, held) };
        started.bundle = Some(gate.claim(&new.name, &new.dir, connected, manifest).await?);
        let journal = self.opened(started, engine, held);
        if journal.is_err() {
            gate.give_back().await;
        }
        journal
    }

    /// A journal with its first line: from there on there is a run.
    fn opened(&self, started: RunStarted, engine: &Engine, held: Option<&Arc<Held>>) -> Result<Arc<Journal>, CliError> {
        let unwritable = |error: JournalError| {
            CliError::error("the journal cannot be written, so nothing was changed")
                .cause(error.to_string())
                .hint("make room, or give another folder with --home or LIFEBOAT_HOME")
        };
        let mut journal = Journal::create(&self.new.dir).map_err(unwritable)?;
        if let Some(held) = held {
            journal = journal.guarded(held.clone());
        }
        let record = journal.append(Event::RunStarted(Box::new(started))).map_err(unwritable)?;
        engine.notices.send(Notice::Record(record)).ok();
        Ok(Arc::new(journal))
    }

    /// Writes down what is known before the first step.
    fn foreknow(&self, engine: &Engine, found: &Preflight, journal: &Journal) -> Result<(), CliError> {
        let run = &self.new.name;
        let checks = engine.runbook.steps.iter();
        let checks = checks.map(|spec| Event::StepChecked { step: spec.id.clone(), facts: found.facts(&spec.id) });
        for event in self.overrides.events(&self.connected.caller.arn).into_iter().chain(checks) {
            let record = journal.append(event).map_err(|error| {
                CliError::new(Exit::Held, format!("run {run} has begun, and its journal cannot be written any more"))
                    .cause(error.to_string())
                    .hint(
                        "no step was begun; what was checked is not known to the run, so that it can only be given up",
                    )
                    .next(format!("lifeboat resume {run} --abandon --because \"…\""))
            })?;
            engine.notices.send(Notice::Record(record)).ok();
        }
        Ok(())
    }
}
