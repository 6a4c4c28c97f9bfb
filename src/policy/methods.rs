//! The methods by which rights lead to more rights. Action names are AWS's; which of them open which way is public knowledge, gathered
//! from pathfinding.cloud, from the AWS service authorization reference and from long-known write-ups. `docs/accuracy.md` measures them.

use std::sync::LazyLock;

/// What a method needs beside its actions, and so how it is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Rewrites a policy: one that is attached to the holder, or to somebody whose place it can take.
    Policy,
    /// As [`Way::Policy`], by going back to an older version.
    OldPolicy,
    /// Writes rights into a role: itself, or one whose place it can take.
    Role,
    /// Writes rights into a user: itself, or one whose place it can take.
    User,
    /// Writes rights into a group of its own.
    Group,
    /// Joins a group that holds more.
    Join,
    /// Lets itself into a role that holds more.
    Trust,
    /// Signs in as a user who holds more.
    SignIn,
    /// Hands a role that holds more to one of these services, which then does what the holder says.
    Passed(&'static [&'static str]),
    /// Gets hold of something that already runs as a role that holds more, and that one of these services assumes.
    Running(&'static [&'static str]),
    /// Assumes a role that holds more.
    Assume,
}

/// One action of a method.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// As AWS writes it.
    pub name: &'static str,
    /// In lower case.
    pub action: String,
}

/// A method: all its actions are needed.
#[derive(Clone, Debug)]
pub struct Method {
    /// Its actions joined by `+`, as AWS writes them; stable.
    pub id: &'static str,
    pub steps: Vec<Step>,
    pub way: Way,
}

/// The method by which roles are assumed, and chains of them.
pub const ASSUME: &str = "sts:AssumeRole";
/// The step that hands a role to a service, in lower case.
pub const PASS: &str = "iam:passrole";

const APP_RUNNER: Way = Way::Passed(&["tasks.apprunner.amazonaws.com"]);
const BEDROCK: Way = Way::Passed(&["bedrock-agentcore.amazonaws.com"]);
const CLOUD_FORMATION: Way = Way::Passed(&["cloudformation.amazonaws.com"]);
const CODE_BUILD: Way = Way::Passed(&["codebuild.amazonaws.com"]);
const DATA_PIPELINE: Way = Way::Passed(&["datapipeline.amazonaws.com", "ec2.amazonaws.com", "elasticmapreduce.amazonaws.com"]);
const EC2: Way = Way::Passed(&["ec2.amazonaws.com"]);
const ECS: Way = Way::Passed(&["ecs-tasks.amazonaws.com"]);
const GLUE: Way = Way::Passed(&["glue.amazonaws.com"]);
const LAMBDA: Way = Way::Passed(&["lambda.amazonaws.com"]);
const SAGE_MAKER: Way = Way::Passed(&["sagemaker.amazonaws.com"]);

/// Something that runs already: what the same services assume.
const fn running(way: Way) -> Way {
    match way {
        Way::Passed(services) => Way::Running(services),
        other => other,
    }
}

const LIST: &[(&str, Way)] = &[
    ("apprunner:UpdateService", running(APP_RUNNER)),
    ("bedrock-agentcore:StartCodeInterpreterSession+bedrock-agentcore:InvokeCodeInterpreter", running(BEDROCK)),
    ("cloudformation:CreateChangeSet+cloudformation:ExecuteChangeSet", running(CLOUD_FORMATION)),
    ("cloudformation:UpdateStack", running(CLOUD_FORMATION)),
    ("codebuild:StartBuild", running(CODE_BUILD)),
    ("codebuild:StartBuildBatch", running(CODE_BUILD)),
    ("ec2-instance-connect:SendSSHPublicKey", running(EC2)),
    ("ec2:CreateLaunchTemplateVersion+ec2:ModifyLaunchTemplate", running(EC2)),
    ("ec2:ModifyInstanceAttribute+ec2:StopInstances+ec2:StartInstances", running(EC2)),
    ("ecs:ExecuteCommand+ecs:DescribeTasks", running(ECS)),
    ("glue:UpdateDevEndpoint", running(GLUE)),
    ("iam:AddUserToGroup", Way::Join),
    ("iam:AttachGroupPolicy", Way::Group),
    ("iam:AttachRolePolicy", Way::Role),
    ("iam:AttachUserPolicy", Way::User),
    ("iam:CreateAccessKey", Way::SignIn),
    ("iam:CreateLoginProfile", Way::SignIn),
    ("iam:CreatePolicyVersion", Way::Policy),
    ("iam:PassRole+apprunner:CreateService", APP_RUNNER),
    (
        "iam:PassRole+bedrock-agentcore:CreateCodeInterpreter+bedrock-agentcore:StartCodeInterpreterSession+bedrock-agentcore:InvokeCodeInterpreter",
        BEDROCK,
    ),
    ("iam:PassRole+cloudformation:CreateStack", CLOUD_FORMATION),
    ("iam:PassRole+cloudformation:CreateStackSet+cloudformation:CreateStackInstances", CLOUD_FORMATION),
    ("iam:PassRole+cloudformation:UpdateStackSet", CLOUD_FORMATION),
    ("iam:PassRole+codebuild:CreateProject+codebuild:StartBuild", CODE_BUILD),
    ("iam:PassRole+codebuild:CreateProject+codebuild:StartBuildBatch", CODE_BUILD),
    ("iam:PassRole+datapipeline:CreatePipeline+datapipeline:PutPipelineDefinition+datapipeline:ActivatePipeline", DATA_PIPELINE),
    ("iam:PassRole+ec2:RequestSpotInstances", EC2),
    ("iam:PassRole+ec2:RunInstances", EC2),
    ("iam:PassRole+ecs:RegisterTaskDefinition+ecs:CreateService", ECS),
    ("iam:PassRole+ecs:RegisterTaskDefinition+ecs:RunTask", ECS),
    ("iam:PassRole+ecs:RegisterTaskDefinition+ecs:StartTask", ECS),
    ("iam:PassRole+glue:CreateDevEndpoint", GLUE),
    ("iam:PassRole+glue:CreateJob+glue:CreateTrigger", GLUE),
    ("iam:PassRole+glue:CreateJob+glue:StartJobRun", GLUE),
    ("iam:PassRole+glue:UpdateJob+glue:CreateTrigger", GLUE),
    ("iam:PassRole+glue:UpdateJob+glue:StartJobRun", GLUE),
    ("iam:PassRole+lambda:CreateFunction+lambda:AddPermission", LAMBDA),
    ("iam:PassRole+lambda:CreateFunction+lambda:CreateEventSourceMapping", LAMBDA),
    ("iam:PassRole+lambda:CreateFunction+lambda:InvokeFunction", LAMBDA),
    ("iam:PassRole+sagemaker:CreateNotebookInstance", SAGE_MAKER),
    ("iam:PassRole+sagemaker:CreateProcessingJob", SAGE_MAKER),
    ("iam:PassRole+sagemaker:CreateTrainingJob", SAGE_MAKER),
    ("iam:PutGroupPolicy", Way::Group),
    ("iam:PutRolePolicy", Way::Role),
    ("iam:PutUserPolicy", Way::User),
    ("iam:SetDefaultPolicyVersion", Way::OldPolicy),
    ("iam:UpdateAssumeRolePolicy", Way::Trust),
    ("iam:UpdateLoginProfile", Way::SignIn),
    ("lambda:UpdateFunctionCode", running(LAMBDA)),
    (
        "sagemaker:CreateNotebookInstanceLifecycleConfig+sagemaker:StopNotebookInstance+sagemaker:UpdateNotebookInstance+sagemaker:StartNotebookInstance",
        running(SAGE_MAKER),
    ),
    ("sagemaker:CreatePresignedNotebookInstanceUrl", running(SAGE_MAKER)),
    ("ssm:SendCommand", running(EC2)),
    ("ssm:StartSession", running(EC2)),
    (ASSUME, Way::Assume),
];

/// Every method, in the byte order of its id.
pub static METHODS: LazyLock<Vec<Method>> = LazyLock::new(|| {
    let step = |name: &'static str| Step { name, action: name.to_ascii_lowercase() };
    LIST.iter().map(|(id, way)| Method { id, steps: id.split('+').map(step).collect(), way: *way }).collect()
});

#[cfg(test)]
mod tests {
    use super::super::risks::IAM_WRITING;
    use super::*;

    #[test]
    fn methods_stand_in_order_and_hold_what_writes_rights() {
        let ids: Vec<&str> = METHODS.iter().map(|m| m.id).collect();
        assert!(ids.is_sorted_by(|a, b| a < b), "{ids:?}");
        for action in IAM_WRITING {
            assert!(METHODS.iter().any(|m| m.steps.len() == 1 && m.steps[0].action == *action), "{action}");
        }
        for method in METHODS.iter() {
            let passes = method.steps.iter().any(|s| s.action == PASS);
            assert_eq!(passes, matches!(method.way, Way::Passed(_)), "{}", method.id);
        }
    }
}
