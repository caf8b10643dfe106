//! The answers, as botocore's model, the `aws` command and moto see them.

use std::net::TcpListener;

use sandbox::{ClusterSpec, Scenario};

use crate::{create, guide, python, start};

/// Every call of the API that answers something, so that every shape is held against the model.
const READS: &str = "\
DescribeDBClusters
DescribeDBClusters	DBClusterIdentifier=MAIN-cluster
DescribeDBInstances
DescribeDBInstances	Filters.Filter.1.Name=db-cluster-id	Filters.Filter.1.Values.Value.1=main-cluster
DescribeDBClusterParameters	DBClusterParameterGroupName=main-cluster-params
DescribeDBClusterParameters	DBClusterParameterGroupName=default.aurora-postgresql14	Source=system
DescribeDBParameters	DBParameterGroupName=default.aurora-postgresql14
DescribeDBClusterParameterGroups
DescribeDBParameterGroups
DescribeEngineDefaultClusterParameters	DBParameterGroupFamily=aurora-postgresql17
DescribeEngineDefaultParameters	DBParameterGroupFamily=postgres18
DescribeDBEngineVersions	Engine=aurora-postgresql	IncludeAll=true
DescribeDBEngineVersions	Engine=postgres	EngineVersion=16
DescribeDBMajorEngineVersions	Engine=aurora-postgresql
DescribeOrderableDBInstanceOptions	Engine=aurora-postgresql	EngineVersion=12.17	MaxRecords=1000
DescribeBlueGreenDeployments
DescribePendingMaintenanceActions
DescribeEvents	Duration=60
DescribeDBProxies
DescribeDBProxyTargets	DBProxyName=app
DescribeGlobalClusters
DescribeIntegrations
DescribeDBClusterEndpoints
DescribeAccountAttributes
DescribeCertificates
DescribeDBLogFiles	DBInstanceIdentifier=db-cluster1
DownloadDBLogFilePortion	DBInstanceIdentifier=db-cluster1	LogFileName=error/postgresql.log
ListTagsForResource	ResourceName=arn:aws:rds:eu-west-1:123456789012:cluster:main-cluster
CreateDBClusterParameterGroup	DBClusterParameterGroupName=new-group	DBParameterGroupFamily=aurora-postgresql14	Description=d
CreateDBParameterGroup	DBParameterGroupName=new-group	DBParameterGroupFamily=aurora-postgresql14	Description=d
ModifyDBClusterParameterGroup	DBClusterParameterGroupName=new-group	Parameters.Parameter.1.ParameterName=rds.logical_replication	Parameters.Parameter.1.ParameterValue=1	Parameters.Parameter.1.ApplyMethod=pending-reboot
ModifyDBParameterGroup	DBParameterGroupName=new-group	Parameters.Parameter.1.ParameterName=work_mem	Parameters.Parameter.1.ParameterValue=8192	Parameters.Parameter.1.ApplyMethod=immediate
ModifyDBCluster	DBClusterIdentifier=main-cluster	DeletionProtection=false
ModifyDBInstance	DBInstanceIdentifier=db-cluster2	DeletionProtection=false
AddTagsToResource	ResourceName=arn:aws:rds:eu-west-1:123456789012:cluster:main-cluster	Tags.Tag.1.Key=a	Tags.Tag.1.Value=b
CreateDBClusterSnapshot	DBClusterIdentifier=main-cluster	DBClusterSnapshotIdentifier=before
CreateDBSnapshot	DBInstanceIdentifier=shop	DBSnapshotIdentifier=before-shop
RebootDBInstance	DBInstanceIdentifier=db-cluster2
FailoverDBCluster	DBClusterIdentifier=main-cluster	TargetDBInstanceIdentifier=db-cluster2
CreateBlueGreenDeployment	BlueGreenDeploymentName=shop-16	Source=arn:aws:rds:eu-west-1:123456789012:db:shop	TargetEngineVersion=16.6
DeleteDBInstance	DBInstanceIdentifier=lonely	SkipFinalSnapshot=true
";

/// A world with one of everything.
fn everything() -> Scenario {
    let shop = Scenario::load("rds-instance").expect("a built-in scenario");
    let mut scenario = guide();
    scenario.parameter_group.extend(shop.parameter_group);
    scenario.instance = shop.instance;
    let mut lonely = scenario.instance[0].clone();
    lonely.id = "lonely".to_owned();
    lonely.replicas.clear();
    scenario.instance.push(lonely);
    let rest = Scenario::parse(
        "rest",
        r#"
        [[proxy]]
        name = "app"
        target = "main-cluster"
        [[global_cluster]]
        id = "world"
        writer = "arn:aws:rds:eu-west-1:123456789012:cluster:main-cluster"
        readers = ["arn:aws:rds:us-east-1:123456789012:cluster:main-us"]
        version = "12.17"
        [[integration]]
        name = "etl"
        source = "arn:aws:rds:eu-west-1:123456789012:cluster:main-cluster"
        target = "arn:aws:redshift-serverless:eu-west-1:123456789012:namespace/x"
        [[endpoint]]
        id = "reports"
        cluster = "main-cluster"
        static_members = ["db-cluster2"]
        [[maintenance]]
        arn = "arn:aws:rds:eu-west-1:123456789012:cluster:main-cluster"
        action = "system-update"
        description = "New Operating System update is available"
        "#,
    )
    .expect("valid TOML");
    scenario.proxy = rest.proxy;
    scenario.global_cluster = rest.global_cluster;
    scenario.integration = rest.integration;
    scenario.endpoint = rest.endpoint;
    scenario.maintenance = rest.maintenance;
    scenario
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_fits_the_public_model() {
    let Some(packages) = python::packages() else {
        return;
    };
    let sandbox = start(everything()).await;
    let deployment = create(&sandbox).await;
    sandbox.rds().edit(|account| {
        let log = sandbox::account::LogFile {
            written: "2026-01-01T00:00:00Z".parse().expect("a time"),
            text: "a line\n".to_owned(),
        };
        let instance = account
            .instances
            .get_mut("db-cluster1")
            .expect("it is in the scenario");
        instance.logs.insert("error/postgresql.log".to_owned(), log);
        let cluster = account
            .clusters
            .get_mut("main-cluster")
            .expect("it is in the scenario");
        cluster.managed_password = true;
        cluster.roles.push((
            "arn:aws:iam::123456789012:role/s3".to_owned(),
            "s3Import".to_owned(),
        ));
    });
    let calls = format!(
        "{READS}SwitchoverBlueGreenDeployment\tBlueGreenDeploymentIdentifier={deployment}\tSwitchoverTimeout=60\n"
    );
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    std::fs::write(file.path(), &calls).expect("a temporary file can be written");
    let output = python::script(
        packages,
        &sandbox.env(),
        "shapes.py",
        &[&file.path().to_string_lossy()],
    );
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(
        text.contains(&format!("{} answers", calls.lines().count())),
        "{text}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_fields_that_moto_fills_are_filled() {
    let Some(packages) = python::packages() else {
        return;
    };
    let sandbox = start(guide()).await;
    create(&sandbox).await;
    let port = TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .expect("a free port")
        .port();
    let output = python::script(packages, &sandbox.env(), "compare.py", &[&port.to_string()]);
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_aws_command_pages_through_a_fleet() {
    let Some(packages) = python::packages() else {
        return;
    };
    let mut scenario = guide();
    scenario.max_instances = 2000;
    scenario.cluster.extend((0..500).map(|n| ClusterSpec {
        id: format!("fleet-{n:03}"),
        version: "16.6".to_owned(),
        instances: vec![format!("fleet-{n:03}-1")],
        ..ClusterSpec::default()
    }));
    let sandbox = start(scenario).await;
    let aws = |args: &[&str]| {
        let output = python::aws(packages, &sandbox.env(), args);
        (
            output.status.code(),
            String::from_utf8_lossy(&output.stdout).trim().to_owned(),
            String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        )
    };
    let (code, count, error) = aws(&["rds", "describe-db-clusters", "--query", "length(DBClusters)"]);
    assert_eq!((code, count.as_str()), (Some(0), "501"), "{error}");
    assert_eq!(sandbox.calls().of("DescribeDBClusters").len(), 6);
    let (_, parameters, _) = aws(&[
        "rds",
        "describe-db-cluster-parameters",
        "--db-cluster-parameter-group-name",
        "main-cluster-params",
        "--query",
        "length(Parameters[?Source=='user'])",
    ]);
    assert_eq!(parameters, "5");
    let (code, _, error) = aws(&["rds", "describe-db-clusters", "--db-cluster-identifier", "nope"]);
    assert_ne!(code, Some(0));
    assert!(error.contains("(DBClusterNotFoundFault)"), "{error}");
    let (_, account, _) = aws(&[
        "sts",
        "get-caller-identity",
        "--query",
        "Account",
        "--output",
        "text",
    ]);
    assert_eq!(account, "123456789012");
}
