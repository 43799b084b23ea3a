//! Destructive work asks for the environment's name.

use std::io::{BufRead, Write};

use jiff::Timestamp;

use super::environment::Environment;
use super::error::{CliError, Exit};

/// Refuses what needs no manifest to be seen: an impact that is yet to come, a confirmation of something else.
///
/// # Errors
/// Exit 2.
pub fn plausible(env: &str, given: Option<&str>, impact_at: Option<Timestamp>, now: Timestamp) -> Result<(), CliError> {
    if impact_at.is_some_and(|impact| impact > now) {
        return Err(CliError::usage("--impact-at is in the future"));
    }
    match given {
        Some(name) if name != env => Err(other(env, name)),
        _ => Ok(()),
    }
}

fn other(env: &str, given: &str) -> CliError {
    CliError::usage(format!("--confirm says {given}, the environment is {env}"))
}

/// Passes when `given` is the environment's name, or when it is typed at the terminal.
///
/// # Errors
/// Another name, or nobody to ask.
pub async fn confirm(env: &str, given: Option<&str>, what: &str, environment: &Environment) -> Result<(), CliError> {
    match given {
        Some(name) if name == env => Ok(()),
        Some(name) => Err(other(env, name)),
        None if !environment.interactive => Err(CliError::usage(format!("{what} needs to be confirmed"))
            .cause("there is no terminal to ask at")
            .hint(format!("add --confirm {env}"))),
        // A thread of its own: whoever is asked may press Ctrl-C instead.
        None => {
            let (env, what) = (env.to_owned(), what.to_owned());
            let asked = tokio::task::spawn_blocking(move || ask(&env, &what)).await;
            asked.unwrap_or_else(|error| Err(CliError::error("no answer could be read").cause(error.to_string())))
        }
    }
}

fn ask(env: &str, what: &str) -> Result<(), CliError> {
    let mut stderr = std::io::stderr().lock();
    let mut answer = String::new();
    let asked = write!(stderr, "{what}.\nType the environment's name to go on: ")
        .and_then(|()| stderr.flush())
        .and_then(|()| std::io::stdin().lock().read_line(&mut answer));
    match asked {
        Ok(_) if answer.trim() == env => Ok(()),
        Ok(_) => Err(CliError::new(Exit::Blocked, format!("that is not {env}; nothing was changed"))),
        Err(error) => Err(CliError::usage("no answer could be read").cause(error.to_string())),
    }
}
