//! Questions to a real database: a MariaDB server with TLS, which speaks Aurora's protocol.

use lifeboat::manifest::{Comparison, RowCheck};
use lifeboat::verify::sql::{Credentials, Database, Found, Place, SqlError, fault};

use crate::mariadb::{MariaDb, checker};

fn query(sql: &str) -> RowCheck {
    RowCheck::Query { sql: sql.into(), comparison: Comparison::AtLeast, value: 3 }
}

async fn refused(place: &Place, credentials: &Credentials) -> String {
    match Database::connect(place, credentials).await {
        Err(SqlError::Refused(why)) => why,
        Err(SqlError::Unreachable(why)) => panic!("only unreachable: {why}"),
        Ok(_) => panic!("it is let in"),
    }
}

#[tokio::test]
async fn a_database_answers_and_nothing_that_is_asked_changes_it() {
    let server = MariaDb::start().await;
    server.execute("CREATE FUNCTION logs.spend() RETURNS INT BEGIN DELETE FROM logs.events; RETURN 3; END").await;
    let mut database = Database::connect(&server.place(), &checker()).await.expect("a connection");
    let ask = async |database: &mut Database, sql: &str| database.ask(&query(sql)).await.expect("an answer");
    assert_eq!(ask(&mut database, "SELECT COUNT(*) FROM events").await, Found::Number(3));
    assert_eq!(ask(&mut database, "SELECT SUM(id) FROM logs.events").await, Found::Number(6));
    assert_eq!(ask(&mut database, "WITH e AS (SELECT 7 AS n) SELECT n FROM e").await, Found::Number(7));
    for (sql, words) in [
        ("SELECT id FROM events", "more than one row came"),
        ("SELECT id FROM events WHERE id > 9", "no row came"),
        ("SELECT id, text FROM events WHERE id = 1", "a row of 2 columns"),
        ("SELECT text FROM events WHERE id = 3", "NULL came"),
        ("SELECT text FROM events WHERE id = 1", "a text or a number with a fraction came"),
        ("SELECT -1", "a number below 0 came"),
        ("SELECT COUNT(*) FROM gone", "doesn't exist"),
        ("SELECT FROM", "1064"),
        ("SELECT 3; DROP TABLE events", "1064"),
        ("WITH e AS (SELECT 1 AS n) DELETE FROM events WHERE id IN (SELECT n FROM e)", "1064"),
        ("SELECT spend()", "1792"),
        ("SELECT id INTO @it FROM events", "was not asked"),
        ("DELETE FROM events", "was not asked"),
        ("DROP TABLE events", "was not asked"),
    ] {
        let Found::Otherwise(said) = ask(&mut database, sql).await else { panic!("{sql}") };
        assert!(said.contains(words), "{sql}: {said}");
    }
    let found = ask(&mut database, "SELECT COUNT(*) FROM events").await;
    assert_eq!((fault(&query("SELECT 1"), &found), found), (None, Found::Number(3)));
    let fewer = fault(&query("SELECT 2"), &Found::Number(2));
    assert_eq!(fewer.as_deref(), Some("sql(\"SELECT 2\") >= 3 was expected, found 2"));
    assert_eq!(database.instance().await, Ok(None), "MariaDB is no Aurora");
    database.close().await;
}

#[tokio::test]
async fn a_damaged_table_is_told_from_a_whole_one_and_from_none() {
    let server = MariaDb::start().await;
    server.execute("CREATE TABLE logs.old (id INT PRIMARY KEY, text VARCHAR(100)) ENGINE=MyISAM").await;
    for n in 0..50 {
        server.execute(&format!("INSERT INTO logs.old VALUES ({n}, REPEAT('x', 50))")).await;
    }
    let check = async |table: &str| {
        let mut database = Database::connect(&server.place(), &checker()).await.expect("a connection");
        let check = RowCheck::CheckTable(table.into());
        let found = database.ask(&check).await.expect("an answer");
        database.close().await;
        fault(&check, &found)
    };
    assert_eq!([check("events").await, check("old").await, check("logs.events").await], [None, None, None]);
    assert!(check("gone").await.is_some_and(|said| said.contains("doesn't exist")));
    server.execute("FLUSH TABLES").await;
    let rows = server.data().join("logs/old.MYD");
    let bytes = std::fs::read(&rows).expect("the rows");
    std::fs::write(&rows, &bytes[..bytes.len() / 2]).expect("half of them");
    let said = check("old").await.expect("it is damaged");
    assert!(said.starts_with("check_table(\"old\"): ") && said.contains("error"), "{said}");
}

#[tokio::test]
async fn who_cannot_be_trusted_or_does_not_trust_is_refused_and_who_is_not_there_may_come() {
    let server = MariaDb::start().await;
    let place = server.place();
    let wrong = Credentials { password: "another".into(), ..checker() };
    let said = refused(&place, &wrong).await;
    assert!(said.contains("refuses the login") && !said.contains("another"), "{said}");
    assert!(refused(&Place { database: Some("gone".into()), ..place.clone() }, &checker()).await.contains("gone"));
    let other = MariaDb::start().await;
    let strange = Place { ca: Some(other.ca()), ..place.clone() };
    assert!(refused(&strange, &checker()).await.contains("cannot be trusted"));
    let misnamed = Place { certified: Some("other.cluster-1.us-east-1.rds.amazonaws.com".into()), ..place.clone() };
    assert!(refused(&misnamed, &checker()).await.contains("cannot be trusted"));
    // Without authorities the certificate is not looked at; the user must still come over TLS.
    let any = Place { ca: None, ..place.clone() };
    Database::connect(&any, &checker()).await.expect("a connection").close().await;

    drop(server);
    for _ in 0..50 {
        match Database::connect(&place, &checker()).await {
            Err(SqlError::Unreachable(why)) => {
                assert!(why.contains("cannot be reached"), "{why}");
                return;
            }
            // It is still ending.
            _ => tokio::time::sleep(std::time::Duration::from_millis(100)).await,
        }
    }
    panic!("a server that has ended still answers");
}
