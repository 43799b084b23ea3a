//! `lifeboat state unlock`: who holds the state's lock, and taking it away by its id.

use super::environment::Environment;
use super::error::{CliError, Exit};
use super::state::{Custodian, OpenRun, refused};
use crate::journal::Event;
use crate::report;

/// Shows the lock; takes it away where `lock_id` is its id.
///
/// # Errors
/// Exit 3: another lock is held, or this run's own Terraform is still at work.
pub(super) async fn unlock(run: OpenRun, lock_id: Option<&str>, environment: &Environment) -> Result<Exit, CliError> {
    let connected = run.connect(environment).await?;
    let custodian = Custodian::new(&run);
    let terraform = &connected.engine.world.terraform;
    let Some(lock) = terraform.held_lock(&custodian).await.map_err(|error| refused(&error))? else {
        report::to_stderr("nobody holds the state's lock\n");
        return match lock_id {
            None => Ok(Exit::Done),
            Some(id) => Err(CliError::blocked(format!("there is no lock {id} to take away"))),
        };
    };
    report::to_stderr(&format!("the state is locked {}\n", report::escape(&lock.to_string())));
    let Some(id) = lock_id else {
        report::to_stderr(&format!(
            "only if whoever holds it is certainly dead: lifeboat state unlock {} --lock-id {}\n",
            run.run,
            report::escape(&lock.id)
        ));
        return Ok(Exit::Done);
    };
    if id != lock.id {
        return Err(CliError::blocked(format!("{id} is not the lock that is held"))
            .hint("it is another one by now, or mistyped; nothing was changed"));
    }
    run.append(Event::StateUnlocking { id: lock.id, held_by: lock.who, by: environment.operator() })?;
    terraform.force_unlock(id, &custodian).await.map_err(|error| refused(&error))?;
    report::to_stderr(&format!("the lock {id} is taken away\n"));
    report::to_stderr(&run.next().unwrap_or_default());
    Ok(Exit::Done)
}
