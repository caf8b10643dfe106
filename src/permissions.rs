//! The least rights that each command needs: IAM actions and the database role. A test holds the lists against the calls
//! that the commands really make.
//!
//! Sources of the lists for changing calls:
//! <https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/blue-green-deployments-authorizing-access.html> and
//! <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/blue-green-deployments-authorizing-access.html>.

use serde_json::{Value, json};

use crate::model::Engine;

/// What the rights are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Purpose {
    /// `check`, `collect`, `watch` and `drift`: looking only.
    #[value(aliases = ["collect", "watch", "drift"])]
    Check,
    /// `plan`: looking, also at what a family has by default.
    Plan,
    /// `fleet`: looking, and assuming a role in each further account.
    Fleet,
    /// Preparing parameter groups, with reboots; looking included.
    Prepare,
    /// Creating a deployment; looking included.
    Create,
    /// Switching over; looking included.
    Switchover,
    /// Removing the deployment and the old side; looking included.
    Cleanup,
}

/// What looking needs. Without the first three there is nothing to judge; each further one that is missing leaves the
/// checks that rest on it unknown.
pub const LOOK: &[&str] = &[
    "rds:DescribeBlueGreenDeployments",
    "rds:DescribeDBClusters",
    "rds:DescribeDBInstances",
    "rds:DescribeAccountAttributes",
    "rds:DescribeDBClusterEndpoints",
    "rds:DescribeDBClusterParameterGroups",
    "rds:DescribeDBClusterParameters",
    "rds:DescribeDBEngineVersions",
    "rds:DescribeDBMajorEngineVersions",
    "rds:DescribeDBParameterGroups",
    "rds:DescribeDBParameters",
    "rds:DescribeDBProxies",
    "rds:DescribeDBProxyTargets",
    "rds:DescribeEvents",
    "rds:DescribeGlobalClusters",
    "rds:DescribeIntegrations",
    "rds:DescribeOrderableDBInstanceOptions",
    "rds:DescribePendingMaintenanceActions",
];

/// The name that the role of `fleet` has in the policy.
pub const FLEET_ROLE: &str = "greenlight";

/// The actions that a purpose adds to looking, for one kind of engine.
fn acting(purpose: Purpose, aurora: bool) -> &'static [&'static str] {
    match (purpose, aurora) {
        (Purpose::Check | Purpose::Fleet, _) => &[],
        (Purpose::Plan, true) => &["rds:DescribeEngineDefaultClusterParameters"],
        (Purpose::Plan, false) => &["rds:DescribeEngineDefaultParameters"],
        (Purpose::Prepare, true) => &[
            "rds:CreateDBClusterParameterGroup",
            "rds:ModifyDBClusterParameterGroup",
            "rds:ModifyDBCluster",
            // Where a member's own group sets a parameter that is too low.
            "rds:ModifyDBParameterGroup",
            "rds:RebootDBInstance",
            "rds:FailoverDBCluster",
        ],
        (Purpose::Prepare, false) => &[
            "rds:CreateDBParameterGroup",
            "rds:ModifyDBParameterGroup",
            "rds:ModifyDBInstance",
            "rds:RebootDBInstance",
        ],
        (Purpose::Create, true) => &[
            "rds:CreateBlueGreenDeployment",
            "rds:AddTagsToResource",
            "rds:CreateDBCluster",
            "rds:CreateDBClusterEndpoint",
            "rds:CreateDBInstance",
        ],
        (Purpose::Create, false) => &[
            "rds:CreateBlueGreenDeployment",
            "rds:AddTagsToResource",
            "rds:CreateDBInstanceReadReplica",
        ],
        (Purpose::Switchover, true) => &[
            "rds:SwitchoverBlueGreenDeployment",
            "rds:ModifyDBCluster",
            "rds:PromoteReadReplicaDBCluster",
        ],
        (Purpose::Switchover, false) => &[
            "rds:SwitchoverBlueGreenDeployment",
            "rds:ModifyDBInstance",
            "rds:PromoteReadReplica",
        ],
        (Purpose::Cleanup, true) => &[
            "rds:DeleteBlueGreenDeployment",
            "rds:DeleteDBCluster",
            "rds:DeleteDBClusterEndpoint",
            "rds:DeleteDBInstance",
            "rds:CreateDBClusterSnapshot",
            "rds:DescribeDBClusterSnapshots",
        ],
        (Purpose::Cleanup, false) => &[
            "rds:DeleteBlueGreenDeployment",
            "rds:DeleteDBInstance",
            "rds:CreateDBSnapshot",
            "rds:DescribeDBSnapshots",
        ],
    }
}

/// The policy document.
///
/// The resource is `*`: Describe calls know no narrower one, and for the others RDS's guide rules out name patterns, since
/// green's names are invented while it is made. Narrow them by tags (`aws:ResourceTag`) where that is wanted.
pub fn policy(purpose: Purpose, engine: Engine) -> Value {
    let mut statements = vec![json!({
        "Sid": "Look",
        "Effect": "Allow",
        "Action": LOOK,
        "Resource": "*",
    })];
    if purpose == Purpose::Fleet {
        // Give the roles of the other accounts this name, or write theirs here; they need what is under Look.
        statements.push(json!({
            "Sid": "OtherAccounts",
            "Effect": "Allow",
            "Action": "sts:AssumeRole",
            "Resource": format!("arn:aws:iam::*:role/{FLEET_ROLE}"),
        }));
    }
    let mut actions: Vec<&str> = match engine {
        Engine::Aurora => acting(purpose, true).to_vec(),
        Engine::Rds => acting(purpose, false).to_vec(),
        Engine::Postgres => [acting(purpose, true), acting(purpose, false)].concat(),
    };
    actions.sort_unstable();
    actions.dedup();
    if !actions.is_empty() {
        statements.push(json!({ "Sid": "Act", "Effect": "Allow", "Action": actions, "Resource": "*" }));
    }
    json!({ "Version": "2012-10-17", "Statement": statements })
}

/// The SQL that makes the read-only role.
pub fn role(name: &str, iam: bool) -> String {
    let role = crate::model::quote_ident(name);
    let login = if iam {
        format!(
            "create role {role} login;\ngrant rds_iam to {role};         -- IAM tokens instead of a password"
        )
    } else {
        format!(
            "create role {role} login;         -- set its password with \\password {role} in psql, which keeps it out of logs"
        )
    };
    format!(
        "-- Run as the master user on blue before the deployment is created, so that green has the role too.\n\
         {login}\n\
         grant pg_monitor to {role};      -- sessions, settings and statistics of others; no table's contents\n\
         alter role {role} set default_transaction_read_only = on;\n\
         alter role {role} connection limit 20;\n\
         -- In addition, for each database that PUBLIC may not connect to:\n\
         -- grant connect on database … to {role};\n\
         -- Optional, for sequences-ahead after the switchover: it compares each sequence with its column's maximum.\n\
         -- grant pg_read_all_data to {role};   -- PostgreSQL 14 and newer; lets the role read every table\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looking_never_acts() {
        assert!(LOOK.iter().all(|action| action.starts_with("rds:Describe")));
        let text = policy(Purpose::Check, Engine::Aurora).to_string();
        for verb in ["Create", "Delete", "Modify", "Switchover", "Promote", "AddTags"] {
            assert!(!text.contains(&format!("rds:{verb}")), "{verb}");
        }
    }

    #[test]
    fn acting_differs_by_engine() {
        let aurora = policy(Purpose::Switchover, Engine::Aurora).to_string();
        assert!(aurora.contains("PromoteReadReplicaDBCluster") && !aurora.contains("ModifyDBInstance"));
        let rds = policy(Purpose::Switchover, Engine::Rds).to_string();
        assert!(rds.contains("ModifyDBInstance") && !rds.contains("ModifyDBCluster"));
    }

    #[test]
    fn the_role_is_quoted() {
        assert!(role("my \"role\"", false).contains("create role \"my \"\"role\"\"\" login;"));
        assert!(role("greenlight", true).contains("grant rds_iam to greenlight;"));
    }
}
