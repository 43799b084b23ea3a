//! How far a secondary cluster of an Aurora global database is behind, as the database itself tells. Nothing is changed.
//!
//! Amazon Aurora User Guide: "Monitoring Aurora MySQL-based global databases", "Aurora MySQL–specific information_schema
//! tables". Aurora calculates it again and again; while the primary's region is away it does not, so that the time of the last
//! calculation counts as much as the lag.

use jiff::{SignedDuration, Timestamp};
use mysql_async::Value;

use super::sql::{Database, SqlError};

/// Where Aurora MySQL keeps it.
pub const STATUS: &str = "information_schema.aurora_global_db_status";

/// A reading may be ahead of the server's clock by this much.
const AHEAD: SignedDuration = SignedDuration::from_secs(60);

/// A secondary's lag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lag {
    /// The time up to which the secondary holds what was committed.
    pub holds_until: Timestamp,
    /// How long ago that was when it was asked, by the server's clock: what may be lost at most.
    pub behind: SignedDuration,
}

/// Asks for the lag of the secondary in a region. `table` is [`STATUS`], or another with its columns.
///
/// # Errors
/// There is no such table or row, or the connection is lost: in words, because the lag is then not known.
pub async fn lag(database: &mut Database, table: &str, region: &str) -> Result<Lag, String> {
    // A DATETIME carries no zone: both are told in UTC.
    let question = format!(
        "SELECT CAST(CEIL(RPO_LAG_IN_MILLISECONDS) AS SIGNED), LAST_LAG_CALCULATION_TIMESTAMP, UTC_TIMESTAMP(6) FROM {table} \
         WHERE AWS_REGION = ?"
    );
    let rows = database
        .rows_in_utc(&question, vec![Value::from(region)])
        .await
        .map_err(|error: SqlError| error.to_string())?;
    match rows.as_slice() {
        [row] => read(row),
        [] => Err(format!("{table} tells nothing of {region}")),
        _ => Err(format!("{table} tells of {region} more than once")),
    }
}

/// Reads a row: lag in milliseconds, when it was calculated, and the server's time.
fn read(row: &[Value]) -> Result<Lag, String> {
    let [lag, calculated, now] = row else { return Err(format!("a row of {} columns came", row.len())) };
    let lag = milliseconds(lag).ok_or("its lag is no number")?;
    let calculated = time(calculated).ok_or("the time of its lag is none")?;
    let now = time(now).ok_or("the server's time is none")?;
    // So it is written of the primary.
    if calculated.as_second() <= 0 {
        return Err("its lag was never calculated, as that of a primary".to_owned());
    }
    if now.duration_since(calculated) < -AHEAD {
        return Err(format!("its lag is of {calculated}, and the server's clock says {now}"));
    }
    let holds_until = calculated.checked_sub(lag).map_err(|error| error.to_string())?;
    Ok(Lag { holds_until, behind: now.duration_since(holds_until).max(SignedDuration::ZERO) })
}

fn milliseconds(value: &Value) -> Option<SignedDuration> {
    let number = match value {
        Value::Int(number) => *number,
        Value::UInt(number) => i64::try_from(*number).ok()?,
        _ => return None,
    };
    (number >= 0).then(|| SignedDuration::from_millis(number))
}

fn time(value: &Value) -> Option<Timestamp> {
    let Value::Date(year, month, day, hour, minute, second, micros) = value else { return None };
    let at = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z");
    at.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Value = Value::Date(2026, 11, 22, 3, 12, 0, 0);

    fn said(row: &[Value]) -> String {
        read(row).expect_err("it is not known")
    }

    #[test]
    fn what_may_be_lost_is_the_lag_and_the_time_since_it_was_calculated() {
        let row = [Value::Int(428), Value::Date(2026, 11, 22, 3, 11, 59, 500_000), NOW];
        let lag = read(&row).expect("a lag");
        assert_eq!(lag.holds_until.to_string(), "2026-11-22T03:11:59.072Z");
        assert_eq!(lag.behind, SignedDuration::from_millis(928));
        // Nobody has calculated since the primary's region is away.
        let row = [Value::Int(0), Value::Date(2026, 11, 22, 2, 12, 0, 0), NOW];
        assert_eq!(read(&row).expect("a lag").behind, SignedDuration::from_hours(1));
    }

    #[test]
    fn what_is_no_lag_is_said_and_never_taken_for_none() {
        assert!(said(&[Value::Int(0), Value::Date(1970, 1, 1, 0, 0, 0, 0), NOW]).contains("never calculated"));
        assert!(said(&[Value::NULL, NOW, NOW]).contains("no number"));
        assert!(said(&[Value::Int(-1), NOW, NOW]).contains("no number"));
        assert!(said(&[Value::Int(1), Value::NULL, NOW]).contains("the time of its lag is none"));
        assert!(said(&[Value::Int(1), Value::Date(2026, 11, 22, 4, 12, 0, 0), NOW]).contains("the server's clock"));
        assert!(said(&[NOW]).contains("1 columns"));
    }
}
