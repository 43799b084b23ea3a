//! What the recovery of a catalog would come to, in words.

use jiff::SignedDuration;
use serde_json::Value;

use crate::manifest::{Catalog, ExportVersion};
use crate::report::escape;

/// What will become of it, and what has become of it since.
pub fn words(catalog: &Catalog, version: &ExportVersion, facts: &Value) -> String {
    let (source, target) = (escape(&catalog.source), escape(&catalog.target));
    let before = SignedDuration::from_secs(version.to.as_second() - version.written_at.as_second());
    let before = if before.is_zero() { "then".to_owned() } else { format!("{before:#} before") };
    let mut words = format!(
        "database {source} as it was exported at {}, {before}, becomes database {target} ({} tables, {} partitions); {source} is \
         left as it is\n",
        version.written_at, facts["tables"], facts["partitions"]
    );
    if let Some(at) = version.deleted_at {
        words += &format!("the export was deleted at {at}; the version before that is taken\n");
    }
    words + &since(&source, &facts["point"]["since"])
}

fn since(source: &str, since: &Value) -> String {
    if since.is_null() {
        return String::new();
    }
    if since["database_gone"] == true {
        return format!("database {source} is gone since\n");
    }
    let listed = |words: &str, of: &str| {
        let names: Vec<String> =
            since[of]["first"].as_array().into_iter().flatten().filter_map(Value::as_str).map(escape).collect();
        let count = since[of]["count"].as_u64().unwrap_or_default();
        let more = if count > names.len() as u64 { "    …\n" } else { "" };
        let names: String = names.iter().map(|name| format!("    {name}\n")).collect();
        (count > 0).then(|| format!("{words} since ({count}):\n{names}{more}"))
    };
    let number = |words: &str, of: &str| {
        let count = since[of].as_u64().unwrap_or_default();
        (count > 0).then(|| format!("partitions {words} since: {count}\n"))
    };
    let said = [
        listed("tables gone", "gone_tables"),
        listed("changed", "changed"),
        listed("tables new", "new_tables"),
        number("gone", "gone_partitions"),
        number("new", "new_partitions"),
    ];
    let said: String = said.into_iter().flatten().collect();
    if said.is_empty() { format!("{source} holds the same now, as far as that is compared\n") } else { said }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_has_become_of_it_is_told_in_few_lines() {
        let none = json!({ "count": 0, "first": [] });
        let mut found = json!({ "database_gone": false, "gone_tables": { "count": 3, "first": ["a", "b"] }, "changed": none,
                                "new_tables": none, "gone_partitions": 7, "new_partitions": 0 });
        assert_eq!(since("logs", &found), "tables gone since (3):\n    a\n    b\n    …\npartitions gone since: 7\n");
        found["gone_tables"] = none.clone();
        found["gone_partitions"] = json!(0);
        assert_eq!(since("logs", &found), "logs holds the same now, as far as that is compared\n");
        found["database_gone"] = json!(true);
        assert_eq!(since("logs", &found), "database logs is gone since\n");
    }
}
