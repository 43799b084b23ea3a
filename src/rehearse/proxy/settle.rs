//! What is created takes its time: answers about it say `creating` for a while, as AWS's do and the emulator's do not.
//!
//! Only answers are changed; what one asks of such a resource meanwhile is carried out, where AWS would often refuse
//! it. Pure: which resources are still young is for the caller to know.
//!
//! The words are those of "Viewing DB cluster status", "Viewing DB instance status" and the DynamoDB API's
//! "TableDescription".

use serde_json::Value;

use super::Call;

/// Kinds of resources whose creation takes time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    Cluster,
    Instance,
    ClusterSnapshot,
    Table,
}

/// How query answers write a kind: the element of one resource, that of its name, that of its status.
struct Elements {
    resource: &'static str,
    name: &'static str,
    status: &'static str,
    ready: &'static str,
    young: &'static str,
}

impl Kind {
    const ALL: [Self; 4] = [Self::Cluster, Self::Instance, Self::ClusterSnapshot, Self::Table];

    fn created_by(self) -> &'static [&'static str] {
        match self {
            Self::Cluster => &["CreateDBCluster", "RestoreDBClusterFromSnapshot", "RestoreDBClusterToPointInTime"],
            Self::Instance => &["CreateDBInstance"],
            Self::ClusterSnapshot => &["CreateDBClusterSnapshot", "CopyDBClusterSnapshot"],
            Self::Table => &["CreateTable", "RestoreTableFromBackup", "RestoreTableToPointInTime"],
        }
    }

    fn described_by(self) -> &'static str {
        match self {
            Self::Cluster => "DescribeDBClusters",
            Self::Instance => "DescribeDBInstances",
            Self::ClusterSnapshot => "DescribeDBClusterSnapshots",
            Self::Table => "DescribeTable",
        }
    }

    /// The kind that an operation creates; the call's resource is then the new one's name.
    pub fn created(call: &Call) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.created_by().contains(&call.operation.as_str()))
    }

    /// The kind that an operation deletes.
    pub fn deleted(call: &Call) -> Option<Self> {
        (call.operation == "DeleteDBCluster").then_some(Self::Cluster)
    }

    /// The kind whose status the answer to a call tells.
    pub fn told(call: &Call) -> Option<Self> {
        Self::created(call)
            .or_else(|| Self::ALL.into_iter().find(|kind| kind.described_by() == call.operation.as_str()))
    }

    fn elements(self) -> Option<Elements> {
        let (resource, name, status, young) = match self {
            Self::Cluster => ("DBCluster", "DBClusterIdentifier", "Status", "creating"),
            Self::Instance => ("DBInstance", "DBInstanceIdentifier", "DBInstanceStatus", "creating"),
            Self::ClusterSnapshot => ("DBClusterSnapshot", "DBClusterSnapshotIdentifier", "Status", "creating"),
            Self::Table => return None,
        };
        Some(Elements { resource, name, status, ready: "available", young })
    }
}

/// The answer with each young resource in creation; `None` where nothing is to change.
pub fn hold_back(kind: Kind, body: &str, young: impl Fn(&str) -> bool) -> Option<String> {
    match kind.elements() {
        Some(elements) => hold_back_xml(&elements, body, young),
        None => hold_back_table(body, young),
    }
}

fn hold_back_xml(elements: &Elements, body: &str, young: impl Fn(&str) -> bool) -> Option<String> {
    let start = format!("<{}>", elements.resource);
    let end = format!("</{}>", elements.resource);
    let ready = format!("<{0}>{1}</{0}>", elements.status, elements.ready);
    let held = format!("<{0}>{1}</{0}>", elements.status, elements.young);
    let mut changed = false;
    let mut answer = String::with_capacity(body.len());
    let mut rest = body;
    while let Some((before, from)) = rest.split_once(&start) {
        let (resource, after) = from.split_once(&end)?;
        answer.push_str(before);
        answer.push_str(&start);
        if text_of(resource, elements.name).is_some_and(&young) && resource.contains(&ready) {
            answer.push_str(&resource.replacen(&ready, &held, 1));
            changed = true;
        } else {
            answer.push_str(resource);
        }
        answer.push_str(&end);
        rest = after;
    }
    answer.push_str(rest);
    changed.then_some(answer)
}

fn text_of<'a>(xml: &'a str, element: &str) -> Option<&'a str> {
    let (_, from) = xml.split_once(&format!("<{element}>"))?;
    from.split_once('<').map(|(text, _)| text)
}

fn hold_back_table(body: &str, young: impl Fn(&str) -> bool) -> Option<String> {
    let mut answer: Value = serde_json::from_str(body).ok()?;
    let key = if answer.get("Table").is_some() { "Table" } else { "TableDescription" };
    let table = answer.get_mut(key)?.as_object_mut()?;
    if table.get("TableStatus")? != "ACTIVE" || !young(table.get("TableName")?.as_str()?) {
        return None;
    }
    table.insert("TableStatus".to_owned(), "CREATING".into());
    Some(answer.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLUSTERS: &str = "<DBClusters>\
        <DBCluster><DBClusterMembers><DBClusterMember><DBInstanceIdentifier>old-1</DBInstanceIdentifier>\
        </DBClusterMember></DBClusterMembers><DBClusterIdentifier>old</DBClusterIdentifier><Status>available</Status>\
        </DBCluster><DBCluster><Status>available</Status><DBClusterIdentifier>new</DBClusterIdentifier></DBCluster>\
        </DBClusters>";

    #[test]
    fn only_the_new_cluster_is_still_creating() {
        let answer = hold_back(Kind::Cluster, CLUSTERS, |name| name == "new").expect("a change");
        assert_eq!(answer.matches("<Status>available</Status>").count(), 1);
        assert!(answer.contains("<DBCluster><Status>creating</Status><DBClusterIdentifier>new"), "{answer}");
    }

    #[test]
    fn nothing_is_changed_when_nothing_is_young() {
        assert_eq!(hold_back(Kind::Cluster, CLUSTERS, |_| false), None);
        assert_eq!(hold_back(Kind::Cluster, "<Error>no such cluster</Error>", |_| true), None);
    }

    #[test]
    fn a_new_table_is_creating_in_both_kinds_of_answers() {
        let described = r#"{"Table":{"TableName":"new","TableStatus":"ACTIVE","ItemCount":3}}"#;
        let answer = hold_back(Kind::Table, described, |name| name == "new").expect("a change");
        let answer: Value = serde_json::from_str(&answer).expect("JSON");
        assert_eq!(answer["Table"]["TableStatus"], "CREATING");
        assert_eq!(answer["Table"]["ItemCount"], 3);
        let restored = r#"{"TableDescription":{"TableName":"new","TableStatus":"ACTIVE"}}"#;
        assert!(hold_back(Kind::Table, restored, |_| true).is_some());
    }
}
