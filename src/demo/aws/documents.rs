//! Policy documents.

use serde_json::{Value, json};

/// A managed policy.
#[derive(Clone, Debug)]
pub struct Policy {
    pub name: &'static str,
    /// Written by AWS.
    pub vendor: bool,
    pub document: Value,
}

/// A document of these statements.
fn document(statements: Value) -> Value {
    json!({ "Version": "2012-10-17", "Statement": statements })
}

/// One statement that allows `actions` on `resource`.
pub fn allow(actions: &[&str], resource: &str) -> Value {
    document(json!([{ "Effect": "Allow", "Action": actions, "Resource": resource }]))
}

/// One statement that allows `actions` on everything to whoever signed in with a second factor.
pub fn allow_with_mfa(actions: &[&str]) -> Value {
    let condition = json!({ "Bool": { "aws:MultiFactorAuthPresent": "true" } });
    document(json!([{ "Effect": "Allow", "Action": actions, "Resource": "*", "Condition": condition }]))
}

/// One statement that denies `actions` on `resource`.
pub fn deny(actions: &[&str], resource: &str) -> Value {
    document(json!([{ "Effect": "Deny", "Action": actions, "Resource": resource }]))
}

/// Everything.
pub fn everything() -> Value {
    document(json!([{ "Effect": "Allow", "Action": "*", "Resource": "*" }]))
}

/// Everything, for whoever signed in with a second factor.
pub fn everything_with_mfa() -> Value {
    document(json!([{
        "Sid": "AdminWithMfa", "Effect": "Allow", "Action": "*", "Resource": "*",
        "Condition": { "Bool": { "aws:MultiFactorAuthPresent": "true" } }
    }]))
}

/// The policies of every account of the demo, but for those that faults are planted with.
pub fn policies() -> Vec<Policy> {
    let own = |name, document| Policy { name, vendor: false, document };
    let aws = |name, document| Policy { name, vendor: true, document };
    vec![
        own("platform-operate", allow(&["ec2:*", "rds:*", "elasticloadbalancing:*", "cloudwatch:*", "logs:*"], "*")),
        own("data-read", allow(&["s3:GetObject", "s3:ListBucket", "athena:Get*", "glue:Get*"], "*")),
        own("deploy-services", allow(&["ecs:UpdateService", "ecs:Describe*", "ecr:BatchGetImage", "ecr:PutImage"], "*")),
        own("build-sandbox", allow(&["ec2:RunInstances", "ec2:TerminateInstances", "s3:*", "lambda:InvokeFunction", "sqs:*"], "*")),
        own("write-artifacts", allow(&["s3:PutObject", "s3:AbortMultipartUpload"], "arn:aws:s3:::corp-example-artifacts/*")),
        own(
            "self-manage-keys",
            document(json!([{
                "Sid": "OwnKeysOnly",
                "Effect": "Allow",
                "Action": ["iam:ListAccessKeys", "iam:GetAccessKeyLastUsed"],
                "Resource": "arn:aws:iam::*:user/${aws:username}"
            }])),
        ),
        own(
            "deny-outside-europe",
            document(json!([{
                "Sid": "StayInEurope",
                "Effect": "Deny",
                "NotAction": ["iam:*", "sts:*", "support:*"],
                "Resource": "*",
                "Condition": { "StringNotEquals": { "aws:RequestedRegion": ["eu-central-1", "eu-west-1"] } }
            }])),
        ),
        aws("ReadOnlyAccess", allow(&["cloudwatch:Describe*", "ec2:Describe*", "iam:Get*", "iam:List*", "s3:Get*", "s3:List*"], "*")),
        aws(
            "AmazonSSMManagedInstanceCore",
            allow(&["ssm:UpdateInstanceInformation", "ssmmessages:OpenDataChannel", "ec2messages:GetMessages"], "*"),
        ),
        aws("AWSLambdaBasicExecutionRole", allow(&["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"], "*")),
    ]
}
