#!/bin/sh
# Is the streaming-logs pipeline there and working? Asks AWS three questions and changes nothing:
# the Firehose stream is ACTIVE, the log group that feeds it exists, the metadata table is ACTIVE.
#
# Needs curl 7.75 or newer (it signs the requests) and nothing else, so that it runs wherever the
# failover runs. Exit: 0 all well, 1 a check failed, 2 it could not be asked.
set -eu

usage() {
  cat <<'TEXT'
usage: integration_test.sh --environment NAME [--service NAME]

environment variables:
  AWS_REGION                                 region to ask (or AWS_DEFAULT_REGION)
  AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY   credentials; AWS_SESSION_TOKEN if they are temporary
  AWS_ENDPOINT_URL                           ask here instead of https://SERVICE.REGION.amazonaws.com
TEXT
}

die() {
  echo "integration_test.sh: $*" >&2
  exit 2
}

environment=
service=streaming-logs
while [ $# -gt 0 ]; do
  case $1 in
    --environment | --service)
      [ $# -ge 2 ] || die "$1 needs a name after it"
      if [ "$1" = --environment ]; then environment=$2; else service=$2; fi
      shift 2
      ;;
    -h | --help)
      usage
      exit 0
      ;;
    *)
      usage >&2
      die "unknown argument: $1"
      ;;
  esac
done

[ -n "$environment" ] || {
  usage >&2
  die "--environment is missing"
}
case $environment$service in
  *[!A-Za-z0-9-]*) die "names may only hold letters, digits and hyphens" ;;
esac
region=${AWS_REGION:-${AWS_DEFAULT_REGION:-}}
[ -n "$region" ] || die "AWS_REGION is not set"
[ -n "${AWS_ACCESS_KEY_ID:-}" ] || die "AWS_ACCESS_KEY_ID is not set"
[ -n "${AWS_SECRET_ACCESS_KEY:-}" ] || die "AWS_SECRET_ACCESS_KEY is not set"
curl --help all 2>/dev/null | grep -q aws-sigv4 || die "curl 7.75 or newer is needed, to sign requests"

# ask SERVICE TARGET JSON-VERSION BODY: sets $status (the HTTP status, 000 for no answer) and
# $answer. The secret goes to curl on its standard input: arguments can be seen by other users.
ask() {
  url=${AWS_ENDPOINT_URL:-https://$1.$region.amazonaws.com}
  answer=$(
    {
      echo "user = \"$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY\""
      if [ -n "${AWS_SESSION_TOKEN:-}" ]; then
        echo "header = \"X-Amz-Security-Token: $AWS_SESSION_TOKEN\""
      fi
      if [ -n "${AWS_CA_BUNDLE:-}" ]; then echo "cacert = \"$AWS_CA_BUNDLE\""; fi
    } | curl --config - --silent --show-error --max-time 20 --retry 2 \
      --aws-sigv4 "aws:amz:$region:$1" \
      --header "X-Amz-Target: $2" \
      --header "Content-Type: application/x-amz-json-$3" \
      --data "$4" --write-out '\n%{http_code}' "${url%/}/"
  ) || true
  status=$(printf '%s\n' "$answer" | tail -n 1)
  answer=$(printf '%s\n' "$answer" | sed '$d' | tr -d '\n')
}

# The first string value of a key in $answer.
value_of() {
  printf '%s' "$answer" | grep -o "\"$1\" *: *\"[^\"]*\"" | head -n 1 | sed 's/.*: *"//; s/"$//'
}

failed=0
ok() { echo "ok    $*"; }
fail() {
  echo "FAIL  $*" >&2
  failed=1
}

# not_answered WHAT: says why there was no 200, in the service's own words where it gave some.
not_answered() {
  case $answer in
    *ResourceNotFoundException*) fail "$1 does not exist in $region" ;;
    *) fail "$1: HTTP $status from $url: $(printf '%.300s' "${answer:-no answer}")" ;;
  esac
}

stream=$service-$environment
ask firehose Firehose_20150804.DescribeDeliveryStream 1.1 "{\"DeliveryStreamName\": \"$stream\"}"
state=$(value_of DeliveryStreamStatus)
if [ "$status" != 200 ]; then
  not_answered "Firehose stream $stream"
elif [ "$state" = ACTIVE ]; then
  ok "Firehose stream $stream is ACTIVE"
else
  fail "Firehose stream $stream is ${state:-in no known state}, not ACTIVE"
fi

group=/$service/$environment/app
ask logs Logs_20140328.DescribeLogGroups 1.1 "{\"logGroupNamePrefix\": \"$group\"}"
if [ "$status" != 200 ]; then
  not_answered "log group $group"
elif printf '%s' "$answer" | grep -q "\"logGroupName\" *: *\"$group\""; then
  ok "log group $group exists"
else
  fail "log group $group does not exist in $region"
fi

table=$service-metadata-$environment
ask dynamodb DynamoDB_20120810.DescribeTable 1.0 "{\"TableName\": \"$table\"}"
state=$(value_of TableStatus)
if [ "$status" != 200 ]; then
  not_answered "DynamoDB table $table"
elif [ "$state" = ACTIVE ]; then
  ok "DynamoDB table $table is ACTIVE"
else
  fail "DynamoDB table $table is ${state:-in no known state}, not ACTIVE"
fi

exit "$failed"
