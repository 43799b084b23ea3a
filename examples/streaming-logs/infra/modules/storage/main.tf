# The logs themselves, and the results of queries over them.

resource "aws_s3_bucket" "logs" {
  bucket        = "${var.service}-logs-${var.environment}"
  force_destroy = var.force_destroy
}

resource "aws_s3_bucket_versioning" "logs" {
  bucket = aws_s3_bucket.logs.id

  versioning_configuration {
    status = "Enabled"
  }
}

# Whoever may write logs may still not take an older version of one away, but where the stack is
# meant to be thrown away as a whole.
resource "aws_s3_bucket_policy" "logs" {
  count = var.force_destroy ? 0 : 1

  bucket = aws_s3_bucket.logs.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "OldVersionsStay"
      Effect    = "Deny"
      Principal = "*"
      Action    = "s3:DeleteObjectVersion"
      Resource  = "${aws_s3_bucket.logs.arn}/*"
    }]
  })
}

# Query results can be had again by asking again: no versions, and deleted with the stack.
resource "aws_s3_bucket" "athena" {
  bucket        = "${var.service}-athena-${var.environment}"
  force_destroy = true
}

resource "aws_s3_bucket_public_access_block" "private" {
  for_each = {
    logs   = aws_s3_bucket.logs.id
    athena = aws_s3_bucket.athena.id
  }

  bucket                  = each.value
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}
