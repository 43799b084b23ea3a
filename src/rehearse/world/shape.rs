//! What a cluster and a table look like where the Terraform root does not say it in a way that can be read without
//! running it. Pure.

/// Type of a key attribute (DynamoDB API: "AttributeDefinition").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyType {
    String,
    Number,
    Binary,
}

/// A key attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    pub name: String,
    pub kind: KeyType,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Index {
    pub name: String,
    pub hash: Key,
    pub range: Option<Key>,
}

/// A DynamoDB table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableShape {
    pub hash: Key,
    pub range: Option<Key>,
    pub indexes: Vec<Index>,
    pub ttl_attribute: Option<String>,
}

/// An Aurora cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterShape {
    pub engine: String,
    pub engine_version: Option<String>,
    pub database_name: Option<String>,
    pub master_username: String,
}

impl Key {
    pub fn string(name: &str) -> Self {
        Self { name: name.to_owned(), kind: KeyType::String }
    }
}

impl Default for TableShape {
    fn default() -> Self {
        Self { hash: Key::string("id"), range: None, indexes: Vec::new(), ttl_attribute: Some("expires_at".to_owned()) }
    }
}

impl Default for ClusterShape {
    fn default() -> Self {
        Self {
            engine: "aurora-mysql".to_owned(),
            engine_version: None,
            database_name: None,
            master_username: "rehearsal".to_owned(),
        }
    }
}
