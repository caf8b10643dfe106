"""The cluster of the upgrade guide as a CDK program, before and after the upgrade.

What differs from the guide, so that it synthesizes with a current aws-cdk-lib: PRIVATE_WITH_NAT is now called
PRIVATE_WITH_EGRESS, the credentials have a user name, and the network is one that exists already. The guide's first
program names the version twice and differently: 12.14 for the parameter group, 12.4 for the cluster. `as-written` keeps
that; `before` says 12.14 in both places, which is what the guide's cluster runs.

    pip install -r requirements.txt && python guide.py    # needs node; writes the templates beside this file
"""

import json
import pathlib

from aws_cdk import App, Duration, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_rds as rds
from constructs import Construct


class ManagedDatabaseCluster(Construct):
    def __init__(
        self,
        scope: Construct,
        id: str,
        version: rds.AuroraPostgresEngineVersion,
        upgraded: bool,
        instances: int = 2,
        instance_class: ec2.InstanceClass = ec2.InstanceClass.BURSTABLE3,
        instance_size: ec2.InstanceSize = ec2.InstanceSize.MEDIUM,
        backup_retention_days: int = 30,
        vpc: ec2.IVpc = None,
    ):
        super().__init__(scope, id)

        if upgraded:
            parameter_group = rds.ParameterGroup.from_parameter_group_name(
                self, "ParameterGroup", "default.aurora-postgresql14"
            )
        else:
            parameter_group = rds.ParameterGroup(
                self,
                id="cluster-parameter-group",
                engine=rds.DatabaseClusterEngine.aurora_postgres(
                    version=rds.AuroraPostgresEngineVersion.VER_12_14,
                ),
                parameters={
                    "rds.logical_replication": "1",
                    "max_replication_slots": "25",
                    "max_wal_senders": "25",
                    "max_logical_replication_workers": "25",
                    "max_worker_processes": "50",
                },
            )

        self.rds_cluster = rds.DatabaseCluster(
            self,
            "db-cluster",
            engine=rds.DatabaseClusterEngine.aurora_postgres(version=version),
            instance_identifier_base="db-cluster",
            instance_props=rds.InstanceProps(
                instance_type=ec2.InstanceType.of(
                    instance_class=instance_class, instance_size=instance_size
                ),
                vpc=vpc,
                vpc_subnets=ec2.SubnetSelection(
                    subnet_type=ec2.SubnetType.PRIVATE_WITH_EGRESS
                ),
            ),
            credentials=rds.Credentials.from_username("main"),
            backup=rds.BackupProps(retention=Duration.days(backup_retention_days)),
            cluster_identifier="main-cluster",
            default_database_name="main",
            instances=instances,
            parameter_group=parameter_group,
            storage_encrypted=True,
        )


def version(full: str) -> rds.AuroraPostgresEngineVersion:
    return rds.AuroraPostgresEngineVersion.of(
        aurora_postgres_full_version=full, aurora_postgres_major_version=full
    )


def template(engine: rds.AuroraPostgresEngineVersion, upgraded: bool) -> dict:
    # As the `cdk` command line sets it: each resource says which construct made it.
    app = App(analytics_reporting=False, context={"aws:cdk:enable-path-metadata": True})
    stack = Stack(app, "Database")
    vpc = ec2.Vpc.from_vpc_attributes(
        stack,
        "network",
        vpc_id="vpc-0a1b2c3d4e5f60718",
        availability_zones=["eu-west-1a", "eu-west-1b"],
        private_subnet_ids=["subnet-0a1b2c3d4e5f60718", "subnet-1a2b3c4d5e6f70819"],
    )
    ManagedDatabaseCluster(stack, "main", version=engine, upgraded=upgraded, vpc=vpc)
    return app.synth().get_stack_by_name("Database").template


def main() -> None:
    here = pathlib.Path(__file__).parent
    for name, engine, upgraded in [
        ("as-written", version("12.4"), False),
        ("before", version("12.14"), False),
        ("after", version("14.10"), True),
    ]:
        text = json.dumps(template(engine, upgraded), indent=1) + "\n"
        (here / f"guide-{name}.template.json").write_text(text)


if __name__ == "__main__":
    main()
