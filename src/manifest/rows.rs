//! Reads what the rows of a cluster are asked: the `sql` block of an `aurora` block, and its `verify`.

use std::path::PathBuf;

use hcl_edit::expr::{BinaryOp, Expression, FuncCall};
use hcl_edit::structure::Block;

use super::names::{ENV_PREFIX, SECRET};
use super::reader::{Fields, Reader, Schema, at};
use super::values::{Choice, choice, comparison, integer, list, string};
use super::{Comparison, Login, RowCheck, Rows};
use crate::document::{Document, kind, quoted};

const SQL: Schema = Schema {
    keys: &[
        ("login", "secret(\"name\")"),
        ("database", "\"name\""),
        ("via", "\"127.0.0.1:3306\""),
        ("ca", "\"rds-global-bundle.pem\""),
    ],
    blocks: &[],
};

const EXAMPLE: &str = "write sql(\"SELECT COUNT(*) FROM logs\") >= 1 or check_table(\"logs\")";

/// Reads both; one without the other says nothing.
pub(super) fn rows(reader: &mut Reader, aurora: &Fields) -> Option<Rows> {
    let verify = aurora.optional(reader, "verify", list(row_check));
    let block = aurora.only(reader, "sql", false);
    match (block, aurora.has("verify")) {
        (None, false) => None,
        (None, true) => {
            let hint = "write sql { login = secret(\"name\") }: it says who asks";
            reader.hinted(aurora.span("verify"), "there is no sql block to ask the rows with", "nobody asks", hint);
            None
        }
        (Some(block), _) => sql(reader, block).map(|rows| Rows { verify: verify.unwrap_or_default(), ..rows }),
    }
}

fn sql(reader: &mut Reader, block: &Block) -> Option<Rows> {
    reader.unlabelled(block);
    let fields = Fields::new(reader, block, SQL);
    let login = fields.required(reader, "login", choice("who asks", &[], &["secret", "env"])).and_then(|login| {
        let Choice::Call(function, name) = login else { return None };
        let rule = if function == "secret" { SECRET } else { ENV_PREFIX };
        if let Some(reason) = (rule.refuse)(&name) {
            let message = format!("{} is not {}", quoted(&name), rule.noun);
            reader.problem(fields.value_span("login"), message, reason);
            return None;
        }
        Some(if function == "secret" { Login::Secret(name) } else { Login::Env(name) })
    });
    let database = fields.optional(reader, "database", string);
    let via = fields.optional(reader, "via", string).and_then(|via| match host_and_port(&via) {
        Some(_) => Some(via),
        None => {
            let hint = "write \"127.0.0.1:3306\"";
            reader.hinted(fields.value_span("via"), "this is not a host with a port", "not understood", hint);
            None
        }
    });
    let ca = fields.optional(reader, "ca", string).map(PathBuf::from);
    Some(Rows { login: login?, database, via, ca, verify: Vec::new() })
}

/// Whether a statement asks something, and writes nothing: `SELECT … INTO` writes files.
pub fn is_question(sql: &str) -> bool {
    let mut words = sql.split(|it: char| !it.is_ascii_alphanumeric() && it != '_').filter(|word| !word.is_empty());
    let asks = words.next().is_some_and(|first| ["SELECT", "WITH"].iter().any(|it| it.eq_ignore_ascii_case(first)));
    asks && !words.any(|word| word.eq_ignore_ascii_case("INTO"))
}

/// `HOST:PORT`
pub fn host_and_port(text: &str) -> Option<(&str, u16)> {
    let (host, port) = text.rsplit_once(':')?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let port = port.parse().ok().filter(|port| *port > 0)?;
    (!host.is_empty()).then_some((host, port))
}

/// Reads a question as a manifest writes it.
///
/// # Errors
/// It is none; what is wrong, in words.
pub fn read_row_check(text: &str) -> Result<RowCheck, String> {
    let document = Document::new("it", format!("it = {text}\n"));
    let body = document.body().map_err(|_| EXAMPLE.to_owned())?;
    let mut reader = Reader::new(&document);
    let check = body.get_attribute("it").and_then(|attribute| row_check(&mut reader, &attribute.value));
    check.ok_or_else(|| {
        let problem = reader.problems.first();
        problem.map_or_else(|| EXAMPLE.to_owned(), |problem| format!("{}; {EXAMPLE}", problem.message))
    })
}

fn row_check(reader: &mut Reader, expression: &Expression) -> Option<RowCheck> {
    match expression {
        Expression::FuncCall(call) => {
            Some(RowCheck::CheckTable(argument(reader, expression, call, "check_table", EXAMPLE)?))
        }
        Expression::BinaryOp(operation) => {
            let (sql, comparison, value) = query(reader, expression, operation, "sql", EXAMPLE)?;
            Some(RowCheck::Query { sql, comparison, value })
        }
        other => not_understood(reader, other, EXAMPLE),
    }
}

/// `name("SELECT …") >= 1`; `example` shows one.
pub(super) fn query(
    reader: &mut Reader,
    expression: &Expression,
    operation: &BinaryOp,
    name: &str,
    example: &str,
) -> Option<(String, Comparison, u64)> {
    let comparison = comparison(reader, expression, operation);
    let value = integer(0, u64::MAX)(reader, &operation.rhs_expr);
    let Expression::FuncCall(call) = &operation.lhs_expr else {
        return not_understood(reader, &operation.lhs_expr, example);
    };
    let sql = argument(reader, &operation.lhs_expr, call, name, example)?;
    if !is_question(&sql) {
        let hint = "a question begins with SELECT or WITH and has no INTO: it may not write anything";
        reader.hinted(at(&operation.lhs_expr), "this is no question", "another statement", hint);
        return None;
    }
    Some((sql, comparison?, value?))
}

/// The text of `name("…")`.
fn argument(reader: &mut Reader, of: &Expression, call: &FuncCall, name: &str, example: &str) -> Option<String> {
    let arguments: Vec<&Expression> = call.args.iter().collect();
    match arguments.as_slice() {
        [argument] if call.name.name.as_str() == name && !call.name.is_namespaced() => string(reader, argument),
        _ => not_understood(reader, of, example),
    }
}

fn not_understood<T>(reader: &mut Reader, expression: &Expression, example: &str) -> Option<T> {
    let found = format!("this is {}", kind(expression));
    reader.hinted(at(expression), "a question to the database is not understood", found, example);
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_read_as_they_are_written() {
        let count = "sql(\"SELECT COUNT(*) FROM logs\") >= 1";
        let query =
            RowCheck::Query { sql: "SELECT COUNT(*) FROM logs".into(), comparison: Comparison::AtLeast, value: 1 };
        assert_eq!(read_row_check(count), Ok(query));
        assert_eq!(read_row_check("check_table(\"logs\")"), Ok(RowCheck::CheckTable("logs".into())));
        for check in [count, "check_table(\"logs\")"] {
            assert_eq!(read_row_check(check).map(|it| it.to_string()).as_deref(), Ok(check));
        }
        for wrong in [
            "",
            "rows >= 1",
            "sql(\"SELECT 1\")",
            "check_table(\"a\") >= 1",
            "sql(\"SELECT 1\") >= -1",
            "sql(\"DROP TABLE a\") >= 1",
            "sql(\"SELECT a INTO OUTFILE 'f' FROM b\") >= 1",
            "1 +",
            "\"a\"",
            "sql(\"SELECT 1\", 2) >= 1",
            "check_table(\"\")",
        ] {
            assert!(read_row_check(wrong).is_err_and(|said| said.contains("check_table(\"logs\")")), "{wrong}");
        }
    }

    #[test]
    fn a_tunnel_has_a_host_and_a_port() {
        assert_eq!(host_and_port("127.0.0.1:3306"), Some(("127.0.0.1", 3306)));
        assert_eq!(host_and_port("[::1]:3306"), Some(("::1", 3306)));
        assert_eq!([host_and_port("localhost"), host_and_port(":3306"), host_and_port("a:0")], [None; 3]);
    }
}
