//! What a plan marks in a resource, as sensitive or as unknown: `true`, `false`, or a tree of them in the shape of the
//! value (Terraform: "JSON Output Format", change representation). Only what is marked is kept.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

/// A tree of marks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Tree {
    /// Nothing is marked.
    #[default]
    None,
    /// The value is marked as a whole.
    All,
    /// By name; what has no entry is not marked.
    Map(Vec<(String, Tree)>),
    /// By place.
    List(Vec<Tree>),
}

const NOTHING: Tree = Tree::None;
const EVERYTHING: Tree = Tree::All;

impl Tree {
    /// Whether anything in it is marked.
    pub fn any(&self) -> bool {
        *self != Self::None
    }

    pub fn is_all(&self) -> bool {
        *self == Self::All
    }

    pub fn at_key(&self, name: &str) -> &Self {
        match self {
            Self::All => &EVERYTHING,
            Self::Map(entries) => entries.iter().find(|(it, _)| it == name).map_or(&NOTHING, |(_, tree)| tree),
            Self::None | Self::List(_) => &NOTHING,
        }
    }

    pub fn at_index(&self, index: usize) -> &Self {
        match self {
            Self::All => &EVERYTHING,
            Self::List(items) => items.get(index).unwrap_or(&NOTHING),
            Self::None | Self::Map(_) => &NOTHING,
        }
    }
}

/// The marks of a resource's attributes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Marks(Tree);

impl Marks {
    /// Whether any part of the attribute is marked.
    pub fn has(&self, name: &str) -> bool {
        self.0.at_key(name).any()
    }

    pub fn tree(&self) -> &Tree {
        &self.0
    }

    /// Attributes of which any part is marked; none where the resource is marked as a whole.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let entries = if let Tree::Map(entries) = &self.0 { entries.as_slice() } else { &[] };
        entries.iter().map(|(name, _)| name.as_str())
    }

    pub fn into_names(self) -> Vec<String> {
        if let Tree::Map(entries) = self.0 { entries.into_iter().map(|(name, _)| name).collect() } else { Vec::new() }
    }
}

impl<'de> Deserialize<'de> for Marks {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        Tree::deserialize(source).map(Self)
    }
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        struct Marked;
        impl<'de> Visitor<'de> for Marked {
            type Value = Tree;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a boolean, or a tree of them")
            }

            fn visit_bool<E>(self, marked: bool) -> Result<Tree, E> {
                Ok(if marked { Tree::All } else { Tree::None })
            }

            fn visit_unit<E>(self) -> Result<Tree, E> {
                Ok(Tree::None)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Tree, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = list.next_element::<Tree>()? {
                    items.push(item);
                }
                Ok(if items.iter().any(Tree::any) { Tree::List(items) } else { Tree::None })
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tree, A::Error> {
                let mut entries = Vec::new();
                while let Some((name, tree)) = map.next_entry::<String, Tree>()? {
                    if tree.any() {
                        entries.push((name, tree));
                    }
                }
                Ok(if entries.is_empty() { Tree::None } else { Tree::Map(entries) })
            }
        }
        source.deserialize_any(Marked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marks(json: &str) -> Marks {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn an_attribute_is_marked_when_anything_in_it_is() {
        let marks =
            marks(r#"{"password": true, "tags": {}, "rules": [{"port": false}, {"secret": [true]}], "ids": [false]}"#);
        assert!(marks.has("password") && marks.has("rules"));
        assert!(!marks.has("tags") && !marks.has("ids") && !marks.has("other"));
        let rules = marks.tree().at_key("rules");
        assert!(!rules.at_index(0).any() && rules.at_index(1).at_key("secret").at_index(0).is_all());
        assert!(!rules.at_index(1).at_key("port").any() && !rules.at_index(2).any());
    }

    #[test]
    fn a_resource_can_be_marked_as_a_whole() {
        assert!(marks("true").has("anything") && marks("true").tree().at_key("a").at_index(3).is_all());
        assert!(!marks("false").has("anything"));
        assert!(!marks("null").has("anything"));
    }
}
