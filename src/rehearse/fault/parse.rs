//! Reads `--fault KIND[:ARGS]`. Pure.
//!
//! Whether a service, operation or step of that name exists is not known here: steps are looked up in the runbook before
//! the rehearsal, and a fault that matched no request is told after it.

use std::str::FromStr;
use std::time::Duration;

use jiff::SignedDuration;

use super::list::KINDS;
use super::{Asked, Campaign, Fault, Place, Wanted, Way, Weather};
use crate::document::nearest;
use crate::rehearse::proxy::{Catch, Pattern};

/// The most runs of a campaign.
const MOST: u32 = 10_000;

/// What is wrong with a `--fault`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{fault}: {why}")]
pub struct FaultError {
    pub fault: String,
    pub why: String,
    pub hint: Option<String>,
}

/// Reads all `--fault` of one command line.
///
/// # Errors
/// The first that is none, or a combination that makes no sense.
pub fn parse(texts: &[String]) -> Result<Wanted, FaultError> {
    let mut faults = Vec::new();
    for text in texts {
        match one(text).map_err(|(why, hint)| FaultError { fault: text.clone(), why, hint })? {
            One::Fault(fault) => faults.push(Asked { text: text.clone(), fault }),
            One::Campaign(campaign) if texts.len() == 1 => return Ok(Wanted::Campaign(campaign)),
            One::Campaign(_) => {
                let why = "it is many rehearsals in a row, and stands alone".to_owned();
                return Err(FaultError { fault: text.clone(), why, hint: None });
            }
        }
    }
    let stops = |asked: &Asked| !matches!(asked.fault, Fault::Weather { .. } | Fault::TwoOperators);
    if faults.iter().any(|asked| asked.fault == Fault::TwoOperators) && faults.iter().any(stops) {
        return Err(FaultError {
            fault: "two-operators".to_owned(),
            why: "beside it only requests can be disturbed: which of the two would be killed?".to_owned(),
            hint: None,
        });
    }
    Ok(Wanted::Faults(faults))
}

enum One {
    Fault(Fault),
    Campaign(Campaign),
}

type Wrong = (String, Option<String>);

fn wrong<T>(why: impl Into<String>) -> Result<T, Wrong> {
    Err((why.into(), None))
}

fn one(text: &str) -> Result<One, Wrong> {
    let (kind, arguments) = text.split_once(':').map_or((text, ""), |(kind, arguments)| (kind, arguments));
    let known = KINDS.iter().find(|known| known.kind == kind).ok_or_else(|| unknown(kind))?;
    if known.arguments.is_empty() && !arguments.is_empty() {
        return wrong("it takes no arguments");
    }
    if arguments.is_empty() && !known.arguments.is_empty() && !known.arguments.starts_with('[') {
        return wrong(format!("it needs {}, as in {}", known.arguments, known.example));
    }
    let arguments: Vec<&str> =
        if arguments.is_empty() { vec![] } else { arguments.split(',').map(str::trim).collect() };
    let fault = match kind {
        "refuse" => weather(single(&arguments)?, Weather::Refuse)?,
        "hang" => weather(single(&arguments)?, Weather::Hang)?,
        "slow" => match arguments.as_slice() {
            [requests, wait] => weather(requests, Weather::Slow(time(wait)?))?,
            _ => return wrong("it needs REQUESTS,TIME"),
        },
        "throttle" => of_a_share(&arguments, Weather::Throttle)?,
        "reset" => of_a_share(&arguments, Weather::Reset)?,
        "lose-reply" => {
            let (place, nth) = place_and_nth(&arguments)?;
            Fault::LoseReply { place, nth }
        }
        "kill-before" | "kill-after" => {
            let (place, nth) = place_and_nth(&arguments)?;
            let when = if kind == "kill-before" { Catch::Before } else { Catch::After };
            Fault::Kill { when, place, nth }
        }
        "two-operators" => Fault::TwoOperators,
        "expire" => Fault::Expire { place: optional_place(&arguments)? },
        "disk-full" => Fault::DiskFull { place: optional_place(&arguments)? },
        _ => return campaign(kind, &arguments).map(One::Campaign),
    };
    Ok(One::Fault(fault))
}

fn unknown(kind: &str) -> Wrong {
    let hint = match nearest(kind, KINDS.iter().map(|known| known.kind)) {
        Some(known) => format!("did you mean {known}?"),
        None => "see them all with --list-faults".to_owned(),
    };
    (format!("there is no fault {kind}"), Some(hint))
}

fn campaign(kind: &str, arguments: &[&str]) -> Result<Campaign, Wrong> {
    match (kind, arguments) {
        ("matrix", []) => Ok(Campaign::Matrix { step: None, way: None }),
        ("matrix", [step]) => Ok(Campaign::Matrix { step: Some((*step).to_owned()), way: None }),
        ("matrix", [step, way]) => Ok(Campaign::Matrix { step: Some((*step).to_owned()), way: Some(named_way(way)?) }),
        ("kills", [number]) => Ok(Campaign::Kills(count(number)?)),
        ("race", [number]) => Ok(Campaign::Race(count(number)?)),
        _ => wrong("there are too many arguments"),
    }
}

fn named_way(text: &str) -> Result<Way, Wrong> {
    Way::ALL.into_iter().find(|way| way.name() == text).ok_or_else(|| {
        let hint = nearest(text, Way::ALL.map(Way::name)).map(|name| format!("did you mean {name}?"));
        (format!("{text} is none of before, after, reply-lost, twice"), hint)
    })
}

fn single<'a>(arguments: &[&'a str]) -> Result<&'a str, Wrong> {
    match arguments {
        [one] => Ok(one),
        _ => wrong("it takes one argument"),
    }
}

/// `[REQUESTS,]SHARE`
fn of_a_share(arguments: &[&str], kind: impl Fn(f64) -> Weather) -> Result<Fault, Wrong> {
    match arguments {
        [share_of] => Ok(Fault::Weather { pattern: Pattern::default(), kind: kind(share(share_of)?) }),
        [requests, share_of] => weather(requests, kind(share(share_of)?)),
        _ => wrong("it needs [REQUESTS,]SHARE"),
    }
}

fn weather(requests: &str, kind: Weather) -> Result<Fault, Wrong> {
    Ok(Fault::Weather { pattern: pattern(requests)?, kind })
}

fn optional_place(arguments: &[&str]) -> Result<Option<Place>, Wrong> {
    match arguments {
        [] => Ok(None),
        [one] => place(one).map(Some),
        _ => wrong("it takes one argument"),
    }
}

fn place_and_nth(arguments: &[&str]) -> Result<(Place, u64), Wrong> {
    match arguments {
        [one] => Ok((place(one)?, 1)),
        [one, nth] => match nth.parse() {
            Ok(nth) if nth > 0 => Ok((place(one)?, nth)),
            _ => wrong(format!("{nth} is no number from 1")),
        },
        _ => wrong("it takes a place and which of them"),
    }
}

/// Steps have a dot in their names; services, operations and regions have none.
fn place(text: &str) -> Result<Place, Wrong> {
    if text.contains('.') && !text.contains([':', '@']) {
        return Ok(Place::Step(text.to_owned()));
    }
    pattern(text).map(Place::Request)
}

fn pattern(text: &str) -> Result<Pattern, Wrong> {
    let (call, region) = text.split_once('@').map_or((text, None), |(call, region)| (call, Some(region)));
    let (service, operation) = call.split_once(':').map_or((call, None), |(service, name)| (service, Some(name)));
    let named = |part: &str| {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        let part = part.strip_suffix('*').unwrap_or(part);
        part.chars().all(plain)
    };
    let parts = [Some(service), operation, region];
    if parts.iter().flatten().any(|part| !named(part)) || operation == Some("") || region == Some("") {
        return wrong(format!("{text} is not SERVICE[:OPERATION][@REGION]"));
    }
    let given = |part: &str| (!part.is_empty() && part != "*").then(|| part.to_owned());
    let pattern =
        Pattern { service: given(service), operation: operation.and_then(given), region: region.and_then(given) };
    if pattern == Pattern::default() && text != "*" {
        return wrong("it names no requests");
    }
    Ok(pattern)
}

fn time(text: &str) -> Result<Duration, Wrong> {
    match SignedDuration::from_str(text) {
        Ok(time) if time.is_positive() => Ok(time.unsigned_abs()),
        _ => wrong(format!("{text} is no time, such as 5s")),
    }
}

/// `20%` or `0.2`
fn share(text: &str) -> Result<f64, Wrong> {
    let share = match text.strip_suffix('%') {
        Some(percent) => percent.trim().parse::<f64>().ok().map(|percent| percent / 100.0),
        None => text.parse().ok(),
    };
    match share {
        Some(share) if share > 0.0 && share <= 1.0 => Ok(share),
        _ => wrong(format!("{text} is no share, such as 20%")),
    }
}

fn count(text: &str) -> Result<u32, Wrong> {
    match text.parse() {
        Ok(count) if (1..=MOST).contains(&count) => Ok(count),
        _ => wrong(format!("{text} is no number from 1 to {MOST}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: &str) -> Fault {
        match parse(&[text.to_owned()]) {
            Ok(Wanted::Faults(mut faults)) => faults.remove(0).fault,
            other => panic!("{text}: {other:?}"),
        }
    }

    fn refused(texts: &[&str]) -> FaultError {
        let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
        parse(&texts).expect_err("no fault")
    }

    #[test]
    fn requests_are_named_by_service_operation_and_region() {
        let refuse = |service: Option<&str>, operation: Option<&str>, region: Option<&str>| {
            let own = |part: Option<&str>| part.map(str::to_owned);
            let pattern = Pattern { service: own(service), operation: own(operation), region: own(region) };
            Fault::Weather { pattern, kind: Weather::Refuse }
        };
        assert_eq!(fault("refuse:rds"), refuse(Some("rds"), None, None));
        assert_eq!(fault("refuse:rds:Describe*"), refuse(Some("rds"), Some("Describe*"), None));
        assert_eq!(fault("refuse:s3:GetObject@us-east-1"), refuse(Some("s3"), Some("GetObject"), Some("us-east-1")));
        assert_eq!(fault("refuse:@us-east-1"), refuse(None, None, Some("us-east-1")));
        assert_eq!(fault("refuse:*"), refuse(None, None, None));
    }

    #[test]
    fn times_shares_and_numbers_are_read() {
        let of = |fault| match fault {
            Fault::Weather { kind, pattern } => (kind, pattern.service),
            other => panic!("{other:?}"),
        };
        let slow = of(fault("slow:dynamodb@us-east-1,5s"));
        assert_eq!(slow, (Weather::Slow(Duration::from_secs(5)), Some("dynamodb".into())));
        assert_eq!(of(fault("throttle:20%")), (Weather::Throttle(0.2), None));
        assert_eq!(of(fault("throttle:s3,0.5")), (Weather::Throttle(0.5), Some("s3".into())));
        assert_eq!(of(fault("reset:s3,20%")), (Weather::Reset(0.2), Some("s3".into())));
        let place = Place::Request(Pattern::operation("rds", "CreateDBInstance"));
        assert_eq!(fault("lose-reply:rds:CreateDBInstance,3"), Fault::LoseReply { place, nth: 3 });
        let place = Place::Step("cutover.public".into());
        assert_eq!(fault("kill-after:cutover.public"), Fault::Kill { when: Catch::After, place, nth: 1 });
        assert_eq!(fault("expire"), Fault::Expire { place: None });
    }

    #[test]
    fn campaigns_stand_alone() {
        let parse = |text: &str| parse(&[text.to_owned()]).expect("a campaign");
        assert_eq!(parse("matrix"), Wanted::Campaign(Campaign::Matrix { step: None, way: None }));
        let part = Campaign::Matrix { step: Some("cutover.public".into()), way: Some(Way::ReplyLost) };
        assert_eq!(parse("matrix:cutover.public,reply-lost"), Wanted::Campaign(part));
        assert_eq!(parse("kills:100"), Wanted::Campaign(Campaign::Kills(100)));
        assert!(refused(&["refuse:rds", "race:2"]).why.contains("stands alone"));
        assert!(refused(&["two-operators", "kill-after:cutover.public"]).why.contains("which of the two"));
    }

    #[test]
    fn slips_of_the_finger_are_told_with_what_was_meant() {
        assert_eq!(refused(&["kil-before:rds"]).hint.as_deref(), Some("did you mean kill-before?"));
        assert_eq!(refused(&["matrix:cutover.public,befor"]).hint.as_deref(), Some("did you mean before?"));
        for text in [
            "slow:rds",
            "slow:rds,soon",
            "throttle:120%",
            "throttle:0",
            "reset:2",
            "refuse:",
            "refuse:rds,s3",
            "refuse:@",
            "lose-reply:rds:CreateDBInstance,0",
            "two-operators:3",
            "kills:0",
            "kills:x",
            "refuse:rds:",
            "hang:r d s",
        ] {
            refused(&[text]);
        }
    }
}
