//! Which attributes of a resource a plan marks, as sensitive or as unknown: `true`, `false`, or a tree of them in the
//! shape of the value. Only the names of marked attributes are kept.

use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// The marked attributes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    /// The whole resource is marked.
    all: bool,
    names: Vec<String>,
}

impl Marks {
    /// Whether any part of the attribute is marked.
    pub fn has(&self, name: &str) -> bool {
        self.all || self.names.iter().any(|it| it == name)
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    pub fn into_names(self) -> Vec<String> {
        self.names
    }
}

impl<'de> Deserialize<'de> for Marks {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        struct Top;
        impl<'de> Visitor<'de> for Top {
            type Value = Marks;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a boolean, or an object of marks")
            }

            fn visit_bool<E>(self, all: bool) -> Result<Marks, E> {
                Ok(Marks { all, names: Vec::new() })
            }

            fn visit_unit<E>(self) -> Result<Marks, E> {
                Ok(Marks::default())
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Marks, A::Error> {
                let mut names = Vec::new();
                while let Some(name) = map.next_key::<String>()? {
                    if map.next_value::<Any>()?.0 {
                        names.push(name);
                    }
                }
                Ok(Marks { all: false, names })
            }
        }
        source.deserialize_any(Top)
    }
}

/// Whether anything in a tree of marks is `true`.
struct Any(bool);

impl<'de> Deserialize<'de> for Any {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        struct Tree;
        impl<'de> Visitor<'de> for Tree {
            type Value = Any;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a tree of booleans")
            }

            fn visit_bool<E>(self, marked: bool) -> Result<Any, E> {
                Ok(Any(marked))
            }

            fn visit_unit<E>(self) -> Result<Any, E> {
                Ok(Any(false))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Any, A::Error> {
                let mut marked = false;
                while let Some(Any(item)) = list.next_element()? {
                    marked |= item;
                }
                Ok(Any(marked))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Any, A::Error> {
                let mut marked = false;
                while let Some((IgnoredAny, Any(item))) = map.next_entry()? {
                    marked |= item;
                }
                Ok(Any(marked))
            }
        }
        source.deserialize_any(Tree)
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
    }

    #[test]
    fn a_resource_can_be_marked_as_a_whole() {
        assert!(marks("true").has("anything"));
        assert!(!marks("false").has("anything"));
        assert!(!marks("null").has("anything"));
    }
}
