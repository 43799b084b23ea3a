# A VPC with private subnets only: nothing in this stack is reached from the internet.

resource "aws_vpc" "this" {
  cidr_block = var.vpc_cidr

  tags = { Name = var.name }
}

resource "aws_subnet" "private" {
  count = length(var.availability_zones)

  vpc_id            = aws_vpc.this.id
  cidr_block        = cidrsubnet(var.vpc_cidr, 8, count.index)
  availability_zone = var.availability_zones[count.index]

  tags = { Name = "${var.name}-private-${count.index + 1}" }
}

resource "aws_security_group" "database" {
  name        = "${var.name}-aurora"
  description = "MySQL from the VPC and the allowed ranges"
  vpc_id      = aws_vpc.this.id

  tags = { Name = "${var.name}-aurora" }
}

resource "aws_vpc_security_group_ingress_rule" "mysql" {
  for_each = toset(concat([var.vpc_cidr], var.allowed_cidr_blocks))

  security_group_id = aws_security_group.database.id
  description       = "MySQL"
  cidr_ipv4         = each.value
  ip_protocol       = "tcp"
  from_port         = 3306
  to_port           = 3306
}
