# Tables over the logs bucket. Partitions are added by the delivery jobs as the days go by, so they
# are data here: Terraform does not know them, and a failover brings them back from the export.

resource "aws_glue_catalog_database" "logs" {
  name         = var.database_name
  description  = "Logs in ${var.logs_bucket}"
  location_uri = "s3://${var.logs_bucket}/"
}

resource "aws_glue_catalog_table" "logs" {
  for_each = var.tables

  database_name = aws_glue_catalog_database.logs.name
  name          = each.key
  description   = each.value.description
  table_type    = "EXTERNAL_TABLE"

  parameters = {
    EXTERNAL       = "TRUE"
    classification = "json"
  }

  dynamic "partition_keys" {
    for_each = ["year", "month", "day"]

    content {
      name = partition_keys.value
      type = "string"
    }
  }

  storage_descriptor {
    location      = "s3://${var.logs_bucket}/${each.value.prefix}"
    input_format  = "org.apache.hadoop.mapred.TextInputFormat"
    output_format = "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat"
    compressed    = true

    ser_de_info {
      name                  = "json"
      serialization_library = "org.openx.data.jsonserde.JsonSerDe"
      parameters            = { "serialization.format" = "1" }
    }

    dynamic "columns" {
      for_each = each.value.columns

      content {
        name = columns.value.name
        type = columns.value.type
      }
    }
  }
}
