# IAM is global: the environment in the role's name keeps the recovery region's roles apart from
# the primary's.

resource "aws_iam_role" "firehose" {
  name        = "${var.service}-firehose-${var.environment}"
  description = "Firehose writes to the logs bucket"

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "firehose.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })
}

resource "aws_iam_role_policy" "firehose" {
  name = "deliver"
  role = aws_iam_role.firehose.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect = "Allow"
        Action = [
          "s3:AbortMultipartUpload",
          "s3:GetBucketLocation",
          "s3:GetObject",
          "s3:ListBucket",
          "s3:ListBucketMultipartUploads",
          "s3:PutObject",
        ]
        Resource = [var.logs_bucket_arn, "${var.logs_bucket_arn}/*"]
      },
      {
        Effect   = "Allow"
        Action   = "logs:PutLogEvents"
        Resource = "${aws_cloudwatch_log_group.delivery.arn}:*"
      },
    ]
  })
}

resource "aws_iam_role" "subscription" {
  name        = "${var.service}-subscription-${var.environment}"
  description = "CloudWatch Logs writes to Firehose"

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "logs.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = { StringLike = { "aws:SourceArn" = "${aws_cloudwatch_log_group.app.arn}:*" } }
    }]
  })
}

resource "aws_iam_role_policy" "subscription" {
  name = "put-records"
  role = aws_iam_role.subscription.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect   = "Allow"
      Action   = ["firehose:PutRecord", "firehose:PutRecordBatch"]
      Resource = aws_kinesis_firehose_delivery_stream.logs.arn
    }]
  })
}
