//! Two operators who start the same failover at once, each with a home of their own, as on two machines.

use std::path::{Path, PathBuf};

use super::RehearseError;
use super::child::{ChildEnd, Running, private_home};
use super::fault::Trouble;
use super::interrupt::Interrupts;
use super::operator::{Desk, Done, go_on, words};

/// How the two fared.
pub(crate) struct Pair {
    /// The commands of the one that went on.
    pub commands: Vec<Done>,
    /// The end of the other.
    pub refused: ChildEnd,
    /// The home of the one that went on.
    pub home: PathBuf,
}

/// Starts both. Who ends first was refused, if all is well, and the other is carried through.
///
/// # Errors
/// A command could not be started or waited for.
pub(crate) async fn race(
    desk: &Desk,
    other_home: &Path,
    trouble: &mut Trouble,
    interrupts: &mut Interrupts,
    tell: &dyn Fn(&str),
) -> Result<Pair, RehearseError> {
    let other =
        Desk { variables: private_home(&desk.variables, other_home), home: other_home.to_owned(), ..desk.clone() };
    let (mut one, mut two) = (desk.start(&desk.first)?, other.start(&desk.first)?);
    let mut more = Interrupts::listen()?;
    let (refused, first) = tokio::select! {
        end = one.ends(interrupts) => (end?, false),
        end = two.ends(&mut more) => (end?, true),
    };
    let (winner, running): (&Desk, &mut Running) = if first { (desk, &mut one) } else { (&other, &mut two) };
    tell(&format!(
        "\none of the two ended with {}\n",
        refused.code.map_or("a signal".to_owned(), |code| code.to_string())
    ));
    let end = running.ends(interrupts).await?;
    let mut commands = vec![Done { command: words(&desk.first), end }];
    go_on(winner, &mut commands, trouble, interrupts, tell).await?;
    Ok(Pair { commands, refused, home: winner.home.clone() })
}
