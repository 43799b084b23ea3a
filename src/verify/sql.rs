//! Questions to a database that speaks the MySQL protocol. Nothing is changed: only what begins as a question is asked, one
//! statement at a time, in a transaction that may only read. The last alone would not do: MariaDB ends it for a `DROP TABLE`.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, DriverError, IoError, Opts, OptsBuilder, Row, SslOpts, Value};

use crate::manifest::{RowCheck, is_question};

const CONNECT: Duration = Duration::from_secs(10);
/// A way that has ended without a word is noticed by that.
const KEEPALIVE: Duration = Duration::from_secs(30);
/// MySQL Server Error Message Reference: `ER_UNKNOWN_SYSTEM_VARIABLE`.
const UNKNOWN_VARIABLE: u16 = 1193;
/// MySQL Server Error Message Reference: `ER_DBACCESS_DENIED_ERROR`, `ER_ACCESS_DENIED_ERROR`, `ER_BAD_DB_ERROR`.
const LOGIN_CODES: [u16; 3] = [1044, 1045, 1049];

/// Who asks.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    pub user: String,
    pub password: String,
}

impl Credentials {
    /// From a secret's text: JSON with `username` and `password`.
    pub fn in_json(text: &str) -> Option<Self> {
        let json: serde_json::Value = serde_json::from_str(text).ok()?;
        let field = |name: &str| json.get(name)?.as_str().map(str::to_owned);
        Some(Self { user: field("username")?, password: field("password")? })
    }
}

/// A password is shown to nobody.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("user", &self.user).finish_non_exhaustive()
    }
}

/// Where the database is, and how it is reached. What is said goes over TLS in any case.
#[derive(Clone, Debug)]
pub struct Place {
    pub host: String,
    pub port: u16,
    /// Whose name the certificate must have, where that is not the host's.
    pub certified: Option<String>,
    /// The authorities that it must come from; without them it is not looked at.
    pub ca: Option<PathBuf>,
    pub database: Option<String>,
}

/// Why a database cannot be asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SqlError {
    /// It may be there in a moment.
    #[error("{0}")]
    Unreachable(String),
    #[error("{0}")]
    Refused(String),
}

/// What a question was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    Number(u64),
    /// The table is in order.
    InOrder,
    /// Anything else, in words.
    Otherwise(String),
}

/// What is wrong with an answer, in words.
pub fn fault(check: &RowCheck, found: &Found) -> Option<String> {
    match (check, found) {
        (RowCheck::Query { comparison, value, .. }, Found::Number(number)) => {
            (!comparison.holds(*number, *value)).then(|| format!("{check} was expected, found {number}"))
        }
        (RowCheck::CheckTable(_), Found::InOrder) => None,
        (_, Found::Otherwise(words)) => Some(format!("{check}: {words}")),
        (_, found) => Some(format!("{check}: answered {found:?}")),
    }
}

/// A connection to a database.
pub struct Database {
    connection: Conn,
}

impl Database {
    /// # Errors
    /// There is no connection, or the login is refused.
    pub async fn connect(place: &Place, credentials: &Credentials) -> Result<Self, SqlError> {
        let connecting = Conn::new(options(place, credentials));
        let at = format!("{}:{}", place.host, place.port);
        match tokio::time::timeout(CONNECT, connecting).await {
            Err(_) => Err(SqlError::Unreachable(format!("{at} does not answer within {} s", CONNECT.as_secs()))),
            Ok(Err(error)) => Err(unconnected(&at, error)),
            Ok(Ok(connection)) => Ok(Self { connection }),
        }
    }

    /// Asks one question.
    ///
    /// # Errors
    /// The connection is lost. What the server says against the question is an answer.
    pub async fn ask(&mut self, check: &RowCheck) -> Result<Found, SqlError> {
        let answered = match check {
            RowCheck::Query { sql, .. } => self.number(sql).await,
            RowCheck::CheckTable(table) => self.check_table(table).await,
        };
        match answered {
            Ok(found) => Ok(found),
            Err(mysql_async::Error::Server(error)) => Ok(Found::Otherwise(error.to_string())),
            Err(error) => Err(SqlError::Unreachable(format!("the connection broke off: {error}"))),
        }
    }

    /// The instance of Aurora that answers (Amazon Aurora User Guide: "Aurora MySQL configuration parameters",
    /// `aurora_server_id`); `None` where it is no Aurora.
    ///
    /// # Errors
    /// The connection is lost.
    pub async fn instance(&mut self) -> Result<Option<String>, SqlError> {
        match self.connection.query_first::<String, _>("SELECT @@aurora_server_id").await {
            Ok(id) => Ok(id),
            Err(mysql_async::Error::Server(error)) if error.code == UNKNOWN_VARIABLE => Ok(None),
            Err(error) => Err(SqlError::Unreachable(format!("which instance answers is not told: {error}"))),
        }
    }

    /// The rows that a question of lifeboat's own is answered, two at most, with times in UTC.
    ///
    /// # Errors
    /// The server refuses it, or the connection is lost.
    pub(super) async fn rows_in_utc(
        &mut self,
        question: &str,
        values: Vec<Value>,
    ) -> Result<Vec<Vec<Value>>, SqlError> {
        let rows = async {
            self.connection.query_drop("SET time_zone = '+00:00'").await?;
            self.connection.exec::<Row, _, _>(question, values).await
        };
        match rows.await {
            Ok(rows) => Ok(rows.into_iter().map(Row::unwrap).collect()),
            Err(mysql_async::Error::Server(error)) => Err(SqlError::Refused(error.to_string())),
            Err(error) => Err(SqlError::Unreachable(format!("the connection broke off: {error}"))),
        }
    }

    pub async fn close(self) {
        // What was asked is answered; whether the server heard the goodbye matters to nobody.
        self.connection.disconnect().await.ok();
    }

    async fn number(&mut self, sql: &str) -> Result<Found, mysql_async::Error> {
        if !is_question(sql) {
            return Ok(Found::Otherwise("it is no question, and was not asked".to_owned()));
        }
        self.connection.query_drop("START TRANSACTION READ ONLY").await?;
        // Prepared, because a text that is prepared holds one statement: a second one could end the transaction.
        let answered = self.connection.exec::<Row, _, _>(sql, ()).await;
        self.connection.query_drop("ROLLBACK").await?;
        let rows = answered?;
        let [row] = rows.as_slice() else {
            let came = if rows.is_empty() { "no row" } else { "more than one row" };
            return Ok(Found::Otherwise(format!("{came} came, and one was expected")));
        };
        if row.len() != 1 {
            return Ok(Found::Otherwise(format!("a row of {} columns came, and one was expected", row.len())));
        }
        let number = match row.as_ref(0) {
            Some(Value::Int(number)) => u64::try_from(*number).ok(),
            Some(Value::UInt(number)) => Some(*number),
            Some(Value::Bytes(text)) => std::str::from_utf8(text).ok().and_then(|text| text.parse().ok()),
            _ => None,
        };
        let words =
            || Found::Otherwise(format!("{} came, and a whole number from 0 was expected", kind(row.as_ref(0))));
        Ok(number.map_or_else(words, Found::Number))
    }

    /// MySQL Reference Manual: "CHECK TABLE Statement".
    async fn check_table(&mut self, table: &str) -> Result<Found, mysql_async::Error> {
        let rows: Vec<Row> = self.connection.query(format!("CHECK TABLE {}", identifier(table))).await?;
        let text = |row: &Row, name: &str| match row.get_opt::<String, _>(name) {
            Some(Ok(text)) => text,
            _ => String::new(),
        };
        let mut said = rows.iter().map(|row| (text(row, "Msg_type"), text(row, "Msg_text")));
        // The last row is the verdict.
        let verdict = said.next_back();
        if verdict.as_ref().is_some_and(|(kind, text)| kind == "status" && text == "OK") {
            return Ok(Found::InOrder);
        }
        let words: Vec<String> = said.chain(verdict).map(|(kind, text)| format!("{kind}: {text}")).collect();
        Ok(Found::Otherwise(words.join("; ")))
    }
}

fn options(place: &Place, credentials: &Credentials) -> Opts {
    let tls = match &place.ca {
        Some(ca) => SslOpts::default()
            .with_root_certs(vec![ca.clone().into()])
            .with_disable_built_in_roots(true)
            .with_danger_tls_hostname_override(place.certified.clone()),
        None => SslOpts::default().with_danger_accept_invalid_certs(true).with_danger_skip_domain_validation(true),
    };
    OptsBuilder::default()
        .ip_or_hostname(&place.host)
        .tcp_port(place.port)
        .user(Some(&credentials.user))
        .pass(Some(&credentials.password))
        .db_name(place.database.as_ref())
        .prefer_socket(false)
        .tcp_keepalive(Some(KEEPALIVE))
        // One row is expected: a second one tells that there are more.
        .setup(vec!["SET SESSION sql_select_limit = 2".to_owned()])
        .ssl_opts(tls)
        .into()
}

fn unconnected(at: &str, error: mysql_async::Error) -> SqlError {
    match error {
        mysql_async::Error::Server(error) if LOGIN_CODES.contains(&error.code) => {
            SqlError::Refused(format!("{at} refuses the login: {error}"))
        }
        mysql_async::Error::Io(IoError::Tls(error)) => SqlError::Refused(format!("{at} cannot be trusted: {error}")),
        // A handshake that failed.
        mysql_async::Error::Io(IoError::Io(error)) if error.kind() == io::ErrorKind::InvalidData => {
            SqlError::Refused(format!("{at} cannot be trusted: {error}"))
        }
        // The file with the authorities.
        mysql_async::Error::Io(IoError::Io(error)) if error.kind() == io::ErrorKind::NotFound => {
            SqlError::Refused(format!("the connection to {at} cannot be made: {error}"))
        }
        mysql_async::Error::Driver(DriverError::NoClientSslFlagFromServer) => {
            SqlError::Refused(format!("{at} speaks no TLS"))
        }
        // Without the words that the driver puts around it twice.
        mysql_async::Error::Io(IoError::Io(error)) => SqlError::Unreachable(format!("{at} cannot be reached: {error}")),
        error => SqlError::Unreachable(format!("{at} cannot be reached: {error}")),
    }
}

/// What a value is; never the value, which may be anybody's name.
fn kind(value: Option<&Value>) -> &'static str {
    match value {
        None | Some(Value::NULL) => "NULL",
        Some(Value::Int(_)) => "a number below 0",
        Some(Value::Bytes(_)) => "a text or a number with a fraction",
        Some(_) => "something else",
    }
}

/// `logs` or `database.logs`, quoted (MySQL Reference Manual: "Schema Object Names").
fn identifier(table: &str) -> String {
    let quoted: Vec<String> = table.split('.').map(|part| format!("`{}`", part.replace('`', "``"))).collect();
    quoted.join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_read_as_rds_writes_it_and_never_shown() {
        let text = r#"{"engine":"mysql","username":"admin","password":"hunter2"}"#;
        let read = Credentials::in_json(text).expect("a login");
        assert_eq!((read.user.as_str(), read.password.as_str()), ("admin", "hunter2"));
        assert!(!format!("{read:?}").contains("hunter2"));
        assert_eq!(Credentials::in_json("hunter2"), None);
        assert_eq!(Credentials::in_json(r#"{"username":"admin"}"#), None);
    }

    #[test]
    fn no_table_name_leaves_its_quotes() {
        assert_eq!(identifier("logs"), "`logs`");
        assert_eq!(identifier("db.lo`gs"), "`db`.`lo``gs`");
    }
}
