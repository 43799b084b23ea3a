//! How far a secondary cluster is behind, as far as anybody in the recovery region can tell: its metrics are kept elsewhere, so
//! that the database itself is asked, where the manifest says how.

use std::time::Duration;

use jiff::{RoundMode, SignedDuration, Timestamp, TimestampRound, Unit};

use super::Cx;
use super::cluster_rows::Asker;
use crate::aws::rds::ClusterState;
use crate::manifest::Cluster;
use crate::verify::lag::{Lag, STATUS, lag};
use crate::verify::sql::Database;

/// How long the answer is waited for: a failover must not wait for a number.
const ANSWER: Duration = Duration::from_secs(20);

/// The lag, or why it is not known.
pub(super) async fn measured(cx: &Cx, cluster: &Cluster, state: &ClusterState) -> Result<Lag, String> {
    let Some(rows) = &cluster.rows else {
        return Err("its aurora block has no sql block, by which it could be asked".to_owned());
    };
    if !state.engine.contains("mysql") {
        return Err(format!("it is {}, which is not asked", state.engine));
    }
    let asker = Asker::of(&cx.world.aws, rows, &cx.world.manifest.path).await.map_err(|blocked| blocked.cause)?;
    // Until it is promoted only the reader endpoint of a secondary leads anywhere.
    let place = asker.place_at(state, state.reader_endpoint.clone()).map_err(|error| error.cause)?;
    let asked = async {
        let mut database = Database::connect(&place, &asker.credentials).await.map_err(|error| error.to_string())?;
        let instance = database.instance().await.map_err(|error| error.to_string())?;
        if let Some(other) = instance.filter(|id| !state.members.iter().any(|member| member.id == *id)) {
            return Err(format!("instance {other} answers, which is none of cluster {}", state.id));
        }
        let found = lag(&mut database, STATUS, cx.world.aws.region()).await;
        database.close().await;
        found
    };
    let late = |_| Err(format!("{}:{} does not answer within {} s", place.host, place.port, ANSWER.as_secs()));
    tokio::time::timeout(ANSWER, asked).await.unwrap_or_else(late)
}

/// What a failover now would lose, for people.
pub(super) fn in_words(target: &str, primary: &str, lag: &Result<Lag, String>) -> String {
    match lag {
        Ok(lag) => format!(
            "cluster {target} holds what was committed in {primary} until {}: the newest {} may be lost",
            seconds(lag.holds_until),
            span(lag.behind)
        ),
        Err(why) => format!("how far cluster {target} is behind {primary} is not known: {why}; what it lacks is lost"),
    }
}

fn seconds(at: Timestamp) -> Timestamp {
    let whole = TimestampRound::new().smallest(Unit::Second).mode(RoundMode::Trunc);
    at.round(whole).unwrap_or(at)
}

/// `12 s`, `3 min 5 s`, `2 h 4 min`: rounded up, because it is the most that may be lost.
fn span(behind: SignedDuration) -> String {
    let seconds = behind.as_secs() + i64::from(behind.subsec_nanos() > 0);
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (hours, minutes, _) => format!("{hours} h {} min", minutes + 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_lost_is_said_in_words_and_rounded_up() {
        let lag = |behind| Ok(Lag { holds_until: "2026-11-22T03:11:59.4Z".parse().expect("a time"), behind });
        assert_eq!(
            in_words("logs-dr", "eu-west-2", &lag(SignedDuration::from_millis(928))),
            "cluster logs-dr holds what was committed in eu-west-2 until 2026-11-22T03:11:59Z: the newest 1 s may be lost"
        );
        let words = in_words("logs-dr", "eu-west-2", &lag(SignedDuration::from_secs(3_700)));
        assert!(words.ends_with("the newest 1 h 2 min may be lost"), "{words}");
        assert_eq!(span(SignedDuration::from_secs(185)), "3 min 5 s");
        let words = in_words("logs-dr", "eu-west-2", &Err("nobody knows".into()));
        assert!(words.contains("is not known: nobody knows; what it lacks is lost"), "{words}");
    }
}
