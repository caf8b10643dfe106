//! The upgrade around the switchover against moto: nothing in it rests on what only the local RDS of this repository does.
//! moto has no servers behind its endpoints, so that what asks a database is refused there, and sends nothing.

use aws_sdk_rds::Client;
use greenlight::{
    edge::rds::{alter::Creation, change::Changes, look::Lookout},
    model::ResourceKind,
    prepare::Action,
    switchover::evidence::Answer,
};

use crate::{cli::Ran, moto::Moto};

const ACCOUNT: &str = r#"
rds.create_db_cluster(
    DBClusterIdentifier="main", Engine="aurora-postgresql", EngineVersion="12.17",
    MasterUsername="postgres", MasterUserPassword="opens-nothing", DatabaseName="main", BackupRetentionPeriod=7)
for n in (1, 2):
    rds.create_db_instance(
        DBInstanceIdentifier=f"main-{n}", DBClusterIdentifier="main",
        Engine="aurora-postgresql", DBInstanceClass="db.r6g.large")
rds.create_db_instance(
    DBInstanceIdentifier="shop", Engine="postgres", EngineVersion="13.18", DBInstanceClass="db.m6g.large",
    AllocatedStorage=20, MasterUsername="postgres", MasterUserPassword="opens-nothing")
"#;

/// What is there, by name.
const NAMES: &str = r#"
print(json.dumps({
    "deployments": [d["BlueGreenDeploymentName"] for d in rds.describe_blue_green_deployments()["BlueGreenDeployments"]],
    "clusters": sorted(c["DBClusterIdentifier"] for c in rds.describe_db_clusters()["DBClusters"]),
    "instances": sorted(i["DBInstanceIdentifier"] for i in rds.describe_db_instances()["DBInstances"]),
    "snapshots": sorted(s["DBClusterSnapshotIdentifier"] for s in rds.describe_db_cluster_snapshots(SnapshotType="manual")["DBClusterSnapshots"]),
}))
"#;

struct Stage {
    moto: Moto,
    here: tempfile::TempDir,
}

impl Stage {
    fn ends(&self, line: &str, code: i32, told: &str) -> Ran {
        let args: Vec<&str> = line.split(' ').collect();
        let ran = self.moto.greenlight(self.here.path(), &args);
        let said = format!("{}{}", ran.stdout, ran.stderr).replace('\n', " ");
        assert_eq!(ran.code, code, "{line}: {said}");
        assert!(said.contains(told), "{line}: {told}: {said}");
        ran
    }

    fn names(&self) -> serde_json::Value {
        serde_json::from_str(&self.moto.script(NAMES)).expect("JSON")
    }
}

#[test]
fn the_commands_read_and_clean_up_at_moto() {
    let Some(moto) = Moto::start() else { return };
    let here = tempfile::tempdir().expect("a folder");
    let stage = Stage { moto, here };
    stage.moto.script(ACCOUNT);
    let template = r#"{"Resources": {"Db": {"Type": "AWS::RDS::DBCluster", "Properties": {
        "DBClusterIdentifier": "main", "Engine": "aurora-postgresql", "EngineVersion": "12.17"}}}}"#;
    std::fs::write(stage.here.path().join("stack.json"), template).expect("written");

    // What it does not have is tried again, with growing pauses; so all that only look do so at once.
    let lines = [
        // It does not say where a version may go: then there is no plan, and that is said.
        (
            "plan --cluster main --target-version 14.10",
            3,
            "the facts do not show the upgrades that RDS offers",
        ),
        ("fleet --all --api-only --target-major 14", 10, "2 databases"),
        (
            "prepare --instance shop --api-only",
            10,
            "shop-postgres13 (postgres13), to be made",
        ),
        (
            "create --cluster main --target-version 14.10 --yes",
            3,
            "cannot connect",
        ),
        (
            "drift --cluster main --template stack.json --before --target-version 14.10",
            10,
            r#""EngineVersion": "14.10""#,
        ),
    ];
    std::thread::scope(|scope| {
        for (line, code, told) in lines {
            let stage = &stage;
            scope.spawn(move || stage.ends(line, code, told));
        }
    });
    assert_eq!(stage.names()["deployments"].as_array().map(Vec::len), Some(0));

    stage.moto.script(
        r#"
source = rds.describe_db_clusters(DBClusterIdentifier="main")["DBClusters"][0]["DBClusterArn"]
rds.create_blue_green_deployment(BlueGreenDeploymentName="to-14", Source=source, TargetEngineVersion="14.10")
"#,
    );
    let cleanup = "cleanup --deployment to-14 --yes --poll 1 --reconcile-for 2";
    std::thread::scope(|scope| {
        let watch = "watch --deployment to-14 --until available --timeout 60s";
        scope.spawn(|| stage.ends(watch, 0, "green is there"));
        scope.spawn(|| stage.ends(cleanup, 20, "not switched over"));
    });
    stage.ends(
        &format!("{cleanup} --unwanted --delete-target"),
        0,
        "production was not touched",
    );
    let left = stage.names();
    assert_eq!(
        (&left["clusters"], &left["instances"]),
        (&["main"].into(), &["main-1", "main-2", "shop"].into()),
        "{left}"
    );

    // An old side that is left, without members.
    stage.moto.script(
        r#"
rds.create_db_cluster(
    DBClusterIdentifier="main-old1", Engine="aurora-postgresql", EngineVersion="11.21",
    MasterUsername="postgres", MasterUserPassword="opens-nothing")
"#,
    );
    stage.ends(
        "cleanup --cluster main-old1 --delete-old --final-snapshot main-on-11 --yes --poll 1 --reconcile-for 2",
        0,
        "DONE  the old side is deleted",
    );
    let left = stage.names();
    assert_eq!(
        (&left["clusters"], &left["snapshots"]),
        (&["main"].into(), &["main-on-11"].into()),
        "{left}"
    );
}

/// The calls of `prepare` and `create`, which no command gets to without a database.
#[test]
fn moto_takes_what_prepare_and_create_send() {
    let Some(moto) = Moto::start() else { return };
    moto.script(ACCOUNT);
    let env = moto.env();
    let endpoint = &env
        .iter()
        .find(|(name, _)| *name == "AWS_ENDPOINT_URL")
        .expect("it")
        .1;
    sandbox::pg::block_on(async {
        let config = crate::rds_collect::config_in(endpoint, "eu-west-1").await;
        let changes = Changes::new(&config, "eu-west-1");
        let lookout = Lookout::new(&config, "eu-west-1");
        let taken = |what: &str, answer: Answer| {
            assert!(matches!(answer, Answer::Accepted { .. }), "{what}: {answer:?}");
        };
        for (kind, name, family, id) in [
            (ResourceKind::Cluster, "main-pg14", "aurora-postgresql14", "main"),
            (ResourceKind::Instance, "shop-pg16", "postgres16", "shop"),
        ] {
            for action in [
                Action::MakeGroup {
                    kind,
                    name: name.to_owned(),
                    family: family.to_owned(),
                    description: "green".to_owned(),
                },
                Action::SetValues {
                    kind,
                    name: name.to_owned(),
                    values: vec![("rds.logical_replication".to_owned(), "1".to_owned(), true)],
                },
                Action::Attach {
                    kind,
                    id: id.to_owned(),
                    group: name.to_owned(),
                },
            ] {
                taken(&action.title(), changes.act(&action).await);
            }
        }
        let reboot = Action::Reboot {
            id: "shop".to_owned(),
        };
        taken(&reboot.title(), changes.act(&reboot).await);
        let source = lookout.cluster("main").await.expect("seen").expect("there");
        let wanted = Creation {
            name: "to-14".to_owned(),
            source: source.arn.to_string(),
            target_version: "14.10".to_owned(),
            parameter_group: Some("main-pg14".to_owned()),
        };
        taken("create", changes.create(&wanted).await);
        let found = lookout
            .deployments("source", source.arn.as_str())
            .await
            .expect("seen");
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].name, "to-14");
        // A second one of the name is refused, as RDS does.
        let again = changes.create(&wanted).await;
        assert!(matches!(again, Answer::Rejected { .. }), "{again:?}");
        let green = found[0].target.as_ref().expect("green").name().to_owned();
        let green = lookout.cluster(&green).await.expect("seen").expect("there");
        assert_eq!(green.engine_version, "14.10");
        taken(
            "delete",
            changes.delete_deployment(&found[0].id, Some(true)).await,
        );
        let left = Client::new(&config).describe_db_clusters().send().await;
        assert_eq!(left.expect("listed").db_clusters().len(), 1);
    });
}
