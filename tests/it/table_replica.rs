//! A global table in a failover, with the command as the operator uses it. The emulator knows none: the proxy tells of a table
//! that it has replicas, as DynamoDB does.

use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
};
use lifeboat::aws::dynamodb::has_table;

use crate::state_custody::Tiny;

const TABLE: &str = r#"
table "metadata" {
  source = "metadata"
  target = "metadata"
  from   = replica
  verify = [items >= 2]
}
"#;

async fn create(tiny: &Tiny, items: u32) {
    let client = tiny.moto.session("us-east-1").dynamodb();
    let key = AttributeDefinition::builder().attribute_name("id").attribute_type(ScalarAttributeType::S).build();
    let hash = KeySchemaElement::builder().attribute_name("id").key_type(KeyType::Hash).build();
    let create = client.create_table().table_name("metadata").billing_mode(BillingMode::PayPerRequest);
    let create = create.attribute_definitions(key.expect("a key")).key_schema(hash.expect("a key"));
    create.send().await.expect("a table");
    for nr in 0..items {
        let put = client.put_item().table_name("metadata").item("id", AttributeValue::S(nr.to_string()));
        put.send().await.expect("an item");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_global_tables_replica_is_used_as_it_stands_and_its_items_are_counted() {
    let tiny = Tiny::with_root("").await;
    tiny.write_manifest(TABLE);
    let (code, said) = tiny.failover().await;
    assert_eq!((code, said.contains("table metadata has no replica in us-east-1")), (Some(3), true), "{said}");
    create(&tiny, 2).await;
    let (code, said) = tiny.failover().await;
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("is no replica of the table in eu-west-2: it is no global table"), "{said}");
    tiny.proxy.control().replicated("metadata", &["ap-south-1", "us-east-1"]);
    let (code, said) = tiny.failover().await;
    assert_eq!((code, said.contains("its replicas are in ap-south-1, us-east-1")), (Some(3), true), "{said}");

    tiny.proxy.control().replicated("metadata", &["eu-west-2", "us-east-1"]);
    let (code, said) = tiny.failover().await;
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("how far the replica of table metadata in us-east-1 is behind is not known"), "{said}");
    let report = tiny.report(&tiny.run()).await;
    assert!(
        report["not_checked"].to_string().contains("whether the replica of table metadata had everything"),
        "{report}"
    );
    let requests = std::fs::read_to_string(tiny.moto.dir.path().join("requests.jsonl")).expect("requests");
    assert!(requests.contains("\"Scan\"") && !requests.contains("RestoreTable"), "counted, not restored");
    assert!(has_table(&tiny.moto.session("us-east-1"), "metadata").await.expect("an answer"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_of_another_name_or_in_the_state_is_none_by_the_manifest() {
    let tiny = Tiny::with_root("").await;
    tiny.write_manifest(&TABLE.replace("target = \"metadata\"", "target = \"metadata-dr\""));
    let (code, said) = tiny.failover().await;
    assert_eq!((code, said.contains("the replica cannot have another name")), (Some(2), true), "{said}");
    tiny.write("root/main.tf", "resource \"aws_dynamodb_table\" \"metadata\" {\n  name = \"metadata\"\n}\n");
    tiny.write_manifest(&TABLE.replace("verify", "adopt = \"aws_dynamodb_table.metadata\"\n  verify"));
    let (code, said) = tiny.failover().await;
    assert_eq!((code, said.contains("a replica is not adopted")), (Some(2), true), "{said}");
}
