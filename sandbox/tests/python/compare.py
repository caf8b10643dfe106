"""Which fields moto gives that the sandbox does not, for the calls that both have.

Both sides get the same cluster, members, groups and deployment; then every field that moto fills must be filled by the
sandbox, unless `KNOWN` says why not. Values are not compared: the two tell different stories.
"""

import os
import subprocess
import sys
import time
import urllib.request

import botocore.session
from botocore.config import Config

KNOWN = {
    "BacktrackWindow": "Aurora MySQL only",
    "GlobalWriteForwardingRequested": "only of members of a global database",
    "LatestRestorableTime": "of the cluster; members of Aurora have none",
    "PubliclyAccessible": "a cluster has it only when it is a Multi-AZ DB cluster",
}


def client(url):
    return botocore.session.get_session().create_client(
        "rds", region_name="eu-west-1", endpoint_url=url, config=Config(retries={"max_attempts": 0}),
        aws_access_key_id="AKIASANDBOXSANDBOX00", aws_secret_access_key="x",
    )


def fields(value, path=""):
    """Paths of everything that is filled; list members are merged."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key != "ResponseMetadata" and inner not in (None, "", [], {}):
                yield f"{path}.{key}"
                yield from fields(inner, f"{path}.{key}")
    elif isinstance(value, list):
        for inner in value:
            yield from fields(inner, path)


def build(moto):
    moto.create_db_cluster_parameter_group(
        DBClusterParameterGroupName="main-cluster-params", DBParameterGroupFamily="aurora-postgresql12", Description="x"
    )
    moto.create_db_parameter_group(DBParameterGroupName="members", DBParameterGroupFamily="aurora-postgresql12", Description="x")
    moto.create_db_cluster(
        DBClusterIdentifier="main-cluster", Engine="aurora-postgresql", EngineVersion="12.17", DatabaseName="main",
        MasterUsername="postgres", MasterUserPassword="password1", DBClusterParameterGroupName="main-cluster-params",
        Tags=[{"Key": "team", "Value": "payments"}],
    )
    for name in ("db-cluster1", "db-cluster2"):
        moto.create_db_instance(
            DBInstanceIdentifier=name, DBClusterIdentifier="main-cluster", Engine="aurora-postgresql",
            DBInstanceClass="db.t3.medium", DBParameterGroupName="members",
        )
    arn = moto.describe_db_clusters()["DBClusters"][0]["DBClusterArn"]
    moto.create_blue_green_deployment(
        BlueGreenDeploymentName="main-to-14", Source=arn, TargetEngineVersion="14.10",
        Tags=[{"Key": "team", "Value": "payments"}],
    )
    moto.create_db_cluster_snapshot(DBClusterSnapshotIdentifier="before", DBClusterIdentifier="main-cluster")


def answers(rds):
    arn = rds.describe_db_clusters(DBClusterIdentifier="main-cluster")["DBClusters"][0]["DBClusterArn"]
    yield "describe_db_clusters", rds.describe_db_clusters()
    yield "describe_db_instances", rds.describe_db_instances()
    yield "describe_blue_green_deployments", rds.describe_blue_green_deployments()
    yield "describe_db_cluster_parameter_groups", rds.describe_db_cluster_parameter_groups()
    yield "describe_db_parameter_groups", rds.describe_db_parameter_groups()
    yield "list_tags_for_resource", rds.list_tags_for_resource(ResourceName=arn)
    yield "describe_orderable_db_instance_options", rds.describe_orderable_db_instance_options(
        Engine="aurora-postgresql", EngineVersion="12.14", DBInstanceClass="db.t3.medium"
    )


port = sys.argv[1]
server = subprocess.Popen(
    [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", port], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
)
try:
    url = f"http://127.0.0.1:{port}"
    for _ in range(300):
        try:
            urllib.request.urlopen(f"{url}/moto-api/data.json")
            break
        except OSError:
            time.sleep(0.1)
    moto, sandbox = client(url), client(os.environ["AWS_ENDPOINT_URL"])
    build(moto)
    ours = dict(answers(sandbox))
    missing, compared, unused = [], 0, set(KNOWN)
    for name, answer in answers(moto):
        have = set(fields(ours[name]))
        for path in sorted(set(fields(answer))):
            compared += 1
            known = set(path.split(".")) & KNOWN.keys()
            if path in have:
                continue
            unused -= known
            if not known:
                missing.append(f"{name}: moto fills {path}, the sandbox does not")
    for field in sorted(unused):
        missing.append(f"{field} is in KNOWN, but the sandbox fills it or moto does not")
    for line in missing:
        print(line)
    print(f"{compared} fields compared")
    sys.exit(bool(missing) or compared < 100)
finally:
    server.terminate()
    server.wait()
