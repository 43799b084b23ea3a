//! Tells of a table that it is a global one: the emulator knows none. Only what DescribeTable answers is changed; what is
//! written to one replica does not come to another. Pure.
//!
//! The words are those of the DynamoDB API's "ReplicaDescription".

use serde_json::{Value, json};

/// The answer with the replicas; `None` where it is none of DescribeTable.
pub fn with_replicas(body: &str, regions: &[String]) -> Option<String> {
    let mut answer: Value = serde_json::from_str(body).ok()?;
    let table = answer.get_mut("Table")?.as_object_mut()?;
    let replicas: Vec<Value> =
        regions.iter().map(|region| json!({ "RegionName": region, "ReplicaStatus": "ACTIVE" })).collect();
    table.insert("GlobalTableVersion".to_owned(), "2019.11.21".into());
    table.insert("Replicas".to_owned(), replicas.into());
    Some(answer.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tables_answer_gets_its_replicas_and_no_other_does() {
        let regions = ["eu-west-2".to_owned()];
        let told = with_replicas(r#"{"Table":{"TableName":"logs"}}"#, &regions).expect("a change");
        assert!(told.contains(r#""RegionName":"eu-west-2""#), "{told}");
        assert_eq!(with_replicas(r#"{"__type":"ResourceNotFoundException"}"#, &regions), None);
        assert_eq!(with_replicas("<html>", &regions), None);
    }
}
