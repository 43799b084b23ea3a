//! What is said of the faults of a rehearsal: which fired, how often, and what it took to come through. Pure.

use std::collections::BTreeSet;

use crate::document::nearest;
use crate::rehearse::fault::Fired;
use crate::rehearse::{ChildEnd, Done, Rehearsal};

/// The last words on faults.
pub struct Faulted {
    pub words: String,
    /// Every fault fired, and of two operators exactly one went on.
    pub all_well: bool,
}

/// Empty where no fault was asked for.
pub fn told(rehearsal: &Rehearsal) -> Faulted {
    let Rehearsal { fired, commands, other, asked, .. } = rehearsal;
    of(Happened { fired, asked, commands, other: other.as_ref() })
}

/// What is told of.
#[derive(Clone, Copy)]
pub struct Happened<'a> {
    pub fired: &'a [Fired],
    pub asked: &'a BTreeSet<(String, String)>,
    pub commands: &'a [Done],
    /// The second of two operators, where there were two.
    pub other: Option<&'a ChildEnd>,
}

/// The same of any rehearsal.
pub fn of(Happened { fired, asked, commands, other }: Happened<'_>) -> Faulted {
    if fired.is_empty() {
        return Faulted { words: String::new(), all_well: true };
    }
    let mut words = String::new();
    let mut all_well = true;
    for Fired { fault, times, what } in fired {
        let at = what.as_ref().map_or_else(String::new, |what| format!(" ({what})"));
        match times {
            0 => {
                all_well = false;
                words.push_str(&format!(
                    "fault       {fault} NEVER FIRED, so nothing was rehearsed{}\n",
                    meant(fault, asked)
                ));
            }
            1 => words.push_str(&format!("fault       {fault} fired once{at}\n")),
            times => words.push_str(&format!("fault       {fault} fired {times} times\n")),
        }
    }
    if let Some(other) = other {
        let refused = other.code == Some(3);
        all_well &= refused;
        words.push_str(match refused {
            true => "operators   one went on, the other was refused (exit 3)\n",
            false => "operators   BOTH WENT ON: nothing kept the second one out\n",
        });
    }
    for done in commands {
        let code = done
            .end
            .code
            .map_or_else(|| format!("signal {}", done.end.signal.unwrap_or_default()), |code| format!("exit {code}"));
        words.push_str(&format!("{code:<11} lifeboat {} ({:.1}s)\n", done.command, done.end.wall.as_secs_f64()));
    }
    Faulted { words, all_well }
}

/// The service or operation that was probably meant by a fault that nothing matched.
fn meant(fault: &str, asked: &BTreeSet<(String, String)>) -> String {
    let arguments = fault.split_once(':').map_or("", |(_, arguments)| arguments);
    let call = arguments.split([',', '@']).next().unwrap_or_default();
    let (service, operation) = call.split_once(':').unwrap_or((call, ""));
    if service.is_empty() || service.contains('.') {
        return String::new();
    }
    let services: BTreeSet<&str> = asked.iter().map(|(service, _)| service.as_str()).collect();
    if !services.contains(service) {
        return match nearest(service, services.iter().copied()) {
            Some(known) => format!(": no {service} was asked for anything; did you mean {known}?"),
            None => format!(": no {service} was asked for anything"),
        };
    }
    let operations = asked.iter().filter(|(of, _)| of == service).map(|(_, operation)| operation.as_str());
    match nearest(operation, operations.clone()).filter(|known| *known != operation) {
        Some(known) if !operations.clone().any(|known| known == operation) => {
            format!(": {service} was not asked for {operation}; did you mean {known}?")
        }
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_nothing_matched_is_told_with_what_was_meant() {
        let asked = [("rds", "RestoreDBClusterFromSnapshot"), ("rds", "CreateDBInstance"), ("s3", "CopyObject")];
        let asked = asked.map(|(service, operation)| (service.to_owned(), operation.to_owned())).into();
        assert_eq!(meant("refuse:rdss", &asked), ": no rdss was asked for anything; did you mean rds?");
        assert!(meant("hang:s3:CopyObjekt,2", &asked).ends_with("did you mean CopyObject?"));
        assert_eq!(meant("refuse:rds:CreateDBInstance@eu-west-2", &asked), "");
        assert_eq!(meant("kill-after:cutover.public", &asked), "");
    }
}
