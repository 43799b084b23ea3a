//! Reads what Athena is asked of a catalog: the `athena` block of a `catalog` block, and what of its `verify` is a question.

use hcl_edit::expr::Expression;
use hcl_edit::structure::Block;

use super::names::{LOCATION, WORKGROUP};
use super::reader::{Fields, Reader, Schema};
use super::rows::query;
use super::values::{expectation, list, named};
use super::{Athena, AthenaCheck, Expectation, Quantity};

const ATHENA: Schema =
    Schema { keys: &[("workgroup", "\"NAME\""), ("output", "\"s3://bucket/prefix/\"")], blocks: &[] };

/// The workgroup that every account has (Athena API: "WorkGroup").
const USUAL: &str = "primary";
const EXAMPLE: &str = "write athena(\"SELECT COUNT(*) FROM events\") >= 1";

enum Item {
    Counted(Expectation),
    Asked(AthenaCheck),
}

/// Reads both; a question without a block is asked by nobody, and a block without a question asks nothing.
pub(super) fn verify(reader: &mut Reader, catalog: &Fields) -> (Vec<Expectation>, Option<Athena>) {
    let items = catalog.optional(reader, "verify", list(item)).unwrap_or_default();
    let (mut counted, mut asked) = (Vec::new(), Vec::new());
    for item in items {
        match item {
            Item::Counted(expectation) => counted.push(expectation),
            Item::Asked(check) => asked.push(check),
        }
    }
    let block = catalog.only(reader, "athena", false);
    let athena = match (block, asked.is_empty()) {
        (None, true) => None,
        (None, false) => {
            let hint = "write athena { workgroup = \"NAME\" }: it says who asks";
            reader.hinted(catalog.span("verify"), "there is no athena block to ask with", "nobody asks", hint);
            None
        }
        (Some(block), none) => {
            let said = reader.problems.len();
            let read = athena(reader, block);
            if none && reader.problems.len() == said {
                let message = "the athena block asks nothing";
                reader.hinted(catalog.span("verify"), message, "no question here", EXAMPLE);
            }
            read.map(|athena| Athena { verify: asked, ..athena })
        }
    };
    (counted, athena)
}

fn athena(reader: &mut Reader, block: &Block) -> Option<Athena> {
    reader.unlabelled(block);
    let fields = Fields::new(reader, block, ATHENA);
    let workgroup = match fields.has("workgroup") {
        true => fields.optional(reader, "workgroup", named(WORKGROUP)),
        false => Some(USUAL.to_owned()),
    };
    let output = fields.optional(reader, "output", named(LOCATION));
    Some(Athena { workgroup: workgroup?, output, verify: Vec::new() })
}

fn item(reader: &mut Reader, expression: &Expression) -> Option<Item> {
    if let Expression::BinaryOp(operation) = expression
        && matches!(operation.lhs_expr, Expression::FuncCall(_))
    {
        let (sql, comparison, value) = query(reader, expression, operation, "athena", EXAMPLE)?;
        return Some(Item::Asked(AthenaCheck { sql, comparison, value }));
    }
    const COUNTED: &[(&str, Quantity)] = &[("tables", Quantity::Tables), ("partitions", Quantity::Partitions)];
    expectation(COUNTED)(reader, expression).map(Item::Counted)
}
