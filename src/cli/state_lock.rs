//! `lifeboat state unlock`: who holds the state's lock, and taking it away by its id.

use super::environment::Environment;
use super::error::{CliError, Exit};
use super::state::{Connected, Custodian, OpenRun, refused};
use crate::aws::s3;
use crate::journal::Event;
use crate::report;
use crate::terraform::lock::LockInfo;

/// A lock object is a few hundred bytes.
const LOCK_BYTES: u64 = 64 * 1024;

/// Shows the lock; takes it away where `lock_id` is its id.
///
/// # Errors
/// Exit 3: another lock is held, or this run's own Terraform is still at work.
pub(super) async fn unlock(run: OpenRun, lock_id: Option<&str>, environment: &Environment) -> Result<Exit, CliError> {
    let connected = run.connect(environment).await?;
    let custodian = Custodian::new(&run);
    let Some(lock) = held(&connected, &custodian).await? else {
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
    let terraform = &connected.engine.world.terraform;
    terraform.force_unlock(id, &custodian).await.map_err(|error| refused(&error))?;
    report::to_stderr(&format!("the lock {id} is taken away\n"));
    report::to_stderr(&run.next().unwrap_or_default());
    Ok(Exit::Done)
}

/// The lock object where the backend keeps one; else Terraform is asked, which knows the other ways.
async fn held(connected: &Connected, custodian: &Custodian<'_>) -> Result<Option<LockInfo>, CliError> {
    let region = &connected.engine.world.manifest.recovery;
    if !region.backend.use_lockfile {
        let terraform = &connected.engine.world.terraform;
        return terraform.held_lock(custodian).await.map_err(|error| refused(&error));
    }
    let (bucket, key) = (&region.backend.bucket, format!("{}.tflock", s3::state_key(region)));
    let unread = |why: String| CliError::error(format!("the lock s3://{bucket}/{key} cannot be read")).cause(why);
    let object = s3::read(&connected.aws, bucket, &key, LOCK_BYTES).await.map_err(|error| unread(error.to_string()))?;
    let Some(object) = object else { return Ok(None) };
    let lock = LockInfo::from_json(&object.bytes).ok_or_else(|| unread("it is none of Terraform's".into()))?;
    Ok(Some(lock))
}
