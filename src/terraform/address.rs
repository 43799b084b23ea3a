//! Addresses of resources: `module.database["eu"].aws_rds_cluster.logs[0]` (Terraform: "Resource Addressing").

use std::fmt;

/// An address with its indices as they were written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    pub modules: Vec<Step>,
    /// `aws_rds_cluster`
    pub kind: String,
    pub resource: Step,
}

/// One name of an address with its index: `logs`, `logs[0]`, `logs["a"]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    pub name: String,
    /// What stands in the brackets, unchanged.
    pub index: Option<String>,
}

impl Address {
    /// Reads an address of a managed resource; `None` where the text is not one.
    pub fn parse(text: &str) -> Option<Self> {
        let mut steps = steps(text)?.into_iter().peekable();
        let mut modules = Vec::new();
        while steps.next_if(|step| step.name == "module" && step.index.is_none()).is_some() {
            modules.push(steps.next()?);
        }
        let kind = steps.next().filter(|kind| kind.index.is_none() && kind.name != "data")?.name;
        let resource = steps.next()?;
        steps.next().is_none().then_some(Self { modules, kind, resource })
    }

    /// The address without indices, as the root's files declare it.
    pub fn without_indices(&self) -> String {
        let modules = self.modules.iter().map(|step| format!("module.{}.", step.name));
        format!("{}{}.{}", modules.collect::<String>(), self.kind, self.resource.name)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for module in &self.modules {
            write!(f, "module.{module}.")?;
        }
        write!(f, "{}.{}", self.kind, self.resource)
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.index {
            Some(index) => write!(f, "{}[{index}]", self.name),
            None => f.write_str(&self.name),
        }
    }
}

fn steps(mut text: &str) -> Option<Vec<Step>> {
    let mut steps = Vec::new();
    loop {
        let end = text.find(['.', '[']).unwrap_or(text.len());
        let (name, rest) = text.split_at(end);
        if !is_name(name) {
            return None;
        }
        let (index, rest) = match rest.strip_prefix('[') {
            Some(inside) => {
                let length = index_length(inside)?;
                (Some(inside[..length].to_owned()), inside[length..].strip_prefix(']')?)
            }
            None => (None, rest),
        };
        steps.push(Step { name: name.to_owned(), index });
        match rest.strip_prefix('.') {
            Some(next) => text = next,
            None => return rest.is_empty().then_some(steps),
        }
    }
}

/// How much of the text is an index: digits, or a quoted string, which may hold any character.
fn index_length(text: &str) -> Option<usize> {
    let Some(quoted) = text.strip_prefix('"') else {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        return (digits > 0).then_some(digits);
    };
    let mut escaped = false;
    for (at, byte) in quoted.bytes().enumerate() {
        match byte {
            b'"' if !escaped => return Some(at + 2),
            b'\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    None
}

/// The first place of a character that is not within a quoted index, where it could stand as well.
pub fn outside_quotes(text: &str, wanted: char) -> Option<usize> {
    let (mut quoted, mut escaped) = (false, false);
    for (at, character) in text.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = quoted,
            '"' => quoted = !quoted,
            _ if character == wanted && !quoted => return Some(at),
            _ => {}
        }
    }
    None
}

/// An identifier of Terraform's language ("Identifiers", ASCII only: providers name their types so).
fn is_name(text: &str) -> bool {
    text.starts_with(|first: char| first.is_alphabetic() || first == '_')
        && text.chars().all(|character| character.is_alphanumeric() || matches!(character, '_' | '-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_written_back() {
        for text in [
            "aws_rds_cluster.logs",
            "module.database.aws_rds_cluster.logs",
            "module.a[0].module.b[\"x.y\\\"]\"].aws_dynamodb_table.t[\"é]\"]",
        ] {
            assert_eq!(Address::parse(text).unwrap().to_string(), text);
        }
        let address = Address::parse("module.a[0].aws_rds_cluster.logs[\"x\"]").unwrap();
        assert_eq!(address.without_indices(), "module.a.aws_rds_cluster.logs");
    }

    #[test]
    fn what_is_not_a_managed_resource_is_refused() {
        for text in [
            "",
            "logs",
            "module.a",
            "data.aws_rds_cluster.logs",
            "a.b.c",
            "a..b",
            "a.b[",
            "a.b[x]",
            "a.b[\"x]",
            "a.b.",
            "a b.c",
            "module.x.data.a.b",
            "a.b[0]x",
            "a[0].b",
        ] {
            assert_eq!(Address::parse(text), None, "{text}");
        }
    }
}
